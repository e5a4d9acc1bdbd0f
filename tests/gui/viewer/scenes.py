"""Scenes and mouse movements for the viewer's tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, SignalInstance
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from core.model import Box, Window
from gui.viewer.canvas import Canvas
from gui.viewer.scene import BoxItem, BoxKind, SliceScene

LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton
NO_KEY = Qt.KeyboardModifier.NoModifier
EVENTS = (
    "box_drawn",
    "box_reshaped",
    "box_copied",
    "box_clicked",
    "box_activated",
    "window_changed",
    "scrolled",
    "tool_finished",
)


def item(box: tuple[float, float, float, float], kind: BoxKind = BoxKind.HUMAN, **more: Any) -> BoxItem:
    row = {"id": "a", "color": "#ff8800", "text": "", "editable": kind is BoxKind.HUMAN, **more}
    return BoxItem(box=Box(*box), kind=kind, **row)


def grey(rows: int = 100, columns: int = 100, value: float = 0.0) -> NDArray[np.float32]:
    return np.full((rows, columns), value, dtype=np.float32)


def scene(boxes: Sequence[BoxItem] = (), **more: Any) -> SliceScene:
    base = SliceScene(pixels=grey(), window=Window(500.0, 1000.0), identity="slice 1", fit_key="series 1")
    return replace(base, boxes=tuple(boxes), **more)


def show(qtbot: QtBot, shown: SliceScene, width: int = 400, height: int = 400) -> Canvas:
    """A canvas on screen; a 100×100 slice fills 400×400 at four widget pixels a pixel."""
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(width, height)
    canvas.set_scene(shown)
    with qtbot.waitExposed(canvas):
        canvas.show()
    # The last test's pointer may hang over the new widget.
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    return canvas


def at(canvas: Canvas, x: float, y: float) -> QPoint:
    """The widget pixel of an image point."""
    return canvas.widget_point(x, y).toPoint()


def click(widget: QWidget, point: QPoint, button: Qt.MouseButton = LEFT) -> None:
    QTest.mouseClick(widget, button, NO_KEY, point)


def press_and_move(widget: QWidget, *points: QPoint, button: Qt.MouseButton = LEFT) -> None:
    QTest.mousePress(widget, button, NO_KEY, points[0])
    for point in points[1:]:
        QTest.mouseMove(widget, point)


def drag(widget: QWidget, *points: QPoint, button: Qt.MouseButton = LEFT) -> None:
    """Press at the first point, pass the others, release at the last."""
    middle = (points[0] + points[1]) / 2
    press_and_move(widget, points[0], middle, *points[1:], button=button)
    QTest.mouseRelease(widget, button, NO_KEY, points[-1])


def wheel(widget: QWidget, point: QPoint, delta: int, keys: Qt.KeyboardModifier = NO_KEY) -> None:
    event = QWheelEvent(
        QPointF(point),
        QPointF(widget.mapToGlobal(point)),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def picture(widget: QWidget) -> NDArray[np.int16]:
    """What the widget looks like, (rows, columns, RGB)."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    flat = np.frombuffer(image.constBits(), dtype=np.uint8)
    rows = flat.reshape(image.height(), image.bytesPerLine())[:, : image.width() * 3]
    return rows.reshape(image.height(), image.width(), 3).astype(np.int16)


def listen(canvas: Canvas) -> list[tuple[Any, ...]]:
    """All that the canvas says from now on, (signal, arguments…), pointing apart."""
    heard: list[tuple[Any, ...]] = []
    for name in EVENTS:
        signal: SignalInstance = getattr(canvas, name)
        signal.connect(lambda *values, name=name: heard.append((name, *values)))
    return heard


def corners(box: Box) -> tuple[float, float, float, float]:
    return box.as_tuple()
