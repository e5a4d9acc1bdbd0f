"""Dialogs that show or search a list: key sheet, files left out, command palette."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.model import Skipped
from gui.commands import GESTURES, HELD_KEYS, Command, Context, enabled


class TableDialog(QDialog):
    """A titled table to read, with its text copyable."""

    def __init__(
        self, title: str, intro: str, columns: Sequence[str], rows: Iterable[Sequence[str]], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(820, 560)
        self._columns = columns
        self.rows = [tuple(row) for row in rows]
        self.table = self._make_table()
        text = QLabel(intro)
        text.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        copy = buttons.addButton("Copy as text", QDialogButtonBox.ButtonRole.ActionRole)
        copy.setAutoDefault(False)
        copy.clicked.connect(self._copy)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addWidget(self.table, 1)
        layout.addWidget(buttons)

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(len(self.rows), len(self._columns))
        table.setHorizontalHeaderLabels(list(self._columns))
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setShowGrid(False)
        table.verticalHeader().setVisible(False)
        table.setAccessibleName(self.windowTitle())
        for i, row in enumerate(self.rows):
            for j, text in enumerate(row):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                table.setItem(i, j, item)
        table.resizeColumnsToContents()
        header = table.horizontalHeader()
        header.setMaximumSectionSize(420)
        header.setSectionResizeMode(len(self._columns) - 1, QHeaderView.ResizeMode.Stretch)
        return table

    def _copy(self) -> None:
        QApplication.clipboard().setText("\n".join("\t".join(row) for row in self.rows))


def key_sheet(commands: Iterable[Command], parent: QWidget) -> TableDialog:
    """Every key, from the live table."""
    rows = [(" · ".join(c.keys), c.title.rstrip("…"), c.help) for c in commands if c.keys]
    rows += [(key, "", text) for key, text in (*HELD_KEYS, *GESTURES)]
    return TableDialog("Keys", "Keys and gestures.", ("Key", "Command", "What it does"), rows, parent)


def skipped_files(skipped: Sequence[Skipped], parent: QWidget) -> TableDialog:
    """What could not be opened, and why."""
    intro = f"{len(skipped)} files were left out. Nothing else is affected."
    rows = [(s.path.name, s.reason, str(s.path.parent)) for s in skipped]
    return TableDialog("Files left out", intro, ("File", "Reason", "Folder"), rows, parent)


class Palette(QDialog):
    """Find a command by typing parts of its name; Enter runs it."""

    def __init__(self, commands: Iterable[Command], context: Context, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAccessibleName("Command palette")
        self.resize(520, 380)
        self._commands = [c for c in commands if c.id != "palette"]
        self._context = context
        self.query = QLineEdit(placeholderText="Type a command")
        self.query.setAccessibleName("Command")
        self.results = QListWidget()
        self.results.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.query)
        layout.addWidget(self.results)
        self.query.textChanged.connect(self._search)
        self.query.returnPressed.connect(self._run)
        self.results.itemClicked.connect(lambda _item: self._run())
        self.query.installEventFilter(self)
        self._search("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and Down move in the list while the text keeps the focus."""
        if (
            event.type() == QEvent.Type.KeyPress
            and isinstance(event, QKeyEvent)
            and event.key() in {Qt.Key.Key_Up, Qt.Key.Key_Down}
        ):
            step = 1 if event.key() == Qt.Key.Key_Down else -1
            row = self.results.currentRow() + step
            self.results.setCurrentRow(max(0, min(row, self.results.count() - 1)))
            return True
        return super().eventFilter(watched, event)

    def _search(self, text: str) -> None:
        words = text.lower().split()
        self.results.clear()
        for command in self._commands:
            haystack = f"{command.menu} {command.title} {command.help}".lower()
            if all(w in haystack for w in words) and enabled(command, self._context):
                key = f"    {command.keys[0]}" if command.keys else ""
                item = QListWidgetItem(f"{command.menu.replace('/', ' ▸ ')} ▸ {command.title}{key}")
                item.setData(Qt.ItemDataRole.UserRole, command.id)
                self.results.addItem(item)
        self.results.setCurrentRow(0)

    def _run(self) -> None:
        if self.results.currentRow() < 0:
            return
        item = self.results.currentItem()
        wanted = item.data(Qt.ItemDataRole.UserRole)
        command = next(c for c in self._commands if c.id == wanted)
        self.close()
        command.run(self._context)
