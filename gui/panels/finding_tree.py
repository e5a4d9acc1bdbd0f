"""Lesions and boxes as Qt's tree asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt
from PySide6.QtGui import QColor

from gui.panels.finding_rows import BoxKey, Group, Item, Row
from gui.panels.tables import Index

_TOP = 0  # internal id of a row without parent; else the parent's row + 1
_NOWHERE = QModelIndex()
_READ_OUT = Qt.ItemDataRole.AccessibleTextRole


class FindingsModel(QAbstractItemModel):
    """The lesions last shown, their boxes below them."""

    COLUMNS = ("Lesion · slice", "Class", "Score", "Size", "State")

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.items: tuple[Item, ...] = ()
        self._places: dict[BoxKey, tuple[int, int]] = {}

    @property
    def rows(self) -> list[Row]:
        """Every box."""
        return [row for item in self.items for row in (item.rows if isinstance(item, Group) else (item,))]

    def show(self, items: Sequence[Item]) -> bool:
        """Show other items; the tree hears of it only where one is different.

        Returns:
            Whether one was.
        """
        if tuple(items) == self.items:
            return False
        self.beginResetModel()
        self.items = tuple(items)
        self._places = {}
        for at, item in enumerate(self.items):
            if isinstance(item, Group):
                self._places.update({row.key: (at, k) for k, row in enumerate(item.rows)})
            else:
                self._places[item.key] = (at, -1)
        self.endResetModel()
        return True

    def item_at(self, index: Index) -> Item:
        """The lesion or box of a line."""
        if index.internalId() == _TOP:
            return self.items[index.row()]
        group = self.items[index.internalId() - 1]
        assert isinstance(group, Group)
        return group.rows[index.row()]

    def index_of(self, key: BoxKey) -> QModelIndex:
        """The line of a box; invalid where it is not listed."""
        if key not in self._places:
            return QModelIndex()
        at, child = self._places[key]
        return self.createIndex(at, 0, _TOP) if child < 0 else self.createIndex(child, 0, at + 1)

    def groups(self) -> list[tuple[QModelIndex, Group]]:
        """The lines that have others below them."""
        return [
            (self.createIndex(at, 0, _TOP), item)
            for at, item in enumerate(self.items)
            if isinstance(item, Group)
        ]

    # -- QAbstractItemModel --------------------------------------------------------------------------

    def index(self, row: int, column: int, parent: Index = _NOWHERE) -> QModelIndex:
        """The cell of a line."""
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, parent.row() + 1 if parent.isValid() else _TOP)

    def parent(self, index: Index | None = None) -> Any:  # noqa: ANN401 - two of Qt's functions in one
        """The line above a box; without an index, the model's owner."""
        if index is None:
            return super().parent()
        if not index.isValid() or index.internalId() == _TOP:
            return QModelIndex()
        return self.createIndex(index.internalId() - 1, 0, _TOP)

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        """Lines below a line."""
        if not parent.isValid():
            return len(self.items)
        if parent.internalId() != _TOP or parent.column() > 0:
            return 0
        item = self.items[parent.row()]
        return len(item.rows) if isinstance(item, Group) else 0

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        """Columns, the same everywhere."""
        return len(self.COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: ANN401
        """Column titles."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Text and colour of a cell; the whole of a line as its tip and for who has it read out."""
        item, column = self.item_at(index), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            score = "" if item.score is None else f"{item.score:.2f}"
            return (item.place, item.label, score, item.size, item.state)[column]
        if role == Qt.ItemDataRole.ToolTipRole or (role == _READ_OUT and column == 0):
            return item.tip
        if role == Qt.ItemDataRole.DecorationRole and column == 1 and item.color:
            return QColor(item.color)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in {2, 3}:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None
