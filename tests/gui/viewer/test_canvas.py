"""What the canvas tells of the pointer, which keys are its own, and what must not happen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from gui.viewer.canvas import Canvas
from gui.viewer.scene import BoxKind
from tests.gui.viewer.scenes import LEFT, NO_KEY, RIGHT, at, click, item, listen, press_and_move, scene, show


def test_pointing_tells_the_image_point_inside_the_slice_only(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene(), 600, 400)
    heard: list[Any] = []
    canvas.pointed.connect(heard.append)
    QTest.mouseMove(canvas, QPoint(300, 200))
    QTest.mouseMove(canvas, QPoint(20, 200))
    QTest.mouseMove(canvas, QPoint(20, 210))
    assert heard == [pytest.approx((50, 50)), None]
    QTest.mouseMove(canvas, QPoint(300, 200))
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert heard[-1] is None


def test_a_release_that_went_elsewhere_ends_the_gesture(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    press_and_move(canvas, at(canvas, 30, 30), at(canvas, 50, 50))
    other = QWidget()
    qtbot.addWidget(other)
    QTest.mouseRelease(other, LEFT, NO_KEY, QPoint(1, 1))
    QTest.mouseMove(canvas, at(canvas, 60, 60))
    click(canvas, at(canvas, 80, 80))
    assert heard == [("box_clicked", "")]


def test_another_button_does_not_disturb_a_drag(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    press_and_move(canvas, at(canvas, 30, 30), at(canvas, 40, 40))
    QTest.mouseClick(canvas, RIGHT, NO_KEY, at(canvas, 40, 40))
    QTest.mousePress(canvas, LEFT, NO_KEY, at(canvas, 40, 40))  # QTest forgets the first button meanwhile
    QTest.mouseRelease(canvas, LEFT, NO_KEY, at(canvas, 40, 40))
    assert [row[0] for row in heard] == ["box_reshaped"]


@pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen plugin about any window with a layout
def test_esc_is_the_windows_unless_a_gesture_runs(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    canvas = Canvas()
    QVBoxLayout(window).addWidget(canvas)
    pressed: list[int] = []
    shortcut = QShortcut(QKeySequence(Qt.Key.Key_Escape), window)
    shortcut.activated.connect(lambda: pressed.append(1))
    window.resize(300, 300)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    canvas.set_scene(scene())
    canvas.setFocus()
    press_and_move(canvas, QPoint(50, 50), QPoint(90, 90))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert pressed == []
    QTest.mouseRelease(canvas, LEFT, NO_KEY, QPoint(90, 90))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert pressed == [1]


def test_other_keys_are_left_to_the_window(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    for key in (Qt.Key.Key_Up, Qt.Key.Key_B, Qt.Key.Key_Return, Qt.Key.Key_Delete):
        event = QKeyEvent(QEvent.Type.KeyPress, key, NO_KEY)
        QApplication.sendEvent(canvas, event)
        assert not event.isAccepted()


def test_it_takes_the_keyboard_and_has_a_name(qtbot: QtBot) -> None:
    found = item((20, 20, 40, 40), text="glioma")
    canvas = show(qtbot, scene([found, item((1, 1, 9, 9), BoxKind.PROPOSAL, id="p")], selected="a"))
    assert canvas.focusPolicy() is Qt.FocusPolicy.StrongFocus
    assert canvas.accessibleName() == "Slice viewer"
    assert canvas.accessibleDescription() == "1 box, selected: human glioma"


def test_the_same_scene_is_not_painted_twice(qtbot: QtBot) -> None:
    first = scene([item((20, 20, 40, 40))])
    canvas = show(qtbot, first)
    paints: list[int] = []

    class Spy(QWidget):
        def eventFilter(self, watched: Any, event: QEvent) -> bool:
            if event.type() is QEvent.Type.Paint:
                paints.append(1)
            return False

    spy = Spy()
    qtbot.addWidget(spy)
    canvas.installEventFilter(spy)
    QApplication.processEvents()
    paints.clear()
    canvas.set_scene(replace(first, boxes=(item((20, 20, 40, 40)),)))
    QApplication.processEvents()
    assert paints == []
    canvas.set_scene(replace(first, selected="a"))
    QApplication.processEvents()
    assert paints == [1]
