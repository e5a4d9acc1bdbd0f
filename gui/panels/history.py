"""Provenance of the selected box and the history of the slice, straight from the journal."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.boxes import iou
from core.model import Annotation, OriginKind
from core.store.journal import JournalEntry
from gui.actions import Desk, selected_detection
from gui.panels.finding_rows import remarks

ROWS = 200
"""Entries of the journal shown, newest first."""
SCOPES = ("History of this slice, newest first", "History of the workspace, newest first")
_REACHABLE = Qt.ItemDataRole.UserRole + 1


class HistoryPanel(QWidget):
    """What a box knows about itself, and what was done: on this slice, or in the whole workspace.

    From the whole history the reader can go back to any entry that stands, or forth to one undone: every
    entry between is taken back or done again in turn, and the journal keeps it all.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._stale = True
        self.provenance = QLabel()
        self.provenance.setWordWrap(True)
        self.provenance.setTextFormat(Qt.TextFormat.PlainText)
        self.provenance.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.entries = QListWidget()
        self.entries.setAccessibleName("History of this slice")
        self.entries.setWordWrap(True)
        self.entries.itemActivated.connect(lambda _item: self._jump())
        self.entries.currentItemChanged.connect(lambda *_items: self._enable())
        self.scope = QComboBox()
        self.scope.addItems(SCOPES)
        self.scope.setAccessibleName("Which history")
        self.scope.currentIndexChanged.connect(lambda _index: self.refresh())
        self.back = QPushButton("Go to this state")
        self.back.setToolTip("Undo or redo until the chosen entry is the last that stands.")
        self.back.clicked.connect(self._jump)
        row = QHBoxLayout()
        row.addWidget(self.scope, 1)
        row.addWidget(self.back)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.addWidget(self.provenance)
        layout.addLayout(row)
        layout.addWidget(self.entries, 1)
        session = desk.session
        session.selection_changed.connect(self._show_provenance)
        session.place_changed.connect(self.refresh)
        session.annotations_changed.connect(lambda _keys: self.refresh())
        for signal in (desk.engine.point_changed, desk.engine.model_changed):
            signal.connect(self._show_provenance)
        self.refresh()

    def refresh(self) -> None:
        """Read the journal again for the slice in view; while the panel is out of sight, once it is seen."""
        self._stale = not self.isVisible()
        if self._stale:
            return
        self._show_provenance()
        self.entries.clear()
        workspace, key = self._desk.session.workspace, self._desk.session.current_slice_key
        whole = self.scope.currentIndex() == 1
        if whole or key:
            standing, undone = workspace.standing, workspace.undone
            for entry in workspace.history(None if whole else key, limit=ROWS):
                item = QListWidgetItem(_line(entry))
                item.setData(Qt.ItemDataRole.UserRole, entry.seq)
                if entry.seq in undone:
                    item.setText(f"↶ {item.text()} (undone)")
                item.setData(_REACHABLE, entry.seq in standing or entry.seq in undone)
                self.entries.addItem(item)
        self._enable()

    def showEvent(self, event: QShowEvent) -> None:
        """Take in what was done while the panel was out of sight."""
        super().showEvent(event)
        if self._stale:
            self.refresh()

    def _enable(self) -> None:
        item = self.entries.currentItem()
        self.back.setEnabled(item is not None and bool(item.data(_REACHABLE)))

    def _jump(self) -> None:
        item = self.entries.currentItem()
        if item is not None and item.data(_REACHABLE):
            self._desk.session.jump_to(int(item.data(Qt.ItemDataRole.UserRole)))

    def _show_provenance(self) -> None:
        annotation = self._desk.session.selected_annotation
        detection = selected_detection(self._desk)
        if annotation is not None:
            self.provenance.setText(self._of_annotation(annotation))
        elif detection is not None:
            name = self._desk.engine.model_name
            self.provenance.setText(
                f"Prediction of {name}: {detection.label}, score {detection.score:.3f}. Nobody has judged it."
            )
        else:
            self.provenance.setText("No box is selected.")

    def _of_annotation(self, annotation: Annotation) -> str:
        origin, schema = annotation.origin, self._desk.session.workspace.schema
        lines = [
            f"{schema.name_of(annotation.label_id)} (class {annotation.label_id}), by {annotation.author}"
        ]
        if origin.kind is OriginKind.MODEL:
            lines.append(f"Predicted by {origin.model}, score {origin.score:.3f}")
            if origin.predicted is not None and origin.predicted != annotation.box:
                lines.append(
                    f"Corrected; IoU with the prediction {iou(origin.predicted, annotation.box):.2f}"
                )
        elif origin.kind is OriginKind.PROPOSAL and origin.proposal is not None:
            lines.append(f"Made of a proposal; IoU with it {iou(origin.proposal, annotation.box):.2f}")
        elif origin.kind is OriginKind.IMPORTED:
            lines.append(f"Imported from {origin.source}")
        else:
            lines.append(f"Origin: {origin.kind.value}")
        if not annotation.checked:
            lines.append("Computed and not checked yet (Enter keeps it)")
        if said := remarks(annotation, schema):
            lines.append(said[0].upper() + said[1:])
        x1, y1, x2, y2 = annotation.box.as_tuple()
        lines.append(f"x {x1:.1f} … {x2:.1f}, y {y1:.1f} … {y2:.1f} px")
        if annotation.window is not None:
            lines.append(f"Drawn at C {annotation.window[0]:.0f} W {annotation.window[1]:.0f}")
        return "\n".join(lines)


def _line(entry: JournalEntry) -> str:
    at = datetime.fromisoformat(entry.at).astimezone()
    reason = f" ({entry.reason})" if entry.reason else ""
    return f"{at:%d %b %H:%M:%S}  {entry.text}{reason} · {entry.reader}"
