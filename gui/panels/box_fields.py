"""Exact numbers of the selected box, and what else a reader says of it by the label schema's fields."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDockWidget,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QTabWidget,
    QWidget,
)

from core.label_schema import SCALE, AttributeField, AttributeValue, FieldKind
from core.model import Annotation
from gui import box_actions
from gui.desk import Desk

EDGES = ("Left", "Top", "Right", "Bottom")
NOTHING = "–"


class BoxFields(QWidget):
    """Four edges in pixels and the schema's fields; Enter or leaving a field makes one edit."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._shown_fields: tuple[AttributeField, ...] | None = None
        self._emptied = False
        self.edges = [self._edge(name) for name in EDGES]
        self.fields: dict[str, QWidget] = {}
        self._show_value: dict[str, Callable[[AttributeValue | None], None]] = {}
        self._form = QFormLayout(self)
        self._form.setContentsMargins(2, 2, 2, 2)
        self._form.setVerticalSpacing(4)
        for title, pair in (("Left, top", self.edges[:2]), ("Right, bottom", self.edges[2:])):
            row = QHBoxLayout()
            for edge in pair:
                row.addWidget(edge)
            self._form.addRow(QLabel(title), row)
        session = desk.session
        for signal in (session.selection_changed, session.place_changed, session.schema_changed):
            signal.connect(self.refresh)
        session.annotations_changed.connect(lambda _keys: self.refresh())
        self.refresh()

    def _edge(self, name: str) -> QDoubleSpinBox:
        edge = QDoubleSpinBox(decimals=2, maximum=1e6, suffix=" px")
        edge.setKeyboardTracking(False)
        edge.setAccessibleName(f"{name} edge of the selected box")
        edge.setToolTip(f"{name} edge in pixels of the slice; 0 is its outer corner.")
        edge.setAlignment(Qt.AlignmentFlag.AlignRight)
        edge.editingFinished.connect(self._edges_typed)
        edge.setMinimumWidth(70)
        return edge

    def begin(self) -> None:
        """Come to the front, also from a closed dock, and take the keyboard at the first number."""
        above: QWidget = self
        while (parent := above.parentWidget()) is not None:
            if isinstance(parent, QTabWidget):
                for index in range(parent.count()):
                    page = parent.widget(index)
                    if page is not None and page.isAncestorOf(self):
                        parent.setCurrentIndex(index)
            if isinstance(parent, QDockWidget):
                parent.show()
            above = parent
        self.edges[0].setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.edges[0].selectAll()

    def refresh(self) -> None:
        """Show the selected box."""
        self._make_fields(self._desk.session.workspace.schema.fields)
        found = self._desk.session.selected_annotation
        if found is None and self._emptied:
            return  # as on most slices that are scrolled past
        self._emptied = found is None
        self.setEnabled(found is not None)
        self._show_edges(found)
        for field_id, show in self._show_value.items():
            show(found.attribute(field_id) if found else None)

    def _show_edges(self, found: Annotation | None) -> None:
        ref = self._desk.session.current_slice
        for k, edge in enumerate(self.edges):
            blocked = QSignalBlocker(edge)
            edge.setMaximum(float((ref.rows if k % 2 else ref.columns) if ref else 0))
            edge.setReadOnly(found is not None and found.locked)
            edge.setSpecialValueText("" if found else " ")
            edge.setValue(found.box.as_tuple()[k] if found else 0.0)
            blocked.unblock()

    def _edges_typed(self) -> None:
        found = self._desk.session.selected_annotation
        if found is None:
            return
        # A field shows two decimals: what was not typed keeps all of its digits.
        now = found.box.as_tuple()
        typed = [e.value() for e in self.edges]
        box = [old if round(old, 2) == new else new for old, new in zip(now, typed, strict=True)]
        if box != list(now):
            box_actions.set_numbers(self._desk, box)
            self._show_edges(self._desk.session.selected_annotation)  # also where it was refused

    def _make_fields(self, fields: tuple[AttributeField, ...]) -> None:
        if fields == self._shown_fields:
            return
        self._shown_fields = fields
        while self._form.rowCount() > 2:
            self._form.removeRow(2)
        self.fields.clear()
        self._show_value.clear()
        for field in fields:
            widget = self._text(field) if field.kind is FieldKind.TEXT else self._list(field)
            widget.setAccessibleName(f"{field.title} of the selected box")
            self.fields[field.id] = widget
            self._form.addRow(QLabel(field.title), widget)

    def _text(self, field: AttributeField) -> QWidget:
        line = QLineEdit()
        line.editingFinished.connect(lambda: self._said(field, line.text().strip()))
        self._show_value[field.id] = lambda value: line.setText("" if value is None else str(value))
        return line

    def _list(self, field: AttributeField) -> QWidget:
        values: list[tuple[str, AttributeValue]]
        if field.kind is FieldKind.SCALE:
            values = [(f"{n} of {SCALE[-1]}", n) for n in SCALE]
        elif field.kind is FieldKind.FLAG:
            values = [("yes", True), ("no", False)]
        else:
            values = [(choice, choice) for choice in field.choices]
        box = QComboBox()
        box.addItem(NOTHING, None)
        for text, value in values:
            box.addItem(text, value)

        def show(value: AttributeValue | None) -> None:
            known = [None, *(v for _, v in values)]
            box.setCurrentIndex(known.index(value) if value in known else 0)

        box.activated.connect(lambda index: self._said(field, box.itemData(index)))
        self._show_value[field.id] = show
        return box

    def _said(self, field: AttributeField, value: AttributeValue | None) -> None:
        found = self._desk.session.selected_annotation
        now = found.attribute(field.id) if found else None
        if found is not None and (value or None if value == "" else value) != now:
            box_actions.set_attribute(self._desk, field.id, value)
