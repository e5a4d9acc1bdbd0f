"""The main job, start to end, through real mouse and key events (the eight steps of one sitting)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu, QTableView
from pytestqt.qtbot import QtBot

from core.boxes import iou
from core.model import Box, OriginKind, ReadState
from gui.dialogs.exchange import ExportDialog
from gui.dialogs.training import TrainingView
from gui.panels.worklist import WorklistPanel
from tests.gui.conftest import MakeApp
from tests.gui.hands import LEFT, Hands

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
TRAINING_PATIENCE = 100_000


def sit_down(make_app: MakeApp, qtbot: QtBot) -> Hands:
    hands = Hands(make_app(), qtbot)
    hands.engine.use_current_model()
    return hands


def pick_in_worklist(hands: Hands, row: int) -> None:
    table = hands.window.findChild(QTableView, "worklist-table")
    assert table is not None
    middle = table.visualRect(table.model().index(row, 0)).center()
    QTest.mouseClick(table.viewport(), LEFT, pos=middle)
    hands.until(lambda: hands.canvas.scene().pixels is not None)


def show_weak_predictions(hands: Hands) -> None:
    """Lower the operating point until the walk has something to walk over."""
    hands.engine.set_point(min_score=0.05)
    hands.until(lambda: any(hands.engine.undecided(s.key) for s in series_slices(hands)), 60_000)


def series_slices(hands: Hands) -> tuple:  # type: ignore[type-arg]
    series = hands.session.current_series
    assert series is not None
    return series.slices


def read_the_series(hands: Hands) -> Box:
    """Steps 3 to 6: walk, accept, reject, correct, draw, undo and redo; returns the drawn box."""
    session = hands.session
    show_weak_predictions(hands)
    hands.press(Qt.Key.Key_N)
    assert session.selected.startswith("d")
    hands.press(Qt.Key.Key_Return)
    accepted = session.record.annotations[-1]
    assert accepted.origin.kind is OriginKind.MODEL
    assert accepted.origin.model.startswith(hands.engine.model_name)

    # Correct it: select, drag the lower right handle, give it another class.
    hands.press(Qt.Key.Key_Tab)
    session.select(accepted.id)
    corner = (accepted.box.x2, accepted.box.y2)
    hands.drag(corner, (corner[0] - 2, corner[1] - 2))
    corrected = session.workspace.annotations.find(accepted.id)
    assert corrected is not None
    assert corrected.box != accepted.box
    assert corrected.origin.predicted == accepted.box
    hands.press(Qt.Key.Key_3, CTRL)
    relabelled = session.workspace.annotations.find(accepted.id)
    assert relabelled is not None
    assert relabelled.label_id == 3

    reject_one(hands)

    drawn = hands.draw(Box(20, 24, 44, 52))
    assert drawn.origin.kind is OriginKind.HUMAN
    assert iou(drawn.box, Box(20, 24, 44, 52)) > 0.85
    hands.press(Qt.Key.Key_Z, CTRL)
    assert session.workspace.annotations.find(drawn.id) is None
    hands.press(Qt.Key.Key_Z, CTRL | SHIFT)
    assert session.workspace.annotations.find(drawn.id) == drawn
    for _ in range(4):  # enough to train on
        hands.press(Qt.Key.Key_Down if session.place != hands.last_place() else Qt.Key.Key_Home)
        hands.until(lambda: hands.canvas.scene().pixels is not None)
        hands.draw(Box(60, 64, 84, 90))
    return drawn.box


def reject_one(hands: Hands) -> None:
    if not any(hands.engine.undecided(s.key) for s in series_slices(hands)):
        return
    hands.press(Qt.Key.Key_N)
    key = hands.session.current_slice_key
    before = len(hands.session.record.rejections)
    hands.press(Qt.Key.Key_X)
    menu = hands.window.findChild(QMenu, "rejection-reasons")
    assert menu is not None
    QTest.keyClick(menu, Qt.Key.Key_2)
    rejections = hands.session.workspace.annotations.on(key).rejections
    assert len(rejections) == before + 1
    assert rejections[-1].reason == "artefact"


def export_coco(hands: Hands, out: Path) -> dict:  # type: ignore[type-arg]
    hands.press(Qt.Key.Key_E, CTRL)
    dialog = hands.dialog(ExportDialog)
    assert isinstance(dialog, ExportDialog)
    QTest.keyClicks(dialog.target.text, str(out))
    hands.push(dialog.go)
    hands.until(lambda: "compared" in dialog.report.toPlainText())
    dialog.close()
    tree = json.loads((out / "annotations.json").read_text(encoding="utf-8"))
    assert isinstance(tree, dict)
    return tree


def retrain_and_use(hands: Hands, minutes: float) -> None:
    old = hands.engine.model_name
    hands.press(Qt.Key.Key_T, CTRL)
    view = hands.dialog(TrainingView)
    assert isinstance(view, TrainingView)
    view.name.setFocus()
    QTest.keyClicks(view.name, "after-this-sitting")
    view.minutes.setValue(minutes)
    hands.push(view.start)
    hands.until(view.start.isEnabled, TRAINING_PATIENCE)
    assert hands.engine.model_name == old, "the model in use stays until the reader says so"
    assert view.use.isVisible(), view.status.text()
    hands.push(view.use)
    hands.until(lambda: hands.engine.model_name == "after-this-sitting")
    view.close()
    hands.until(lambda: hands.engine.result(hands.session.current_slice_key) is not None, 60_000)
    result = hands.engine.result(hands.session.current_slice_key)
    assert result is not None
    assert result.model.startswith("after-this-sitting@")


def sitting(make_app: MakeApp, qtbot: QtBot, folder: Path, out: Path, minutes: float) -> None:
    hands = sit_down(make_app, qtbot)
    hands.open(folder)  # 1
    pick_in_worklist(hands, 0)  # 2
    assert hands.session.place is not None
    first_key = hands.session.current_slice_key
    hands.until(lambda: hands.engine.result(first_key) is not None, 60_000)  # 3
    drawn = read_the_series(hands)  # 4, 5
    keys = [s.key for s in series_slices(hands)]
    hands.detected()
    undecided = any(hands.engine.undecided(k) for k in keys)
    hands.press(Qt.Key.Key_R)  # 6
    if undecided:
        assert "Not signed off yet" in hands.message
        hands.press(Qt.Key.Key_R)
    annotations = hands.session.workspace.annotations
    marks = [annotations.on(k).reading for k in keys]
    assert all(marks)
    assert {m.state for m in marks if m} == {ReadState.FINDINGS, ReadState.NO_FINDING}

    # Come back tomorrow: everything is there, and undo still reaches it.
    hands.window.close()
    hands = sit_down(make_app, qtbot)
    assert hands.session.workspace.annotations == annotations
    hands.open(folder)
    hands.press(Qt.Key.Key_Z, CTRL)
    assert all(hands.session.workspace.annotations.on(k).reading is None for k in keys)
    hands.press(Qt.Key.Key_Y, CTRL)
    assert hands.session.workspace.annotations == annotations

    tree = export_coco(hands, out)  # 7
    assert len(tree["images"]) == len(keys)
    exported = [Box(x, y, x + w, y + h) for x, y, w, h in (a["bbox"] for a in tree["annotations"])]
    assert any(box == drawn for box in exported)
    hands.until(lambda: hands.engine.ready, 60_000)
    retrain_and_use(hands, minutes)  # 8


def test_one_sitting_on_the_phantom(
    make_app: MakeApp, qtbot: QtBot, phantom_folder: Path, tmp_path: Path
) -> None:
    sitting(make_app, qtbot, phantom_folder, tmp_path / "out", minutes=0.2)


@pytest.mark.data
def test_one_sitting_on_real_series(make_app: MakeApp, qtbot: QtBot, data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "progression-dicom" / "01-pre"
    sitting(make_app, qtbot, folder, tmp_path / "out", minutes=0.2)


def test_the_worklist_filter_narrows(make_app: MakeApp, qtbot: QtBot, phantom_folder: Path) -> None:
    hands = sit_down(make_app, qtbot)
    hands.open(phantom_folder)
    panel = hands.window.findChild(WorklistPanel)
    assert panel is not None
    assert panel.table.model().rowCount() == 1
    QTest.keyClicks(panel.filter, "no such series")
    assert panel.table.model().rowCount() == 0
    panel.filter.clear()
    assert panel.table.model().rowCount() == 1
