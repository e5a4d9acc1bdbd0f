"""95 % intervals by drawing whole groups with replacement: slices of one patient are not independent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.ranking import Truth, compared, draws, mean_precisions
from core.model import Detection


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % percentile interval; NaN where it could not be formed."""

    low: float
    high: float


def intervals(
    truth: Sequence[Truth],
    detections: Sequence[Sequence[Detection]],
    groups: Sequence[str] | None,
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    """Intervals of "ap50" and "ap50_95" (mean over the classes that a resample holds).

    Args:
        truth: Per slice the true boxes and class ids.
        detections: Per slice.
        groups: Per slice its group; None for every slice its own.
        resamples: How many.
        seed: Of the draws.
    """
    pairs = compared(truth, detections, groups)
    drawn = mean_precisions(pairs, draws(pairs.groups, resamples, seed))
    return {"ap50": interval(drawn[:, 0]), "ap50_95": interval(drawn.mean(axis=1))}


def interval(values: NDArray[np.float64]) -> Interval:
    """The interval of a figure's values in the resamples, those in which it does not exist left out."""
    there = values[~np.isnan(values)]
    if not there.size:
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(there, [2.5, 97.5])
    return Interval(float(low), float(high))


def plain(value: float) -> float | None:
    """A figure as JSON has it: null where it does not exist."""
    return None if math.isnan(value) else value


def pair(of: Interval) -> list[float | None]:
    """An interval as JSON has it: [low, high]."""
    return [plain(of.low), plain(of.high)]
