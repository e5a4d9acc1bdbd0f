"""Which detection found which true box: greedy matching as COCO does it, and average precision from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.boxes import Boxes, iou_matrix

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
# COCO's guard: an IoU a rounding error below the threshold still matches.
_EPSILON = 1e-10


@dataclass(frozen=True, slots=True)
class SliceMatch:
    """One slice and class.

    Attributes:
        scores: (D,) falling.
        hits: (T, D) whether the detection found a true box, per IoU threshold.
        truths: How many true boxes there are.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    truths: int


def match_slice(
    truth: Boxes, found: Boxes, scores: NDArray[np.float64], thresholds: NDArray[np.float64] = IOU_THRESHOLDS
) -> SliceMatch:
    """Match detections to true boxes, best score first, each true box at most once.

    A detection takes the free true box it overlaps most, if by at least the threshold.

    Args:
        truth: (G, 4).
        found: (D, 4).
        scores: (D,).
        thresholds: (T,) IoU thresholds.
    """
    order = np.argsort(-scores, kind="mergesort")
    overlap = iou_matrix(found[order], truth)
    hits = np.zeros((len(thresholds), len(order)), dtype=np.bool_)
    for t, threshold in enumerate(thresholds):
        free = np.ones(len(truth), dtype=np.bool_)
        for d in range(len(order)):
            candidates = np.where(free, overlap[d], -1.0)
            # The last of equals, as COCO takes it.
            best = len(candidates) - 1 - int(np.argmax(candidates[::-1])) if len(candidates) else -1
            if best >= 0 and candidates[best] >= min(float(threshold), 1.0 - _EPSILON):
                free[best] = False
                hits[t, d] = True
    return SliceMatch(scores[order], hits, len(truth))


def average_precision(scores: NDArray[np.float64], hits: NDArray[np.bool_], truths: int) -> float:
    """COCO's 101-point interpolated average precision; NaN where there is no true box.

    Args:
        scores: (D,) in any order.
        hits: (D,).
        truths: How many true boxes there are in all.
    """
    if truths == 0:
        return float("nan")
    ranked = hits[np.argsort(-scores, kind="mergesort")]
    true_positives = np.cumsum(ranked)
    recall = true_positives / truths
    precision = true_positives / np.arange(1, len(ranked) + 1)
    # Precision made monotonic from the right, then read off at each recall.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    sampled = np.where(at < len(envelope), np.append(envelope, 0.0)[np.minimum(at, len(envelope))], 0.0)
    return float(sampled.mean())
