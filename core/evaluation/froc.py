"""Free-response ROC: how many lesions are found at a bearable number of false alarms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.boxes import to_array
from core.evaluation.matching import match_slice
from core.model import Box, Detection

RATES: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


def froc(
    truth: Sequence[Sequence[tuple[Box, int]]],
    detections: Sequence[Sequence[Detection]],
    rates: Sequence[float] = RATES,
    iou: float = 0.5,
) -> dict[float, float]:
    """Sensitivity at given mean numbers of false positives per slice, whatever the class.

    A detection is a hit where it is the best match of a true box (IoU ≥ `iou`); a second detection on the
    same box is a false positive. At each rate the lowest threshold that keeps to it is used.

    Args:
        truth: Per slice the true boxes and class ids.
        detections: Per slice.
        rates: False positives per slice.
        iou: Least overlap of a hit.

    Returns:
        Sensitivity in [0, 1] by rate; NaN where there is no true box.
    """
    total = sum(len(boxes) for boxes in truth)
    scores: list[float] = []
    hits: list[bool] = []
    for boxes, found in zip(truth, detections, strict=True):
        match = match_slice(
            to_array(b for b, _ in boxes),
            to_array(d.box for d in found),
            np.array([d.score for d in found], dtype=np.float64),
            np.array([iou]),
        )
        scores += match.scores.tolist()
        hits += match.hits[0].tolist()
    if total == 0 or not truth:
        return {rate: float("nan") for rate in rates}
    order = np.argsort(-np.array(scores), kind="mergesort")
    ranked_scores = np.array(scores)[order]
    ranked = np.array(hits, dtype=np.bool_)[order]
    sensitivity = np.cumsum(ranked) / total
    false_positives = np.cumsum(~ranked) / len(truth)
    # A threshold takes in all detections of equal score at once.
    ends = np.append(ranked_scores[1:] != ranked_scores[:-1], True) if len(ranked) else np.zeros(0, bool)
    result = {}
    for rate in rates:
        allowed = np.flatnonzero(ends & (false_positives <= rate))
        result[rate] = float(sensitivity[allowed[-1]]) if len(allowed) else 0.0
    return result
