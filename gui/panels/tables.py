"""What the tables of the panels share: a model over rows with titled columns, and how a table looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from PySide6.QtCore import QAbstractItemModel, QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QTreeView

Index = QModelIndex | QPersistentModelIndex
RowT = TypeVar("RowT")


class RowsModel(QAbstractTableModel, Generic[RowT]):
    """A table over the rows last drawn; a subclass names the columns and gives `data`."""

    COLUMNS: ClassVar[tuple[str, ...]]
    rows: Sequence[RowT] = ()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Lines."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Columns."""
        return 0 if parent.isValid() else len(self.COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: ANN401
        """Column titles."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.COLUMNS[section]
        return None


def plain_table(
    model: QAbstractItemModel, name: str, *, row_height: int, widths: Sequence[int]
) -> QTableView:
    """A table to read and pick a row from: no grid, no editing; Tab goes on to the next widget.

    Args:
        model: What it shows.
        name: Its accessible name.
        row_height: Height of a line in pixels.
        widths: Width of each column in pixels; 0 for the one that takes what is left.
    """
    table = QTableView()
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setDefaultSectionSize(row_height)
    _set_up(table, model, name)
    _set_widths(table.horizontalHeader(), widths)
    return table


def plain_tree(model: QAbstractItemModel, name: str, *, widths: Sequence[int]) -> QTreeView:
    """A table of which some lines have others below them; arguments as of `plain_table`."""
    tree = QTreeView()
    tree.setUniformRowHeights(True)
    tree.setIndentation(16)
    tree.setExpandsOnDoubleClick(False)  # a click goes somewhere: its second half must not fold
    _set_up(tree, model, name)
    _set_widths(tree.header(), widths)
    tree.header().setSectionsMovable(False)
    tree.header().setStretchLastSection(False)
    tree.header().setMinimumSectionSize(20)
    tree.header().setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
    return tree


def _set_up(view: QAbstractItemView, model: QAbstractItemModel, name: str) -> None:
    view.setModel(model)
    view.setAccessibleName(name)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setTabKeyNavigation(False)


def _set_widths(header: QHeaderView, widths: Sequence[int]) -> None:
    for column, width in enumerate(widths):
        if width:
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, width)
        else:
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
