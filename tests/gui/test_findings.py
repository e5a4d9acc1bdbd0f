"""The findings panel: every box of the series, those of one lesion together, and what picking them does."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QMenu

from core.detection.base import DetectRequest, DetectResult, TraceRow
from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import PhantomSpec, make_phantom
from core.jobs import CancelToken
from core.model import Box, Catalog, Proposals, Series, SliceRef
from core.review.lesions import MarkedBox, ReadLesion, read_lesions
from gui.panels.finding_rows import Group
from gui.panels.findings import FindingsPanel
from gui.panels.linking import KEY
from tests.gui.fakes import FakeDetector
from tests.gui.hands import LEFT, Hands
from tests.gui.test_panels import show_tab

CTRL = Qt.KeyboardModifier.ControlModifier
BOX = Box(20, 24, 44, 52)
GLIOMA = Box(30, 30, 60, 60)
FAR = Box(120, 120, 150, 140)
Line = tuple[int, list[str]]


class Stepwise(FakeDetector):
    """Does as many slices as it is given leave for."""

    def __init__(self) -> None:
        super().__init__("stepwise", (("glioma", 0.9, GLIOMA),))
        self.leave = threading.Semaphore(0)

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        while not self.leave.acquire(timeout=0.01):
            cancel.check()
        return super().detect(request, cancel=cancel)


def panel_of(hands: Hands) -> FindingsPanel:
    panel = hands.window.findChild(FindingsPanel)
    assert panel is not None
    show_tab(hands, panel)
    return panel


def findings(hands: Hands) -> FindingsPanel:
    """The panel in front, with what is so by now."""
    panel = panel_of(hands)
    panel.refresh()
    hands.until(lambda: not hands.app.runner.busy(KEY))
    return panel


def lines(panel: FindingsPanel) -> list[Line]:
    """Depth and texts of every line, folded or not."""
    model = panel.model

    def below(parent: QModelIndex, depth: int) -> list[Line]:
        found: list[Line] = []
        for row in range(model.rowCount(parent)):
            texts = [model.index(row, c, parent).data() or "" for c in range(model.columnCount(parent))]
            found.append((depth, texts))
            found += below(model.index(row, 0, parent), depth + 1)
        return found

    return below(QModelIndex(), 0)


def click(hands: Hands, panel: FindingsPanel, index: QModelIndex, column: int = 1) -> None:
    cell = index.siblingAtColumn(column)
    panel.tree.scrollTo(cell)
    QTest.mouseClick(panel.tree.viewport(), LEFT, pos=panel.tree.visualRect(cell).center())
    hands.qtbot.wait(5)


def click_arrow(hands: Hands, panel: FindingsPanel, index: QModelIndex) -> None:
    panel.tree.scrollTo(index)
    at = panel.tree.visualRect(index)
    QTest.mouseClick(panel.tree.viewport(), LEFT, pos=QPoint(at.left() - 8, at.center().y()))
    hands.qtbot.wait(5)


def marked(panel: FindingsPanel) -> list[str]:
    """What stands first on the marked line."""
    return [index.data() for index in panel.tree.selectionModel().selectedRows()]


def detected(hands: Hands, folder: Path, *rows: tuple[str, float, Box]) -> FindingsPanel:
    """Open a series and let a fake say the same of every slice."""
    hands.open(folder)
    hands.detecting(FakeDetector(rows=rows or (("glioma", 0.9, GLIOMA),)))
    hands.detected()
    return findings(hands)


# -- what is listed


def test_findings_list_every_box_of_the_series(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    spacing = hands.session.series[0].slices[0].spacing
    assert spacing is not None
    hands.go(2)
    box = hands.draw(FAR).box
    panel = findings(hands)
    size = f"{box.width * spacing[1]:.1f} × {box.height * spacing[0]:.1f} mm"
    assert lines(panel) == [(0, ["1 · 3", "tumour", "", size, "✎ drawn"])]
    assert panel.summary.text() == "1 lesion; boxes: 1 judged, 0 undecided in this series"


def test_boxes_on_neighbouring_slices_are_one_lesion(hands: Hands, phantom_folder: Path) -> None:
    panel = detected(hands, phantom_folder)
    series = hands.session.series[0]
    first, last = series.slices[0].geometry, series.slices[-1].geometry
    assert first is not None
    assert last is not None
    step = abs(last.position[2] - first.position[2]) / 7
    width, height = 30 * first.column_spacing, 30 * first.row_spacing
    extent = f"{width:.0f} × {height:.0f} × {8 * step:.0f} mm"
    lesion, *boxes = lines(panel)
    assert lesion == (0, ["1 · 1–8", "glioma", "0.90", extent, "? undecided"])
    assert [(d, t[0], t[4]) for d, t in boxes] == [(1, str(i + 1), "? undecided") for i in range(8)]
    assert panel.summary.text() == "1 lesion; boxes: 0 judged, 8 undecided in this series"
    (index, _), *_ = panel.model.groups()
    tip = index.data(Qt.ItemDataRole.ToolTipRole)
    assert tip.startswith(f"Lesion 1: slices 1–8, {extent}, glioma, 8 boxes undecided. About ")
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == tip
    assert panel.tree.isExpanded(index)


def test_a_judged_box_stays_with_its_lesion_and_a_rejected_one_leaves_it(
    hands: Hands, phantom_folder: Path
) -> None:
    detected(hands, phantom_folder)
    hands.go(2)
    hands.press(Qt.Key.Key_Return)
    panel = findings(hands)
    lesion, *boxes = lines(panel)
    assert lesion[1][4] == "? 7 of 8"
    assert (boxes[2][1][0], boxes[2][1][4]) == ("3", "✓ accepted")
    hands.go(7)
    hands.press(Qt.Key.Key_X)
    menu = hands.window.findChild(QMenu, "rejection-reasons")
    assert menu is not None
    QTest.keyClick(menu, Qt.Key.Key_1)
    hands.qtbot.wait(5)
    shown = lines(findings(hands))
    assert shown[0][1][0] == "1 · 1–7"
    assert [(d, t[0], t[4]) for d, t in shown[-2:]] == [
        (0, "Rejected", "✗ rejected"), (1, "8", "✗ rejected: vessel"),
    ]  # fmt: skip
    for index in (0, 1, 3, 4, 5, 6):
        hands.go(index)
        hands.press(Qt.Key.Key_Return)
    assert lines(findings(hands))[0][1][4] == "✓ accepted"
    hands.go(4)
    hands.press(Qt.Key.Key_Tab)
    hands.press(Qt.Key.Key_Delete)
    hands.draw(GLIOMA)
    shown = lines(findings(hands))
    assert shown[0][1][0] == "1 · 1–7"
    assert shown[0][1][4] == "✓ judged"
    assert panel.summary.text() == "1 lesion; boxes: 8 judged, 0 undecided in this series"


def test_lesions_grow_as_results_come_in(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    fake = Stepwise()
    hands.detecting(fake)
    panel = panel_of(hands)
    for leave, slices in ((3, 3), (5, 8)):
        for _ in range(leave):
            fake.leave.release()
        hands.until(lambda n=slices: [d for d, _ in lines(panel)] == [0] + [1] * n)  # type: ignore[misc]
        assert lines(panel)[0][1][0] == f"1 · 1–{slices}"


def test_pictures_of_a_collection_are_no_lesions(hands: Hands, pictures: Path) -> None:
    panel = detected(hands, pictures)
    assert [(d, t[0]) for d, t in lines(panel)] == [(0, str(i + 1)) for i in range(4)]
    assert panel.summary.text() == "0 judged, 4 undecided in this series"


def test_sizes_are_in_pixels_where_the_spacing_is_unknown(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    box = hands.draw(BOX).box
    assert lines(findings(hands))[0][1][3] == f"{box.width:.0f} × {box.height:.0f} px"
    assert "no spacing: sizes in pixels" in hands.canvas.scene().badges


# -- picking


def test_picking_a_box_goes_there_and_selects_it_each_time(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.go(3)
    drawn = hands.draw(BOX)
    for away in (0, 7):
        hands.go(away)
        panel = findings(hands)
        click(hands, panel, panel.model.index(0, 0))
        hands.shown()
        assert hands.at == 3
        assert hands.canvas.scene().selected == drawn.id
    # And the other way round: selecting on the slice marks the line.
    hands.session.select("")
    assert marked(findings(hands)) == []
    hands.click(21, 40)
    assert marked(findings(hands)) == ["1 · 4"]


def test_picking_a_lesion_goes_to_its_middle_slice(hands: Hands, phantom_folder: Path) -> None:
    panel = detected(hands, phantom_folder, ("glioma", 0.9, GLIOMA), ("meningioma", 0.8, FAR))
    (first, _), (second, _) = panel.model.groups()
    click(hands, panel, second)
    hands.shown()
    assert hands.at == 3
    assert hands.session.selected == "d1"
    assert marked(panel) == ["4"]
    hands.go(7)
    click(hands, panel, first)
    assert (hands.at, hands.session.selected) == (3, "d0")


def test_a_folded_lesion_stays_folded_and_is_marked_for_its_boxes(hands: Hands, phantom_folder: Path) -> None:
    panel = detected(hands, phantom_folder)
    (index, _), *_ = panel.model.groups()
    click_arrow(hands, panel, index)
    assert not panel.tree.isExpanded(index)
    assert hands.at == 0, "folding goes nowhere"
    hands.go(2)
    hands.press(Qt.Key.Key_N)
    assert marked(panel) == ["1 · 1–8"]
    hands.press(Qt.Key.Key_Return)
    findings(hands)
    (index, group), *_ = panel.model.groups()
    assert group.state == "? 7 of 8"
    assert not panel.tree.isExpanded(index)
    click_arrow(hands, panel, index)
    assert panel.tree.isExpanded(index)
    hands.press(Qt.Key.Key_N)
    findings(hands)
    assert panel.tree.isExpanded(panel.model.groups()[0][0])
    assert marked(panel) == [str(hands.at + 1)]


def test_up_and_down_scroll_slices_from_the_findings(hands: Hands, phantom_folder: Path) -> None:
    panel = detected(hands, phantom_folder)
    panel.tree.setFocus()
    QTest.keyClick(panel.tree, Qt.Key.Key_Down)
    QTest.keyClick(panel.tree, Qt.Key.Key_Down)
    assert hands.at == 2


# -- linking beside the main thread


class Held:
    """Linking that waits until it may, and notes on which threads it was asked for."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.threads: list[str] = []

    def __call__(
        self, slices: Sequence[SliceRef], marked: Sequence[Sequence[MarkedBox]]
    ) -> tuple[ReadLesion, ...]:
        self.threads.append(threading.current_thread().name)
        assert self.gate.wait(10)
        return read_lesions(slices, marked)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    made = Held()
    monkeypatch.setattr("gui.panels.linking.read_lesions", made)
    return made


def test_a_long_linking_keeps_nobody_waiting(hands: Hands, phantom_folder: Path, held: Held) -> None:
    hands.open(phantom_folder)
    panel = panel_of(hands)
    hands.draw(BOX)
    panel.refresh()
    for _ in range(4):
        hands.press(Qt.Key.Key_Down)
        hands.draw(FAR)
        panel.refresh()
    assert hands.at == 4
    assert lines(panel) == []
    held.gate.set()
    hands.until(lambda: len(panel.model.rows) == 5)
    # What was asked while one was at work: of all of it only the last.
    assert len(held.threads) == 2
    assert all(name.startswith("overread-quick") for name in held.threads)


def test_a_box_that_is_gone_by_the_time_it_is_linked_does_not_stay(
    hands: Hands, phantom_folder: Path, held: Held
) -> None:
    hands.open(phantom_folder)
    panel = panel_of(hands)
    hands.draw(BOX)
    panel.refresh()
    hands.press(Qt.Key.Key_Z, CTRL)
    panel.refresh()
    held.gate.set()
    hands.until(lambda: not hands.app.runner.busy(KEY))
    assert lines(panel) == []
    assert panel.summary.text() == "0 judged, 0 undecided in this series"


def test_the_lesions_of_a_series_out_of_view_are_not_shown(
    hands: Hands, phantom_folder: Path, tmp_path: Path, held: Held
) -> None:
    other = tmp_path / "other"
    write_phantom_dicom(make_phantom(PhantomSpec(size=96, slices=3, lesions=1, seed=9)), other)
    hands.open(phantom_folder)
    hands.open(other)
    here = hands.session.current_series
    assert here is not None
    away = next(s for s in hands.session.series if s is not here)
    panel = panel_of(hands)
    hands.draw(BOX)
    panel.refresh()
    hands.session.go_to(away.uid, 0)
    hands.shown()
    panel.refresh()
    held.gate.set()
    hands.until(lambda: not hands.app.runner.busy(KEY))
    assert lines(panel) == []
    hands.session.go_to(here.uid, 0)
    hands.until(lambda: len(panel.model.rows) == 1)


def test_boxes_that_cannot_be_linked_are_listed_all_the_same(
    hands: Hands, phantom_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_asked: object) -> tuple[ReadLesion, ...]:
        raise RuntimeError

    monkeypatch.setattr("gui.panels.linking.read_lesions", broken)
    panel = detected(hands, phantom_folder)
    assert [(d, t[0]) for d, t in lines(panel)] == [(0, str(i + 1)) for i in range(8)]
    assert "An unexpected RuntimeError" in hands.message


def test_a_series_seen_before_is_shown_again(hands: Hands, phantom_folder: Path, pictures: Path) -> None:
    panel = detected(hands, phantom_folder)
    hands.open(pictures)
    stack, collection = hands.session.series
    hands.session.go_to(collection.uid, 0)
    hands.until(lambda: not any(isinstance(i, Group) for i in panel.model.items))
    hands.session.go_to(stack.uid, 0)
    hands.until(lambda: len(panel.model.groups()) == 1)


# -- classes


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
        hands.engine.keep(result)
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
    monkeypatch.setattr(panel._rows, "rows", lambda: drawn.append(1) or ())  # type: ignore[func-returns-value]
    for _ in range(50):
        hands.engine.results_changed.emit(hands.keys[0])
    hands.qtbot.wait(80)
    assert len(drawn) == 1
