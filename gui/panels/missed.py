"""Why a lesion was missed, in words: a small panel under the others, there once a reader has asked."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QFormLayout, QLabel, QVBoxLayout, QWidget

from gui.missed import Missed
from gui.viewer import looks
from gui.viewer.hint_layer import hint_pen
from gui.viewer.hints import HintRole

LEGEND = {
    HintRole.PROPOSAL: "The proposal",
    HintRole.REGRESSED: "Its box after regression",
    HintRole.SUPPRESSOR: "What suppressed it",
}
NOTHING = "Select a box and press W, or press W and click a spot."


class _Line(QWidget):
    """A piece of a line as it is on the slice, on the slice's ground."""

    def __init__(self, role: HintRole) -> None:
        super().__init__()
        self._role = role

    def sizeHint(self) -> QSize:
        """A few dashes."""
        return QSize(44, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), looks.GROUND)
        painter.setPen(hint_pen(self._role))
        painter.drawLine(4, self.height() // 2, self.width() - 4, self.height() // 2)
        painter.end()


class MissedPanel(QWidget):
    """The verdict, the reasons, and what the lines on the slice are."""

    def __init__(self, missed: Missed) -> None:
        super().__init__()
        self._missed = missed
        self.verdict, self.reasons = QLabel(), QLabel()
        font = self.verdict.font()
        font.setBold(True)
        self.verdict.setFont(font)
        for label in (self.verdict, self.reasons):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.verdict.setAccessibleName("Verdict")
        self.reasons.setAccessibleName("Reasons")
        self.legend = QWidget()
        self._form = QFormLayout(self.legend)
        self._form.setContentsMargins(0, 4, 0, 0)
        for role, text in LEGEND.items():
            line = _Line(role)
            line.setFixedSize(line.sizeHint())
            self._form.addRow(line, QLabel(text))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.addWidget(self.verdict)
        layout.addWidget(self.reasons)
        layout.addWidget(self.legend)
        layout.addStretch(1)
        missed.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the answer as it stands."""
        found, roles = self._missed.explanation, self._missed.roles
        if found is None:
            self.verdict.setText(self._missed.waiting or NOTHING)
            self.reasons.setText("")
        else:
            verdict, _, rest = found.sentences[0].partition(": ")
            self.verdict.setText(verdict)
            first = rest[:1].upper() + rest[1:]
            self.reasons.setText("\n".join((first, *found.sentences[1:])))
        for row, role in enumerate(LEGEND):
            self._form.setRowVisible(row, role in roles)
        self.legend.setVisible(bool(roles))


class MissedDock(QDockWidget):
    """The panel as a dock: opens when the reader asks; closing it takes the boxes off the slice."""

    def __init__(self, missed: Missed) -> None:
        super().__init__("Why missed")
        self.setObjectName("dock-why-missed")
        self.panel = MissedPanel(missed)
        self.setWidget(self.panel)
        self.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        missed.asked.connect(self.show)
        self._missed = missed
        self.visibilityChanged.connect(self._shown_or_not)

    def _shown_or_not(self, visible: bool) -> None:
        if not visible and self.isHidden():
            self._missed.close()
