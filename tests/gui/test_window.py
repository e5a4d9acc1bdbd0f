"""The window: keys go where the person means them, and it closes cleanly."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.edits import mark_read
from core.model import Box
from gui.dialogs.training import TrainingView
from gui.panels.worklist import WorklistPanel
from tests.gui.conftest import MakeApp
from tests.gui.fakes import FakeDetector
from tests.gui.hands import Hands

CTRL = Qt.KeyboardModifier.ControlModifier


def test_no_shortcut_fires_while_typing(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.detecting(FakeDetector())
    hands.detected()
    hands.go(3)
    panel = hands.window.findChild(WorklistPanel)
    assert panel is not None
    panel.filter.setFocus()
    before, window = hands.app.workspace.annotations, hands.canvas.scene().window
    QTest.keyClicks(panel.filter, "t1 brnxuvpdi=0123456789h")
    for key in (
        Qt.Key.Key_Return,
        Qt.Key.Key_Enter,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
        Qt.Key.Key_Down,
        Qt.Key.Key_Backspace,
        Qt.Key.Key_Delete,
    ):
        QTest.keyClick(panel.filter, key)
    assert panel.filter.text() == "t1 brnxuvpdi=0123456789"
    assert hands.app.workspace.annotations is before
    assert (hands.at, hands.window.tool()) == (3, "select")
    assert not hands.engine.layers.proposals
    assert hands.canvas.scene().window == window
    assert not hands.canvas.scene().inverted
    assert not hands.canvas._boxes_hidden
    QTest.keyClick(panel.filter, Qt.Key.Key_Tab)
    assert not panel.filter.hasFocus()


def test_tab_at_the_slice_goes_through_the_boxes(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.detecting(FakeDetector())
    hands.detected()
    drawn = hands.draw(Box(10, 120, 40, 150))
    hands.session.select("")
    seen = []
    for _ in range(4):
        hands.press(Qt.Key.Key_Tab)
        seen.append(hands.session.selected)
    assert seen == [drawn.id, "d0", "d1", drawn.id]


def test_the_box_tool_draws_one_box(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.press(Qt.Key.Key_B)
    assert hands.window.actions_by_id["tool-box"].isChecked()
    hands.drag((20, 20), (60, 60))
    assert hands.window.tool() == "select"
    assert len(hands.session.record.annotations) == 1
    hands.drag((100, 100), (140, 140))
    assert len(hands.session.record.annotations) == 1


def test_closing_keeps_everything_said(make_app: MakeApp, qtbot: QtBot, phantom_folder: Path) -> None:
    hands = Hands(make_app(), qtbot)
    hands.open(phantom_folder)
    hands.draw(Box(20, 24, 44, 52))
    hands.engine.set_point(min_score=0.37)
    kept = hands.app.workspace.annotations
    hands.window.close()
    again = Hands(make_app(), qtbot)
    assert again.app.workspace.annotations == kept
    assert again.engine.point.min_score == 0.37
    assert again.app.workspace.verify().ok


def test_closing_while_opening_ends_soon(
    make_app: MakeApp, qtbot: QtBot, phantom_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.gui.hands import slowly

    slowly(monkeypatch, 0.2)
    hands = Hands(make_app(), qtbot)
    hands.drop([phantom_folder])
    hands.until(lambda: len(hands.keys) > 0)
    start = time.monotonic()
    hands.window.close()
    assert time.monotonic() - start < 2


def test_closing_while_training_ends_soon(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.draw(Box(20, 24, 80, 90))
    for key in hands.keys:  # enough to train on
        edit = mark_read(hands.app.workspace.annotations, [key], "r")
        assert edit is not None
        hands.session.commit(edit)
    hands.press(Qt.Key.Key_T, CTRL)
    view = hands.dialog(TrainingView)
    assert isinstance(view, TrainingView)
    hands.push(view.start)
    hands.until(lambda: any(t.name.startswith("overread-long") for t in threading.enumerate()))
    hands.qtbot.wait(300)
    assert hands.app.dialogs.retraining.running, view.status.text()
    start = time.monotonic()
    hands.window.close()
    assert time.monotonic() - start < 6
