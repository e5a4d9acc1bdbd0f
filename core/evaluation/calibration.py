"""Whether scores are what they claim: of detections scored .8, are eight in ten right?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.bootstrap import plain
from core.evaluation.ranking import AT_HALF, Compared, rank

BINS = 10
HOTTEST = 20.0
"""Temperatures are looked for between 1 / HOTTEST and HOTTEST."""
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_STEPS = 60  # leaves 1e-12 of the range
_EDGE = 1e-7  # a score of 0 or 1 has no log-odds
_PRIOR = 1.0
_NEWTON_STEPS = 60
_LONGEST_STEP = 1.0
_LEAST_SCALE = 0.05


@dataclass(frozen=True, slots=True)
class Bin:
    """Detections with scores in [low, high), the last bin with 1; NaN means where there is none.

    Attributes:
        low: Lower end.
        high: Upper end.
        count: How many detections.
        score: Their mean score.
        hit_rate: Share of them that found a true box.
    """

    low: float
    high: float
    count: int
    score: float
    hit_rate: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores against hits at IoU .5.

    Attributes:
        bins: BINS of equal width.
        error: Expected calibration error: mean distance of score and hit rate over the bins, by count; NaN
            without detections.
        temperature: The temperature that fits these very detections best; above 1 scores are too sure.
        error_after: The error with scores at that temperature.
    """

    bins: tuple[Bin, ...]
    error: float
    temperature: float
    error_after: float

    def as_dict(self) -> dict[str, object]:
        """Part of the command line's JSON. A figure that does not exist (NaN) is null."""
        return {
            "error": plain(self.error),
            "temperature": self.temperature,
            "error_at_temperature": plain(self.error_after),
            "bins": [
                {
                    "low": b.low,
                    "high": b.high,
                    "count": b.count,
                    "score": plain(b.score),
                    "hit_rate": plain(b.hit_rate),
                }
                for b in self.bins
            ],
        }


def calibration(pairs: Compared) -> Calibration:
    """Calibration of all detections, each matched to true boxes of its own class at IoU .5."""
    scores, hits = scored_hits(pairs)
    temperature = fit_temperature(scores, hits)
    bins = reliability(scores, hits)
    after = reliability(at_temperature(scores, temperature), hits)
    return Calibration(bins, expected_error(bins), temperature, expected_error(after))


def scored_hits(pairs: Compared) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(D,) scores of all detections, and whether each finds a true box of its own class at IoU .5."""
    labels = set(pairs.labels) | {d.label_id for found in pairs.found for d in found}
    rankings = [rank(pairs, label, AT_HALF) for label in sorted(labels)]
    scores = np.concatenate([np.zeros(0), *(r.scores for r in rankings)])
    return scores, np.concatenate([np.zeros(0, dtype=np.bool_), *(r.hits[0] for r in rankings)])


def reliability(scores: NDArray[np.float64], hits: NDArray[np.bool_], bins: int = BINS) -> tuple[Bin, ...]:
    """Detections by score in bins of equal width.

    Args:
        scores: (D,) in [0, 1].
        hits: (D,) whether each is right.
        bins: How many.
    """
    place = np.minimum((scores * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=scores, minlength=bins) / count
        rate = np.bincount(place, weights=hits.astype(np.float64), minlength=bins) / count
    return tuple(
        Bin(i / bins, (i + 1) / bins, int(count[i]), float(mean[i]), float(rate[i])) for i in range(bins)
    )


def expected_error(bins: tuple[Bin, ...]) -> float:
    """Mean distance of score and hit rate over the bins, weighted by count; NaN without detections."""
    total = sum(b.count for b in bins)
    distance = sum(b.count * abs(b.score - b.hit_rate) for b in bins if b.count)
    return distance / total if total else math.nan


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """A monotone map of scores: their log-odds times `scale`, plus `shift` (Platt 1999).

    A temperature alone cannot help where all scores are too high: .5 stays .5.

    Attributes:
        scale: Above 0, so that the order of scores stays.
        shift: Log-odds.
    """

    scale: float = 1.0
    shift: float = 0.0

    def apply(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores on the new scale."""
        return np.asarray(1.0 / (1.0 + np.exp(-(self.scale * _log_odds(scores) + self.shift))))


def fit_scale(scores: NDArray[np.float64], hits: NDArray[np.bool_]) -> ScoreScale:
    """The scale on which the scores explain the hits best; the given one where nothing can be learnt.

    Newton's method on the negative log-likelihood, which is convex. Few detections pull little: a prior worth
    about one detection holds the scale near 1 and the shift near 0.

    Args:
        scores: (D,) in [0, 1].
        hits: (D,) whether each is right.
    """
    if not hits.any() or hits.all():
        return ScoreScale()
    odds = _log_odds(scores)
    inputs = np.stack([odds, np.ones_like(odds)], axis=1)
    start = np.array([1.0, 0.0])
    at = start.copy()
    for _ in range(_NEWTON_STEPS):
        said = 1.0 / (1.0 + np.exp(-inputs @ at))
        slope = inputs.T @ (said - hits) + _PRIOR * (at - start)
        curve = (inputs * (said * (1.0 - said))[:, None]).T @ inputs + _PRIOR * np.eye(2)
        step = np.linalg.solve(curve, slope)
        at = at - step * min(1.0, _LONGEST_STEP / float(np.abs(step).max() + _EDGE))
    return ScoreScale(max(_LEAST_SCALE, float(at[0])), float(at[1]))


def at_temperature(scores: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Scores with their log-odds divided by the temperature; their order stays."""
    return np.asarray(1.0 / (1.0 + np.exp(-_log_odds(scores) / temperature)))


def fit_temperature(scores: NDArray[np.float64], hits: NDArray[np.bool_]) -> float:
    """The temperature at which the scores explain the hits best.

    The negative log-likelihood is convex in 1 / temperature, so that a golden-section search finds its one
    minimum (Guo et al. 2017).

    Args:
        scores: (D,) in [0, 1].
        hits: (D,) whether each is right.

    Returns:
        Between 1 / HOTTEST and HOTTEST; 1 where all are right or none is, which says nothing of the scores.
    """
    if not hits.any() or hits.all():
        return 1.0
    signed = np.where(hits, 1.0, -1.0) * _log_odds(scores)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, -signed * math.exp(-log_temperature)).mean())

    low, high = -math.log(HOTTEST), math.log(HOTTEST)
    inner = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    losses = [loss(x) for x in inner]
    for _ in range(_STEPS):
        if losses[0] <= losses[1]:
            high = inner[1]
            inner = [high - _GOLDEN * (high - low), inner[0]]
            losses = [loss(inner[0]), losses[0]]
        else:
            low = inner[0]
            inner = [inner[1], low + _GOLDEN * (high - low)]
            losses = [losses[1], loss(inner[1])]
    return math.exp((low + high) / 2)


def _log_odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(scores, _EDGE, 1.0 - _EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))
