"""Boxes of one lesion on the slices beside a box that a reader has drawn or corrected, from what is there.

From the box outward, slice by slice, in both directions. On each slice every judged detection and every
proposal that overlaps the box before it is weighed: by that overlap, by the detection's score (0 for a
proposal), by how much its size differs, by how near its mean grey level is to that of the reader's box, and
by how many others there agree with it. The best one is taken where its chance suffices (`STOP_BELOW`) and is
the reference for the next slice; where it does not, the lesion ends and so does the walk. No model is run.

The weights were fitted on patients 01 to 03 of progression, as a choice among the boxes of a neighbouring
slice or none of them, with the scores of a detector and without, and rounded to between the two; patients 04
to 06 were left out for the figures (`python -m benchmarks.propagate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from core.boxes import Boxes, area, iou_matrix, to_array
from core.detection.base import DetectResult
from core.model import Annotation, Box, Origin, OriginKind, new_id
from core.proposals.normalise import normalise

STOP_BELOW = 0.35
"""Chance below which the lesion is taken to have ended. On the three patients, with the bundled model of
2026-11-24, no box that fits (IoU ≥ .75) is lost up to here, and of the boxes made 7 % lie beyond the lesion;
with .12 there are 20 %."""

_LEAST_OVERLAP = 0.2
_AGREE = 0.7
_OVERLAP, _SCORE, _SIZE, _GREY, _VOTES, _CONSTANT = 8.0, 4.5, -1.8, -18.0, 0.6, -7.0


class End(StrEnum):
    """Why the walk ended on one side."""

    LESION = "the lesion ends"
    STACK = "the series ends"
    UNKNOWN = "the next slice is not computed"


@dataclass(frozen=True, slots=True)
class SliceView:
    """What is known of a slice.

    Attributes:
        result: Of the model in use.
        image: (rows, columns) rescaled pixels, as in a DetectRequest.
    """

    result: DetectResult
    image: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Propagated:
    """A box on a neighbouring slice.

    Attributes:
        slice: Index of the slice.
        box: Where.
        chance: How likely it fits the lesion, in (0, 1).
        row: Row of the trace that it comes from.
        detected: Whether it is that row's box after regression; else the proposal itself.
    """

    slice: int
    box: Box
    chance: float
    row: int
    detected: bool


@dataclass(frozen=True, slots=True)
class Propagation:
    """The boxes found, and why no more.

    Attributes:
        boxes: By slice, ascending; the start and the known slices are not among them.
        before: Why it ended towards the first slice.
        after: Why it ended towards the last.
    """

    boxes: tuple[Propagated, ...]
    before: End
    after: End


def propagate(
    start: int,
    box: Box,
    count: int,
    view: Callable[[int], SliceView | None],
    known: Mapping[int, Box] | None = None,
) -> Propagation:
    """The boxes of a lesion on the slices around one.

    Args:
        start: Index of the slice that the reader's box is on.
        box: The reader's box.
        count: How many slices the stack has.
        view: What is known of a slice, None where it is not computed. Asked outward from the start, not
            further than needed.
        known: Boxes that the lesion has on other slices already: they are kept, and lead on from there.

    Raises:
        ValueError: The start is not in the stack.
    """
    if not 0 <= start < count:
        raise ValueError(f"slice {start} of {count}: not in the stack")
    here = view(start)
    if here is None:
        return Propagation((), End.UNKNOWN, End.UNKNOWN)
    grey = float(_Grey(here.image).mean(to_array([box]))[0])
    walk = _Walk(box, grey, view, known or {})
    earlier, before = walk.outward(range(start - 1, -1, -1))
    later, after = walk.outward(range(start + 1, count))
    return Propagation((*reversed(earlier), *later), before, after)


def propagated_annotation(
    found: Propagated, result: DetectResult, slice_key: str, source: Annotation, author: str
) -> Annotation:
    """An annotation of a box found from `source`: of its class and finding, not checked yet.

    It keeps what the model said of it, or the proposal that it is.
    """
    trace = result.trace[found.row]
    proposal = result.proposals.boxes[trace.proposal]
    if found.detected:
        origin = Origin(OriginKind.MODEL, result.model, trace.score, proposal, trace.box, source.id)
    else:
        origin = Origin(OriginKind.PROPOSAL, proposal=proposal, source=source.id)
    return Annotation(
        id=new_id(),
        slice_key=slice_key,
        box=found.box,
        label_id=source.label_id,
        origin=origin,
        author=author,
        checked=False,
        finding=source.finding,
    )


class _Grey:
    """Mean grey levels of boxes on one slice, normalised so that slices compare."""

    def __init__(self, image: NDArray[np.float32]) -> None:
        self._sums = np.asarray(cv2.integral(normalise(image)), dtype=np.float64)

    def mean(self, boxes: Boxes) -> NDArray[np.float64]:
        """(N,) over the pixels nearest to each box, at least one."""
        rows, columns = (n - 1 for n in self._sums.shape)
        x1 = np.clip(np.rint(boxes[:, 0]), 0, columns - 1).astype(np.int64)
        y1 = np.clip(np.rint(boxes[:, 1]), 0, rows - 1).astype(np.int64)
        x2 = np.clip(np.rint(boxes[:, 2]).astype(np.int64), x1 + 1, columns)
        y2 = np.clip(np.rint(boxes[:, 3]).astype(np.int64), y1 + 1, rows)
        inside = self._sums[y2, x2] - self._sums[y1, x2] - self._sums[y2, x1] + self._sums[y1, x1]
        return np.asarray(inside / ((x2 - x1) * (y2 - y1)))


@dataclass(frozen=True, slots=True)
class _Walk:
    """From a reader's box outward; `grey` is its mean grey level."""

    box: Box
    grey: float
    view: Callable[[int], SliceView | None]
    known: Mapping[int, Box]

    def outward(self, indices: range) -> tuple[list[Propagated], End]:
        """The boxes on the slices in turn, and why there is no further one."""
        last, found = self.box, list[Propagated]()
        for index in indices:
            if index in self.known:
                last = self.known[index]
                continue
            there = self.view(index)
            if there is None:
                return found, End.UNKNOWN
            best = self._best(index, there, last)
            if best is None:
                return found, End.LESION
            found.append(best)
            last = best.box
        return found, End.STACK

    def _best(self, index: int, there: SliceView, last: Box) -> Propagated | None:
        pool = _Pool.of(there.result)
        reference = to_array([last])
        overlap = iou_matrix(reference, pool.boxes)[0]
        near = np.flatnonzero(overlap >= _LEAST_OVERLAP)
        if not len(near):
            return None
        boxes = pool.boxes[near]
        logit = (
            _OVERLAP * overlap[near]
            + _SCORE * pool.scores[near]
            + _SIZE * np.abs(np.log(area(boxes) / area(reference)))
            + _GREY * np.abs(_Grey(there.image).mean(boxes) - self.grey)
            + _VOTES * np.log((iou_matrix(boxes, boxes) > _AGREE).sum(axis=1))
            + _CONSTANT
        )
        k = int(np.argmax(logit))
        chance = float(1.0 / (1.0 + np.exp(-logit[k])))
        if chance < STOP_BELOW:
            return None
        place = int(near[k])
        x1, y1, x2, y2 = boxes[k].tolist()
        detected = bool(pool.detected[place])
        return Propagated(index, Box(x1, y1, x2, y2), chance, int(pool.rows[place]), detected)


@dataclass(frozen=True, slots=True)
class _Pool:
    """The boxes of a slice to choose from: judged ones after regression, then all proposals."""

    boxes: Boxes
    scores: NDArray[np.float64]
    rows: NDArray[np.int64]
    detected: NDArray[np.bool_]

    @classmethod
    def of(cls, result: DetectResult) -> _Pool:
        judged = [i for i, t in enumerate(result.trace) if t.score > 0.0]
        every = range(len(result.trace))
        proposals = [result.proposals.boxes[t.proposal] for t in result.trace]
        return cls(
            to_array([*(result.trace[i].box for i in judged), *proposals]),
            np.array([*(result.trace[i].score for i in judged), *(0.0 for _ in every)], dtype=np.float64),
            np.array([*judged, *every], dtype=np.int64),
            np.arange(len(judged) + len(proposals)) < len(judged),
        )
