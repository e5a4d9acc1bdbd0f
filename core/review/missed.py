"""Why a lesion was missed at an operating point, from a result that is there; never runs the model.

The verdicts, the first that fits:

- found: a prediction that is shown agrees with the lesion;
- suppressed: a judged box that agrees scores high enough, but a stronger box overlaps it by too much;
- badly regressed: a proposal agrees and scores high enough, but the regression moved its box away;
- low score: a box or proposal agrees, and the best of them scores too low, or none of them was judged
  because the lesion map saw nothing there;
- no proposal: no box and no proposal agrees.

To agree is to overlap a drawn box by IoU ≥ `AGREES`, or to hold a spot in the middle `MIDDLE` of the box.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.boxes import Boxes, iou_matrix, nms, to_array
from core.detection.base import DetectResult
from core.detection.operating_point import AGREES, OperatingPoint
from core.model import Box, LabelSchema

MIDDLE = 2 / 3
"""Share of a box's sides, around its centre, within which a spot is taken to mean what the box holds: a box
of half the head holds any spot, and is about few of them."""


class Verdict(StrEnum):
    """Where a lesion was lost."""

    FOUND = "found"
    NO_PROPOSAL = "no proposal"
    LOW_SCORE = "low score"
    SUPPRESSED = "suppressed"
    REGRESSED = "badly regressed"


@dataclass(frozen=True, slots=True)
class Spot:
    """A point that a reader asks about, in slice pixels (corner convention)."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Fate:
    """A proposal with what became of it.

    Attributes:
        row: Its row in the result's trace; "d<row>" on screen where it is shown.
        proposal: Before regression.
        box: After regression; the proposal where it was not judged.
        overlap: IoU of the proposal with the drawn box; None for a spot.
        overlap_after: IoU of `box` with the drawn box; None for a spot.
        label_id: Its best class.
        score: That class's score.
        scores: (class id, score), best first; empty where it was not judged. They are of the proposal: the
            model does not look at the regressed box again.
        promise: Fit to the lesion map, 0 … 1, or None.
        suppressed_by: Row that suppresses it at the operating point, or None.
    """

    row: int
    proposal: Box
    box: Box
    overlap: float | None
    overlap_after: float | None
    label_id: int
    score: float
    scores: tuple[tuple[int, float], ...]
    promise: float | None
    suppressed_by: int | None

    @property
    def judged(self) -> bool:
        """Whether the model was asked for its class."""
        return self.score > 0.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a lesion was found or missed.

    Attributes:
        verdict: In one word.
        best: The proposal that agrees best with the lesion (for a spot: the best scored, then the one that
            fits the lesion map best); None where there is no proposal at all.
        deciding: The one that the verdict is about; `best` where there is none that agrees.
        by: With SUPPRESSED, what suppressed it.
        sentences: The same in words, the verdict first.
    """

    verdict: Verdict
    best: Fate | None
    deciding: Fate | None
    by: Fate | None
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """The trace as arrays, a row each, with how well each agrees with the lesion, before and after."""

    result: DetectResult
    point: OperatingPoint
    lesion: Box | Spot
    enough: float
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    scores: NDArray[np.float64]
    promise: NDArray[np.float64]
    by: NDArray[np.int64]

    @property
    def strong(self) -> NDArray[np.bool_]:
        return np.asarray((self.scores >= self.point.min_score) & (self.scores > 0.0))

    @property
    def shown(self) -> NDArray[np.bool_]:
        return np.asarray(self.strong & (self.by == np.arange(len(self.by))))

    def fate(self, row: int) -> Fate:
        trace = self.result.trace[row]
        of_box = isinstance(self.lesion, Box)
        return Fate(
            row=row,
            proposal=self.result.proposals.boxes[trace.proposal],
            box=trace.box,
            overlap=float(self.before[row]) if of_box else None,
            overlap_after=float(self.after[row]) if of_box else None,
            label_id=trace.label_id,
            score=trace.score,
            scores=tuple(sorted(trace.scores, key=lambda s: (-s[1], s[0]))),
            promise=trace.promise,
            suppressed_by=None if self.by[row] in (-1, row) else int(self.by[row]),
        )


def explain(
    result: DetectResult, lesion: Box | Spot, point: OperatingPoint, schema: LabelSchema
) -> Explanation:
    """Why a lesion was found or missed.

    Args:
        result: Of the lesion's slice.
        lesion: A drawn box, or a spot.
        point: The operating point in force; suppression is across classes, as on screen.
        schema: Names the classes.
    """
    case = _case(result, lesion, point)
    verdict, row = _verdict(case)
    best = _best_fit(case)
    deciding = case.fate(row) if row >= 0 else best
    by = None
    if verdict is Verdict.SUPPRESSED and deciding is not None and deciding.suppressed_by is not None:
        by = case.fate(deciding.suppressed_by)
    found = Explanation(verdict, best, deciding, by, ())
    return Explanation(verdict, best, deciding, by, _Words(case, found, schema).sentences())


def _case(result: DetectResult, lesion: Box | Spot, point: OperatingPoint) -> _Case:
    boxes = to_array(t.box for t in result.trace)
    proposals = to_array(result.proposals.boxes[t.proposal] for t in result.trace)
    scores = np.array([t.score for t in result.trace], dtype=np.float64)
    promise = np.array([t.promise or 0.0 for t in result.trace], dtype=np.float64)
    strong = np.flatnonzero((scores >= point.min_score) & (scores > 0.0))
    by = np.full(len(scores), -1, dtype=np.int64)
    by[strong] = strong[nms(boxes[strong], scores[strong], point.nms_iou)[1]]
    return _Case(
        result=result,
        point=point,
        lesion=lesion,
        enough=AGREES if isinstance(lesion, Box) else 1.0 - MIDDLE,
        before=_fit(lesion, proposals),
        after=np.where(scores > 0.0, _fit(lesion, boxes), 0.0),
        scores=scores,
        promise=promise,
        by=by,
    )


def _fit(lesion: Box | Spot, boxes: Boxes) -> NDArray[np.float64]:
    """(N,) IoU with a drawn box; of a spot how near the centre it is, 1 there and 0 at the edge."""
    if isinstance(lesion, Box):
        return np.asarray(iou_matrix(to_array([lesion]), boxes)[0])
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    off = np.abs(np.array([lesion.x, lesion.y]) - (boxes[:, 2:] + boxes[:, :2]) / 2) / half
    return np.asarray(1.0 - off.max(axis=1))


def _verdict(case: _Case) -> tuple[Verdict, int]:
    """The verdict and the row it is about, -1 for none."""
    good, near = case.after >= case.enough, case.before >= case.enough
    if (hits := good & case.shown).any():
        return Verdict.FOUND, _first_by(hits, case.after)
    if (hits := good & case.strong).any():
        return Verdict.SUPPRESSED, _first_by(hits, case.scores)
    if (hits := near & case.strong).any():
        return Verdict.REGRESSED, _first_by(hits, case.scores)
    if (good | near).any():
        return Verdict.LOW_SCORE, _first_by(good | near, case.scores, case.promise, case.before)
    return Verdict.NO_PROPOSAL, -1


def _best_fit(case: _Case) -> Fate | None:
    if not len(case.before):
        return None
    every = np.ones(len(case.before), dtype=np.bool_)
    if isinstance(case.lesion, Box):
        return case.fate(_first_by(every, case.before))
    near = case.before >= case.enough
    if near.any():
        return case.fate(_first_by(near, case.scores, case.promise, case.before))
    return case.fate(_first_by(every, case.before))


def _first_by(rows: NDArray[np.bool_], *keys: NDArray[np.float64]) -> int:
    """Of the marked rows that with the largest key; equal ones by the next key, then the first."""
    members = np.flatnonzero(rows)
    order = np.lexsort([-key[members] for key in reversed(keys)])
    return int(members[order[0]])


class _Words:
    """The sentences of an explanation."""

    def __init__(self, case: _Case, found: Explanation, schema: LabelSchema) -> None:
        self._case, self._found, self._schema = case, found, schema
        self._of_box = isinstance(case.lesion, Box)

    def sentences(self) -> tuple[str, ...]:
        one = self._found.deciding
        if one is None:
            return ("No proposal: nothing was proposed on this slice.",)
        if self._found.verdict is Verdict.NO_PROPOSAL:
            return (self._no_proposal(one),)
        told = {
            Verdict.FOUND: self._is_found,
            Verdict.SUPPRESSED: self._is_suppressed,
            Verdict.REGRESSED: self._is_regressed,
            Verdict.LOW_SCORE: self._is_low,
        }[self._found.verdict](one)
        return tuple(s for s in (told, self._scores(one), self._better(one)) if s)

    def _named(self, one: Fate) -> str:
        return f"{self._schema.name_of(one.label_id)} {one.score:.2f}"

    def _is_found(self, one: Fate) -> str:
        if self._of_box:
            return f"Found: {self._named(one)} is shown, IoU {one.overlap_after:.2f} with this box."
        return f"Found: {self._named(one)} is shown around this spot."

    def _is_suppressed(self, one: Fate) -> str:
        by = self._found.by
        if by is None:
            raise AssertionError("a suppressed box has one that suppressed it")
        overlap = iou_matrix(to_array([one.box]), to_array([by.box]))[0, 0]
        fit = f" fits (IoU {one.overlap_after:.2f})" if self._of_box else " lies around this spot"
        return (
            f"Suppressed: {self._named(one)}{fit}, but {self._named(by)} overlaps it by {overlap:.2f}, and "
            f"from {self._case.point.nms_iou:.2f} on only the stronger is shown."
        )

    def _is_regressed(self, one: Fate) -> str:
        if self._of_box:
            how = f"its region fits (IoU {one.overlap:.2f}), its box after regression does not "
            how += f"(IoU {one.overlap_after:.2f})"
        else:
            how = "its region lies around this spot, its box after regression does not"
        also = "" if one.suppressed_by is None else " A stronger box suppressed it besides."
        return f"Badly regressed: {self._named(one)}: {how}.{also}"

    def _is_low(self, one: Fate) -> str:
        if not one.judged:
            return self._not_judged(one)
        fit = ""
        if one.overlap is not None and one.overlap_after is not None:
            fit = f" (IoU {one.overlap:.2f}, after regression {one.overlap_after:.2f})"
        where = "region here" if self._of_box else "region around this spot"
        return (
            f"Low score: the best judged {where}{fit} is {self._named(one)}; shown is what scores "
            f"{self._case.point.min_score:.2f} or more."
        )

    def _not_judged(self, one: Fate) -> str:
        fit = f" (IoU {one.overlap:.2f})" if self._of_box else ""
        judged = self._case.scores > 0.0
        told = f"Low score: a region was proposed{fit} but not judged: the lesion map saw nothing there"
        if one.promise is None or not judged.any():
            return f"{told}."
        least = float(self._case.promise[judged].min())
        return f"{told} (fit {one.promise:.2f}; what was judged has {least:.2f} or more)."

    def _no_proposal(self, one: Fate) -> str:
        count = len(self._case.before)
        if self._of_box:
            return (
                f"No proposal: the best of {count} overlaps it by IoU {one.overlap:.2f}; from "
                f"{self._case.enough:.2f} on it would be taken for the same."
            )
        return f"No proposal: none of {count} lies around this spot."

    def _scores(self, one: Fate) -> str:
        if len(one.scores) < 2:
            return ""
        return f"Its scores: {', '.join(f'{self._schema.name_of(k)} {s:.2f}' for k, s in one.scores)}."

    def _better(self, one: Fate) -> str:
        """Of the best proposal, where another decided."""
        best = self._found.best
        if best is None or best.row == one.row or best.overlap is None or best.overlap < self._case.enough:
            return ""
        score = f"scored {self._named(best)}" if best.judged else "was not judged"
        return f"The proposal that fits best (IoU {best.overlap:.2f}) {score}."
