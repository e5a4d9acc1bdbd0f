"""Dialogs: export, import, models, lists, palette; none blocks, none outlives its welcome."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QInputDialog, QLineEdit, QMessageBox
from pytestqt.qtbot import QtBot

from core.model import Box, OriginKind, ReadState
from gui.command_table import COMMANDS
from gui.dialogs.exchange import ExportDialog, ImportDialog
from gui.dialogs.lists import TableDialog
from gui.dialogs.models import ModelsDialog
from gui.dialogs.palette import Palette
from gui.keymap import normal
from gui.viewer.scene import BoxKind
from tests.gui.conftest import MakeApp
from tests.gui.fakes import HeldCache, write_small_model
from tests.gui.hands import Hands

CTRL = Qt.KeyboardModifier.ControlModifier
BOX, OTHER = Box(20, 24, 44, 52), Box(70, 60, 100, 90)


@pytest.fixture
def read(hands: Hands, pictures: Path) -> Hands:
    """Two of four pictures read, with two boxes on the first."""
    hands.open(pictures)
    hands.draw(BOX)
    hands.press(Qt.Key.Key_2, CTRL)
    hands.draw(OTHER)
    for _ in range(2):
        hands.press(Qt.Key.Key_R)
        hands.shown()
    return hands


def export_dialog(hands: Hands, out: Path) -> ExportDialog:
    hands.press(Qt.Key.Key_E, CTRL)
    dialog = hands.dialog(ExportDialog)
    assert isinstance(dialog, ExportDialog)
    QTest.keyClicks(dialog.target.text, str(out))
    return dialog


def import_dialog(hands: Hands, source: Path) -> ImportDialog:
    hands.press(Qt.Key.Key_I, CTRL)
    dialog = hands.dialog(ImportDialog)
    assert isinstance(dialog, ImportDialog)
    field = dialog.folder if source.is_dir() else dialog.source
    QTest.keyClicks(field.text, str(source))
    return dialog


def test_export_leaves_a_folder_with_something_in_it_alone(read: Hands, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("precious", encoding="utf-8")
    dialog = export_dialog(read, out)
    read.push(dialog.go)
    read.until(dialog.go.isEnabled)
    assert dialog.report.toPlainText().startswith("Not exported.")
    assert str(out) in dialog.report.toPlainText()
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]
    assert (out / "thesis.txt").read_text(encoding="utf-8") == "precious"


def test_export_of_nothing_says_what_to_do(hands: Hands, pictures: Path, tmp_path: Path) -> None:
    hands.open(pictures)
    dialog = export_dialog(hands, tmp_path / "out")
    hands.push(dialog.go)
    assert "sign off slices (R)" in dialog.report.toPlainText()
    # The window goes on beside the dialog: what is read meanwhile counts.
    hands.press(Qt.Key.Key_R)
    hands.push(dialog.go)
    hands.until(lambda: "compared" in dialog.report.toPlainText())
    assert (tmp_path / "out" / "annotations.json").exists()


def test_closing_the_dialog_lets_the_export_go_on(
    make_app: MakeApp, qtbot: QtBot, pictures: Path, tmp_path: Path
) -> None:
    cache = HeldCache()
    hands = Hands(make_app(cache), qtbot)
    hands.open(pictures)
    hands.press(Qt.Key.Key_R)
    cache.held = lambda _ref: True
    dialog = export_dialog(hands, tmp_path / "out")
    hands.push(dialog.go)
    dialog.close()
    hands.qtbot.wait(20)
    cache.held = lambda _ref: False
    hands.until(lambda: hands.message == "Exported, read back and compared.")
    assert (tmp_path / "out" / "annotations.json").exists()


@pytest.mark.parametrize("kind", ["COCO", "YOLO", "Pascal VOC"])
def test_export_undo_all_import_gives_the_same_boxes(read: Hands, tmp_path: Path, kind: str) -> None:
    boxes = [(a.label_id, a.box) for a in read.app.workspace.annotations.annotations()]
    dialog = export_dialog(read, tmp_path / "out")
    dialog.format.setCurrentText(kind)
    read.push(dialog.go)
    read.until(lambda: "compared" in dialog.report.toPlainText())
    dialog.close()
    while read.app.workspace.can_undo:
        read.press(Qt.Key.Key_Z, CTRL)
    assert list(read.app.workspace.annotations.annotations()) == []

    looking = import_dialog(read, tmp_path / "out")
    assert not looking.go.isEnabled()
    read.push(looking.look)
    read.until(looking.go.isEnabled)
    assert "2 boxes on 1 slices" in looking.report.toPlainText()
    read.push(looking.go)
    assert "One undo takes it back." in looking.report.toPlainText()
    found = list(read.app.workspace.annotations.annotations())
    slack = 0.51 if kind == "Pascal VOC" else 1e-5
    for a, (label_id, box) in zip(found, boxes, strict=True):
        assert (a.origin.kind, a.label_id) == (OriginKind.IMPORTED, label_id)
        assert a.box.as_tuple() == pytest.approx(box.as_tuple(), abs=slack)
    read.go(0)
    read.shows(BoxKind.IMPORTED, 2)
    # Again: nothing is doubled.
    read.push(looking.look)
    read.until(looking.go.isEnabled)
    read.push(looking.go)
    assert "Every box of it is here already." in looking.report.toPlainText()
    looking.close()
    read.press(Qt.Key.Key_Z, CTRL)
    assert list(read.app.workspace.annotations.annotations()) == []


def test_what_was_looked_at_is_not_imported_under_another_name(read: Hands, tmp_path: Path) -> None:
    dialog = export_dialog(read, tmp_path / "out")
    read.push(dialog.go)
    read.until(lambda: "compared" in dialog.report.toPlainText())
    dialog.close()
    looking = import_dialog(read, tmp_path / "out")
    read.push(looking.look)
    read.until(looking.go.isEnabled)
    QTest.keyClicks(looking.folder.text, "-other")
    assert not looking.go.isEnabled()
    read.push(looking.look)
    read.until(lambda: "Cannot be imported." in looking.report.toPlainText())
    assert "out-other" in looking.report.toPlainText()
    looking.close()


def test_files_left_out_are_listed(hands: Hands, pictures: Path) -> None:
    (pictures / "notes.txt").write_text("no picture", encoding="utf-8")
    (pictures / "zero.png").touch()
    hands.open(pictures)
    assert hands.message == ("Opened 4 slices in 1 series. 2 files left out: File ▸ Files left out says why.")
    hands.press_action("skipped")
    dialog = hands.dialog(TableDialog)
    assert isinstance(dialog, TableDialog)
    assert [r[0] for r in dialog.rows] == ["notes.txt", "zero.png"]
    assert all(reason for _, reason, _ in dialog.rows)
    dialog.close()


def models_dialog(hands: Hands) -> ModelsDialog:
    hands.press(Qt.Key.Key_M, CTRL)
    dialog = hands.dialog(ModelsDialog)
    assert isinstance(dialog, ModelsDialog)
    return dialog


def listed(dialog: ModelsDialog) -> list[str]:
    return [dialog.list.item(i).text() for i in range(dialog.list.count())]


def choose(dialog: ModelsDialog, name: str) -> None:
    row = next(i for i, text in enumerate(listed(dialog)) if name in text)
    dialog.list.setCurrentRow(row)


def test_models_are_added_used_and_given_up(hands: Hands, tmp_path: Path) -> None:
    first = write_small_model(tmp_path / "first.safetensors", "first", ("glioma",))
    second = write_small_model(tmp_path / "second.safetensors", "second", ("meningioma",))
    dialog = models_dialog(hands)
    for file in (first, second):
        dialog.add_file(file)
    assert hands.message == "Added second."
    for name in ("first", "second"):
        choose(dialog, name)
        assert dialog.card.toPlainText().startswith(name)
        hands.push(dialog.use)
        hands.until(lambda: hands.engine.model_name == dialog._registry.current().name)  # type: ignore[union-attr]
        hands.until(lambda: hands.engine.ready)
    assert hands.engine.model_name == "second"
    assert any(text.startswith("● second") for text in listed(dialog))
    hands.push(dialog.back)
    hands.until(lambda: hands.engine.model_name == "first")
    assert any(text.startswith("● first") for text in listed(dialog))
    dialog.close()


def test_a_truncated_model_is_refused_by_name(hands: Hands, tmp_path: Path) -> None:
    whole = write_small_model(tmp_path / "whole.safetensors", "whole", ("glioma",))
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:-100])
    dialog = models_dialog(hands)
    before = listed(dialog)
    dialog.add_file(cut)
    assert "cut.safetensors: cut short" in hands.message
    assert "Not added." in dialog.card.toPlainText()
    assert listed(dialog) == before
    dialog.close()


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No])
def test_a_model_of_other_classes_is_asked_about_without_blocking(
    hands: Hands, pictures: Path, tmp_path: Path, answer: QMessageBox.StandardButton
) -> None:
    hands.open(pictures)
    file = write_small_model(tmp_path / "odd.safetensors", "odd", ("cavernoma",))
    dialog = models_dialog(hands)
    dialog.add_file(file)
    choose(dialog, "odd")
    hands.push(dialog.use)  # returns: nothing blocks
    question = hands.dialog(QMessageBox)
    assert isinstance(question, QMessageBox)
    assert "cavernoma" in question.text()
    button = question.button(answer)
    hands.push(button)
    schema = hands.app.workspace.schema
    if answer is QMessageBox.StandardButton.Yes:
        hands.until(lambda: hands.engine.model_name == "odd")
        assert hands.app.workspace.schema.by_name("cavernoma") is not None
        assert [c.id for c in schema.classes] == sorted(c.id for c in schema.classes)
    else:
        hands.qtbot.wait(30)
        assert hands.engine.model_name != "odd"
        assert schema.by_name("cavernoma") is None
    dialog.close()


def test_the_key_sheet_lists_every_key(hands: Hands) -> None:
    hands.press(Qt.Key.Key_F1)
    sheet = hands.dialog(TableDialog)
    assert isinstance(sheet, TableDialog)
    listed_keys = {key.removesuffix(" (held)") for row in sheet.rows for key in row[0].split(" · ")}
    assert {normal(key) for c in COMMANDS for key in c.keys} <= listed_keys
    sheet.close()


def test_the_palette_finds_and_runs(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.press(Qt.Key.Key_K, CTRL)
    palette = hands.dialog(Palette)
    assert isinstance(palette, Palette)
    QTest.keyClicks(palette.query, "no find")
    assert "Read, no finding" in palette.results.item(0).text()
    QTest.keyClick(palette.query, Qt.Key.Key_Return)
    hands.qtbot.wait(5)
    mark = hands.app.workspace.annotations.on(hands.keys[0]).reading
    assert mark is not None
    assert mark.state is ReadState.NO_FINDING
    assert [w for w in QApplication.topLevelWidgets() if isinstance(w, Palette) and w.isVisible()] == []


def test_a_new_class(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    before = hands.app.workspace.schema.classes

    def name_it() -> None:
        asked = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QInputDialog))
        field = asked.findChild(QLineEdit)
        assert field is not None
        QTest.keyClicks(field, "cavernoma")
        QTest.keyClick(field, Qt.Key.Key_Return)

    QTimer.singleShot(50, name_it)
    hands.press_action("new-class")
    hands.until(lambda: len(hands.app.workspace.schema.classes) == len(before) + 1)
    classes = hands.app.workspace.schema.classes
    assert classes[:-1] == before
    hands.press(Qt.Key(Qt.Key.Key_0 + classes[-1].id), CTRL)
    drawn = hands.draw(BOX)
    assert hands.app.workspace.schema.name_of(drawn.label_id) == "cavernoma"
    # A name that is taken is refused in words.
    assert not hands.session.add_class("cavernoma")
    assert "cavernoma" in hands.message
