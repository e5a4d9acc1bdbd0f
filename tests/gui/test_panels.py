"""The panels: what they list, and what picking in them does."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QTableView, QTabWidget, QWidget

from core.detection.base import DetectResult, TraceRow
from core.model import Box, Catalog, Proposals, Series, SliceRef
from gui.panels.findings import FindingsPanel
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


def findings(hands: Hands) -> FindingsPanel:
    panel = hands.window.findChild(FindingsPanel)
    assert panel is not None
    show_tab(hands, panel)
    panel.refresh()
    return panel


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


# -- findings


def test_findings_list_every_box_of_the_series(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    spacing = hands.session.series[0].slices[0].spacing
    assert spacing is not None
    hands.go(2)
    hands.draw(BOX)
    hands.go(5)
    hands.detecting(FakeDetector(rows=(("glioma", 0.9, Box(30, 30, 60, 60)),)))
    hands.detected()
    hands.press(Qt.Key.Key_Return)
    rows = texts(findings(hands).table)
    box = hands.app.workspace.annotations.on(hands.keys[2]).annotations[0].box
    size = f"{box.width * spacing[1]:.1f} × {box.height * spacing[0]:.1f} mm"
    assert rows[2] == ["3", "✎", "tumour", "", size, "drawn"]
    assert rows[3][:2] == ["3", "?"]
    accepted = [r for r in rows if r[0] == "6"]
    assert [r[1:4] + r[5:] for r in accepted] == [["✓", "glioma", "0.90", "accepted"]]
    assert sum(r[5] == "undecided" for r in rows) == 7
    assert findings(hands).summary.text() == "2 judged, 7 undecided in this series"


def test_sizes_are_in_pixels_where_the_spacing_is_unknown(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    box = hands.draw(BOX).box
    assert texts(findings(hands).table)[0][4] == f"{box.width:.0f} × {box.height:.0f} px"
    assert "no spacing: sizes in pixels" in hands.canvas.scene().badges


def test_picking_a_finding_goes_there_and_selects_it_each_time(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.go(3)
    drawn = hands.draw(BOX)
    for away in (0, 7):
        hands.go(away)
        panel = findings(hands)
        click(hands, panel.table, 0)
        hands.shown()
        assert hands.at == 3
        assert hands.canvas.scene().selected == drawn.id
    # And the other way round: selecting on the slice marks the row.
    hands.session.select("")
    assert current_row(findings(hands).table) == []
    hands.click(21, 40)
    assert current_row(findings(hands).table) == [0]


def test_class_buttons_show_and_set_the_class(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    panel = findings(hands)

    def buttons() -> dict[str, QAbstractButton]:
        return {b.text(): b for b in panel._class_group.buttons()}

    def pressed() -> str:
        button = panel._class_group.checkedButton()
        assert button is not None
        return button.text()

    assert pressed() == "tumour"
    hands.push(buttons()["meningioma"])
    drawn = hands.draw(BOX)
    schema = hands.app.workspace.schema
    assert schema.name_of(drawn.label_id) == "meningioma"
    # With a box selected a button is about that box, and new boxes get what they got.
    hands.push(buttons()["glioma"])
    assert schema.name_of(hands.session.record.annotations[0].label_id) == "glioma"
    assert pressed() == "glioma"
    hands.session.select("")
    assert pressed() == "meningioma"
    hands.press(Qt.Key.Key_1, CTRL)
    assert pressed() == "tumour"


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
    assert [r[1:] for r in texts(table)] == [["○ unread", "8"], ["○ unread", "4"]]
    hands.draw(BOX)
    assert [r[1:] for r in texts(table)] == [["◐ started\n1 box", "8"], ["○ unread", "4"]]
    hands.press(Qt.Key.Key_R)
    hands.press(Qt.Key.Key_R)
    assert [r[1:] for r in texts(table)] == [["● read\n1 box", "8"], ["◐ started", "4"]]
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
    assert sorted(orders) == [["4", "8"], ["8", "4"]]
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


# -- thousands of pictures

MANY = 1500


@pytest.fixture
def many(hands: Hands, tmp_path: Path) -> Hands:
    """A collection of many pictures, each with a result of two predictions and many regions."""
    refs = tuple(
        SliceRef(f"raster:{i:032x}#0", tmp_path / f"{i}.png", 0, 256, 256, "folder:x") for i in range(MANY)
    )
    hands.engine.set_ahead(False)
    hands.engine.set_point(min_score=0.5)
    hands.detecting(FakeDetector())
    boxes = tuple(Box(x, y, x + 20.0, y + 20.0) for x in range(0, 200, 20) for y in range(0, 200, 10))
    trace = tuple(TraceRow(i, 1, max(0.9 - 0.3 * i, 0.01), b) for i, b in enumerate(boxes))
    for ref in refs:
        result = DetectResult(ref.key, "fake@1", (), Proposals(boxes, (0.5,) * len(boxes)), trace)
        hands.engine._results["fake@1", ref.key] = result
    catalog = Catalog((Series("folder:x", "folder:x", "", "x", refs, is_stack=False),))
    hands.session._found("many", catalog)
    findings(hands)
    return hands


def test_the_operating_point_reaches_all_of_many_pictures(many: Hands) -> None:
    panel = findings(many)
    many.engine.set_point(min_score=0.7)
    key = many.session.current_slice_key
    assert [len(shown) for shown in many.engine.undecided_on(many.session.series[0].slices[:2])] == [1, 2]
    assert len(many.engine.undecided(key)) == 1  # the slice in view at once, the others soon
    many.until(lambda: len(panel.model.rows) == MANY)
    assert panel.summary.text() == f"0 judged, {MANY} undecided in this series"


def test_results_that_come_together_are_drawn_together(
    hands: Hands, phantom_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands.open(phantom_folder)
    panel = findings(hands)
    drawn: list[int] = []
    monkeypatch.setattr(panel.model, "refresh", lambda: drawn.append(1))
    for _ in range(50):
        hands.engine.results_changed.emit(hands.keys[0])
    hands.qtbot.wait(80)
    assert len(drawn) == 1
