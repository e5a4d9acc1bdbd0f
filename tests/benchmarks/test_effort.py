"""The simulated annotator at a real journal: what stands there in the end, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.effort_desk import Annotator, Case
from core.detection.base import DetectResult, TraceRow
from core.detection.operating_point import OperatingPoint
from core.evaluation.effort import Action, Made, Policy
from core.model import Box, LabelClass, LabelSchema, OriginKind, Proposals, ReadState, SliceRef
from core.store.workspace import Workspace

SCHEMA = LabelSchema("two", (LabelClass(1, "glioma"), LabelClass(2, "meningioma")))
LESION, GOOD, POOR, FAR = (
    Box(40, 40, 80, 80),
    Box(42, 40, 82, 80),
    Box(50, 40, 92, 84),
    Box(100, 100, 120, 120),
)
SIDE = 160


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path, reader="simulated", schema=SCHEMA) as opened:
        yield opened


def case(
    number: int,
    truths: list[tuple[Box, int]],
    said: list[tuple[Box, float, int]],
    offered: tuple[Box, ...] = (),
) -> Case:
    ref = SliceRef(f"raster:{number}#0", Path(f"{number}.png"), 0, SIDE, SIDE, "s")
    trace = tuple(TraceRow(i, label, score, box) for i, (box, score, label) in enumerate(said))
    regions = Proposals(tuple(b for b, _, _ in said), (0.5,) * len(said))
    image = np.tile(np.linspace(20.0, 60.0, SIDE, dtype=np.float32), (SIDE, 1))
    for box, _ in truths:
        image[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = 100.0
    proposals = Proposals(offered, (0.5,) * len(offered))
    return Case(ref, tuple(truths), DetectResult(ref.key, "m@1", (), regions, trace), image, proposals)


def annotator(workspace: Workspace, *, one_class: bool = False) -> Annotator:
    return Annotator(workspace, OperatingPoint(0.5, 0.4), Policy(), one_class=one_class)


def test_accept_correct_the_class_and_reject(workspace: Workspace) -> None:
    one = annotator(workspace)
    here = case(0, [(LESION, 2)], [(FAR, 0.9, 1), (GOOD, 0.8, 1)])
    one.collection([here])
    assert one.account.actions == {Action.REJECT: 1, Action.ACCEPT: 1, Action.CLASS: 1, Action.SIGN_OFF: 1}
    record = workspace.annotations.on(here.ref.key)
    (made,) = record.annotations
    assert (made.box, made.label_id, made.origin.kind) == (GOOD, 2, OriginKind.MODEL)
    assert len(record.rejections) == 1
    assert record.reading is not None
    assert record.reading.state is ReadState.FINDINGS
    assert workspace.verify().ok


def test_classes_can_be_left_out(workspace: Workspace) -> None:
    one = annotator(workspace, one_class=True)
    one.collection([case(0, [(LESION, 2)], [(GOOD, 0.8, 1)])])
    assert one.account.per_box(with_sign_off=False) == 1.0


def test_snap_with_the_class_the_model_says_else_draw_in_the_class_in_use(workspace: Workspace) -> None:
    one = annotator(workspace)
    snapped = case(0, [(LESION, 2)], [(POOR, 0.3, 2)], (LESION,))
    drawn = case(1, [(LESION, 1)], [])
    one.collection([snapped, drawn])
    assert one.account.actions == {
        Action.SNAP_KEY: 1, Action.SNAP_CLICK: 1, Action.CLASS: 1, Action.DRAW_KEY: 1, Action.DRAW_DRAG: 1,
        Action.SIGN_OFF: 2,
    }  # fmt: skip
    assert set(one.account.overlaps) == {Made.SNAPPED, Made.DRAWN}
    (made,) = workspace.annotations.on(snapped.ref.key).annotations
    assert (made.label_id, made.origin.kind) == (2, OriginKind.PROPOSAL)


def test_a_corner_is_corrected_and_the_box_keeps_what_the_model_said(workspace: Workspace) -> None:
    one = Annotator(workspace, OperatingPoint(0.5, 0.4), Policy(corrects=True), one_class=False)
    short = Box(40, 40, 72, 66)
    here = case(0, [(LESION, 1)], [(short, 0.9, 1)])
    one.collection([here])
    assert one.account.actions == {Action.CORRECT_KEY: 1, Action.CORRECT_DRAG: 1, Action.SIGN_OFF: 1}
    (made,) = workspace.annotations.on(here.ref.key).annotations
    assert (made.box.x1, made.box.y1, made.origin.predicted) == (40, 40, short)
    assert one.account.overlaps[Made.CORRECTED][0] > 0.75


def test_a_finding_is_accepted_at_once_and_a_bad_box_of_it_corrected(workspace: Workspace) -> None:
    one = annotator(workspace)
    cases = [case(k, [(LESION, 1)], [(GOOD, 0.9, 1)]) for k in range(4)]
    cases[3] = case(3, [(LESION, 1)], [(POOR, 0.9, 1)])
    one.stack(cases)
    assert one.account.actions == {
        Action.ACCEPT_FINDING: 1, Action.GO: 1, Action.CORRECT_DRAG: 2, Action.SIGN_OFF: 1,
    }  # fmt: skip
    assert {how: len(v) for how, v in one.account.overlaps.items()} == {Made.ACCEPTED: 3, Made.CORRECTED: 1}
    assert all(len(workspace.annotations.on(c.ref.key).annotations) == 1 for c in cases)


def test_a_finding_that_goes_on_past_the_lesion_is_cut(workspace: Workspace) -> None:
    one = annotator(workspace)
    cases = [case(k, [(LESION, 1)], [(GOOD, 0.9, 1)]) for k in range(4)]
    cases.append(case(4, [], [(GOOD, 0.9, 1)]))
    one.stack(cases)
    assert one.account.actions[Action.DELETE] == 1
    assert workspace.annotations.on(cases[4].ref.key).annotations == ()


def test_what_the_model_missed_is_drawn_once_and_carried(workspace: Workspace) -> None:
    one = annotator(workspace)
    cases = [case(k, [(LESION, 1)], [(GOOD, 0.4, 1)]) for k in range(5)]
    one.stack(cases)
    assert one.account.actions == {
        Action.GO: 1, Action.DRAW_KEY: 1, Action.DRAW_DRAG: 1, Action.PROPAGATE: 1, Action.ACCEPT: 1,
        Action.SIGN_OFF: 1,
    }  # fmt: skip
    assert {how: len(v) for how, v in one.account.overlaps.items()} == {Made.DRAWN: 1, Made.PROPAGATED: 4}
    assert one.account.boxes == 5
    assert workspace.verify().ok
