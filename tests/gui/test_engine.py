"""The engine at the desk: what it computes, when, and what of it is on screen."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from core.detection.registry import ModelRegistry
from core.model import Box, OriginKind, Rejection
from core.settings import home
from gui.app import App
from gui.panels.operating_point import OperatingPointPanel
from gui.runner import JobOutcome
from gui.statusbar import StatusBar
from gui.viewer.scene import BoxKind
from tests.gui.conftest import MakeApp
from tests.gui.fakes import DEFAULT_ROWS, FakeDetector
from tests.gui.hands import Hands

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
BEST, SECOND = DEFAULT_ROWS[0][2], DEFAULT_ROWS[1][2]


@pytest.fixture
def read(hands: Hands, phantom_folder: Path) -> Hands:
    """The phantom, open."""
    hands.open(phantom_folder)
    return hands


def closed(fake: FakeDetector) -> FakeDetector:
    fake.gate.clear()
    return fake


def open_again(fake: FakeDetector) -> None:
    fake.gate.set()


def test_the_nearest_slice_comes_first(read: Hands) -> None:
    read.go(3)
    fake = read.detecting(FakeDetector())
    read.detected()
    order = [read.keys.index(k) for k in fake.asked]
    assert order == [3, 2, 4, 1, 5, 0, 6, 7]


def test_going_elsewhere_changes_what_is_nearest(read: Hands) -> None:
    fake = read.detecting(closed(FakeDetector()))
    read.until(lambda: len(fake.asked) == 1)
    read.go(6)
    open_again(fake)
    read.detected()
    order = [read.keys.index(k) for k in fake.asked]
    # The far one at work made room for the slice in view, and came last.
    assert order == [0, 6, 5, 7, 4, 3, 2, 1, 0]


def test_a_result_lands_on_its_own_slice(read: Hands) -> None:
    fake = read.detecting(closed(FakeDetector()))
    read.until(lambda: fake.asked == [read.keys[0]])
    fake.ignores_cancel = True  # before it is asked to stop: it looks every few milliseconds
    read.go(5)
    read.engine.set_ahead(False)  # nothing but the one at work, and that is cancelled
    open_again(fake)
    read.until(lambda: read.engine.result(read.keys[0]) is not None)
    assert read.boxes() == []
    assert "Not computed yet" in read.canvas.scene().corners.top_right
    read.go(0)
    assert [b.box for b in read.boxes(BoxKind.DETECTION)] == [BEST, SECOND]


def test_a_late_result_of_the_old_model_is_not_shown_under_the_new(read: Hands) -> None:
    old = closed(FakeDetector("old"))
    old.ignores_cancel = True
    read.detecting(old)
    read.until(lambda: len(old.asked) == 1)
    new = read.detecting(FakeDetector("new", (("glioma", 0.8, Box(5, 5, 25, 25)),)))
    read.qtbot.wait(20)
    assert new.asked == []  # the old one is still at it
    open_again(old)
    read.detected()
    # The slice that the old model was late with is computed by the new one too.
    assert sorted(new.asked) == sorted(read.keys)
    assert [b.box for b in read.boxes(BoxKind.DETECTION)] == [Box(5, 5, 25, 25)]
    for key in read.keys:
        result = read.engine.result(key)
        assert result is not None
        assert result.model == "new@1"


def test_a_late_failure_of_the_old_model_says_nothing_of_the_new(read: Hands) -> None:
    old = closed(FakeDetector("old"))
    old.ignores_cancel = True
    old.fails_on = set(read.keys)
    read.detecting(old)
    read.until(lambda: len(old.asked) == 1)
    read.detecting(FakeDetector("new"))
    open_again(old)
    read.detected()
    assert [read.engine.failure(k) for k in read.keys] == [""] * 8


def test_another_model_leaves_nothing_selected(read: Hands) -> None:
    read.detecting(FakeDetector())
    read.detected()
    read.press(Qt.Key.Key_N)
    assert read.session.selected == "d0"
    read.detecting(FakeDetector("new"))
    assert read.session.selected == ""


def test_cancel_from_the_status_bar_stops_within_a_second(read: Hands) -> None:
    fake = read.detecting(closed(FakeDetector()))
    read.until(lambda: len(fake.asked) == 1)
    bar = read.window.statusBar()
    assert isinstance(bar, StatusBar)
    assert bar.detecting.isVisible()
    start = time.monotonic()
    read.push(bar.detecting.cancel)
    read.until(lambda: not read.app.runner.busy("detect") and not read.engine._running)
    assert time.monotonic() - start < 1
    assert not bar.detecting.isVisible()
    # It stays stopped in this series, until it is asked for.
    open_again(fake)
    read.press(Qt.Key.Key_Down)
    read.qtbot.wait(50)
    assert len(fake.asked) == 1
    read.press(Qt.Key.Key_D)
    read.shows(BoxKind.DETECTION, 2)
    assert [read.keys.index(k) for k in fake.asked] == [0, 1]
    read.press(Qt.Key.Key_D, SHIFT)
    read.detected()
    assert len(fake.asked) == 9


def test_a_failure_on_one_slice_is_said_there_and_the_rest_goes_on(read: Hands) -> None:
    fake = FakeDetector()
    fake.fails_on = {read.keys[0]}
    read.detecting(fake)
    read.detected()
    read.until(
        lambda: "Not computed: the slice is too small for this model" in read.canvas.scene().corners.top_right
    )
    assert [bool(read.engine.failure(k)) for k in read.keys] == [True] + [False] * 7
    read.go(1)
    assert len(read.boxes(BoxKind.DETECTION)) == 2
    # It is not tried again by itself, but when it is asked for.
    assert fake.asked.count(read.keys[0]) == 1
    fake.fails_on = set()
    read.go(0)
    read.press(Qt.Key.Key_D)
    read.shows(BoxKind.DETECTION, 2)
    assert read.engine.failure(read.keys[0]) == ""


def test_not_ahead_computes_only_what_is_asked_for(read: Hands) -> None:
    read.window.actions_by_id["ahead"].trigger()
    assert not read.engine.ahead
    fake = read.detecting(FakeDetector())
    read.go(4)
    read.qtbot.wait(50)
    assert fake.asked == []
    read.press(Qt.Key.Key_D)
    read.shows(BoxKind.DETECTION, 2)
    assert fake.asked == [read.keys[4]]
    read.window.actions_by_id["ahead"].trigger()
    read.detected()


def test_a_series_asked_for_is_done_while_another_is_read(read: Hands, pictures: Path) -> None:
    read.open(pictures)
    read.engine.set_ahead(False)
    stack = read.keys
    fake = read.detecting(closed(FakeDetector()))
    read.press(Qt.Key.Key_D, SHIFT)
    read.press(Qt.Key.Key_PageDown)
    read.shown()
    open_again(fake)
    read.until(lambda: all(read.engine.result(k) for k in stack))
    assert sorted(fake.asked) == sorted(stack)
    bar = read.window.statusBar()
    assert isinstance(bar, StatusBar)
    read.until(lambda: not bar.detecting.isVisible())


def test_the_operating_point_acts_without_the_detector(read: Hands) -> None:
    fake = read.detecting(FakeDetector())
    read.detected()
    panel = read.window.findChild(OperatingPointPanel)
    assert panel is not None
    assert "2 undecided predictions" in panel.count.text()
    for value, expected in ((20, 3), (80, 1), (95, 0), (50, 2)):
        panel.score.setValue(value)
        read.shows(BoxKind.DETECTION, expected)
    assert len(fake.asked) == 8
    read.press(Qt.Key.Key_Return)
    assert "1 undecided prediction at this point" in panel.count.text()


def test_accepting_twice_does_not_double(read: Hands) -> None:
    read.detecting(FakeDetector())
    read.detected()
    for _ in range(4):
        read.press(Qt.Key.Key_Return)
    assert [a.box for a in read.session.record.annotations] == [BEST, SECOND]
    assert read.message == "No prediction to accept on this slice."
    kept = read.session.record.annotations[0]
    assert kept.origin.kind is OriginKind.MODEL
    assert (kept.origin.model, kept.origin.score, kept.origin.predicted) == ("fake@1", 0.9, BEST)


def test_a_run_over_a_slice_leaves_what_people_made(read: Hands) -> None:
    fake = read.detecting(FakeDetector())
    read.detected()
    read.press(Qt.Key.Key_Return)
    drawn = read.draw(Box(10, 120, 40, 150))
    over_second = read.draw(Box(101, 101, 131, 121))  # the reader boxed the same lesion
    accepted = read.session.record.annotations[0]
    read.session.select(accepted.id)
    read.drag((45, 45), (75, 80))
    moved = read.session.record.annotations
    assert {a.id for a in moved} == {accepted.id, drawn.id, over_second.id}
    assert moved[0].box != accepted.box
    read.press(Qt.Key.Key_D)
    read.until(lambda: len(fake.asked) == 9 and not read.engine._running)
    read.detecting(FakeDetector("again"))
    read.until(lambda: read.engine.result(read.keys[0]) is not None)
    assert read.session.record.annotations == moved
    assert len(read.boxes(BoxKind.HUMAN)) == 2
    assert read.boxes(BoxKind.ACCEPTED)[0].box == moved[0].box
    # The same model does not ask again about the box that was accepted and moved; another model may.
    assert [b.box for b in read.boxes(BoxKind.DETECTION)] == [BEST]


def reject_best(hands: Hands, key: Qt.Key) -> Rejection:
    hands.press(Qt.Key.Key_X)
    menu = hands.window.findChild(QMenu, "rejection-reasons")
    assert menu is not None
    assert menu.isVisible()
    QTest.keyClick(menu, key)
    hands.qtbot.wait(5)
    return hands.session.record.rejections[-1]


def test_a_rejection_stays_over_a_restart(make_app: MakeApp, qtbot: QtBot, phantom_folder: Path) -> None:
    first = Hands(make_app(), qtbot)
    first.open(phantom_folder)
    first.detecting(FakeDetector())
    first.detected()
    rejection = reject_best(first, Qt.Key.Key_1)
    assert (rejection.reason, rejection.box) == ("vessel", BEST)
    assert [b.box for b in first.boxes(BoxKind.DETECTION)] == [SECOND]
    first.window.close()
    second = Hands(make_app(), qtbot)
    second.open(phantom_folder)
    second.detecting(FakeDetector())
    second.detected()
    assert [b.box for b in second.boxes(BoxKind.DETECTION)] == [SECOND]
    second.press(Qt.Key.Key_X, SHIFT)
    assert [(b.box, b.text) for b in second.boxes(BoxKind.REJECTED)] == [(BEST, "vessel")]
    second.press(Qt.Key.Key_Z, CTRL)
    assert [b.box for b in second.boxes(BoxKind.DETECTION)] == [BEST, SECOND]


def test_the_last_reason_is_the_one_that_enter_gives(read: Hands) -> None:
    read.detecting(FakeDetector())
    read.detected()
    assert reject_best(read, Qt.Key.Key_4).reason == "partial volume"
    assert reject_best(read, Qt.Key.Key_Return).reason == "partial volume"


def test_escape_rejects_nothing(read: Hands) -> None:
    read.detecting(FakeDetector())
    read.detected()
    read.press(Qt.Key.Key_X)
    menu = read.window.findChild(QMenu, "rejection-reasons")
    assert menu is not None
    QTest.keyClick(menu, Qt.Key.Key_Escape)
    assert read.session.record.rejections == ()
    assert len(read.boxes(BoxKind.DETECTION)) == 2


def test_layers(read: Hands) -> None:
    read.detecting(FakeDetector())
    read.detected()
    assert read.boxes(BoxKind.PROPOSAL) == []
    read.press(Qt.Key.Key_P)
    assert [b.box for b in read.boxes(BoxKind.PROPOSAL)] == [box for _, _, box in DEFAULT_ROWS]
    panel = read.window.findChild(OperatingPointPanel)
    assert panel is not None
    panel.limit.setValue(2)
    read.shows(BoxKind.PROPOSAL, 2)
    read.press(Qt.Key.Key_P, SHIFT)
    assert read.boxes(BoxKind.DETECTION) == []
    # What is not on screen is neither accepted nor rejected.
    read.press(Qt.Key.Key_Return)
    read.press(Qt.Key.Key_X)
    assert read.session.record.entries == {}
    assert "Predictions are hidden" in read.message
    read.press(Qt.Key.Key_P, SHIFT)
    assert len(read.boxes(BoxKind.DETECTION)) == 2


def hidden(hands: Hands) -> bool:
    return hands.canvas._boxes_hidden


def test_h_hides_boxes_while_it_is_down(read: Hands) -> None:
    read.detecting(FakeDetector())
    read.detected()
    read.canvas.setFocus()
    bare = None
    QTest.keyPress(read.canvas, Qt.Key.Key_H)
    assert hidden(read)
    bare = read.canvas.grab().toImage()
    QTest.keyRelease(read.canvas, Qt.Key.Key_H)
    assert not hidden(read)
    assert read.canvas.grab().toImage() != bare


def test_h_never_leaves_boxes_hidden(read: Hands) -> None:
    read.canvas.setFocus()
    QTest.keyPress(read.canvas, Qt.Key.Key_H)
    QTest.keyRelease(read.canvas, Qt.Key.Key_H, SHIFT)  # another key went down meanwhile
    assert not hidden(read)
    QTest.keyPress(read.canvas, Qt.Key.Key_H)
    read.press_action("keys")  # another window takes the focus, and the release
    read.until(lambda: not hidden(read))
    for dialog in QApplication.topLevelWidgets():
        if dialog is not read.window:
            dialog.close()
    repeated = QKeyEvent(
        QEvent.Type.KeyPress, Qt.Key.Key_H, Qt.KeyboardModifier.NoModifier, "h", autorep=True
    )
    QApplication.sendEvent(read.canvas, repeated)
    assert not hidden(read)


def test_walking_over_the_slices(read: Hands) -> None:
    read.detecting(FakeDetector())
    read.detected()
    read.go(3)
    seen = []
    for _ in range(4):
        read.press(Qt.Key.Key_N)
        read.shown()
        seen.append((read.at, read.session.selected))
    assert seen == [(3, "d0"), (3, "d1"), (4, "d0"), (4, "d1")]
    read.press(Qt.Key.Key_N, SHIFT)
    assert (read.at, read.session.selected) == (4, "d0")
    read.press(Qt.Key.Key_N, SHIFT)
    read.shown()
    assert (read.at, read.session.selected) == (3, "d1")
    read.press(Qt.Key.Key_Return)
    assert [a.box for a in read.session.workspace.annotations.on(read.keys[3]).annotations] == [SECOND]
    read.go(7)
    read.press(Qt.Key.Key_Return)
    read.press(Qt.Key.Key_Return)
    read.press(Qt.Key.Key_N)
    read.shown()
    assert (read.at, read.session.selected) == (0, "d0")  # round once


def test_closing_while_detecting_ends_soon(read: Hands) -> None:
    fake = read.detecting(closed(FakeDetector()))
    read.until(lambda: len(fake.asked) == 1)
    read.engine.use_current_model()  # and a job that waits for its turn
    start = time.monotonic()
    read.window.close()
    assert time.monotonic() - start < 2


def test_a_damaged_registry_is_said_at_the_start(hands: Hands) -> None:
    (home() / "models").mkdir(parents=True)
    (home() / "models" / "registry.json").write_text("{", encoding="utf-8")
    hands.engine.use_current_model()
    assert "registry.json: cannot be read" in hands.message


def test_the_real_model(hands: Hands, phantom_folder: Path) -> None:
    if ModelRegistry(home() / "models").current() is None:
        pytest.skip("no model is bundled (resources/models)")
    hands.engine.set_ahead(False)
    hands.open(phantom_folder)
    hands.press(Qt.Key.Key_D)
    assert hands.message.endswith("There is no model in use.")
    hands.engine.use_current_model()
    hands.until(lambda: hands.engine.ready, 60_000)
    hands.go(4)
    hands.press(Qt.Key.Key_D)
    hands.until(lambda: hands.engine.result(hands.keys[4]) is not None, 60_000)
    hands.press(Qt.Key.Key_P)
    result = hands.engine.result(hands.keys[4])
    assert result is not None
    assert result.model.startswith(hands.engine.model_name + "@")
    assert len(hands.boxes(BoxKind.PROPOSAL)) == min(50, len(result.proposals.boxes)) > 0


def test_selective_search_is_ready_before_a_slice_asks(app: App, qtbot: QtBot) -> None:
    from core.proposals.working import _prepared

    outcomes: list[JobOutcome[object]] = []
    app.runner.finished.connect(outcomes.append)
    app.warm_up()
    qtbot.waitUntil(lambda: [o.key for o in outcomes if o.error is None] == ["warm"], timeout=100_000)
    assert getattr(_prepared, "signatures", None)
