"""What is shown of a cached result, and what of it is still to be judged."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.detection.base import DetectResult, TraceRow
from core.detection.operating_point import OperatingPoint, ShownDetection, detections_at, undecided
from core.edits import AnnotationSet, SetEdit, SliceRecord, accept, create, delete, reject, reshape
from core.model import Annotation, Box, Detection, LabelClass, LabelSchema, Proposals

SCHEMA = LabelSchema("two", (LabelClass(1, "tumour"), LabelClass(2, "cyst")))


def detection(box: Box) -> Detection:
    return Detection(box, 1, "tumour", 0.9)


FOUND = detection(Box(10, 10, 30, 30))


def after(*edits: SetEdit, state: AnnotationSet | None = None) -> AnnotationSet:
    made = state or AnnotationSet()
    for edit in edits:
        made, _ = edit.apply(made)
    return made


def open_on(record: SliceRecord, found: Sequence[Detection], model: str = "m@1") -> list[Detection]:
    shown = tuple(ShownDetection(row, d) for row, d in enumerate(found))
    return [s.detection for s in undecided(shown, record, model)]


def result(*rows: TraceRow) -> DetectResult:
    proposals = Proposals(tuple(r.box for r in rows), tuple(1.0 - i / 9 for i in range(len(rows))))
    return DetectResult("k", "m@1", (), proposals, rows)


def test_thresholds_act_on_the_trace_across_classes() -> None:
    near = Box(12, 10, 32, 30)  # overlaps FOUND by .82
    rows = result(
        TraceRow(0, 1, 0.9, FOUND.box), TraceRow(1, 1, 0.8, near), TraceRow(2, 2, 0.7, near),
        TraceRow(3, 1, 0.3, Box(50, 50, 60, 60)),
    )  # fmt: skip
    assert [s.row for s in detections_at(rows, OperatingPoint(0.5, 0.4), SCHEMA)] == [0]
    assert [s.row for s in detections_at(rows, OperatingPoint(0.2, 0.4), SCHEMA)] == [0, 3]
    shown = detections_at(rows, OperatingPoint(0.5, 0.9), SCHEMA)
    assert [(s.row, s.detection.label) for s in shown] == [(0, "tumour"), (1, "tumour")]
    assert detections_at(rows, OperatingPoint(0.95, 0.4), SCHEMA) == ()


def test_an_accepted_prediction_stays_decided_when_its_box_is_moved_away() -> None:
    state = after(accept([FOUND], "k", "m@1", "r"))
    (made,) = state.on("k").annotations
    far = after(reshape(made, Box(100, 100, 120, 120), "r"), state=state)
    assert open_on(far.on("k"), [FOUND]) == []
    gone = after(delete(far.on("k").annotations), state=far)
    assert open_on(gone.on("k"), [FOUND]) == [FOUND], "deleted, it is open again"


@pytest.mark.parametrize(
    ("box", "model", "open_"),
    [
        pytest.param(FOUND.box, "m@1", False, id="the very same"),
        pytest.param(Box(10, 10, 30, 30.2), "m@1", False, id="the same but for rounding"),
        pytest.param(Box(10, 10, 30, 36), "m@1", True, id="another extent may come up again"),
        pytest.param(FOUND.box, "m@2", True, id="another model may ask again"),
    ],
)
def test_a_rejection_speaks_of_that_prediction_only(box: Box, model: str, open_: bool) -> None:
    state = after(reject(FOUND, "k", "m@1", "r"))
    assert bool(open_on(state.on("k"), [detection(box)], model)) is open_


@pytest.mark.parametrize(
    ("drawn", "open_"),
    [(Box(10, 10, 30, 34), False), (Box(10, 25, 30, 45), True)],
    ids=["over it", "beside it"],
)
def test_what_the_reader_has_drawn_is_decided_whatever_its_class(drawn: Box, open_: bool) -> None:
    state = after(create(Annotation("a", "k", drawn, 3)))
    assert bool(open_on(state.on("k"), [FOUND])) is open_
