"""Dialogs that show a list: key sheet, files left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.model import DicomObject, Skipped
from gui.commands import GESTURES
from gui.keymap import Keymap


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
        self.intro = intro
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


def key_sheet(keymap: Keymap, parent: QWidget) -> TableDialog:
    """Every key as it is now."""
    rows = [
        (keymap.text(c.id) + (" (held)" if c.held else ""), c.title.rstrip("…"), c.help)
        for c in keymap.commands.values()
        if keymap.keys(c.id)
    ]
    rows += [(gesture, "", text) for gesture, text in GESTURES]
    change = keymap.text("change-keys") or "Help ▸ Change keys…"
    intro = f"Keys and gestures; profile {keymap.profile.title}. To change them: {change}."
    return TableDialog("Keys", intro, ("Key", "Command", "What it does"), rows, parent)


def skipped_files(skipped: Sequence[Skipped], objects: Sequence[DicomObject], parent: QWidget) -> TableDialog:
    """What could not be opened, and why; other DICOM objects are named as what they are."""
    intro = f"{len(skipped)} files were left out. Nothing else is affected."
    if objects:
        kinds = Counter(found.kind for found in objects)
        named = ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))
        intro += f" Not images, but sound DICOM: {named}."
    rows = [(s.path.name, s.reason, str(s.path.parent)) for s in skipped]
    return TableDialog("Files left out", intro, ("File", "Reason", "Folder"), rows, parent)
