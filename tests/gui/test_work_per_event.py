"""What one event costs, counted rather than timed: scenes built, paintings, queries, boxes drawn."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from gui import viewer_page
from gui.panels.history import HistoryPanel
from tests.gui.hands import Hands
from tests.gui.test_panels import show_tab


class Paintings(QObject):
    """Counts how often widgets are painted, by their class."""

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Count every painting."""
        if event.type() == QEvent.Type.Paint:
            self.seen[type(watched).__name__] += 1
        return False


def notch(hands: Hands) -> None:
    """Turn the wheel over the slice by one notch and let all of it be painted."""
    canvas = hands.canvas
    at = QPointF(canvas.rect().center())
    no_button, no_key = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    turn, phase = QPoint(0, -120), Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(at, canvas.mapToGlobal(at), QPoint(), turn, no_button, no_key, phase, False)
    QApplication.sendEvent(canvas, event)
    QApplication.processEvents()


def all_kept(hands: Hands, folder: Path) -> None:
    """Open a series and look at every slice once; be at the first."""
    hands.open(folder)
    for index in [*range(len(hands.keys)), 0]:
        hands.go(index)
    QApplication.processEvents()


def test_a_notch_of_the_wheel_builds_one_scene_and_paints_the_slice_once(
    hands: Hands, phantom_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_kept(hands, phantom_folder)
    done: Counter[str] = Counter()
    for name in ("build_scene", "strip_marks"):
        made = getattr(viewer_page, name)

        def counted(desk: object, made: object = made, name: str = name) -> object:
            done[name] += 1
            assert callable(made)
            return made(desk)

        monkeypatch.setattr(viewer_page, name, counted)
    hands.session.selection_changed.connect(lambda: done.update(["selection"]))
    painted = Paintings(hands.canvas, hands.window.page.strip, hands.window.toolbar)
    for _ in range(3):
        notch(hands)
    assert hands.at == 3
    assert done == {"build_scene": 3}
    assert painted.seen == {"Canvas": 3, "SliceStrip": 3}


def test_the_history_is_read_at_a_slice_only_while_it_is_seen(
    hands: Hands, phantom_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_kept(hands, phantom_folder)
    workspace = hands.app.workspace
    asked: list[str | None] = []
    history = workspace.history

    def counted(key: str | None = None, limit: int = 100) -> object:
        asked.append(key)
        return history(key, limit=limit)

    monkeypatch.setattr(workspace, "history", counted)
    notch(hands)
    assert asked == []
    panel = hands.window.findChild(HistoryPanel)
    assert panel is not None
    show_tab(hands, panel)
    assert asked == [hands.keys[1]]  # what was missed meanwhile
    notch(hands)
    assert asked == [hands.keys[1], hands.keys[2]]
