"""Row 25: undo and redo reach over everything, and the history panel goes to any state of it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.edits import AnnotationSet
from core.model import Box
from gui.panels.history import HistoryPanel
from tests.gui.conftest import MakeApp
from tests.gui.hands import LEFT, Hands
from tests.gui.test_panels import show_tab

CTRL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
Key = Qt.Key
BOX = Box(20, 24, 44, 52)


def panel_of(hands: Hands, scope: int = 1) -> HistoryPanel:
    panel = hands.window.findChild(HistoryPanel)
    assert panel is not None
    show_tab(hands, panel)
    panel.scope.setCurrentIndex(scope)
    return panel


def go_to(hands: Hands, panel: HistoryPanel, text: str) -> None:
    """Click the line that tells of something, then the button."""
    items = [panel.entries.item(k) for k in range(panel.entries.count())]
    item = next(i for i in items if text in i.text() and "do: " not in i.text())
    panel.entries.scrollToItem(item)
    hands.qtbot.wait(30)  # lines wrap once the list is laid out
    QTest.mouseClick(panel.entries.viewport(), LEFT, pos=panel.entries.visualItemRect(item).center())
    hands.push(panel.back)


def test_row_25_the_history_jumps_back_and_forth_over_every_kind_of_edit_after_a_restart(
    make_app: MakeApp, qtbot: QtBot, pictures: Path
) -> None:
    hands = Hands(make_app(), qtbot)
    hands.open(pictures)
    states: list[AnnotationSet] = []

    def done() -> None:
        states.append(hands.app.workspace.annotations)

    hands.draw(BOX)
    done()
    hands.press(Key.Key_Right)
    done()
    hands.press(Key.Key_2, CTRL)
    done()
    hands.press(Key.Key_3, ALT)
    done()
    hands.session.add_class("cyst")
    done()
    hands.press(Key.Key_L, CTRL)
    done()
    hands.go(2)
    hands.draw(BOX)
    done()
    hands.window.close()

    again = Hands(make_app(), qtbot)
    again.open(pictures)
    panel = panel_of(again)
    assert panel.entries.count() == 7
    go_to(again, panel, "move tumour box")
    assert again.app.workspace.annotations == states[1]
    assert again.app.workspace.schema.by_name("cyst") is None
    assert [e.action for e in again.app.workspace.history(limit=5)] == ["undo"] * 5
    go_to(again, panel, "↶")  # the newest of those undone
    assert again.app.workspace.annotations == states[6]
    go_to(again, panel, "change class to glioma")
    assert again.app.workspace.annotations == states[2]
    again.until(lambda: [b.text for b in again.boxes()] == ["glioma"])
    assert again.app.workspace.verify().ok


def test_entries_of_undoing_cannot_be_gone_to(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.draw(BOX)
    hands.press(Key.Key_Z, CTRL)
    panel = panel_of(hands)
    panel.entries.setCurrentRow(0)
    assert "undo: draw" in panel.entries.item(0).text()
    assert not panel.back.isEnabled()
    panel.entries.setCurrentRow(1)
    assert panel.back.isEnabled()


def test_the_history_of_a_slice_leaves_out_what_was_done_elsewhere(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.draw(BOX)
    hands.go(1)
    panel = panel_of(hands, scope=0)
    assert panel.entries.count() == 0
    panel.scope.setCurrentIndex(1)
    assert panel.entries.count() == 1
