"""The two tables of the label schema editor: classes, and fields of a box."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QBrush, QColor, QIcon, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QHeaderView, QTableWidget, QTableWidgetItem

from core.label_schema import HIGHEST_KEY, AttributeField, FieldKind, LabelClass, LabelSchema

Change = Callable[[Callable[[LabelSchema], LabelSchema], str], bool]
READ_ONLY = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
KINDS = {
    FieldKind.SCALE: "1 to 5",
    FieldKind.TEXT: "text",
    FieldKind.CHOICE: "one of a list",
    FieldKind.FLAG: "yes or no",
}


class _Table(QTableWidget):
    """A table to edit in place; Tab leaves it, F2 or typing edits a cell."""

    def __init__(self, name: str, columns: tuple[str, ...], widths: tuple[int, ...]) -> None:
        super().__init__(0, len(columns))
        self.setHorizontalHeaderLabels(list(columns))
        self.setAccessibleName(name)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().setVisible(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.horizontalHeader()
        for column, width in enumerate(widths):
            mode = QHeaderView.ResizeMode.Fixed if width else QHeaderView.ResizeMode.Stretch
            header.setSectionResizeMode(column, mode)
            if width:
                header.resizeSection(column, width)

    def put(self, row: int, column: int, text: str, *, editable: bool = False) -> QTableWidgetItem:
        """A cell."""
        item = QTableWidgetItem(text)
        item.setFlags(READ_ONLY | Qt.ItemFlag.ItemIsEditable if editable else READ_ONLY)
        self.setItem(row, column, item)
        return item


class ClassTable(_Table):
    """Classes in the order of the schema, removed ones below."""

    NAME, KEY, ID, BOXES = range(4)

    def __init__(self, count: Callable[[int], int], change: Change) -> None:
        super().__init__("Classes", ("Name", "Key", "Id", "Boxes"), (0, 110, 60, 80))
        self._count = count
        self._change = change
        self._rows: tuple[LabelClass, ...] = ()
        self.itemChanged.connect(self._renamed)

    def show_schema(self, schema: LabelSchema) -> None:
        """Show the classes; the chosen one stays chosen."""
        chosen = self.chosen()
        blocked = QSignalBlocker(self)
        self._rows = (*schema.classes, *schema.retired)
        self.setRowCount(0)  # the boxes for keys of other rows go with them
        self.setRowCount(len(self._rows))
        for row, label in enumerate(self._rows):
            self._show(row, label, schema)
        at = next((i for i, c in enumerate(self._rows) if chosen and c.id == chosen.id), 0)
        if self._rows:
            self.setCurrentCell(at, self.NAME)
        blocked.unblock()
        self.itemSelectionChanged.emit()

    def _show(self, row: int, label: LabelClass, schema: LabelSchema) -> None:
        offered = schema.offers(label.id)
        swatch = QPixmap(14, 14)
        swatch.fill(QColor(label.color))
        name = self.put(row, self.NAME, label.name, editable=offered)
        name.setIcon(QIcon(swatch))
        name.setToolTip(f"Class {label.id}, colour {label.color}" + ("" if offered else ", removed"))
        self.put(row, self.ID, str(label.id))
        self.put(row, self.BOXES, str(self._count(label.id)))
        if offered:
            self.setCellWidget(row, self.KEY, self._keys(label, schema))
        else:
            self.put(row, self.KEY, "removed")
            for column in range(self.columnCount()):
                item = self.item(row, column)
                if item is not None:
                    font = item.font()
                    font.setItalic(True)
                    item.setFont(font)
                    item.setForeground(QBrush(self.palette().placeholderText().color()))

    def _keys(self, label: LabelClass, schema: LabelSchema) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(f"Key of {label.name}")
        box.addItem("none", 0)
        for key in range(1, HIGHEST_KEY + 1):
            box.addItem(f"Ctrl+{key}", key)
        box.setCurrentIndex(box.findData(schema.key_of(label.id) or 0))
        box.activated.connect(lambda index: self._keyed(label, box.itemData(index)))
        return box

    def _keyed(self, label: LabelClass, key: int) -> None:
        def make(schema: LabelSchema) -> LabelSchema:
            holder = schema.by_key(key) if key else None
            if holder is not None and holder.id != label.id:
                schema = schema.changed(replace(holder, key=0))
            return schema.changed(replace(label, key=key))

        self._change(make, f"key of {label.name}")

    def count_again(self) -> None:
        """Show how many boxes each class has now."""
        for row, label in enumerate(self._rows):
            item = self.item(row, self.BOXES)
            if item is not None:
                item.setText(str(self._count(label.id)))

    def chosen(self) -> LabelClass | None:
        """The class of the current line."""
        return self._rows[self.currentRow()] if 0 <= self.currentRow() < len(self._rows) else None

    def edit_name(self, name: str) -> None:
        """Let the reader type the name of a class."""
        at = next((i for i, c in enumerate(self._rows) if c.name == name), -1)
        item = self.item(at, self.NAME)
        if item is not None:
            self.setCurrentItem(item)
            self.setFocus()
            self.editItem(item)

    def _renamed(self, item: QTableWidgetItem) -> None:
        if item.column() != self.NAME:
            return
        label, name = self._rows[item.row()], item.text().strip()
        if name != label.name:
            self._change(lambda s: s.changed(replace(label, name=name)), f"rename {label.name} to {name}")


class FieldTable(_Table):
    """Fields in the order they are asked for."""

    TITLE, KIND, CHOICES = range(3)

    def __init__(self, change: Change) -> None:
        super().__init__("Fields of a box", ("Field", "Holds", "Choices, with commas between"), (200, 130, 0))
        self._change = change
        self._rows: tuple[AttributeField, ...] = ()
        self.itemChanged.connect(self._typed)

    def show_schema(self, schema: LabelSchema) -> None:
        """Show the fields."""
        at = max(self.currentRow(), 0)
        blocked = QSignalBlocker(self)
        self._rows = schema.fields
        self.setRowCount(0)
        self.setRowCount(len(self._rows))
        for row, field in enumerate(self._rows):
            self.put(row, self.TITLE, field.title, editable=True).setToolTip(f"Kept as {field.id!r}")
            self.setCellWidget(row, self.KIND, self._kinds(field))
            choices = field.kind is FieldKind.CHOICE
            self.put(row, self.CHOICES, ", ".join(field.choices), editable=choices)
        if self._rows:
            self.setCurrentCell(min(at, len(self._rows) - 1), self.TITLE)
        blocked.unblock()

    def _kinds(self, field: AttributeField) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(f"What {field.title} holds")
        for kind, text in KINDS.items():
            box.addItem(text, kind.value)
        box.setCurrentIndex(list(KINDS).index(field.kind))
        box.activated.connect(lambda index: self._set_kind(field, box.itemData(index)))
        return box

    def _set_kind(self, field: AttributeField, name: str) -> None:
        kind = FieldKind(name)  # Qt gives the value back as a plain text
        choices = (field.choices or ("yes", "no", "unclear")) if kind is FieldKind.CHOICE else ()
        self._put(field, lambda: replace(field, kind=kind, choices=choices))

    def _typed(self, item: QTableWidgetItem) -> None:
        field, text = self._rows[item.row()], item.text().strip()
        if item.column() == self.TITLE:
            self._put(field, lambda: replace(field, title=text))
        elif item.column() == self.CHOICES:
            self._put(field, lambda: replace(field, choices=tuple(c.strip() for c in text.split(","))))

    def _put(self, field: AttributeField, make: Callable[[], AttributeField]) -> None:
        def changed(schema: LabelSchema) -> LabelSchema:
            row = make()
            return replace(schema, fields=tuple(row if f.id == field.id else f for f in schema.fields))

        self._change(changed, f"field {field.title}")

    def chosen(self) -> AttributeField | None:
        """The field of the current line."""
        return self._rows[self.currentRow()] if 0 <= self.currentRow() < len(self._rows) else None

    def add(self, schema: LabelSchema) -> bool:
        """Add a text field; says whether it is there."""
        titles = {f.title for f in schema.fields}
        title = next(t for k in range(1, len(titles) + 2) if (t := f"Field {k}") not in titles)
        taken = {f.id for f in schema.fields}
        ident = next(i for k in range(1, len(taken) + 2) if (i := _ident(title, k)) not in taken)
        made = AttributeField(ident, title, FieldKind.TEXT)
        return self._change(lambda s: replace(s, fields=(*s.fields, made)), f"add field {title}")

    def edit_last(self) -> None:
        """Let the reader type the name of the last field."""
        item = self.item(self.rowCount() - 1, self.TITLE)
        if item is not None:
            self.setCurrentItem(item)
            self.setFocus()
            self.editItem(item)

    def remove(self, schema: LabelSchema) -> None:
        """Remove the chosen field; what boxes say in it stays in the journal and with the boxes."""
        field = self.chosen()
        if field is not None:
            kept = tuple(f for f in schema.fields if f.id != field.id)
            self._change(lambda s: replace(s, fields=kept), f"remove field {field.title}")


def _ident(title: str, number: int) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "field"
    return plain if number == 1 else f"{plain}_{number}"
