"""Two models on the same slices: is one better, or was it the choice of patients?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.bootstrap import Interval, interval, pair, plain
from core.evaluation.ranking import (
    AT_HALF,
    Compared,
    Counts,
    draws,
    mean_precisions,
    once,
    rank,
    sensitivities,
)

RATE = 1.0
"""False positives per slice at which sensitivities are compared."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two models. NaN where it does not exist.

    Attributes:
        first: Of the first model.
        second: Of the second.
        difference: First minus second.
        ci95: Interval of the difference; both models see the same resamples.
        below_zero: Share of the resamples in which the first model is worse.
    """

    first: float
    second: float
    difference: float
    ci95: Interval
    below_zero: float

    def as_dict(self) -> dict[str, object]:
        """Part of the command line's JSON. A figure that does not exist (NaN) is null."""
        return {
            "model": plain(self.first),
            "other": plain(self.second),
            "difference": plain(self.difference),
            "ci95": pair(self.ci95),
            "below_zero": plain(self.below_zero),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models compared.

    Attributes:
        ap50: Mean over classes of average precision at IoU .5.
        sensitivity: At RATE false positives per slice, any class.
    """

    ap50: Difference
    sensitivity: Difference

    def as_dict(self) -> dict[str, object]:
        """Part of the command line's JSON."""
        return {"ap50": self.ap50.as_dict(), f"sensitivity_at_{RATE:g}": self.sensitivity.as_dict()}


def compare(first: Compared, second: Compared, *, resamples: int, seed: int = 0) -> Comparison:
    """Paired bootstrap over groups.

    Args:
        first: The truth, the first model's detections, the groups.
        second: The same truth and groups with the second model's detections.
        resamples: How many; 0 for no intervals.
        seed: Of the draws.

    Raises:
        ValueError: Truth or groups differ.
    """
    same = len(first.truth) == len(second.truth) and np.array_equal(first.members, second.members)
    if not same or any(list(a) != list(b) for a, b in zip(first.truth, second.truth, strict=True)):
        raise ValueError("two models can be compared on the same slices and true boxes only")
    counts = np.concatenate([once(first), draws(first.groups, resamples, seed)])
    return Comparison(
        ap50=_difference(_ap50(first, counts), _ap50(second, counts)),
        sensitivity=_difference(_sensitivity(first, counts), _sensitivity(second, counts)),
    )


def _ap50(pairs: Compared, counts: Counts) -> NDArray[np.float64]:
    return mean_precisions(pairs, counts, AT_HALF)[:, 0]


def _sensitivity(pairs: Compared, counts: Counts) -> NDArray[np.float64]:
    return sensitivities(rank(pairs, None, AT_HALF), counts, (RATE,))[:, 0]


def _difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> Difference:
    """From values of which the first is of the data set itself, the others of resamples."""
    drawn = (first - second)[1:]
    drawn = drawn[~np.isnan(drawn)]
    below = float((drawn < 0).mean()) if drawn.size else math.nan
    return Difference(float(first[0]), float(second[0]), float(first[0] - second[0]), interval(drawn), below)
