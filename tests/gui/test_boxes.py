"""Rows 21 to 28 of the feature table: drawing, nudging, locking a box, from the window to the journal."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.model import Annotation, Box, OriginKind
from gui.viewer.scene import BoxKind
from tests.gui.conftest import MakeApp
from tests.gui.fakes import FakeDetector
from tests.gui.hands import LEFT, Hands

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
Key = Qt.Key
BOX = Box(20, 24, 44, 52)


def the_box(hands: Hands) -> Annotation:
    """The one annotation on the slice in view, which is also the one on screen."""
    (found,) = hands.session.record.annotations
    shown = [b for b in hands.boxes() if b.id == found.id]
    hands.until(lambda: [b.box for b in hands.boxes() if b.id == found.id] == [found.box])
    assert len(shown) == 1
    return found


def actions_of(hands: Hands) -> list[str]:
    """What the journal says was done, oldest first."""
    return [e.action for e in reversed(hands.app.workspace.history())]


def test_row_21_a_box_is_drawn_by_drag_and_by_two_clicks_and_esc_and_no_area_make_none(
    hands: Hands, pictures: Path
) -> None:
    hands.open(pictures)
    hands.draw(BOX)
    hands.press(Key.Key_B)
    hands.click(80, 80)
    hands.click(120, 130)
    both = hands.session.record.annotations
    assert both[1].box.as_tuple() == pytest.approx((80, 80, 120, 130), abs=0.5)
    hands.shows(BoxKind.HUMAN, 2)
    hands.press(Key.Key_B)
    hands.click(60, 60)
    hands.press(Key.Key_Escape)
    hands.click(90, 90)  # the tool is still in hand: this is a first corner again
    hands.press(Key.Key_Escape)
    hands.press(Key.Key_Escape)
    assert hands.window.tool() == "select"
    hands.press(Key.Key_B)
    hands.drag((60, 60), (60, 100))
    assert hands.session.record.annotations == both
    assert actions_of(hands) == ["create", "create"]


def test_row_22_edges_keep_their_fractions_in_journal_and_reopening(
    make_app: MakeApp, qtbot: QtBot, pictures: Path
) -> None:
    hands = Hands(make_app(), qtbot)
    hands.open(pictures)
    hands.canvas.zoom_by(3.7)
    drawn = hands.draw(Box(70.3, 70.7, 84.9, 88.1))
    assert any(v != int(v) for v in drawn.box.as_tuple())
    hands.window.close()
    again = Hands(make_app(), qtbot)
    again.open(pictures)
    assert the_box(again).box == drawn.box


def test_row_23_a_drag_past_the_edges_clamps_to_exactly_the_slice(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.canvas.zoom_by(0.5)
    hands.press(Key.Key_B)
    hands.drag((-30, -30), (190, 190))
    assert the_box(hands).box == Box(0, 0, 160, 160)


@pytest.mark.parametrize(
    ("key", "modifier", "result"),
    [
        (Key.Key_Down, None, (20, 25, 44, 53)),
        (Key.Key_Right, SHIFT, (30, 24, 54, 52)),
        (Key.Key_Up, SHIFT, (20, 14, 44, 42)),
        (Key.Key_Right, ALT, (20, 24, 45, 52)),
        (Key.Key_Left, ALT | SHIFT, (20, 24, 34, 52)),
    ],
)
def test_row_24_arrows_nudge_shift_goes_ten_alt_resizes_each_one_undo_step(
    hands: Hands,
    pictures: Path,
    key: Qt.Key,
    modifier: Qt.KeyboardModifier | None,
    result: tuple[float, float, float, float],
) -> None:
    hands.open(pictures)
    drawn = hands.draw(BOX)
    hands.click(32, 38)
    hands.press(key, modifier or Qt.KeyboardModifier.NoModifier)
    moved = the_box(hands).box
    by = tuple(a - b for a, b in zip(moved.as_tuple(), drawn.box.as_tuple(), strict=True))
    assert by == pytest.approx(tuple(a - b for a, b in zip(result, BOX.as_tuple(), strict=True)))
    assert actions_of(hands) == ["create", "resize" if modifier and modifier & ALT else "move"]
    assert hands.at == 0
    hands.press(Key.Key_Z, CTRL)
    assert the_box(hands).box == drawn.box
    hands.press(Key.Key_Y, CTRL)
    assert the_box(hands).box == moved


def test_row_24_a_nudge_stops_at_the_edge_and_a_box_never_turns_over(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    drawn = hands.draw(Box(4, 24, 12, 52))
    for _ in range(2):
        hands.press(Key.Key_Left, SHIFT)
    assert the_box(hands).box.x1 == 0
    assert the_box(hands).box.width == pytest.approx(drawn.box.width)
    for _ in range(3):
        hands.press(Key.Key_Left, ALT | SHIFT)
    assert the_box(hands).box.width == pytest.approx(1)
    assert actions_of(hands) == ["create", "move", "resize"]  # what changes nothing is no edit


def test_arrows_scroll_again_once_the_box_is_let_go(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    drawn = hands.draw(BOX)
    hands.click(32, 38)
    hands.press(Key.Key_Escape)
    assert hands.session.selected == ""
    hands.press(Key.Key_Down)
    assert hands.at == 1
    hands.press(Key.Key_Up)
    assert the_box(hands) == drawn


def test_after_drawing_down_goes_on_to_the_next_slice_and_right_nudges(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    drawn = hands.draw(BOX)
    hands.press(Key.Key_Down)
    hands.shown()
    assert hands.at == 1
    hands.draw(BOX)
    hands.press(Key.Key_Right)
    hands.press(Key.Key_Down)  # nudged once, it is in hand
    assert hands.at == 1
    assert actions_of(hands) == ["create", "create", "move", "move"]
    hands.go(0)
    assert the_box(hands) == drawn


def test_row_25_a_hundred_steps_are_undone_and_redone_over_a_restart(
    make_app: MakeApp, qtbot: QtBot, pictures: Path
) -> None:
    hands = Hands(make_app(), qtbot)
    hands.open(pictures)
    drawn = hands.draw(BOX)
    for step in range(1, 101):
        key = Key.Key_Right if step % 2 else Key.Key_Down
        QTest.keyClick(hands.canvas, key)
        hands.window.page.draw()  # the next key finds the box where this one put it
        assert len(hands.app.workspace.history(limit=200)) == step + 1
    assert the_box(hands).box.as_tuple() == pytest.approx(drawn.box.moved(50, 50).as_tuple())
    hands.window.close()
    again = Hands(make_app(), qtbot)
    again.open(pictures)
    for _ in range(100):
        again.press_action("undo")
    assert the_box(again).box == drawn.box
    for _ in range(100):
        again.press_action("redo")
    assert the_box(again).box.as_tuple() == pytest.approx(drawn.box.moved(50, 50).as_tuple())


def test_row_26_boxes_hide_while_h_is_down_and_none_is_lost(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    drawn = hands.draw(BOX)
    hands.press(Key.Key_Escape)
    aside = hands.canvas.widget_point(140, 140).toPoint()
    QTest.mouseMove(hands.canvas, aside)
    before = hands.canvas.grab().toImage()
    QTest.keyPress(hands.canvas, Key.Key_H)
    assert hands.canvas.grab().toImage() != before
    hands.click(30, 30)
    assert hands.session.selected == ""
    QTest.keyRelease(hands.canvas, Key.Key_H)
    QTest.mouseMove(hands.canvas, aside)
    hands.until(lambda: hands.canvas.grab().toImage() == before)
    assert the_box(hands) == drawn
    assert actions_of(hands) == ["create"]


def test_row_27_a_locked_box_is_neither_moved_resized_nor_deleted(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    drawn = hands.draw(BOX)
    hands.press(Key.Key_L, CTRL)
    assert the_box(hands).locked
    assert hands.boxes()[0].locked
    hands.drag((32, 38), (70, 70))
    hands.press(Key.Key_Right)
    hands.press(Key.Key_Delete)
    assert "locked" in hands.message
    locked = the_box(hands)
    assert locked.box == drawn.box
    assert actions_of(hands) == ["create", "lock"]
    hands.press(Key.Key_L, CTRL)
    hands.press(Key.Key_Delete)
    assert hands.session.record.annotations == ()
    assert actions_of(hands) == ["create", "lock", "unlock", "delete"]


def test_row_28_a_digit_gives_the_class_of_the_selected_and_of_the_next_box(
    hands: Hands, pictures: Path
) -> None:
    hands.open(pictures)
    hands.draw(BOX)
    hands.press(Key.Key_3, CTRL)
    assert the_box(hands).label_id == 3
    assert hands.boxes()[0].text == "meningioma"
    hands.press(Key.Key_Escape)
    hands.press(Key.Key_2, CTRL)
    assert hands.draw(Box(80, 80, 110, 110)).label_id == 2
    assert actions_of(hands) == ["create", "relabel", "create"]


def test_ctrl_drag_puts_a_copy_down_and_leaves_the_box(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    drawn = hands.draw(BOX)
    start, end = (hands.canvas.widget_point(*p).toPoint() for p in ((32, 38), (92, 98)))
    QTest.mousePress(hands.canvas, LEFT, CTRL, start)
    QTest.mouseMove(hands.canvas, (start + end) / 2)
    QTest.mouseMove(hands.canvas, end + QPoint(0, 0))
    QTest.mouseRelease(hands.canvas, LEFT, CTRL, end)
    first, copy = hands.session.record.annotations
    assert first == drawn
    assert copy.box.as_tuple() == pytest.approx(drawn.box.moved(60, 60).as_tuple(), abs=0.6)
    assert (copy.origin.kind, copy.checked, hands.session.selected) == (OriginKind.HUMAN, True, copy.id)
    assert actions_of(hands) == ["create", "copy"]
    hands.shows(BoxKind.HUMAN, 2)


def test_the_whole_life_of_a_box_from_the_keyboard_alone(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.press(Key.Key_B)
    hands.press(Key.Key_Return)
    made = the_box(hands)
    assert hands.window.tool() == "select"
    assert made.box.contains(96, 96)
    hands.press(Key.Key_Right, SHIFT)
    hands.press(Key.Key_Down, ALT)
    hands.press(Key.Key_2, CTRL)
    hands.press(Key.Key_4, ALT)
    edited = the_box(hands)
    x1, y1, x2, y2 = made.box.as_tuple()
    assert edited.box.as_tuple() == (x1 + 10, y1, x2 + 10, y2 + 1)
    assert (edited.label_id, edited.attribute("certainty")) == (2, 4)
    hands.detecting(FakeDetector())
    hands.until(lambda: hands.engine.result(hands.session.current_slice_key) is not None)
    hands.press(Key.Key_N)
    hands.press(Key.Key_Return)
    assert [a.origin.kind for a in hands.session.record.annotations] == [OriginKind.HUMAN, OriginKind.MODEL]
    hands.press(Key.Key_Tab)
    while hands.session.selected != made.id:
        hands.press(Key.Key_Tab)
    hands.press(Key.Key_Delete)
    assert actions_of(hands) == ["create", "move", "resize", "relabel", "attribute", "accept", "delete"]
