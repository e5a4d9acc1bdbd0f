"""The walk over the predictions: N, Enter, X, E, A, from a score on; no sign-off over what is undecided."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from core.detection.base import DetectRequest, DetectResult
from core.edits import SliceRecord
from core.jobs import CancelToken
from core.model import Box, OriginKind
from gui.dialogs.accept_from import AcceptFrom
from gui.viewer.scene import BoxKind
from tests.gui.fakes import DEFAULT_ROWS, FakeDetector
from tests.gui.hands import Hands

Key = Qt.Key
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
BEST, SECOND = DEFAULT_ROWS[0][2], DEFAULT_ROWS[1][2]
LESION = Box(30, 30, 60, 60)


class Uneven(FakeDetector):
    """One box a slice, more certain the further on; none where told."""

    def __init__(self, keys: list[str], name: str = "uneven") -> None:
        super().__init__(name, (("glioma", 0.5, LESION),))
        self.keys = keys
        self.silent: set[int] = set()

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        """What it says of that slice."""
        index = self.keys.index(request.slice_key)
        self.rows = () if index in self.silent else (("glioma", 0.5 + index / 20, LESION),)
        return super().detect(request, cancel=cancel)


@pytest.fixture
def read(hands: Hands, phantom_folder: Path) -> Hands:
    """The phantom, with two predictions on each slice."""
    hands.open(phantom_folder)
    hands.detecting(FakeDetector())
    hands.detected()
    return hands


@pytest.fixture
def rising(hands: Hands, phantom_folder: Path) -> Hands:
    """The phantom, one lesion through all its slices."""
    hands.open(phantom_folder)
    hands.detecting(Uneven(hands.keys))
    hands.detected()
    return hands


def here(hands: Hands) -> tuple[int, str]:
    return hands.at, hands.session.selected


def accepted(hands: Hands) -> list[int]:
    on = hands.session.workspace.annotations.on
    return [i for i, key in enumerate(hands.keys) for _ in on(key).annotations]


def test_a_decision_on_the_walk_leads_on_over_the_slices(read: Hands) -> None:
    read.press(Key.Key_N)
    assert here(read) == (0, "d0")
    assert read.message == "Undecided 1 of 16; 0 of 16 predictions decided."
    read.press(Key.Key_Return)
    assert here(read) == (0, "d1")
    read.press(Key.Key_Return)
    read.shown()
    assert here(read) == (1, "d0")
    assert read.message == "Undecided 1 of 14; 2 of 16 predictions decided."
    assert accepted(read) == [0, 0]


def test_a_decision_off_the_walk_stays_on_the_slice(read: Hands) -> None:
    read.press(Key.Key_Return)
    read.press(Key.Key_Return)
    assert read.at == 0
    read.press(Key.Key_Return)
    assert read.message == "No prediction to accept on this slice."


def test_the_walk_does_not_go_on_where_the_reader_does_not_want_it(read: Hands) -> None:
    read.app.desk.walk.goes_on = False
    read.go(1)
    read.press(Key.Key_N)
    read.press(Key.Key_Return)
    read.press(Key.Key_Return)
    assert read.at == 1


def test_a_rejection_goes_on_and_its_reason_is_one_key_away(read: Hands) -> None:
    read.press(Key.Key_X, CTRL)
    assert read.message == "No reason was given yet: X asks for one."
    read.press(Key.Key_N)
    read.press(Key.Key_X)
    menu = read.window.findChild(QMenu, "rejection-reasons")
    assert menu is not None
    QTest.keyClick(menu, Key.Key_3)
    read.qtbot.wait(5)
    assert here(read) == (0, "d1")
    read.press(Key.Key_X, CTRL)
    read.shown()
    assert here(read) == (1, "d0")
    rejections = read.session.workspace.annotations.on(read.keys[0]).rejections
    assert [(r.box, r.reason) for r in rejections] == [(BEST, "normal anatomy"), (SECOND, "normal anatomy")]


def test_e_accepts_to_correct_and_enter_goes_on(read: Hands) -> None:
    read.press(Key.Key_N)
    read.press(Key.Key_E)
    (made,) = read.session.record.annotations
    assert read.session.selected == made.id
    read.press(Key.Key_Right)
    (moved,) = read.session.record.annotations
    assert moved.box == BEST.moved(1, 0)
    assert (moved.origin.kind, moved.origin.predicted, moved.origin.score) == (OriginKind.MODEL, BEST, 0.9)
    read.press(Key.Key_Return)
    assert here(read) == (0, "d1")  # Enter left the box: nothing more was accepted
    assert accepted(read) == [0]
    assert [b.box for b in read.boxes(BoxKind.DETECTION)] == [SECOND]


def test_a_accepts_the_finding_over_its_slices_and_one_undo_takes_it_back(rising: Hands) -> None:
    rising.go(3)
    rising.press(Key.Key_N)
    rising.press(Key.Key_A)
    assert accepted(rising) == list(range(8))
    for key in rising.keys:
        (made,) = rising.session.workspace.annotations.on(key).annotations
        assert (made.origin.model, made.origin.predicted) == ("uneven@1", LESION)
        assert (made.window is not None) == (key == rising.keys[3])  # seen in a window, or not seen
    rising.press(Key.Key_Z, CTRL)
    assert accepted(rising) == []


def test_a_leaves_other_findings_and_decided_boxes_alone(read: Hands) -> None:
    read.go(2)
    read.press(Key.Key_Return)
    before = read.session.record.annotations
    read.go(4)
    read.press(Key.Key_A)
    assert accepted(read) == list(range(8))
    assert read.session.workspace.annotations.on(read.keys[2]).annotations == before
    assert all(len(read.engine.undecided(k)) == 1 for k in read.keys)  # the other lesion


def test_by_certainty_the_most_certain_comes_first(rising: Hands) -> None:
    rising.press(Key.Key_N, CTRL)
    seen = []
    for _ in range(3):
        rising.press(Key.Key_N)
        rising.shown()
        seen.append(rising.at)
    assert seen == [7, 6, 5]
    rising.press(Key.Key_Return)
    rising.shown()
    assert rising.at == 4
    rising.press(Key.Key_N, SHIFT)
    rising.shown()
    assert rising.at == 6
    rising.press(Key.Key_N, CTRL)
    rising.press(Key.Key_N)
    rising.shown()
    assert rising.at == 7


def test_accepting_from_a_score_says_how_many_and_is_one_undo(rising: Hands) -> None:
    rising.press(Key.Key_A, SHIFT)
    dialog = rising.dialog(AcceptFrom)
    assert isinstance(dialog, AcceptFrom)
    assert dialog.told.text().startswith("None.")
    assert not dialog.accept_button.isEnabled()
    dialog.score.setValue(0.7)
    assert dialog.told.text().startswith("4 undecided predictions on 4 slices (4 glioma).")
    rising.push(dialog.accept_button)
    assert accepted(rising) == [4, 5, 6, 7]
    rising.press(Key.Key_Z, CTRL)
    assert accepted(rising) == []


def test_what_is_hidden_is_not_accepted(rising: Hands) -> None:
    rising.press(Key.Key_P, SHIFT)
    rising.press(Key.Key_A)
    rising.press(Key.Key_E)
    rising.press(Key.Key_A, SHIFT)
    dialog = rising.dialog(AcceptFrom)
    assert isinstance(dialog, AcceptFrom)
    dialog.score.setValue(0.1)
    assert not dialog.accept_button.isEnabled()
    dialog.reject()
    assert accepted(rising) == []


def test_nothing_is_left_undecided_by_accident(rising: Hands) -> None:
    def on(key: str) -> SliceRecord:
        return rising.session.workspace.annotations.on(key)

    rising.press(Key.Key_R)
    assert on(rising.keys[0]).reading is None
    assert "8 predictions undecided on 8 slices" in rising.message
    rising.press(Key.Key_A)
    rising.press(Key.Key_Z, CTRL)
    rising.press(Key.Key_N)
    rising.press(Key.Key_Return)
    rising.press(Key.Key_R)  # there are fewer now: it is said again
    assert "7 predictions undecided" in rising.message
    assert on(rising.keys[0]).reading is None
    rising.press(Key.Key_R)
    assert on(rising.keys[0]).reading is not None
    assert "Signed off with 7 predictions left undecided." in rising.message


def test_a_slice_that_is_not_computed_holds_the_sign_off_up(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    fake = Uneven(hands.keys)
    fake.silent = set(range(8))
    fake.fails_on = {hands.keys[5]}
    hands.detecting(fake)
    hands.detected()
    hands.press(Key.Key_R, SHIFT)
    assert "1 slice not computed. N goes there; Shift+R again" in hands.message
    hands.press(Key.Key_R, SHIFT)
    assert hands.session.workspace.annotations.on(hands.keys[0]).reading is not None


def test_whoever_reads_without_predictions_is_told_afterwards(rising: Hands) -> None:
    rising.press(Key.Key_P, SHIFT)
    rising.press(Key.Key_R)
    assert rising.session.workspace.annotations.on(rising.keys[0]).reading is not None
    assert "Signed off with 8 predictions left undecided." in rising.message
