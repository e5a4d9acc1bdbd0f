"""The label schema editor: what is typed there is in the journal, boxes keep their classes, undo works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QTableWidget, QToolButton, QWidget

from core.label_schema import FieldKind, LabelClass, LabelSchema
from core.model import Box
from gui.dialogs.schema import SchemaEditor
from gui.dialogs.schema_tables import ClassTable, FieldTable
from gui.panels.box_fields import BoxFields
from gui.viewer.scene import BoxKind
from tests.gui.hands import LEFT, Hands

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
BOX = Box(20, 24, 44, 52)


@pytest.fixture
def editor(hands: Hands, pictures: Path) -> SchemaEditor:
    """The editor as its key opens it, one glioma drawn before."""
    hands.open(pictures)
    hands.press(Qt.Key.Key_2, CTRL)
    hands.draw(BOX)
    hands.press(Qt.Key.Key_L, CTRL | SHIFT)
    found = hands.dialog(SchemaEditor)
    assert isinstance(found, SchemaEditor)
    return found


def schema(hands: Hands) -> LabelSchema:
    return hands.app.workspace.schema


def type_into(hands: Hands, table: QTableWidget, row: int, column: int, text: str) -> None:
    """Double click a cell, type, Enter."""
    in_front(hands, table)
    item = table.item(row, column)
    assert item is not None
    table.scrollToItem(item)
    at = table.visualItemRect(item).center() + QPoint(10, 0)
    QTest.mouseClick(table.viewport(), LEFT, pos=at)
    QTest.mouseDClick(table.viewport(), LEFT, pos=at)
    finish(hands, table, text)


def finish(hands: Hands, table: QTableWidget, text: str) -> None:
    line = table.findChild(QLineEdit)
    assert line is not None
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key.Key_Return)
    hands.qtbot.wait(20)


def in_front(hands: Hands, widget: QWidget) -> None:
    widget.window().activateWindow()
    hands.until(widget.isActiveWindow)


def pick(hands: Hands, box: QComboBox, text: str) -> None:
    """Choose a line of a combo box from the keyboard."""
    in_front(hands, box)
    box.setFocus()
    steps = box.findText(text) - box.currentIndex()
    for _ in range(abs(steps)):
        QTest.keyClick(box, Qt.Key.Key_Down if steps > 0 else Qt.Key.Key_Up)
    hands.qtbot.wait(20)


def name_at(table: QTableWidget, row: int) -> str:
    item = table.item(row, 0)
    return item.text() if item else ""


def test_renaming_shows_at_once_keeps_the_id_and_is_undone(hands: Hands, editor: SchemaEditor) -> None:
    type_into(hands, editor.classes, 1, ClassTable.NAME, "low-grade glioma")
    assert schema(hands).name_of(2) == "low-grade glioma"
    hands.until(lambda: hands.boxes(BoxKind.HUMAN)[0].text == "low-grade glioma")
    (box,) = hands.session.record.annotations
    assert box.label_id == 2
    buttons = [b.text() for b in hands.window.findChildren(QToolButton)]
    assert "low-grade glioma" in buttons
    assert hands.app.workspace.history()[0].text == "rename glioma to low-grade glioma"
    hands.press(Qt.Key.Key_Z, CTRL)
    assert schema(hands).name_of(2) == "glioma"
    hands.until(lambda: name_at(editor.classes, 1) == "glioma")


def test_removing_never_renumbers_and_brings_back_the_same_id(hands: Hands, editor: SchemaEditor) -> None:
    editor.classes.setCurrentCell(1, ClassTable.NAME)
    hands.push(editor.buttons["Remove"])
    assert [c.id for c in schema(hands).classes] == [1, 3, 4]
    assert "1 boxes keep it" in editor.note.text()
    assert hands.boxes(BoxKind.HUMAN)[0].text == "glioma"
    hands.press(Qt.Key.Key_2, CTRL)
    assert hands.session.current_label != 2, "a removed class cannot be chosen"
    in_front(hands, editor)
    hands.push(editor.buttons["Add class"])
    finish(hands, editor.classes, "cyst")
    assert schema(hands).by_name("cyst") == LabelClass(5, "cyst", schema(hands).classes[-1].color)
    row = [name_at(editor.classes, i) for i in range(editor.classes.rowCount())].index("glioma")
    editor.classes.setCurrentCell(row, ClassTable.NAME)
    hands.push(editor.buttons["Bring back"])
    assert schema(hands).offers(2)
    assert {c.id: c.name for c in schema(hands).classes}[2] == "glioma"


def test_a_taken_or_empty_name_is_refused_with_the_reason(hands: Hands, editor: SchemaEditor) -> None:
    before = schema(hands)
    type_into(hands, editor.classes, 1, ClassTable.NAME, "tumour")
    assert "must be unique" in editor.note.text()
    hands.until(lambda: name_at(editor.classes, 1) == "glioma")
    assert schema(hands) == before


def test_a_key_goes_to_one_class_and_works_at_the_slice(hands: Hands, editor: SchemaEditor) -> None:
    box = editor.classes.cellWidget(3, ClassTable.KEY)
    assert isinstance(box, QComboBox)
    assert box.currentText() == "Ctrl+4"
    pick(hands, box, "Ctrl+3")
    assert [schema(hands).key_of(i) for i in (3, 4)] == [None, 3]
    hands.press(Qt.Key.Key_3, CTRL)
    assert hands.session.record.annotations[0].label_id == 4
    assert hands.window.actions_by_id["class-3"].text() == "pituitary"
    assert not hands.window.actions_by_id["class-4"].isVisible()


def test_a_colour_is_on_the_box_at_once(hands: Hands, editor: SchemaEditor) -> None:
    editor.set_color(2, QColor("#00ff88"))
    hands.until(lambda: hands.boxes(BoxKind.HUMAN)[0].color == "#00ff88")


def test_row_29_fields_of_the_schema_are_filled_in_at_the_box(hands: Hands, editor: SchemaEditor) -> None:
    hands.push(editor.buttons["Add field"])
    finish(hands, editor.fields, "Edge")
    kinds = editor.fields.cellWidget(2, FieldTable.KIND)
    assert isinstance(kinds, QComboBox)
    pick(hands, kinds, "one of a list")
    assert schema(hands).fields[2].kind is FieldKind.CHOICE
    type_into(hands, editor.fields, 2, FieldTable.CHOICES, "sharp, blurred")
    fields = hands.window.findChild(BoxFields)
    assert fields is not None
    edge = fields.fields["field_1"]
    assert isinstance(edge, QComboBox)
    assert [edge.itemText(i) for i in range(edge.count())] == ["–", "sharp", "blurred"]
    pick(hands, edge, "blurred")
    (box,) = hands.session.record.annotations
    assert [v for _, v in box.attributes] == ["blurred"]


def test_schemas_are_exported_imported_and_live_side_by_side(
    hands: Hands, editor: SchemaEditor, tmp_path: Path
) -> None:
    out = tmp_path / "mine.json"
    editor.export_file(out)
    assert editor.note.text() == "Exported to mine.json."
    tree = json.loads(out.read_text(encoding="utf-8"))
    assert [c["id"] for c in tree["classes"]] == [1, 2, 3, 4]
    spine = {"name": "spine", "classes": [{"id": 2, "name": "disc", "color": "#123456", "key": 2}]}
    (tmp_path / "spine.json").write_text(json.dumps(spine), encoding="utf-8")
    editor.import_file(tmp_path / "spine.json")
    assert "2 is 5" in editor.note.text(), "id 2 means glioma here and goes on to"
    assert (schema(hands).name, schema(hands).key_of(5)) == ("spine", 2)
    assert hands.boxes(BoxKind.HUMAN)[0].text == "glioma"
    hands.press(Qt.Key.Key_2, CTRL)
    assert hands.session.record.annotations[0].label_id == 5
    hands.until(lambda: editor.schemas.count() == 2)
    pick(hands, editor.schemas, "default")
    assert schema(hands).name == "default"
    editor.import_file(out)
    assert schema(hands).name == "default (2)"
    hands.push(editor.buttons["Remove schema"])
    assert [s.name for s in hands.app.workspace.schemas.schemas] == ["default", "spine"]
    assert hands.app.workspace.verify().ok


@pytest.mark.parametrize("text", ["{", '{"name": "x", "classes": [{"id": 1, "name": "a", "color": "red"}]}'])
def test_a_file_that_is_no_schema_is_refused(
    hands: Hands, editor: SchemaEditor, tmp_path: Path, text: str
) -> None:
    (tmp_path / "bad.json").write_text(text)
    before = hands.app.workspace.schemas
    editor.import_file(tmp_path / "bad.json")
    assert "Not imported. bad.json: not a label schema" in editor.note.text()
    assert hands.app.workspace.schemas == before
