"""Findings: the boxes of the series in view, judged and not yet judged, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.imaging.geometry import size_mm
from core.model import Box, OriginKind, SliceRef
from gui import actions
from gui.actions import Desk, detection_id
from gui.scene import color_of

COLUMNS = ("Slice", "", "Class", "Score", "Size", "State")
GLYPH = {
    OriginKind.HUMAN: "✎",
    OriginKind.MODEL: "✓",
    OriginKind.PROPOSAL: "✓",
    OriginKind.INTERPOLATED: "≈",
    OriginKind.IMPORTED: "↓",
}
ORIGIN_TEXT = {
    OriginKind.HUMAN: "drawn",
    OriginKind.MODEL: "accepted",
    OriginKind.PROPOSAL: "snapped",
    OriginKind.INTERPOLATED: "interpolated",
    OriginKind.IMPORTED: "imported",
}
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Row:
    """One box."""

    index: int
    box_id: str
    glyph: str
    label: str
    color: str
    score: str
    size: str
    state: str


def size_text(box: Box, ref: SliceRef) -> str:
    """Extent in mm where the spacing is known, else in pixels."""
    if ref.spacing is None:
        return f"{box.width:.0f} × {box.height:.0f} px"
    width, height = size_mm(box, ref.spacing)
    return f"{width:.1f} × {height:.1f} mm"


def rows_of(desk: Desk) -> list[Row]:
    """The boxes of the series in view, by slice; annotations, then undecided, then rejected."""
    series = desk.session.current_series
    if series is None:
        return []
    rows: list[Row] = []
    for index, ref in enumerate(series.slices):
        rows += _rows_of_slice(desk, index, ref)
    return rows


def _rows_of_slice(desk: Desk, index: int, ref: SliceRef) -> list[Row]:
    workspace = desk.session.workspace
    record, schema = workspace.annotations.on(ref.key), workspace.schema

    def row(box_id: str, glyph: str, label_id: int, score: float | None, box: Box, state: str) -> Row:
        score_text = "" if score is None else f"{score:.2f}"
        name, color = schema.name_of(label_id), color_of(schema, label_id)
        return Row(index, box_id, glyph, name, color, score_text, size_text(box, ref), state)

    rows = []
    for a in record.annotations:
        edited = a.origin.predicted is not None and a.origin.predicted != a.box
        state = "corrected" if edited else ORIGIN_TEXT[a.origin.kind]
        rows.append(row(a.id, GLYPH[a.origin.kind], a.label_id, a.origin.score, a.box, state))
    for s in desk.engine.undecided(ref.key):
        d = s.detection
        rows.append(row(detection_id(s.row), "?", d.label_id, d.score, d.box, "undecided"))
    for r in record.rejections:
        state = f"rejected: {r.reason}" if r.reason else "rejected"
        rows.append(row(r.id, "✗", r.label_id, r.score, r.box, state))
    return rows


class FindingsModel(QAbstractTableModel):
    """The rows last drawn."""

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.rows: list[Row] = []

    def refresh(self) -> bool:
        """Ask again.

        Returns:
            Whether anything is different.
        """
        rows = rows_of(self._desk)
        if rows == self.rows:
            return False
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()
        return True

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Lines."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: ANN401
        """Column titles."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Text and colour of a cell."""
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return (str(row.index + 1), row.glyph, row.label, row.score, row.size, row.state)[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"Slice {row.index + 1}: {row.label}, {row.size}, {row.state}"
        if role == Qt.ItemDataRole.DecorationRole and column == 2:
            return QColor(row.color)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in {0, 3, 4}:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


class FindingsPanel(QWidget):
    """Class buttons and the table of boxes; picking a row goes to its slice."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.model = FindingsModel(desk, self)
        self._following = False
        self.table = self._make_table()
        self._classes = QHBoxLayout()
        self._class_group = QButtonGroup(self)
        self._class_group.setExclusive(True)
        self._class_group.idClicked.connect(lambda label_id: actions.classify(desk, label_id))
        self.summary = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(self._classes)
        layout.addWidget(self.table)
        layout.addWidget(self.summary)
        session, engine = desk.session, desk.engine
        session.schema_changed.connect(self._show_classes)
        session.selection_changed.connect(self._follow)
        for signal in (session.place_changed, engine.point_changed, engine.model_changed):
            signal.connect(self.refresh)
        session.annotations_changed.connect(lambda _keys: self.refresh())
        engine.results_changed.connect(lambda _key: self.refresh())
        self._show_classes()
        self.refresh()

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setAccessibleName("Findings of the series")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setDefaultSectionSize(24)
        header = table.horizontalHeader()
        for column, width in enumerate((44, 22, 100, 50, 122)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, width)
        header.setSectionResizeMode(5, QHeaderView.ResizeMode.Stretch)
        table.selectionModel().currentRowChanged.connect(self._picked)
        return table

    def _show_classes(self) -> None:
        schema = self._desk.session.workspace.schema
        while (item := self._classes.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for number, label in enumerate(schema.classes, 1):
            button = QToolButton()
            button.setText(label.name)
            button.setCheckable(True)
            button.setAccessibleName(f"Class {label.name}")
            key = f" (Ctrl+{label.id})" if label.id < 10 else ""
            button.setToolTip(f"New boxes and the selected box: {label.name}{key}")
            button.setStyleSheet(f"QToolButton {{ border-bottom: 3px solid {label.color}; }}")
            button.setChecked(label.id == self._desk.session.current_label)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self._class_group.addButton(button, label.id)
            self._classes.insertWidget(number - 1, button)
        self._classes.addStretch(1)

    def refresh(self) -> None:
        """Draw the rows again where they differ."""
        if self.model.refresh():
            self._follow()
        n = len(self.model.rows)
        open_ones = sum(r.state == "undecided" for r in self.model.rows)
        self.summary.setText(f"{n - open_ones} judged, {open_ones} undecided in this series")

    def _picked(self, current: QModelIndex) -> None:
        series = self._desk.session.current_series
        if self._following or not current.isValid() or series is None:
            return
        row = self.model.rows[current.row()]
        self._desk.session.go_to(series.uid, row.index)
        self._desk.session.select(row.box_id)

    def _follow(self) -> None:
        place, selected = self._desk.session.place, self._desk.session.selected
        wanted = next(
            (
                i
                for i, r in enumerate(self.model.rows)
                if place is not None and r.index == place.index and r.box_id == selected
            ),
            -1,
        )
        self._following = True
        if wanted >= 0:
            self.table.setCurrentIndex(self.model.index(wanted, 0))
        else:
            self.table.clearSelection()
        self._following = False
