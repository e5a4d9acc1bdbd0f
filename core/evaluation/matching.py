"""Which detection found which true box: greedy matching as COCO does it, and average precision from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.boxes import Boxes, iou_matrix

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
# COCO's guard: an IoU a rounding error below the threshold still matches.
_EPSILON = 1e-10


@dataclass(frozen=True, slots=True)
class Counted:
    """What counts where figures are for boxes of one size only.

    Attributes:
        truth: (G,) the true boxes of that size. The others need not be found, and finding them is no fault.
        found: (D,) the detections of that size. The others are no fault where they find nothing.
    """

    truth: NDArray[np.bool_]
    found: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SliceMatch:
    """One slice and class.

    Attributes:
        order: (D,) indices of the detections as they were given, by falling score.
        scores: (D,) falling.
        hits: (T, D) whether the detection found a true box, per IoU threshold.
        ignored: (T, D) whether it neither counts as a hit nor as a false positive.
        matched: (T, G) whether the true box was found.
        truths: How many true boxes count.
    """

    order: NDArray[np.int64]
    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    matched: NDArray[np.bool_]
    truths: int


def match_slice(
    truth: Boxes,
    found: Boxes,
    scores: NDArray[np.float64],
    thresholds: NDArray[np.float64] = IOU_THRESHOLDS,
    counted: Counted | None = None,
) -> SliceMatch:
    """Match detections to true boxes, best score first, each true box at most once.

    A detection takes the free true box it overlaps most, if by at least the threshold; one that counts
    before one that does not.

    Args:
        truth: (G, 4).
        found: (D, 4).
        scores: (D,).
        thresholds: (T,) IoU thresholds.
        counted: Which of them count; None for all.
    """
    order = np.argsort(-scores, kind="mergesort")
    overlap = iou_matrix(found[order], truth)
    counts = counted.truth if counted is not None else np.ones(len(truth), dtype=np.bool_)
    hits = np.zeros((len(thresholds), len(order)), dtype=np.bool_)
    ignored = np.zeros_like(hits)
    matched = np.zeros((len(thresholds), len(truth)), dtype=np.bool_)
    # Most detections overlap nothing enough to be worth a look.
    near = np.flatnonzero((overlap >= thresholds.min() - _EPSILON).any(axis=1))
    for t, threshold in enumerate(thresholds):
        least = min(float(threshold), 1.0 - _EPSILON)
        for d in near:
            taken = _best(overlap[d], counts & ~matched[t], least)
            if taken < 0:
                taken = _best(overlap[d], ~counts & ~matched[t], least)
            if taken >= 0:
                matched[t, taken] = True
                hits[t, d] = counts[taken]
                ignored[t, d] = not counts[taken]
    if counted is not None:
        ignored |= ~hits & ~counted.found[order]
    return SliceMatch(order, scores[order], hits, ignored, matched, int(counts.sum()))


def _best(overlap: NDArray[np.float64], free: NDArray[np.bool_], least: float) -> int:
    """The free true box of the largest overlap, the last of equals as COCO takes it; -1 for none."""
    candidates = np.where(free, overlap, -1.0)
    best = len(candidates) - 1 - int(np.argmax(candidates[::-1]))
    return best if candidates[best] >= least else -1
