"""The command palette: any command by parts of its name."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QMargins, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPalette
from PySide6.QtWidgets import (
    QDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gui.commands import Command, Context, enabled
from gui.fuzzy import score
from gui.keymap import Keymap

_ID = Qt.ItemDataRole.UserRole
_KEYS = Qt.ItemDataRole.UserRole + 1
_PAGE = 8
_MOVES = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -_PAGE, Qt.Key.Key_PageDown: _PAGE}
# A hit in the title is worth more than one in the menu's name, and that more than one in the help.
_TITLE, _MENU, _HELP = 3.0, 1.0, 0.4

Index = QModelIndex | QPersistentModelIndex


class _Line(QStyledItemDelegate):
    """A command on the left, its keys on the right."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """The line as usual, then the keys."""
        super().paint(painter, option, index)
        rect, palette = option.rect, option.palette
        painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
        flags = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(rect.adjusted(0, 0, -10, 0), flags, str(index.data(_KEYS) or ""))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """A little air."""
        return super().sizeHint(option, index).grownBy(QMargins(0, 2, 0, 2))


class Palette(QDialog):
    """Find a command by typing parts of its name; Enter runs it.

    Letters in order are enough ("awi" finds Auto window). Commands that cannot be run now are not listed.
    """

    def __init__(
        self, commands: Iterable[Command], keymap: Keymap, context: Context, parent: QWidget
    ) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("palette")
        self.setAccessibleName("Command palette")
        self.resize(620, 420)
        self._commands = {c.id: c for c in commands if c.id != "palette"}
        self._keymap = keymap
        self._context = context
        self.query = QLineEdit(placeholderText="Type a command")
        self.query.setAccessibleName("Command")
        self.results = QListWidget()
        self.results.setAccessibleName("Commands found")
        self.results.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.results.setItemDelegate(_Line(self.results))
        self.help = QLabel()
        self.help.setAccessibleName("What the command does")
        self.help.setWordWrap(True)
        self.help.setMinimumHeight(2 * self.help.fontMetrics().lineSpacing())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.query)
        layout.addWidget(self.results, 1)
        layout.addWidget(self.help)
        self.query.textChanged.connect(self._search)
        self.query.returnPressed.connect(self._run)
        self.results.itemClicked.connect(lambda _item: self._run())
        self.results.currentItemChanged.connect(lambda _now, _then: self._explain())
        self.query.installEventFilter(self)
        self._search("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and Down, by line and by page, move in the list while the text keeps the focus."""
        if (
            event.type() == QEvent.Type.KeyPress
            and isinstance(event, QKeyEvent)
            and Qt.Key(event.key()) in _MOVES
        ):
            row = self.results.currentRow() + _MOVES[Qt.Key(event.key())]
            self.results.setCurrentRow(max(0, min(row, self.results.count() - 1)))
            return True
        return super().eventFilter(watched, event)

    def _search(self, text: str) -> None:
        self.results.clear()
        for command in self._found(text):
            item = QListWidgetItem(f"{command.menu.replace('/', ' ▸ ')} ▸ {command.title}")
            item.setData(_ID, command.id)
            item.setData(_KEYS, self._keymap.text(command.id))
            self.results.addItem(item)
        self.results.setCurrentRow(0)
        self._explain()

    def _found(self, text: str) -> list[Command]:
        scored = [(fit(text, c), c) for c in self._commands.values() if enabled(c, self._context)]
        # Python's sort is stable: equal ones stay in the order of the menus.
        return [c for points, c in sorted(((p, c) for p, c in scored if p is not None), key=lambda r: -r[0])]

    def _current(self) -> Command | None:
        # PySide's stubs promise an item where Qt may give none.
        item: QListWidgetItem | None = self.results.currentItem()
        return self._commands[item.data(_ID)] if item is not None else None

    def _explain(self) -> None:
        command = self._current()
        self.help.setText(command.help if command else "No command fits. Try fewer letters.")

    def _run(self) -> None:
        command = self._current()
        if command is not None:
            self.close()
            command.run(self._context)


def fit(query: str, command: Command) -> float | None:
    """How well a query fits a command; None where it does not."""
    best: float | None = None
    words = query.lower().split()
    # A sentence holds nearly any letters in order: of the help only whole pieces count.
    explained = command.help if all(len(w) > 2 and w in command.help.lower() for w in words) else ""
    for weight, text in (
        (_TITLE, command.title),
        (_MENU, f"{command.menu} {command.title}"),
        (_HELP, explained),
    ):
        found = score(query, text)
        if found is not None and (best is None or found * weight > best):
            best = found * weight
    return best
