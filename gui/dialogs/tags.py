"""The tags of the slice in view: a tree to search and copy from, following the reader from slice to slice."""

from __future__ import annotations

import re
from collections.abc import Iterable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QKeyEvent, QKeySequence, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from core.imaging.dicom_tags import read_tags
from core.imaging.tags import TagRow, TagTree, haystack
from core.jobs import CancelToken, Progress
from gui.actions import Desk
from gui.runner import JobOutcome, JobRunner, Lane, error_text

COLUMNS = ("Tag", "Name", "Kind", "Value")
REST_MS = 120
"""The tree is read anew when the reader has rested on a slice so long: not for each one scrolled past."""

_WIDTHS = (230, 300, 56)
_TEXT = Qt.ItemDataRole.UserRole + 1


class TagsDialog(QDialog):
    """Tags of the slice in view. Stays open beside the window.

    Args:
        desk: Where the reader is.
        runner: Reads the file.
        parent: The window.
    """

    def __init__(self, desk: Desk, runner: JobRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Tags")  # nothing of the patient: a title is seen on every screen
        self.resize(940, 640)
        self._session, self._runner = desk.session, runner
        self._shown = ""
        self.search = QLineEdit(placeholderText="Search in tag, name and value; “private” finds private ones")
        self.search.setAccessibleName("Search tags")
        self.search.setClearButtonEnabled(True)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._model = QStandardItemModel(0, len(COLUMNS))
        self._filter = _Filter(self)
        self._filter.setSourceModel(self._model)
        self.tree = self._make_tree()
        self._lay_out()
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._read)
        self.search.textChanged.connect(self._search)
        self._session.place_changed.connect(self._rest.start)
        self._read()

    def _make_tree(self) -> _Tree:
        tree = _Tree()
        tree.setModel(self._filter)
        tree.setAccessibleName("Tags of the slice in view")
        tree.setUniformRowHeights(True)
        tree.setAlternatingRowColors(True)
        tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        tree.header().setStretchLastSection(True)
        for column, width in enumerate(_WIDTHS):
            tree.setColumnWidth(column, width)
        return tree

    def _lay_out(self) -> None:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        copy.setToolTip("Copy the selected rows, or all that are shown")
        copy.setAutoDefault(False)
        copy.clicked.connect(self._copy)
        buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
        buttons.rejected.connect(self.reject)
        self.tree.copy_wanted.connect(self._copy)
        top = QHBoxLayout()
        top.addWidget(self.search, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.note)
        layout.addWidget(self.tree, 1)
        layout.addWidget(buttons)
        self.search.setFocus()

    def _read(self) -> None:
        ref = self._session.current_slice
        if ref is None:
            self._show("", TagTree((), "No slice is in view."), 0)
            return
        if ref.key == self._shown:
            return
        place = self._session.place
        number = place.index + 1 if place is not None else 0

        def job(progress: Progress, cancel: CancelToken) -> TagTree:
            return read_tags(ref)

        def arrived(outcome: JobOutcome[TagTree]) -> None:
            if outcome.result is not None and ref.key == self._session.current_slice_key:
                self._show(ref.key, outcome.result, number)
            elif outcome.error is not None:
                self._show("", TagTree((), error_text(outcome.error)), number)

        self._runner.submit(job, key="tags", lane=Lane.QUICK, done=arrived)

    def _show(self, key: str, tree: TagTree, number: int) -> None:
        self._shown = key
        model = QStandardItemModel(0, len(COLUMNS))
        model.setHorizontalHeaderLabels(list(COLUMNS))
        _fill(model.invisibleRootItem(), tree.rows)
        position = self.tree.verticalScrollBar().value()
        opened = self._opened()
        self._filter.setSourceModel(model)
        self._model = model
        self._open(opened)
        self.tree.verticalScrollBar().setValue(position)
        count = sum(1 for _ in _rows(self._model))
        said = [f"Slice {number}: {count} rows." if key else "", tree.note]
        self.note.setText(" ".join(filter(None, said)) + " What is here may name the patient.")

    def _search(self, text: str) -> None:
        words = [f"(?=.*{re.escape(word)})" for word in text.casefold().split()]
        self._filter.setFilterRegularExpression("^" + "".join(words))
        if words:
            self.tree.expandAll()
        else:
            self._open(set())

    def _opened(self) -> set[str]:
        """Tags of what is open at the top: it is opened again on the next slice."""
        return {
            str(index.data())
            for row in range(self._filter.rowCount())
            if self.tree.isExpanded(index := self._filter.index(row, 0))
        }

    def _open(self, names: set[str]) -> None:
        if self.search.text().strip():
            self.tree.expandAll()
            return
        for row in range(self._filter.rowCount()):
            index = self._filter.index(row, 0)
            if str(index.data()) in names or (row == 0 and not names):
                self.tree.setExpanded(index, True)

    def _copy(self) -> None:
        chosen = [i for i in self.tree.selectionModel().selectedRows() if i.isValid()]
        rows = [_line(i) for i in chosen] if chosen else [_line(i) for i in _rows(self._filter)]
        QApplication.clipboard().setText("\n".join(rows))


class _Tree(QTreeView):
    """A tree of which whole rows are copied.

    Signals:
        copy_wanted: The keys for copying were pressed.
    """

    copy_wanted = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy, which Qt would do with one cell; all else as usual."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_wanted.emit()
        else:
            super().keyPressEvent(event)


class _Filter(QSortFilterProxyModel):
    """Shows what matches, what it lies in, and what lies in it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setRecursiveFilteringEnabled(True)
        self.setAutoAcceptChildRows(True)
        self.setFilterKeyColumn(0)
        self.setFilterRole(_TEXT)


def _fill(parent: QStandardItem, rows: Iterable[TagRow]) -> None:
    for row in rows:
        texts = (f"({row.tag})" if row.tag else row.name, row.name if row.tag else "", row.vr, row.value)
        if not row.tag and not row.children:
            texts = ("", row.name, "", row.value)
        items = [QStandardItem(text) for text in texts]
        items[0].setData(haystack(row), _TEXT)
        items[3].setToolTip(row.value)
        if row.private:
            for item in items:
                _mark_private(item)
        parent.appendRow(items)
        _fill(items[0], row.children)


def _mark_private(item: QStandardItem) -> None:
    font = QFont(item.font())
    font.setItalic(True)
    item.setFont(font)
    item.setToolTip(f"{item.toolTip()}\nPrivate: not of the DICOM standard".strip())


Index = QModelIndex | QPersistentModelIndex


def _rows(
    model: QStandardItemModel | QSortFilterProxyModel, parent: Index | None = None
) -> Iterable[QModelIndex]:
    above = parent if parent is not None else QModelIndex()
    for row in range(model.rowCount(above)):
        index = model.index(row, 0, above)
        yield index
        yield from _rows(model, index)


def _line(index: QModelIndex) -> str:
    depth, above = 0, index.parent()
    while above.isValid():
        depth, above = depth + 1, above.parent()
    cells = [str(index.siblingAtColumn(c).data() or "") for c in range(len(COLUMNS))]
    return "  " * depth + "\t".join(cells)
