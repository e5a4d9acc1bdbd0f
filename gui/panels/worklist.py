"""The worklist: every open series with thumbnail, state and counts; filter and sort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QModelIndex, QObject, QSize, QSortFilterProxyModel, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QLineEdit, QTableView, QVBoxLayout, QWidget

from core.errors import OverreadError
from core.imaging.pixels import PixelCache
from core.imaging.window import apply_window, default_window
from core.jobs import CancelToken, Progress
from core.model import Series
from core.review.readings import SeriesState, series_state
from gui.actions import Desk
from gui.panels.tables import Index, RowsModel, plain_table
from gui.runner import JobOutcome, JobRunner, Lane

THUMBNAIL = 44
STATE_TEXT = {
    SeriesState.UNREAD: "○ unread",
    SeriesState.IN_PROGRESS: "◐ started",
    SeriesState.READ: "● read",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the worklist."""

    series: Series
    state: SeriesState
    boxes: int


class WorklistModel(RowsModel[Row]):
    """The open series as a table; the session is asked, nothing is kept but the rows last drawn."""

    COLUMNS = ("Series", "State", "Slices")
    SORT_ROLE: ClassVar[int] = Qt.ItemDataRole.UserRole
    TEXT_ROLE: ClassVar[int] = Qt.ItemDataRole.UserRole + 1

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._thumbnails: dict[str, QPixmap] = {}

    def refresh(self) -> None:
        """Ask the session again. Rows that stay keep their place."""
        rows = [self._row(s) for s in self._desk.session.series]
        if [r.series.uid for r in rows] == [r.series.uid for r in self.rows]:
            self.rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.COLUMNS) - 1))
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def _row(self, series: Series) -> Row:
        annotations = self._desk.session.workspace.annotations
        boxes = sum(len(annotations.on(s.key).annotations) for s in series.slices)
        return Row(series, series_state(series, annotations), boxes)

    def series_at(self, row: int) -> Series:
        """The series of a line."""
        return self.rows[row].series

    def row_of(self, series_uid: str) -> int:
        """The line of a series, or -1."""
        return next((i for i, r in enumerate(self.rows) if r.series.uid == series_uid), -1)

    def without_thumbnail(self) -> list[Series]:
        """The series that have no thumbnail yet."""
        return [r.series for r in self.rows if r.series.uid not in self._thumbnails]

    def set_thumbnail(self, series_uid: str, grey: NDArray[np.uint8]) -> None:
        """Show a thumbnail."""
        rows, columns = grey.shape
        image = QImage(
            np.ascontiguousarray(grey).tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8
        )
        self._thumbnails[series_uid] = QPixmap.fromImage(image).scaled(
            THUMBNAIL,
            THUMBNAIL,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        row = self.row_of(series_uid)
        if row >= 0:
            self.dataChanged.emit(self.index(row, 0), self.index(row, 0))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Text, thumbnail, sort and filter values of a cell."""
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnails.get(row.series.uid) if column == 0 else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column >= 2 else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        show = _ROLES.get(role)
        return show(row, column) if show else None


def _name(row: Row) -> str:
    return row.series.description or row.series.modality or "Series"


def _text(row: Row, column: int) -> str:
    title = f"{_name(row)}\n{row.series.study_label}".rstrip()
    size = f"{len(row.series.slices)}\n{row.series.modality}".rstrip()
    return (title, _state(row), size)[column]


def _state(row: Row) -> str:
    boxes = f"\n{row.boxes} box{'' if row.boxes == 1 else 'es'}" if row.boxes else ""
    if row.state is SeriesState.READ and not row.boxes:
        boxes = "\nno finding"
    return STATE_TEXT[row.state] + boxes


def _tooltip(row: Row, column: int) -> str:
    size = f"{row.series.modality or 'pictures'}, {len(row.series.slices)} slices"
    lines = (_name(row), row.series.study_label, size, *row.series.notes)
    return "\n".join(line for line in lines if line)


def _sort_value(row: Row, column: int) -> str | int:
    state = list(SeriesState).index(row.state)
    return (_name(row).lower(), state, len(row.series.slices))[column]


def _filter_text(row: Row, column: int) -> str:
    return f"{_name(row)} {row.series.study_label} {row.series.modality} {STATE_TEXT[row.state]}"


_ROLES: dict[int, Callable[[Row, int], str | int]] = {
    Qt.ItemDataRole.DisplayRole: _text,
    Qt.ItemDataRole.ToolTipRole: _tooltip,
    WorklistModel.SORT_ROLE: _sort_value,
    WorklistModel.TEXT_ROLE: _filter_text,
}


class WorklistPanel(QWidget):
    """Filter and table of the open series; picking one shows it."""

    def __init__(self, desk: Desk, runner: JobRunner, cache: PixelCache) -> None:
        super().__init__()
        self._desk = desk
        self._runner = runner
        self._cache = cache
        self.model = WorklistModel(desk, self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self.model)
        self._proxy.setFilterRole(WorklistModel.TEXT_ROLE)
        self._proxy.setSortRole(WorklistModel.SORT_ROLE)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter = QLineEdit(placeholderText="Filter: text or state")
        self.filter.setAccessibleName("Filter the worklist")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._filter)
        self.table = self._make_table()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.filter)
        layout.addWidget(self.table)
        session = desk.session
        session.catalog_changed.connect(self._catalog_changed)
        session.place_changed.connect(self._follow)
        session.annotations_changed.connect(lambda _keys: self._refresh())

    def _make_table(self) -> QTableView:
        table = plain_table(self._proxy, "Worklist", row_height=THUMBNAIL + 6, widths=(0, 78, 48))
        table.setObjectName("worklist-table")
        table.setSortingEnabled(True)
        # The end of a name tells the stacks of one series apart.
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        table.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        # Not currentRowChanged: a filter that takes the row in view out would carry the reader elsewhere.
        table.clicked.connect(self._picked)
        return table

    def _filter(self, text: str) -> None:
        self._proxy.setFilterFixedString(text)
        self._follow()

    def _refresh(self) -> None:
        self.model.refresh()
        self._follow()

    def _picked(self, current: QModelIndex) -> None:
        series = self.model.series_at(self._proxy.mapToSource(current).row())
        here = self._desk.session.current_series
        if here is None or series.uid != here.uid:
            self._desk.session.go_to(series.uid, 0)

    def _follow(self) -> None:
        series = self._desk.session.current_series
        row = self.model.row_of(series.uid) if series else -1
        index = self._proxy.mapFromSource(self.model.index(row, 0)) if row >= 0 else QModelIndex()
        if index.isValid():
            self.table.setCurrentIndex(index)
        else:
            self.table.clearSelection()

    def _catalog_changed(self) -> None:
        self._refresh()
        self._fetch_thumbnails()

    def _fetch_thumbnails(self) -> None:
        wanted = self.model.without_thumbnail()
        if not wanted or self._runner.busy("thumbnails"):
            return
        cache = self._cache

        def show(found: tuple[str, NDArray[np.uint8]]) -> None:
            self.model.set_thumbnail(*found)

        arrive = self._runner.channel(show)

        def job(progress: Progress, cancel: CancelToken) -> None:
            for series in wanted:
                cancel.check()
                arrive((series.uid, _thumbnail(series, cache)))

        def done(outcome: JobOutcome[None]) -> None:
            if outcome.succeeded:
                self._fetch_thumbnails()

        self._runner.submit(job, key="thumbnails", lane=Lane.LONG, done=done)


def _thumbnail(series: Series, cache: PixelCache) -> NDArray[np.uint8]:
    """The middle slice, small; plain grey where it cannot be read."""
    ref = series.slices[len(series.slices) // 2]
    try:
        pixels = cache.get(ref)
    except OverreadError:
        return np.full((THUMBNAIL, THUMBNAIL), 40, dtype=np.uint8)
    step = max(1, min(pixels.shape) // (2 * THUMBNAIL))
    return apply_window(pixels[::step, ::step], default_window(ref, pixels), ref.inverted)
