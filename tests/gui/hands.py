"""A person at the window: real key and mouse events, and waiting for what the screen then shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot

from core.imaging.base import Container, Reader
from core.imaging.reader import open_content
from core.model import Annotation, Box
from gui.app import App
from gui.session import Place
from gui.statusbar import StatusBar
from gui.viewer.scene import BoxItem, BoxKind
from tests.gui.fakes import FakeDetector, entry_of

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 15_000


def slowly(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Make reading a file's header take long, and every snapshot come."""

    def slow(path: Path) -> Reader | Container:
        time.sleep(seconds)
        return open_content(path)

    monkeypatch.setattr("core.imaging.looking.open_content", slow)
    monkeypatch.setattr("core.imaging.catalog._SNAPSHOT_SECONDS", 0.0)
    monkeypatch.setattr("core.imaging.catalog._SNAPSHOT_SHARE", 0)


class Hands:
    """Drives one window."""

    def __init__(self, app: App, qtbot: QtBot) -> None:
        self.app = app
        self.window = app.window
        self.canvas = app.window.page.canvas
        self.session = app.desk.session
        self.engine = app.desk.engine
        self.qtbot = qtbot

    def until(self, what: Callable[[], bool], patience: int = PATIENCE) -> None:
        """Wait for something to be so."""
        self.qtbot.waitUntil(what, timeout=patience)

    def drop(self, paths: Sequence[Path]) -> None:
        """Drag files onto the window and let go."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
        at, action = QPoint(300, 300), Qt.DropAction.CopyAction
        modifiers = Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(self.window, QDragEnterEvent(at, action, data, LEFT, modifiers))
        QApplication.sendEvent(self.window, QDropEvent(QPointF(at), action, data, LEFT, modifiers))

    def open(self, *paths: Path) -> None:
        """Drop paths on the window and wait until everything under them is read and a slice is shown."""
        with self.qtbot.waitSignal(self.session.said, timeout=PATIENCE):
            self.drop(paths)
        self.until(lambda: self.canvas.scene().pixels is not None)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key with the slice in focus."""
        self.window.activateWindow()
        self.until(self.window.isActiveWindow)
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, modifier)
        self.qtbot.wait(5)

    @property
    def message(self) -> str:
        """What the status bar says."""
        bar = self.window.statusBar()
        assert isinstance(bar, StatusBar)
        return bar.message.text()

    def boxes(self, kind: BoxKind | None = None) -> list[BoxItem]:
        """The boxes on screen, of one kind where given."""
        return [b for b in self.canvas.scene().boxes if kind in (None, b.kind)]

    def shows(self, kind: BoxKind, count: int) -> None:
        """Wait until so many boxes of a kind are on screen."""
        self.until(lambda: len(self.boxes(kind)) == count)

    @property
    def keys(self) -> list[str]:
        """The slice keys of the series in view."""
        series = self.session.current_series
        return [s.key for s in series.slices] if series else []

    @property
    def at(self) -> int:
        """Index of the slice in view."""
        assert self.session.place is not None
        return self.session.place.index

    def go(self, index: int) -> None:
        """Pick a slice in the strip; wait until it is shown."""
        self.window.page.strip.picked.emit(index)
        self.shown()

    def shown(self) -> None:
        """Wait until the slice in view is on screen."""
        self.until(
            lambda: (
                self.canvas.scene().identity == self.session.current_slice_key
                and self.canvas.scene().pixels is not None
            )
        )

    def detecting(self, fake: FakeDetector) -> FakeDetector:
        """Put a fake in use as the model."""
        self.engine.install(entry_of(fake.identity.partition("@")[0]), fake)
        return fake

    def detected(self) -> None:
        """Wait until every slice of the series in view has a result or a failure."""
        self.until(lambda: all(self.engine.result(k) or self.engine.failure(k) for k in self.keys))
        self.qtbot.wait(5)

    def last_place(self) -> Place | None:
        """The last slice of the series in view."""
        series = self.session.current_series
        return Place(series.uid, len(series.slices) - 1) if series else None

    def press_action(self, name: str) -> None:
        """Choose a command of the menu."""
        self.window.actions_by_id[name].trigger()
        self.qtbot.wait(5)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag with the left button from one point of the slice to another."""
        a, b = (self.canvas.widget_point(*p).toPoint() for p in (start, end))
        QTest.mousePress(self.canvas, LEFT, pos=a)
        for share in (0.3, 0.7, 1.0):
            QTest.mouseMove(self.canvas, a + QPoint(*(round(v * share) for v in (b - a).toTuple())))
            self.qtbot.wait(2)
        QTest.mouseRelease(self.canvas, LEFT, pos=b)
        self.qtbot.wait(5)

    def click(self, x: float, y: float) -> None:
        """Click a point of the slice."""
        QTest.mouseClick(self.canvas, LEFT, pos=self.canvas.widget_point(x, y).toPoint())
        self.qtbot.wait(5)

    def draw(self, box: Box) -> Annotation:
        """Press B and drag a box; the annotation that the journal then holds."""
        before = {a.id for a in self.session.record.annotations}
        self.press(Qt.Key.Key_B)
        self.drag((box.x1, box.y1), (box.x2, box.y2))
        made = [a for a in self.session.record.annotations if a.id not in before]
        assert len(made) == 1
        return made[0]

    def dialog(self, kind: type[QDialog] | type[QWidget]) -> QWidget:
        """The dialog of that kind that is open."""
        found = [w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()]
        assert len(found) == 1, f"{len(found)} {kind.__name__} are open"
        return found[0]

    def push(self, button: QAbstractButton) -> None:
        """Click a button."""
        assert button.isVisible(), button.text()
        assert button.isEnabled(), button.text()
        QTest.mouseClick(button, LEFT)
        self.qtbot.wait(5)
