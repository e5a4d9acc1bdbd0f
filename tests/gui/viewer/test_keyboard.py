"""Row 24 at the canvas: arrows act on the selected box as it lies on the screen; others are the window's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.model import Box
from gui.viewer.keyboard import LEAST, Nudge, nudge_of, nudged
from gui.viewer.orientation import Orientation
from gui.viewer.scene import BoxKind, Tool
from tests.core.strategies import boxes
from tests.gui.viewer.scenes import LEFT, at, item, listen, scene, show

CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
BOX = (20.0, 20.0, 40.0, 40.0)
orientations = st.builds(Orientation, st.integers(0, 3), st.booleans())
steps = st.builds(
    lambda along, by, resize: Nudge(by if along else 0.0, 0.0 if along else by, resize),
    st.booleans(), st.sampled_from([-10.0, -1.0, 1.0, 10.0]), st.booleans(),
)  # fmt: skip


@given(boxes(512, 384), orientations, steps)
def test_a_step_keeps_the_box_inside_and_never_turns_it_over(
    box: Box, orientation: Orientation, nudge: Nudge
) -> None:
    after = nudged(box, nudge, orientation, (512.0, 384.0))
    assert 0 <= after.x1 < after.x2 <= 512
    assert 0 <= after.y1 < after.y2 <= 384
    if nudge.resize:
        assert after.width >= min(box.width, LEAST) - 1e-9
        assert after.height >= min(box.height, LEAST) - 1e-9
    else:
        assert (after.width, after.height) == pytest.approx((box.width, box.height))


@given(orientations, steps)
def test_a_step_goes_where_the_arrow_points_on_the_screen(orientation: Orientation, nudge: Nudge) -> None:
    box = Box(200, 150, 300, 260)
    after = nudged(box, nudge, orientation, (512.0, 384.0))
    # The box's corners on the screen, about the slice's origin.
    (ax, ay), (bx, by) = (
        zip(*(orientation.forward(x, y) for x in (b.x1, b.x2) for y in (b.y1, b.y2)), strict=True)
        for b in (box, after)
    )
    right_and_lower = (max(bx) - max(ax), max(by) - max(ay))
    assert right_and_lower == pytest.approx((nudge.dx, nudge.dy))
    left_and_upper = (min(bx) - min(ax), min(by) - min(ay))
    assert left_and_upper == pytest.approx((0, 0) if nudge.resize else (nudge.dx, nudge.dy))


def test_only_arrows_with_shift_alt_or_nothing_are_steps() -> None:
    assert nudge_of(Qt.Key.Key_Left, Qt.KeyboardModifier.KeypadModifier) == Nudge(-1.0, 0.0, resize=False)
    assert nudge_of(Qt.Key.Key_Down, CTRL) is None
    assert nudge_of(Qt.Key.Key_Home, ALT) is None


@pytest.mark.parametrize(
    ("kind", "locked", "heard"),
    [(BoxKind.HUMAN, False, ["box_reshaped"]), (BoxKind.HUMAN, True, []), (BoxKind.DETECTION, False, [])],
)
def test_arrows_act_on_boxes_that_may_be_moved(
    qtbot: QtBot, kind: BoxKind, locked: bool, heard: list[str]
) -> None:
    editable = kind is BoxKind.HUMAN and not locked
    canvas = show(qtbot, scene([item(BOX, kind, editable=editable, locked=locked)], selected="a"))
    said = listen(canvas)
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert [row[0] for row in said] == heard


def test_hidden_boxes_are_not_nudged(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item(BOX)], selected="a"))
    canvas.set_boxes_hidden(True)
    said = listen(canvas)
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert said == []


def test_return_with_the_box_tool_makes_a_box_in_the_middle_of_what_is_seen(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.zoom_by(4.0, canvas.widget_point(80, 20))
    said = listen(canvas)
    canvas.set_tool(Tool.BOX)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert [row[0] for row in said] == ["box_drawn", "tool_finished"]
    middle = canvas.image_point(canvas.rect().toRectF().center())
    assert said[0][1].contains(*middle)
    assert said[0][1].width == 5


def test_ctrl_drag_carries_a_copy_and_esc_drops_it(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item(BOX)], selected="a"))
    said = listen(canvas)
    QTest.mousePress(canvas, LEFT, CTRL, at(canvas, 40, 40))  # also at a handle: a copy keeps its size
    QTest.mouseMove(canvas, at(canvas, 60, 60))
    QTest.mouseMove(canvas, at(canvas, 70, 50))
    QTest.mouseRelease(canvas, LEFT, CTRL, at(canvas, 70, 50))
    assert [row[:2] for row in said] == [("box_copied", "a")]
    assert said[0][2].as_tuple() == pytest.approx((50, 30, 70, 50))
    said.clear()
    QTest.mousePress(canvas, LEFT, CTRL, at(canvas, 30, 30))
    QTest.mouseMove(canvas, at(canvas, 60, 60))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, CTRL, at(canvas, 60, 60))
    assert said == []
