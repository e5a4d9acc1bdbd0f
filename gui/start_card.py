"""What a newcomer sees while nothing is open: what this is for, and three ways to begin."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QVBoxLayout

_WAYS = ("open-folder", "open-files", "open-demo")
_TITLE = "Read, correct the boxes, sign off"
_TEXT = (
    "Drop a folder of DICOM series or pictures here, or begin with one of these. Nothing is copied or sent."
)


class StartCard(QFrame):
    """A card in the middle of the empty viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("start-card")
        self.setAccessibleName("Begin")
        self.setMaximumWidth(420)
        title, text = QLabel(_TITLE), QLabel(_TEXT)
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.35)
        font.setBold(True)
        title.setFont(font)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(24, 20, 24, 22)
        self._column.setSpacing(10)
        for label in (title, text):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._column.addWidget(label)

    def offer(self, actions: Mapping[str, QAction]) -> None:
        """Put the ways to begin on the card, each with its key."""
        for name in _WAYS:
            action = actions[name]
            key = action.shortcut().toString()
            button = QPushButton(f"{action.text()}    {key}" if key else action.text())
            button.setIcon(action.icon())
            button.setToolTip(action.statusTip())
            button.clicked.connect(action.trigger)
            self._column.addWidget(button)
