"""The label schema editor: classes, fields of a box, several schemas. A change is an edit like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QColorDialog,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from core.errors import InputError
from core.label_schema import LabelSchema, SchemaBook
from core.store.schemas import PALETTE, next_color, schema_from_json, schema_to_json
from gui.desk import Desk
from gui.dialogs.schema_tables import ClassTable, FieldTable

INTRO = (
    "Boxes refer to a class by its id. Renaming and removing never renumber: boxes keep their class, and a "
    "removed class keeps its id. There is nothing to save, and undo takes every change back."
)
LARGEST = 1 << 20
"""Bytes of a schema file; more is something else."""


class SchemaEditor(QDialog):
    """Which schema is in use, its classes, and the fields of a box."""

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Label schemas")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(860, 620)
        self._desk = desk
        self.schemas = QComboBox()
        self.schemas.setAccessibleName("Label schema in use")
        self.schemas.activated.connect(self._use)
        self.classes = ClassTable(self._count, self.change)
        self.fields = FieldTable(self.change)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.buttons: dict[str, QPushButton] = {}
        layout = QVBoxLayout(self)
        intro = QLabel(INTRO)
        intro.setWordWrap(True)
        layout.addWidget(intro)
        layout.addLayout(self._schema_row())
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.setChildrenCollapsible(False)
        parts.addWidget(self._part("Classes", self.classes, self._class_buttons()))
        parts.addWidget(self._part("What can be said of a box", self.fields, self._field_buttons()))
        parts.setStretchFactor(0, 3)
        parts.setStretchFactor(1, 2)
        layout.addWidget(parts, 1)
        layout.addWidget(self.note)
        closing = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        closing.rejected.connect(self.reject)
        layout.addWidget(closing)
        # A cell that is being edited must not go away under its editor: refresh after it.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.refresh)
        desk.session.schema_changed.connect(self._soon.start)
        desk.session.annotations_changed.connect(lambda _keys: self.classes.count_again())
        self.classes.itemSelectionChanged.connect(self._enable)
        self.fields.itemSelectionChanged.connect(self._enable)
        self.refresh()

    # -- building ------------------------------------------------------------------------------------

    def _schema_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(QLabel("Schema in use"))
        row.addWidget(self.schemas, 1)
        for name, act in (
            ("New…", self._ask_new),
            ("Rename…", self._ask_rename),
            ("Remove schema", self._remove_schema),
            ("Import…", self._ask_import),
            ("Export…", self._ask_export),
        ):
            row.addWidget(self._button(name, act))
        return row

    def _class_buttons(self) -> list[QPushButton]:
        return [
            self._button("Add class", self._add_class),
            self._button("Colour…", self._ask_color),
            self._button("Remove", self._remove_class),
            self._button("Bring back", self._bring_back),
        ]

    def _field_buttons(self) -> list[QPushButton]:
        return [
            self._button("Add field", self._add_field),
            self._button("Remove field", lambda: self.fields.remove(self._schema)),
        ]

    def _button(self, name: str, act: Callable[[], None]) -> QPushButton:
        button = QPushButton(name)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _on=False: act())
        self.buttons[name] = button
        return button

    def _part(self, title: str, table: QWidget, buttons: list[QPushButton]) -> QWidget:
        part = QWidget()
        layout = QVBoxLayout(part)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(QLabel(title))
        row = QHBoxLayout()
        row.addWidget(table, 1)
        column = QVBoxLayout()
        for button in buttons:
            column.addWidget(button)
        column.addStretch(1)
        row.addLayout(column)
        layout.addLayout(row, 1)
        return part

    # -- what is so ----------------------------------------------------------------------------------

    @property
    def _book(self) -> SchemaBook:
        return self._desk.session.workspace.schemas

    @property
    def _schema(self) -> LabelSchema:
        return self._book.own(self._book.active)

    def _count(self, label_id: int) -> int:
        """Boxes of a class in the workspace."""
        return sum(a.label_id == label_id for a in self._desk.session.workspace.annotations.annotations())

    def refresh(self) -> None:
        """Show the schemas as they are."""
        self._soon.stop()
        book = self._book
        self.schemas.clear()
        self.schemas.addItems([s.name for s in book.schemas])
        self.schemas.setCurrentText(book.active)
        self.classes.show_schema(self._schema)
        self.fields.show_schema(self._schema)
        self._enable()

    def _enable(self) -> None:
        chosen = self.classes.chosen()
        offered = chosen is not None and self._schema.offers(chosen.id)
        self.buttons["Colour…"].setEnabled(offered)
        self.buttons["Remove"].setEnabled(offered)
        self.buttons["Bring back"].setEnabled(chosen is not None and not offered)
        self.buttons["Remove field"].setEnabled(self.fields.chosen() is not None)
        self.buttons["Remove schema"].setEnabled(len(self._book.schemas) > 1)

    def say(self, text: str) -> None:
        """Tell the reader something here, where the eyes are."""
        self.note.setText(text)

    # -- changes -------------------------------------------------------------------------------------

    def change(self, make: Callable[[LabelSchema], LabelSchema], what: str) -> bool:
        """Change the schema in use; a change that the schema forbids is told and leaves it as it was."""
        return self._put(lambda: self._book.changed(make(self._schema), self._book.active), what)

    def _put(self, make: Callable[[], SchemaBook], what: str) -> bool:
        try:
            book = make()
        except ValueError as error:
            self.say(f"Not changed. {error}.")
            self._soon.start()
            return False
        self.say("")
        self._soon.start()
        return book == self._book or self._desk.session.change_schemas(book, what)

    def _use(self, index: int) -> None:
        name = self.schemas.itemText(index)
        if name != self._book.active:
            self._put(lambda: replace(self._book, active=name), f"use label schema {name}")

    def _add_class(self) -> None:
        names = {c.name for s in self._book.schemas for c in (*s.classes, *s.retired)}
        name = next(n for k in range(1, len(names) + 2) if (n := f"class {k}") not in names)
        color = next_color(self._schema)
        if self._put(lambda: self._book.with_class(name, color), f"add {name}"):
            self.refresh()
            self.classes.edit_name(name)

    def _add_field(self) -> None:
        if self.fields.add(self._schema):
            self.refresh()
            self.fields.edit_last()

    def _remove_class(self) -> None:
        row = self.classes.chosen()
        if row is not None and self.change(lambda s: s.without_class(row.id), f"remove class {row.name}"):
            boxes = self._count(row.id)
            self.say(f"{row.name} can no longer be chosen. {boxes} boxes keep it." if boxes else "")

    def _bring_back(self) -> None:
        row = self.classes.chosen()
        if row is not None:
            self.change(lambda s: s.with_class(row.name), f"bring back class {row.name}")

    def _ask_color(self) -> None:
        row = self.classes.chosen()
        if row is None:
            return
        dialog = QColorDialog(QColor(row.color), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(f"Colour of {row.name}")
        for k, color in enumerate(PALETTE):  # told apart by colour-blind readers
            QColorDialog.setCustomColor(k, QColor(color))
        dialog.colorSelected.connect(lambda color: self.set_color(row.id, color))
        dialog.open()

    def set_color(self, label_id: int, color: QColor) -> None:
        """Give a class a colour."""
        row = self._schema.by_id(label_id)
        if row is not None:
            self.change(lambda s: s.changed(replace(row, color=color.name())), f"colour of {row.name}")

    def _ask_new(self) -> None:
        name, chosen = QInputDialog.getText(self, "New label schema", "Name of the schema:")
        if chosen and name.strip():
            self.new_schema(name.strip())

    def new_schema(self, name: str) -> None:
        """Make a schema without classes, and use it."""
        self._put(lambda: self._book.added(LabelSchema(name, ()))[0], f"new label schema {name}")

    def _ask_rename(self) -> None:
        name, chosen = QInputDialog.getText(self, "Rename", "Name of the schema:", text=self._schema.name)
        if chosen and name.strip():
            self.change(lambda s: replace(s, name=name.strip()), f"rename label schema to {name.strip()}")

    def _remove_schema(self) -> None:
        name = self._book.active
        self._put(lambda: self._book.without(name), f"remove label schema {name}")

    def _ask_import(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Import a label schema", "", "Label schemas (*.json)")
        if chosen:
            self.import_file(Path(chosen))

    def import_file(self, path: Path) -> None:
        """Add the schema of a file, and use it; ids that other classes have here are given anew, and told."""
        try:
            if path.stat().st_size > LARGEST:
                raise InputError(f"{path.name}: is too large to be a label schema.")
            schema = schema_from_json(path.read_text(encoding="utf-8"), path.name)
        except (OSError, UnicodeDecodeError, InputError) as error:
            text = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            self.say(f"Not imported. {text}")
            return
        names = {s.name for s in self._book.schemas}
        free = next(n for k in range(1, len(names) + 2) if (n := _numbered(schema.name, k)) not in names)
        moved: dict[int, int] = {}

        def with_it() -> SchemaBook:
            book, ids = self._book.added(replace(schema, name=free))
            moved.update(ids)
            return book

        if self._put(with_it, f"import label schema {free}"):
            told = ", ".join(f"{old} is {new}" for old, new in moved.items())
            ids = f" Other classes have some of its ids here: {told}." if moved else " Its ids are kept."
            self.say(f"Imported {free}, {len(schema.classes)} classes.{ids}")

    def _ask_export(self) -> None:
        name = f"{self._schema.name}.json"
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Export the label schema", name, "Label schemas (*.json)"
        )
        if chosen:
            self.export_file(Path(chosen))

    def export_file(self, path: Path) -> None:
        """Write the schema in use, and read it back before it counts as done."""
        try:
            path.write_text(schema_to_json(self._schema), encoding="utf-8")
            back = schema_from_json(path.read_text(encoding="utf-8"), path.name)
        except (OSError, InputError) as error:
            text = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            self.say(f"Not exported. {text}")
            return
        self.say(
            f"Exported to {path.name}." if back == self._schema else "Not exported: it reads back different."
        )


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} ({number})"
