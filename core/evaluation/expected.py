"""What to expect of a model at an operating point: measured on the held-out slices, read off at the desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.boxes import nms, to_array
from core.evaluation.bootstrap import Interval, interval
from core.evaluation.ranking import AT_HALF, Ranking, Truth, compared, draws, once, rank
from core.model import Detection

SCORES: tuple[float, ...] = (0.01, *(round(0.05 * k, 2) for k in range(1, 20)), 0.99)
OVERLAPS: tuple[float, ...] = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
_RESAMPLES = 400
_DIGITS = 4
_FIGURES = ("sensitivity", "false_positives")
_ENDS = ("_low", "_high")

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a model did on its held-out slices at an operating point.

    Attributes:
        sensitivity: Share of the true boxes found (IoU ≥ 0.5, whatever the class).
        sensitivity_ci95: Its interval, groups resampled; NaN where there is one group only.
        false_positives: Per slice.
        false_positives_ci95: Its interval.
        slices: How many slices it was measured on.
        boxes: How many true boxes are on them.
    """

    sensitivity: float
    sensitivity_ci95: Interval
    false_positives: float
    false_positives_ci95: Interval
    slices: int
    boxes: int


def table_of(
    truth: Sequence[Truth], found: Sequence[Sequence[Detection]], groups: Sequence[str] | None = None
) -> Table:
    """Sensitivity and false positives per slice by overlap and score, for a model's card.

    Args:
        truth: Per slice the true boxes and class ids.
        found: Per slice what was judged, before suppression, each box with its best class only: the rule at
            the desk (`operating_point.detections_at`) is applied here.
        groups: Per slice its group; None for every slice its own.

    Returns:
        Plain lists by overlap and score; empty where there is no true box.
    """
    boxes = sum(len(row) for row in truth)
    if not boxes:
        return {}
    rows: dict[str, list[list[float | None]]] = {f"{f}{part}": [] for f in _FIGURES for part in ("", *_ENDS)}
    for overlap in OVERLAPS:
        pairs = compared(truth, [_suppressed(row, overlap) for row in found], groups)
        ranking, drawn = rank(pairs, None, AT_HALF), draws(pairs.groups, _RESAMPLES, seed=0)
        at, resampled = _figures(ranking, once(pairs)), _figures(ranking, drawn)
        for k, figure in enumerate(_FIGURES):
            ends = [interval(resampled[k][:, s]) for s in range(len(SCORES))]
            rows[figure].append([_rounded(v) for v in at[k][0]])
            rows[f"{figure}_low"].append([_rounded(e.low) for e in ends])
            rows[f"{figure}_high"].append([_rounded(e.high) for e in ends])
    return {
        "scores": list(SCORES),
        "overlaps": list(OVERLAPS),
        "slices": len(truth),
        "boxes": boxes,
        "groups": len(set(groups)) if groups is not None else len(truth),
        **rows,
    }


def expected_at(table: Mapping[str, Any], score: float, overlap: float) -> Expected | None:
    """Read a table off at an operating point, in a straight line between its places.

    Returns:
        None where the card has no such table, or one that cannot be read.
    """
    try:
        scores, overlaps = np.array(table["scores"], float), np.array(table["overlaps"], float)
        read = {
            name: _between(np.array(table[name], float), overlaps, scores, overlap, score)
            for name in (f"{f}{part}" for f in _FIGURES for part in ("", *_ENDS))
        }
        return Expected(
            read["sensitivity"],
            Interval(read["sensitivity_low"], read["sensitivity_high"]),
            read["false_positives"],
            Interval(read["false_positives_low"], read["false_positives_high"]),
            int(table["slices"]),
            int(table["boxes"]),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def _between(
    values: NDArray[np.float64],
    overlaps: NDArray[np.float64],
    scores: NDArray[np.float64],
    overlap: float,
    score: float,
) -> float:
    if values.shape != (len(overlaps), len(scores)):
        raise ValueError("the table has another shape than its margins")
    by_overlap = np.array([np.interp(score, scores, row) for row in values])
    return float(np.interp(overlap, overlaps, by_overlap))


def _suppressed(row: Sequence[Detection], overlap: float) -> list[Detection]:
    kept, _ = nms(to_array(d.box for d in row), np.array([d.score for d in row], dtype=np.float64), overlap)
    return [row[int(k)] for k in kept]


def _figures(ranking: Ranking, counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sensitivity and false positives per slice, each (resamples, scores)."""
    upto = (ranking.scores[None, :] >= np.array(SCORES)[:, None]).sum(axis=1)
    weights = counts[:, ranking.members]
    hits = np.pad(np.cumsum(weights * ranking.hits[0], axis=1), ((0, 0), (1, 0)))[:, upto]
    alarms = np.pad(np.cumsum(weights * ~ranking.hits[0], axis=1), ((0, 0), (1, 0)))[:, upto]
    truths, slices = (counts @ ranking.truths)[:, None], (counts @ ranking.slices)[:, None]
    sensitivity = np.where(truths > 0, hits / np.maximum(truths, 1), np.nan)
    return sensitivity, alarms / np.maximum(slices, 1)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), _DIGITS)
