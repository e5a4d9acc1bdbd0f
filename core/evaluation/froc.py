"""Free-response ROC: how many lesions are found at a bearable number of false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.evaluation.bootstrap import Interval, interval
from core.evaluation.ranking import (
    Compared,
    Counts,
    Ranking,
    Truth,
    compared,
    last_of_equals,
    once,
    rank,
    sensitivities,
)
from core.model import Detection

RATES: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


def froc(
    truth: Sequence[Truth],
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
    pairs = compared(truth, detections)
    found = sensitivities(rank(pairs, None, np.array([iou])), once(pairs), rates)[0]
    return dict(zip(rates, found.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class FrocPoint:
    """Sensitivity at one rate of false positives; NaN where there is no true box."""

    rate: float
    sensitivity: float
    ci95: Interval


def froc_points(
    pairs: Compared, ranking: Ranking, counts: Counts, *, per_group: bool = False
) -> tuple[FrocPoint, ...]:
    """Sensitivity with intervals at RATES false positives per slice, or per group (patient).

    Args:
        pairs: What is compared.
        ranking: Its detections whatever the class, at one IoU threshold.
        counts: Resamples; none for intervals of NaN.
        per_group: Count false positives per group, not per slice.
    """
    at = sensitivities(ranking, once(pairs), RATES, per_group=per_group)[0]
    drawn = sensitivities(ranking, counts, RATES, per_group=per_group)
    return tuple(FrocPoint(rate, float(at[k]), interval(drawn[:, k])) for k, rate in enumerate(RATES))


def threshold_at(ranking: Ranking, rate: float) -> float:
    """The lowest score that keeps to so many false positives per slice; infinite where none does."""
    ends = last_of_equals(ranking.scores)
    allowed = np.cumsum(~ranking.hits[0])[ends] <= rate * int(ranking.slices.sum())
    return float(ranking.scores[ends[allowed][-1]]) if allowed.any() else float("inf")
