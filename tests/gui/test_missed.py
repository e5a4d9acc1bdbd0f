"""Asking why something was missed: the words in the panel, the boxes on the slice, what follows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt

from core.detection.base import DetectRequest, DetectResult
from core.jobs import CancelToken
from core.model import Box
from gui.panels.missed import NOTHING, MissedDock
from gui.viewer.hints import HintRole
from gui.viewer.scene import Tool
from tests.gui.fakes import FakeDetector
from tests.gui.hands import Hands
from tests.gui.test_snap import ink, point

Key = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier
ROWS = (
    ("glioma", 0.9, Box(30, 30, 60, 60)),
    ("meningioma", 0.7, Box(33, 33, 66, 66)),
    ("glioma", 0.2, Box(100, 100, 130, 120)),
)


class Regressing(FakeDetector):
    """Moves the box of its first row far away from the proposal."""

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        """As always, with the first row moved."""
        found = super().detect(request, cancel=cancel)
        first = replace(found.trace[0], box=found.trace[0].box.moved(70.0, 60.0))
        return replace(found, trace=(first, *found.trace[1:]))


def dock(hands: Hands) -> MissedDock:
    found = hands.window.findChild(MissedDock)
    assert found is not None
    return found


def started(hands: Hands, pictures: Path, fake: FakeDetector) -> None:
    hands.detecting(fake)
    hands.open(pictures)
    hands.detected()


def roles(hands: Hands) -> dict[HintRole, Box]:
    return {hint.role: hint.box for hint in hands.canvas.hints().boxes}


def test_a_drawn_box_was_suppressed_and_by_which(hands: Hands, pictures: Path) -> None:
    started(hands, pictures, FakeDetector(rows=ROWS))
    hands.draw(Box(38, 38, 68, 68))
    assert not dock(hands).isVisible()
    hands.press(Key.Key_W)
    assert dock(hands).isVisible()
    panel = dock(hands).panel
    assert panel.verdict.text() == "Suppressed"
    assert "glioma 0.90 overlaps it" in panel.reasons.text()
    shown = roles(hands)
    assert shown[HintRole.SUPPRESSOR] == ROWS[0][2]
    assert shown[HintRole.REGRESSED] == ROWS[1][2]
    hands.qtbot.wait(20)
    assert ink(hands, ROWS[0][2]) > 100
    # The answer follows the operating point: with more overlap allowed the box is shown.
    hands.engine.set_point(nms_iou=0.9)
    assert panel.verdict.text() == "Found"
    assert HintRole.SUPPRESSOR not in roles(hands)


def test_a_low_score_and_what_the_threshold_does_to_it(hands: Hands, pictures: Path) -> None:
    started(hands, pictures, FakeDetector(rows=ROWS))
    hands.draw(Box(101, 100, 131, 121))
    hands.press(Key.Key_W)
    panel = dock(hands).panel
    assert panel.verdict.text() == "Low score"
    assert "glioma 0.20" in panel.reasons.text()
    assert roles(hands)[HintRole.PROPOSAL] == ROWS[2][2]
    hands.engine.set_point(min_score=0.1)
    assert panel.verdict.text() == "Found"


def test_a_badly_regressed_box_is_shown_beside_its_proposal(hands: Hands, pictures: Path) -> None:
    started(hands, pictures, Regressing(rows=ROWS[:1]))
    hands.draw(Box(31, 31, 61, 61))
    hands.press(Key.Key_W)
    assert dock(hands).panel.verdict.text() == "Badly regressed"
    assert roles(hands) == {HintRole.PROPOSAL: ROWS[0][2], HintRole.REGRESSED: ROWS[0][2].moved(70.0, 60.0)}


def test_a_spot_without_a_proposal_by_key_and_click(hands: Hands, pictures: Path) -> None:
    started(hands, pictures, FakeDetector(rows=ROWS))
    hands.press(Key.Key_W)
    assert hands.canvas.tool() is Tool.WHY
    assert "Click the spot" in hands.message
    hands.click(150, 20)
    assert hands.canvas.tool() is Tool.SELECT
    assert dock(hands).panel.verdict.text() == "No proposal"
    assert hands.canvas.hints().spot is not None
    assert not hands.session.record.annotations
    # Another, with the keyboard at the cursor.
    hands.press(Key.Key_W)
    point(hands, 115, 110)
    hands.press(Key.Key_Return)
    assert dock(hands).panel.verdict.text() == "Low score"


def test_the_question_follows_the_box_and_goes_with_the_slice(hands: Hands, pictures: Path) -> None:
    started(hands, pictures, FakeDetector(rows=ROWS))
    hands.draw(Box(5, 110, 25, 130))
    hands.press(Key.Key_W)
    verdict = dock(hands).panel.verdict
    assert verdict.text() == "No proposal"
    hands.drag((15, 120), (114, 110))
    assert verdict.text() == "Low score"
    before = hands.app.workspace.history()
    hands.press(Key.Key_Z, CTRL)
    assert verdict.text() == "No proposal"
    assert len(before) == 2
    hands.go(1)
    assert hands.window.page.missed.explanation is None
    assert hands.canvas.hints().boxes == ()
    assert verdict.text() == NOTHING


def test_a_slice_that_is_not_computed_is_computed_first(hands: Hands, pictures: Path) -> None:
    hands.press_action("ahead")
    fake = FakeDetector(rows=ROWS)
    hands.detecting(fake)
    hands.open(pictures)
    assert hands.engine.result(hands.keys[0]) is None
    fake.gate.clear()
    hands.draw(Box(38, 38, 68, 68))
    hands.press(Key.Key_W)
    assert "being computed" in dock(hands).panel.verdict.text()
    fake.gate.set()
    hands.until(lambda: dock(hands).panel.verdict.text() == "Suppressed")


def test_closing_the_panel_takes_the_boxes_off_the_slice(hands: Hands, pictures: Path) -> None:
    started(hands, pictures, FakeDetector(rows=ROWS))
    hands.draw(Box(38, 38, 68, 68))
    hands.press(Key.Key_W)
    assert hands.canvas.hints().boxes
    dock(hands).close()
    hands.until(lambda: not hands.canvas.hints().boxes)
