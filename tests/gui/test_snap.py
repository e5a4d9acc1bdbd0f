"""Snapping with hand and keys: what the canvas shows under the pointer, and what the journal then holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTabWidget

from core.boxes import iou
from core.imaging.phantom import Phantom
from core.model import Box, OriginKind
from gui.panels.history import HistoryPanel
from gui.viewer.scene import BoxKind, Tool
from gui.viewer.snapping import SnapShown
from tests.gui.conftest import MakeApp
from tests.gui.fakes import FakeDetector
from tests.gui.hands import LEFT, Hands

Key = Qt.Key
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def lesion(hands: Hands, phantom: Phantom, phantom_folder: Path) -> Box:
    """The largest lesion of the phantom; its slice is in view."""
    hands.open(phantom_folder)
    largest = max(phantom.boxes, key=lambda b: b.box.area)
    hands.go(largest.slice)
    return largest.box


def hold(hands: Hands, down: bool = True) -> None:
    hands.window.activateWindow()
    hands.until(hands.window.isActiveWindow)
    (QTest.keyPress if down else QTest.keyRelease)(hands.canvas, Key.Key_S)
    hands.qtbot.wait(5)


def point(hands: Hands, x: float, y: float) -> None:
    """Move the mouse to a point of the slice; from elsewhere, for a move to where it is goes unheard."""
    QTest.mouseMove(hands.canvas, hands.canvas.widget_point(x, y).toPoint() + QPoint(40, 40))
    QTest.mouseMove(hands.canvas, hands.canvas.widget_point(x, y).toPoint())
    hands.qtbot.wait(5)


def shown(hands: Hands) -> SnapShown:
    """What is shown under the pointer, once the proposals are there."""
    ref = hands.session.current_slice
    assert ref is not None
    hands.until(lambda: hands.app.desk.regions.of(ref) is not None)
    hands.qtbot.wait(5)
    found = hands.canvas.snap()
    assert found is not None
    return found


def middle(box: Box) -> tuple[float, float]:
    return (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2


def turn(hands: Hands, at: tuple[float, float], notches: int) -> None:
    """Turn the wheel; positive is towards the reader."""
    where = hands.canvas.widget_point(*at)
    event = QWheelEvent(
        where, hands.canvas.mapToGlobal(where), QPoint(), QPoint(0, -120 * notches),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(hands.canvas, event)
    hands.qtbot.wait(5)


def ink(hands: Hands, box: Box) -> int:
    """How many pixels of the canvas around a box are not grey: lines and tint."""
    image = hands.canvas.grab().toImage()
    rect = hands.canvas.view().rect(box).adjusted(-3, -3, 3, 3).toRect()
    colours = (
        image.pixelColor(x, y)
        for x in range(rect.left(), rect.right())
        for y in range(rect.top(), rect.bottom())
    )
    return sum(max(c.red(), c.green(), c.blue()) - min(c.red(), c.green(), c.blue()) > 25 for c in colours)


def test_held_s_shows_the_region_and_a_click_makes_it_a_box(hands: Hands, lesion: Box) -> None:
    hold(hands)
    assert hands.canvas.tool() is Tool.SNAP
    point(hands, *middle(lesion))
    candidate = shown(hands)
    assert candidate.box is not None
    assert iou(candidate.box, lesion) > 0.6
    assert candidate.outline
    assert ink(hands, candidate.box) > 100
    hands.click(*middle(lesion))
    hold(hands, False)
    assert hands.canvas.tool() is Tool.SELECT
    assert hands.canvas.snap() is None
    (made,) = hands.session.record.annotations
    assert made.box == candidate.box
    assert made.origin.kind is OriginKind.PROPOSAL
    assert made.origin.proposal == candidate.box
    assert made.window is not None
    assert hands.session.selected == made.id
    hands.shows(BoxKind.ACCEPTED, 1)
    assert [e.action for e in hands.app.workspace.history()] == ["create"]
    panel = hands.window.findChild(HistoryPanel)
    assert panel is not None
    tabs = hands.window.findChild(QTabWidget)
    assert tabs is not None
    tabs.setCurrentWidget(panel)  # out of sight it asks for nothing
    hands.until(lambda: "Made of a proposal; IoU with it 1.00" in panel.provenance.text())
    hands.press(Key.Key_Z, CTRL)
    hands.shows(BoxKind.ACCEPTED, 0)
    assert hands.session.record.annotations == ()


def test_the_tool_takes_with_enter_and_comes_back_after_a_restart(
    make_app: MakeApp, hands: Hands, lesion: Box, phantom_folder: Path
) -> None:
    hands.press(Key.Key_S, SHIFT)
    assert hands.window.actions_by_id["tool-snap"].isChecked()
    point(hands, *middle(lesion))
    candidate = shown(hands)
    hands.press(Key.Key_Return)
    (made,) = hands.session.record.annotations
    assert made.box == candidate.box
    hands.press(Key.Key_Escape)
    assert hands.canvas.tool() is Tool.SELECT
    hands.window.close()
    again = Hands(make_app(), hands.qtbot)
    again.open(phantom_folder)
    assert list(again.app.workspace.annotations.annotations()) == [made]


def test_wheel_and_brackets_cycle_and_go_round(hands: Hands, lesion: Box) -> None:
    hands.press(Key.Key_S, SHIFT)
    at = middle(lesion)
    point(hands, *at)
    first, here = shown(hands), hands.at
    assert first.count > 2
    assert first.text.startswith(f"1 of {first.count}")
    turn(hands, at, 1)
    second = shown(hands)
    assert second.text.startswith("2 of")
    assert second.box != first.box
    hands.press(Key.Key_BracketRight)
    assert shown(hands).text.startswith("3 of")
    hands.press(Key.Key_BracketLeft)
    assert shown(hands) == second
    for _ in range(2):
        turn(hands, at, -1)
    assert shown(hands).text.startswith(f"{first.count} of")
    assert hands.at == here
    assert hands.window.page.canvas.scene().orientation.words() == ""
    hands.press(Key.Key_BracketRight)
    hands.press(Key.Key_BracketRight)
    hands.press(Key.Key_Return)
    assert hands.session.record.annotations[0].box == second.box


def test_a_trembling_hand_keeps_the_choice_and_a_move_lets_it_go(hands: Hands, lesion: Box) -> None:
    hands.press(Key.Key_S, SHIFT)
    point(hands, *middle(lesion))
    shown(hands)
    hands.press(Key.Key_BracketRight)
    chosen = shown(hands)
    start = hands.canvas.widget_point(*middle(lesion)).toPoint()
    QTest.mouseMove(hands.canvas, start + QPoint(2, 1))
    hands.qtbot.wait(5)
    assert shown(hands).box == chosen.box
    QTest.mouseMove(hands.canvas, start + QPoint(30, 0))
    hands.qtbot.wait(5)
    assert shown(hands).text.startswith(("1 of", "the only one", "No proposal"))


def test_a_drag_takes_the_candidate_with_its_corner_pulled_in_one_step(hands: Hands, lesion: Box) -> None:
    hands.press(Key.Key_S, SHIFT)
    x, y = middle(lesion)
    at = (x + 1.0, y + 1.0)
    point(hands, *at)
    box = shown(hands).box
    assert box is not None
    hands.drag(at, (at[0] + 6.0, at[1] + 4.0))
    (made,) = hands.session.record.annotations
    assert (made.box.x1, made.box.y1) == (box.x1, box.y1)
    assert made.box.x2 == pytest.approx(box.x2 + 6.0, abs=1.0)
    assert made.box.y2 == pytest.approx(box.y2 + 4.0, abs=1.0)
    assert made.origin.proposal == box
    assert [e.action for e in hands.app.workspace.history()] == ["create"]
    # Its handles are at hand with the tool still in the hand.
    hands.drag((made.box.x2, made.box.y2), (made.box.x2 - 3.0, made.box.y2 - 3.0))
    (pulled,) = hands.session.record.annotations
    assert pulled.id == made.id
    assert pulled.origin == made.origin
    assert pulled.box.x2 < made.box.x2
    assert hands.app.workspace.history()[0].action == "resize"


def test_letting_s_go_during_the_drag_does_not_lose_it(hands: Hands, lesion: Box) -> None:
    hold(hands)
    point(hands, *middle(lesion))
    shown(hands)
    start = hands.canvas.widget_point(*middle(lesion)).toPoint()
    QTest.mousePress(hands.canvas, LEFT, pos=start)
    QTest.mouseMove(hands.canvas, start + QPoint(12, 12))
    hold(hands, False)
    QTest.mouseMove(hands.canvas, start + QPoint(14, 14))
    QTest.mouseRelease(hands.canvas, LEFT, pos=start + QPoint(14, 14))
    assert len(hands.session.record.annotations) == 1
    assert hands.canvas.tool() is Tool.SELECT


def test_where_nothing_is_it_says_so_and_a_drag_draws(hands: Hands, lesion: Box) -> None:
    hands.press(Key.Key_S, SHIFT)
    point(hands, 2, 2)
    nothing = shown(hands)
    assert nothing.box is None
    assert nothing.poor
    assert "a drag, or B, draws" in nothing.text
    hands.click(2, 2)
    assert not hands.session.record.annotations
    assert "nothing to snap to" in hands.message
    hands.drag((2, 2), (14, 12))
    (made,) = hands.session.record.annotations
    assert made.origin.kind is OriginKind.HUMAN
    point(hands, 30, 3)
    hands.press(Key.Key_B)
    assert hands.canvas.tool() is Tool.BOX
    assert hands.canvas.snap() is None


def test_a_second_click_selects_the_box_instead_of_doubling_it(hands: Hands, lesion: Box) -> None:
    hands.press(Key.Key_S, SHIFT)
    point(hands, *middle(lesion))
    shown(hands)
    hands.click(*middle(lesion))
    (made,) = hands.session.record.annotations
    assert "a box already" in shown(hands).text
    hands.session.select("")
    hands.click(*middle(lesion))
    assert [a.id for a in hands.session.record.annotations] == [made.id]
    assert hands.session.selected == made.id


def test_another_slice_never_shows_the_candidates_of_the_one_before(hands: Hands, lesion: Box) -> None:
    hands.press(Key.Key_S, SHIFT)
    point(hands, *middle(lesion))
    before = shown(hands)
    hands.press(Key.Key_Down)
    hands.shown()
    after = shown(hands)
    assert after.outline is not before.outline
    ref = hands.session.current_slice
    assert ref is not None
    proposals = hands.app.desk.regions.of(ref)
    assert proposals is not None
    assert after.box is None or after.box in proposals.boxes


def test_snapping_needs_no_model_and_waits_for_none(hands: Hands, lesion: Box) -> None:
    fake = FakeDetector()
    fake.gate.clear()
    hands.detecting(fake)
    hold(hands)
    point(hands, *middle(lesion))
    assert shown(hands).box is not None
    hold(hands, False)
    fake.gate.set()


def test_a_slice_that_rests_is_made_ready_once_the_reader_snaps(hands: Hands, lesion: Box) -> None:
    hold(hands)
    hold(hands, False)
    hands.go(hands.at + 1)
    regions, ref = hands.app.desk.regions, hands.session.current_slice
    assert ref is not None
    hands.until(lambda: regions.has(ref))
    hold(hands)
    point(hands, *middle(lesion))
    snap = hands.canvas.snap()  # without waiting
    assert snap is not None
    assert snap.count > 0
    hold(hands, False)


def test_without_a_mouse_it_looks_in_the_middle_of_the_view(hands: Hands, lesion: Box) -> None:
    hands.canvas.zoom_by(4.0, hands.canvas.widget_point(*middle(lesion)))
    off = hands.canvas.widget_point(*middle(lesion)) - QPointF(
        hands.canvas.width() / 2, hands.canvas.height() / 2
    )
    hands.canvas.set_view(hands.canvas.view().panned(-off))
    hands.press(Key.Key_S, SHIFT)
    candidate = shown(hands)
    assert candidate.at == pytest.approx(middle(lesion), abs=1.0)
    hands.press(Key.Key_Return)
    assert hands.session.record.annotations[0].box == candidate.box
