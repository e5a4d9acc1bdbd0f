"""The panels: what they list, and what picking in them does."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTableView, QTabWidget, QWidget

from core.model import Box
from gui.panels.history import HistoryPanel
from gui.panels.operating_point import OperatingPointPanel
from gui.panels.worklist import WorklistPanel
from tests.gui.fakes import FakeDetector
from tests.gui.hands import LEFT, Hands

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
BOX = Box(20, 24, 44, 52)


def show_tab(hands: Hands, panel: QWidget) -> None:
    tabs = hands.window.findChild(QTabWidget)
    assert tabs is not None
    tabs.setCurrentWidget(panel)
    hands.qtbot.wait(5)


def worklist(hands: Hands) -> WorklistPanel:
    panel = hands.window.findChild(WorklistPanel)
    assert panel is not None
    return panel


def texts(table: QTableView) -> list[list[str]]:
    model = table.model()
    return [
        [str(model.data(model.index(r, c)) or "") for c in range(model.columnCount())]
        for r in range(model.rowCount())
    ]


def click(hands: Hands, table: QTableView, row: int, column: int = 2) -> None:
    index: QModelIndex = table.model().index(row, column)
    table.scrollTo(index)
    QTest.mouseClick(table.viewport(), LEFT, pos=table.visualRect(index).center())
    hands.qtbot.wait(5)


def current_row(table: QTableView) -> list[int]:
    return [i.row() for i in table.selectionModel().selectedRows()]


# -- history


def test_history_and_provenance(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.detecting(FakeDetector())
    hands.detected()
    panel = hands.window.findChild(HistoryPanel)
    assert panel is not None
    show_tab(hands, panel)

    def lines() -> list[str]:
        return [panel.entries.item(i).text() for i in range(panel.entries.count())]

    assert lines() == []
    hands.press(Qt.Key.Key_N)
    assert panel.provenance.text().startswith("Prediction of fake: glioma, score 0.900")
    hands.press(Qt.Key.Key_Return)
    hands.draw(BOX)
    assert panel.provenance.text().startswith("tumour (class 1), by ")
    hands.press(Qt.Key.Key_Delete)
    assert panel.provenance.text() == "No box is selected."
    hands.press(Qt.Key.Key_Z, CTRL)
    words = [line[line.index("  ") + 2 :].partition(" · ")[0] for line in lines()]
    assert words == ["undo: delete tumour box", "delete tumour box", "draw tumour box", "accept prediction"]
    hands.go(1)
    assert lines() == []


# -- worklist


def test_the_worklist_shows_states_and_counts(hands: Hands, phantom_folder: Path, pictures: Path) -> None:
    hands.open(phantom_folder)
    hands.open(pictures)
    table = worklist(hands).table
    assert [r[1:] for r in texts(table)] == [["○ unread", "8\nMR"], ["○ unread", "4"]]
    hands.draw(BOX)
    assert [r[1:] for r in texts(table)] == [["◐ started\n1 box", "8\nMR"], ["○ unread", "4"]]
    hands.press(Qt.Key.Key_R)
    hands.press(Qt.Key.Key_R)
    assert [r[1:] for r in texts(table)] == [["● read\n1 box", "8\nMR"], ["◐ started", "4"]]
    assert current_row(table) == [1]
    hands.until(lambda: not worklist(hands).model.without_thumbnail())


def test_the_worklist_sorts(hands: Hands, phantom_folder: Path, pictures: Path) -> None:
    hands.open(phantom_folder)
    hands.open(pictures)
    table = worklist(hands).table
    header = table.horizontalHeader()
    at = header.sectionViewportPosition(2) + 8
    orders = []
    for _ in range(2):
        QTest.mouseClick(header.viewport(), LEFT, pos=QPoint(at, 8))
        orders.append([r[2] for r in texts(table)])
    assert sorted(orders) == [["4", "8\nMR"], ["8\nMR", "4"]]
    here = hands.session.current_slice_key
    click(hands, table, 0, 1)
    click(hands, table, 1, 1)
    assert hands.session.current_slice_key != "" != here


def test_a_filter_never_carries_the_reader_elsewhere(
    hands: Hands, phantom_folder: Path, pictures: Path
) -> None:
    hands.open(phantom_folder)
    hands.open(pictures)
    hands.go(3)
    here, panel = hands.session.current_slice_key, worklist(hands)
    panel.filter.setFocus()
    QTest.keyClicks(panel.filter, "pictures")
    assert [r[0].split("\n")[0] for r in texts(panel.table)] == ["pictures"]
    assert hands.session.current_slice_key == here
    panel.filter.clear()
    assert current_row(panel.table) == [0]
    # A state as filter: what is signed off leaves the list, and the next unread comes, not the one after.
    QTest.keyClicks(panel.filter, "unread")
    hands.press(Qt.Key.Key_R)
    hands.shown()
    assert [r[0].split("\n")[0] for r in texts(panel.table)] == ["pictures"]
    assert hands.session.current_series is not None
    assert (hands.session.current_series.description, hands.at) == ("pictures", 0)


def test_up_and_down_scroll_slices_from_the_worklist(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    table = worklist(hands).table
    click(hands, table, 0)
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Down)
    QTest.keyClick(table, Qt.Key.Key_Down)
    QTest.keyClick(table, Qt.Key.Key_Up)
    assert hands.at == 1


# -- operating point


def test_operating_point_widgets_follow_what_is_so(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.detecting(FakeDetector())
    panel = hands.window.findChild(OperatingPointPanel)
    assert panel is not None
    show_tab(hands, panel)
    assert panel.model_name.text() == "fake"
    hands.press(Qt.Key.Key_P)
    assert panel.layer_boxes["proposals"].isChecked()
    panel.layer_boxes["proposals"].setFocus()
    QTest.keyClick(panel.layer_boxes["proposals"], Qt.Key.Key_Space)
    assert not hands.engine.layers.proposals
    assert not hands.window.actions_by_id["layer-proposals"].isChecked()
    hands.press_action("ahead")
    assert not panel.ahead.isChecked()
    panel.score.setFocus()
    before = hands.at
    QTest.keyClick(panel.score, Qt.Key.Key_Home)
    assert hands.engine.point.min_score == 0
    assert hands.at == before
    QTest.keyClick(panel.score, Qt.Key.Key_Tab)
    assert panel.overlap.hasFocus()
