"""The detector seam: frozen request in, frozen result out. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.jobs import CancelToken
from core.model import Box, Detection, LabelClass, LabelSchema, Proposals

Pair = tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]


@dataclass(frozen=True, slots=True)
class DetectRequest:
    """One slice to run the detector on.

    Attributes:
        slice_key: The slice; the result carries it and goes there, whatever is on screen by then.
        image: (rows, columns) rescaled pixels, as the reader gave them (before windowing and inversion).
        proposals: Regions to judge; None lets the detector's own proposer find them.
        beside: The slices before and after it in its stack, of its shape; None at an end, for a single
            picture, and where the model does not ask for them (`Detector.neighbours`).
    """

    slice_key: str
    image: NDArray[np.float32] = field(repr=False, compare=False)
    proposals: Proposals | None = None
    beside: Pair = field(default=(None, None), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class TraceRow:
    """What became of one proposal: why a lesion was found or missed.

    Attributes:
        proposal: Index into the result's proposals.
        label_id: Its best class.
        score: That class's score; 0 where the proposal was not judged.
        box: The box after regression; the proposal's own where it was not judged.
        suppressed_by: Index of the trace row whose box suppressed this one, or None.
        scores: By class id, every class's score; empty where the proposal was not judged.
        promise: How well the proposal fits the lesion map, 0 … 1: only the best are judged.
    """

    proposal: int
    label_id: int
    score: float
    box: Box
    suppressed_by: int | None = None
    scores: tuple[tuple[int, float], ...] = ()
    promise: float | None = None


@dataclass(frozen=True, slots=True)
class DetectResult:
    """What the engine says about one slice.

    Attributes:
        slice_key: The slice.
        model: "name@hash".
        detections: By falling score, after suppression within each class; a box may stand for several
            classes, whose scores then add up to that of any lesion. Down to score 0.01.
        proposals: What was proposed.
        trace: One row per proposal.
        milliseconds: The engine's own time, without decoding.
    """

    slice_key: str
    model: str
    detections: tuple[Detection, ...]
    proposals: Proposals
    trace: tuple[TraceRow, ...] = ()
    milliseconds: float = 0.0


class Detector(Protocol):
    """Classifies and regresses proposals.

    Contract: safe to call from one worker thread at a time; polls `cancel` at least every half second of
    its own work; keeps no reference to the image.
    """

    @property
    def identity(self) -> str:
        """Name and hash of the weights, "name@hash"."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes the model predicts."""

    @property
    def neighbours(self) -> int:
        """How many slices on either side the model sees, 0 or 1; requests bring those that there are."""

    def bind(self, schema: LabelSchema) -> None:
        """Map the model's classes to the schema's ids by name.

        Raises:
            ModelMismatch: The schema lacks a class.
        """

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        """Run on one slice.

        Raises:
            Cancelled: The token was set.
        """

    def detect_many(
        self, requests: Iterable[DetectRequest], *, cancel: CancelToken
    ) -> Iterator[DetectResult]:
        """Run on many slices, a result for each in their order; quicker than one by one.

        Requests are taken a few ahead of the results.

        Raises:
            Cancelled: The token was set.
        """


def own_schema(detector: Detector) -> LabelSchema:
    """The detector's own classes, numbered from 1, where no workspace's schema is asked for."""
    classes = tuple(LabelClass(i, name) for i, name in enumerate(detector.class_names, 1))
    return LabelSchema(detector.identity, classes)
