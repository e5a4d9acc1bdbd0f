"""Lesion-level FROC: how many lesions of a series are found, however many slices each of them is on.

A true lesion counts as found at score s where a predicted lesion of score ≥ s overlaps one of its boxes, on
that box's slice, by IoU ≥ .5: the box criterion of DeepLesion (Yan et al., J. Med. Imaging 2018), asked of
one slice of the lesion as in Lesion-Harvester (Cai et al., IEEE TMI 2020). A reader who is shown a lesion
once has been shown it; a box that is missing on its other slices costs sensitivity on the level of boxes
(core.evaluation.froc), not here.

A predicted lesion that overlaps no true one so is false. Further ones on a true lesion that is found already
are neither hits nor false, as in LUNA16 (Setio et al., Med. Image Anal. 2017). False positives are counted
twice over: per series as lesions, and per slice as the boxes that they put in front of the reader (so that
linking many false boxes into one lesion gains nothing).

The members of a lesion come with it: a lesion of score ≥ s shows its weaker boxes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.boxes import iou
from core.evaluation.bootstrap import interval, pair, plain
from core.evaluation.froc import RATES, FrocPoint
from core.evaluation.ranking import Counts, draws, read_off
from core.model import Box

Unit = Literal["slice", "series"]


@dataclass(frozen=True, slots=True)
class LesionBoxes:
    """A lesion, true or predicted, by its boxes.

    Attributes:
        boxes: (slice index, box), one or more on a slice.
        score: Of a predicted one; not read of a true one.
    """

    boxes: tuple[tuple[int, Box], ...]
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class SeriesLesions:
    """What is compared on one series.

    Attributes:
        patient: The group that resamples draw as a whole.
        slices: How many slices the series has.
        truth: True lesions.
        found: Predicted lesions.
    """

    patient: str
    slices: int
    truth: tuple[LesionBoxes, ...]
    found: tuple[LesionBoxes, ...]


@dataclass(frozen=True, slots=True)
class LesionCurve:
    """The figures at every score at which they change, (T,) each.

    Attributes:
        scores: Falling.
        sensitivity: Share of the true lesions found; NaN where there is none.
        per_slice: Boxes of false lesions per slice.
        per_series: False lesions per series.
    """

    scores: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    per_slice: NDArray[np.float64]
    per_series: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Tally:
    """Numbers by patient (P) and score (T), from which any resample is a sum.

    Attributes:
        scores: (T,) falling.
        hits: (P, T) true lesions found.
        boxes: (P, T) boxes of false lesions.
        lesions: (P, T) false lesions.
        truths: (P,) true lesions.
        slices: (P,) slices.
        series: (P,) series.
    """

    scores: NDArray[np.float64]
    hits: Counts
    boxes: Counts
    lesions: Counts
    truths: Counts
    slices: Counts
    series: Counts


@dataclass(frozen=True, slots=True)
class LesionFigures:
    """Sensitivity by lesion, with what it rests on.

    Attributes:
        series: What was compared; at least one.
        points: At RATES boxes of false lesions per slice.
    """

    series: tuple[SeriesLesions, ...]
    points: tuple[FrocPoint, ...]

    @property
    def lesions(self) -> int:
        """How many true lesions there are."""
        return sum(len(s.truth) for s in self.series)

    @property
    def slices(self) -> int:
        """How many slices the series have together."""
        return sum(s.slices for s in self.series)

    @property
    def groups(self) -> int:
        """How many groups the resamples draw from."""
        return len({s.patient for s in self.series})

    def as_dict(self) -> dict[str, object]:
        """Part of the command line's JSON; null for a figure that does not exist."""
        return {
            "n_lesions": self.lesions,
            "n_series": len(self.series),
            "n_slices": self.slices,
            "n_groups": self.groups,
            "sensitivity": {f"{p.rate:g}": plain(p.sensitivity) for p in self.points},
            "ci95": {f"{p.rate:g}": pair(p.ci95) for p in self.points},
        }


def lesion_figures(series: Sequence[SeriesLesions], *, resamples: int = 0) -> LesionFigures | None:
    """The figures; None without a series, since nothing can be linked across slices then.

    Args:
        series: What to compare.
        resamples: Bootstrap resamples over groups; 0 for intervals of NaN.
    """
    return LesionFigures(tuple(series), lesion_froc(series, resamples=resamples)) if series else None


def lesion_curve(series: Sequence[SeriesLesions], least_iou: float = 0.5) -> LesionCurve:
    """Sensitivity and false positives over the score.

    Args:
        series: What to compare.
        least_iou: Overlap, on one slice at least, of a hit.
    """
    tally = _tally(series, least_iou)
    return LesionCurve(
        tally.scores,
        tally.hits.sum(axis=0) / (tally.truths.sum() or np.nan),
        tally.boxes.sum(axis=0) / max(int(tally.slices.sum()), 1),
        tally.lesions.sum(axis=0) / max(int(tally.series.sum()), 1),
    )


def lesion_froc(
    series: Sequence[SeriesLesions],
    rates: Sequence[float] = RATES,
    *,
    per: Unit = "slice",
    least_iou: float = 0.5,
    resamples: int = 0,
    seed: int = 0,
) -> tuple[FrocPoint, ...]:
    """Sensitivity at given rates of false positives, with intervals from resampled patients.

    At each rate the lowest score that keeps to it is used; lesions of equal score come together.

    Args:
        series: What to compare.
        rates: Boxes of false lesions per slice, or false lesions per series.
        per: Which of the two.
        least_iou: Overlap, on one slice at least, of a hit.
        resamples: How many draws of patients; 0 for intervals of NaN.
        seed: Of the draws.
    """
    tally = _tally(series, least_iou)
    patients = len(tally.truths)
    at = _sensitivities(tally, np.ones((1, patients), dtype=np.int64), rates, per)[0]
    drawn = _sensitivities(tally, draws(patients, resamples, seed), rates, per)
    return tuple(FrocPoint(rate, float(at[k]), interval(drawn[:, k])) for k, rate in enumerate(rates))


def _tally(series: Sequence[SeriesLesions], least_iou: float) -> _Tally:
    patients = {name: i for i, name in enumerate(dict.fromkeys(s.patient for s in series))}
    scores = np.array(sorted({f.score for s in series for f in s.found}, reverse=True), dtype=np.float64)
    hits, boxes, lesions = (np.zeros((len(patients), len(scores)), dtype=np.int64) for _ in range(3))
    truths, slices, number = (np.zeros(len(patients), dtype=np.int64) for _ in range(3))
    for one in series:
        p = patients[one.patient]
        truths[p] += len(one.truth)
        slices[p] += one.slices
        number[p] += 1
        meets = [[_meet(t, f, least_iou) for t in one.truth] for f in one.found]
        for k in range(len(one.truth)):
            best = max((f.score for f, met in zip(one.found, meets, strict=True) if met[k]), default=None)
            if best is not None:
                hits[p] += scores <= best
        for found, met in zip(one.found, meets, strict=True):
            if not any(met):
                lesions[p] += scores <= found.score
                boxes[p] += len(found.boxes) * (scores <= found.score)
    return _Tally(scores, hits, boxes, lesions, truths, slices, number)


def _meet(a: LesionBoxes, b: LesionBoxes, least_iou: float) -> bool:
    return any(i == j and iou(p, q) >= least_iou for i, p in a.boxes for j, q in b.boxes)


def _sensitivities(tally: _Tally, counts: Counts, rates: Sequence[float], per: Unit) -> NDArray[np.float64]:
    """(resamples, rates); NaN where a resample has no true lesion. `counts`: (resamples, P)."""
    alarms = counts @ (tally.boxes if per == "slice" else tally.lesions)
    room = counts @ (tally.slices if per == "slice" else tally.series)
    return read_off(counts @ tally.hits, alarms, counts @ tally.truths, room, rates)
