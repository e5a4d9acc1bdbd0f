"""Give commands other keys: one by one, or all at once by a profile."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.errors import OverreadError
from gui.key_profiles import PROFILES
from gui.keymap import Keymap

_ID = Qt.ItemDataRole.UserRole
_INTRO = "Choose a command, press its new key, then “Use this key” (or “Add” to keep the old one beside it)."


class KeyEditor(QDialog):
    """Every command with its keys; a change is in force, and kept, at once."""

    def __init__(self, keymap: Keymap, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Change keys")
        self.resize(760, 620)
        self._keymap = keymap
        self.profiles = QComboBox()
        self.profiles.setAccessibleName("Profile of keys")
        for row in PROFILES:
            self.profiles.addItem(row.title, row.name)
            self.profiles.setItemData(self.profiles.count() - 1, row.about, Qt.ItemDataRole.ToolTipRole)
        self.filter = QLineEdit(placeholderText="Filter: command or key")
        self.filter.setAccessibleName("Filter the commands")
        self.filter.setClearButtonEnabled(True)
        self.table = self._make_table()
        self.key = QKeySequenceEdit()
        self.key.setMaximumSequenceLength(1)
        self.key.setAccessibleName("New key")
        self.message = QLabel()
        self.message.setAccessibleName("What became of it")
        self.message.setWordWrap(True)
        self.message.setMinimumHeight(2 * self.message.fontMetrics().lineSpacing())
        self._lay_out()
        self.profiles.activated.connect(self._use_profile)
        self.filter.textChanged.connect(self._show)
        self.table.itemSelectionChanged.connect(self.key.clear)
        keymap.changed.connect(self._show)
        self._show()

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 3)
        table.setHorizontalHeaderLabels(["Menu", "Command", "Keys"])
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().setVisible(False)
        table.setAccessibleName("Commands and keys")
        table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(0, 120)
        table.setColumnWidth(2, 210)
        return table

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(QLabel("Keys like"))
        top.addWidget(self.profiles)
        top.addWidget(self.filter, 1)
        self.use = self._button("Use this key", lambda: self._bind(keep=False))
        self.add = self._button("Add", lambda: self._bind(keep=True))
        self.none = self._button("No key", self._unbind)
        self.back = self._button("As it was", self._reset)
        below = QHBoxLayout()
        label = QLabel("New &key")
        label.setBuddy(self.key)
        for widget in (label, self.key, self.use, self.add, self.none, self.back):
            below.addWidget(widget)
        intro = QLabel(_INTRO)
        intro.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        # Enter may be meant for the field or the list: it must not close the dialog.
        buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
        layout = QVBoxLayout(self)
        layout.addWidget(intro)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addLayout(below)
        layout.addWidget(self.message)
        layout.addWidget(buttons)

    def _button(self, text: str, run: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(run)
        return button

    def _show(self) -> None:
        """Draw the table and the profile again; the chosen command stays chosen."""
        chosen = self.command_id
        at = self.profiles.findData(self._keymap.profile.name)
        self.profiles.setCurrentIndex(at)
        wanted = self.filter.text().casefold()
        self.table.setRowCount(0)
        for command in self._keymap.commands.values():
            title, menu = command.title.rstrip("…"), command.menu.replace("/", " ▸ ")
            keys = self._keymap.text(command.id) + (" (held)" if command.held else "")
            if wanted not in f"{menu} {title} {keys}".casefold():
                continue
            row = self.table.rowCount()
            self.table.insertRow(row)
            mark = "  ✎" if self._keymap.is_changed(command.id) else ""
            for column, text in enumerate((menu, title, keys + mark)):
                item = QTableWidgetItem(text)
                item.setToolTip(command.help)
                item.setData(_ID, command.id)
                self.table.setItem(row, column, item)
            if command.id == chosen:
                self.table.selectRow(row)

    @property
    def command_id(self) -> str:
        """Id of the chosen command, or ""."""
        rows = self.table.selectionModel().selectedRows()
        return str(rows[0].data(_ID)) if rows else ""

    def choose(self, command_id: str) -> None:
        """Choose a command, as a click on its line does."""
        for row in range(self.table.rowCount()):
            item = self.table.item(row, 0)
            if item is not None and item.data(_ID) == command_id:
                self.table.selectRow(row)

    def _bind(self, *, keep: bool) -> None:
        pressed = self.key.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        chosen = self.command_id
        if not chosen or not pressed:
            self._tell(
                "Choose a command and press its new key first." if not chosen else "Press a key first."
            )
            return
        keys = (*self._keymap.keys(chosen), pressed) if keep else (pressed,)
        self._try(lambda: self._keymap.bind(chosen, keys), f"{pressed} is set.")

    def _unbind(self) -> None:
        chosen = self.command_id
        if chosen:
            self._try(lambda: self._keymap.bind(chosen, ()), "It has no key now; the palette still finds it.")

    def _reset(self) -> None:
        chosen = self.command_id
        if chosen:
            self._try(lambda: self._keymap.reset(chosen), "As the profile has it.")

    def _use_profile(self, index: int) -> None:
        name = str(self.profiles.itemData(index))
        self._try(lambda: self._keymap.use_profile(name), PROFILES[index].about)

    def _try(self, change: Callable[[], None], done: str) -> None:
        try:
            change()
        except OverreadError as error:
            self._tell(f"✖ {error}")
        except OSError:
            self._tell("⚠ In force until Overread is closed: the file of keys cannot be written.")
        else:
            self._tell(done)

    def _tell(self, text: str) -> None:
        self.message.setText(text)
