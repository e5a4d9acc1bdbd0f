"""Models: which are there, what their cards say, which is in use; add, use, go back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from core.detection.registry import ModelEntry, ModelRegistry
from core.errors import OverreadError
from gui.actions import Desk


class ModelsDialog(QDialog):
    """List and card side by side."""

    def __init__(self, desk: Desk, use: Callable[[ModelEntry], None], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Models")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(900, 600)
        self._desk = desk
        self._use_model = use
        self.list = QListWidget()
        self.list.setAccessibleName("Models")
        self.list.setMaximumWidth(280)
        self.card = QTextBrowser()
        self.card.setAccessibleName("Model card")
        self.card.setOpenLinks(False)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.use = buttons.addButton("Use this model", QDialogButtonBox.ButtonRole.ActionRole)
        self.back = buttons.addButton("Go back to the one before", QDialogButtonBox.ButtonRole.ActionRole)
        self.add = buttons.addButton("Add from file…", QDialogButtonBox.ButtonRole.ActionRole)
        self.use.clicked.connect(self._use)
        self.back.clicked.connect(self._roll_back)
        self.add.clicked.connect(self._ask_file)
        buttons.rejected.connect(self.reject)
        both = QHBoxLayout()
        both.addWidget(self.list)
        both.addWidget(self.card, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(both, 1)
        layout.addWidget(buttons)
        # The reader may first be asked about new classes: what is current shows once it is.
        desk.engine.model_changed.connect(self._refresh)
        self.list.currentItemChanged.connect(lambda *_items: self._show_card())
        self._refresh()

    @property
    def _registry(self) -> ModelRegistry:
        return self._desk.engine.registry

    def _refresh(self) -> None:
        self.list.clear()
        try:
            entries = self._registry.list()
        except OverreadError as error:
            self._desk.session.said.emit("error", str(error))
            entries = ()
        for entry in entries:
            origin = "bundled" if entry.bundled else "own"
            item = QListWidgetItem(f"{'● ' if entry.current else '○ '}{entry.name}  ({origin})")
            item.setData(Qt.ItemDataRole.UserRole, entry)
            self.list.addItem(item)
            if entry.current:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None:
            self.list.setCurrentRow(0)

    def _entry(self) -> ModelEntry | None:
        item = self.list.currentItem()
        entry = item.data(Qt.ItemDataRole.UserRole) if item else None
        return entry if isinstance(entry, ModelEntry) else None

    def _show_card(self) -> None:
        entry = self._entry()
        self.card.setMarkdown(entry.card.to_markdown() if entry else "No model is registered.")
        self.use.setEnabled(entry is not None and not entry.current)

    def _use(self) -> None:
        entry = self._entry()
        if entry is not None:
            self._use_model(entry)
            self._refresh()  # current from now on, also while it is being loaded

    def _roll_back(self) -> None:
        try:
            entry = self._registry.rollback()
        except (OverreadError, OSError) as error:
            self._say("warning", f"**Not changed.** {told(error)}")
            return
        self._desk.engine.use_model(entry)
        self._refresh()

    def _ask_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Add a model", "", "Models (*.safetensors)")
        if chosen:
            self.add_file(Path(chosen))

    def add_file(self, file: Path) -> None:
        """Add a model file; a damaged one is refused with the reason."""
        try:
            entry = self._registry.add(file)
        except (OverreadError, OSError) as error:
            self._say("error", f"**Not added.** {told(error)}")
            return
        self._desk.session.said.emit("info", f"Added {entry.name}.")
        self._refresh()

    def _say(self, level: str, text: str) -> None:
        self._desk.session.said.emit(level, text.replace("**", ""))
        self.card.setMarkdown(text)


def told(error: OverreadError | OSError) -> str:
    """What to tell the reader of an error of the registry."""
    if isinstance(error, OSError):
        return f"The folder of models cannot be written ({error.strerror or type(error).__name__})."
    return str(error)
