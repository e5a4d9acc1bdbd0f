"""Findings: the boxes of the series in view, judged and not yet judged, in one table."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QTableView, QToolButton, QVBoxLayout, QWidget

from core.detection.operating_point import ShownDetection
from core.edits import SliceRecord
from core.imaging.geometry import size_mm
from core.model import Box, LabelSchema, OriginKind, SliceRef
from gui import actions
from gui.actions import Desk, detection_id
from gui.panels.tables import Index, RowsModel, plain_table
from gui.scene import color_of

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
UNDECIDED = "undecided"
REFRESH_MS = 30
"""Changes that come closer together are drawn at once."""

Facts = tuple[SliceRef, SliceRecord, tuple[ShownDetection, ...], LabelSchema]


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


class RowsBySlice:
    """The rows of each slice, made again only where something about the slice is different."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._series_uid = ""
        self._known: dict[int, tuple[Facts, tuple[Row, ...]]] = {}

    def rows(self) -> list[Row]:
        """The boxes of the series in view, by slice; annotations, then undecided, then rejected."""
        series = self._desk.session.current_series
        if series is None:
            return []
        if series.uid != self._series_uid:
            self._series_uid = series.uid
            self._known.clear()
        workspace, engine = self._desk.session.workspace, self._desk.engine
        annotations, schema = workspace.annotations, workspace.schema
        rows: list[Row] = []
        for index, (ref, open_ones) in enumerate(
            zip(series.slices, engine.undecided_on(series.slices), strict=True)
        ):
            record = annotations.on(ref.key)
            if not open_ones and not record.entries:
                continue
            facts = (ref, record, open_ones, schema)
            known = self._known.get(index)
            if known is None or not all(map(operator.is_, known[0], facts)):
                known = self._known[index] = (facts, _rows_of_slice(index, facts))
            rows += known[1]
        return rows


def _rows_of_slice(index: int, facts: Facts) -> tuple[Row, ...]:
    ref, record, open_ones, schema = facts

    def row(box_id: str, glyph: str, label_id: int, score: float | None, box: Box, state: str) -> Row:
        score_text = "" if score is None else f"{score:.2f}"
        name, color = schema.name_of(label_id), color_of(schema, label_id)
        return Row(index, box_id, glyph, name, color, score_text, size_text(box, ref), state)

    rows = []
    for a in record.annotations:
        edited = a.origin.predicted is not None and a.origin.predicted != a.box
        state = "corrected" if edited else ORIGIN_TEXT[a.origin.kind]
        rows.append(row(a.id, GLYPH[a.origin.kind], a.label_id, a.origin.score, a.box, state))
    for s in open_ones:
        d = s.detection
        rows.append(row(detection_id(s.row), "?", d.label_id, d.score, d.box, UNDECIDED))
    for r in record.rejections:
        state = f"rejected: {r.reason}" if r.reason else "rejected"
        rows.append(row(r.id, "✗", r.label_id, r.score, r.box, state))
    return tuple(rows)


class FindingsModel(RowsModel[Row]):
    """The rows last drawn."""

    COLUMNS = ("Slice", "", "Class", "Score", "Size", "State")

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._by_slice = RowsBySlice(desk)

    def refresh(self) -> None:
        """Ask again; the table hears of it only where a row is different."""
        rows = self._by_slice.rows()
        if rows != self.rows:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()

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
        self.table = self._make_table()
        self._classes = QHBoxLayout()
        self._class_group = QButtonGroup(self)
        self._class_group.setExclusive(True)
        self._class_group.idClicked.connect(self._classify)
        self.summary = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(self._classes)
        layout.addWidget(self.table)
        layout.addWidget(self.summary)
        self._soon = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._soon.timeout.connect(self.refresh)
        session, engine = desk.session, desk.engine
        session.schema_changed.connect(self._show_classes)
        session.selection_changed.connect(self._follow)
        for signal in (
            session.place_changed,
            session.catalog_changed,
            session.schema_changed,
            engine.point_changed,
            engine.model_changed,
            engine.answers_changed,
        ):
            signal.connect(self._soon.start)
        session.annotations_changed.connect(lambda _keys: self._soon.start())
        engine.results_changed.connect(lambda _key: self._soon.start())
        self._show_classes()
        self.refresh()

    def _make_table(self) -> QTableView:
        widths = (44, 22, 100, 50, 122, 0)
        table = plain_table(self.model, "Findings of the series", row_height=24, widths=widths)
        # Not currentRowChanged: a row is picked again after scrolling away, and none is when rows vanish.
        table.clicked.connect(self._picked)
        return table

    def _show_classes(self) -> None:
        schema = self._desk.session.workspace.schema
        while (item := self._classes.takeAt(0)) is not None:
            widget = item.widget()
            if isinstance(widget, QToolButton):
                self._class_group.removeButton(widget)
                widget.deleteLater()
        for number, label in enumerate(schema.classes, 1):
            button = QToolButton()
            button.setText(label.name)
            button.setCheckable(True)
            button.setAccessibleName(f"Class {label.name}")
            key = f" (Ctrl+{label.id})" if label.id < 10 else ""
            button.setToolTip(f"New boxes and the selected box: {label.name}{key}")
            button.setStyleSheet(f"QToolButton {{ border-bottom: 3px solid {label.color}; }}")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self._class_group.addButton(button, label.id)
            self._classes.insertWidget(number - 1, button)
        self._classes.addStretch(1)
        self._check_class()

    def _classify(self, label_id: int) -> None:
        actions.classify(self._desk, label_id)
        self._check_class()

    def _check_class(self) -> None:
        """Press the button of the selected box's class, else of the class that the next box gets."""
        selected = self._desk.session.selected_annotation
        label_id = selected.label_id if selected else self._desk.session.current_label
        button = self._class_group.button(label_id)
        if button is not None:
            button.setChecked(True)

    def refresh(self) -> None:
        """Draw the rows again where they differ."""
        self._soon.stop()
        self.model.refresh()
        self._follow()
        n = len(self.model.rows)
        open_ones = sum(r.state == UNDECIDED for r in self.model.rows)
        self.summary.setText(f"{n - open_ones} judged, {open_ones} undecided in this series")

    def _picked(self, current: QModelIndex) -> None:
        series = self._desk.session.current_series
        if series is None:
            return
        row = self.model.rows[current.row()]
        self._desk.session.go_to(series.uid, row.index)
        self._desk.session.select(row.box_id)

    def _follow(self) -> None:
        self._check_class()
        place, selected = self._desk.session.place, self._desk.session.selected
        wanted = next(
            (
                i
                for i, r in enumerate(self.model.rows)
                if place is not None and r.index == place.index and r.box_id == selected
            ),
            -1,
        )
        if wanted >= 0:
            self.table.setCurrentIndex(self.model.index(wanted, 0))
        else:
            self.table.clearSelection()
