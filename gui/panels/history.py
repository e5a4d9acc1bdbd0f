"""Provenance of the selected box and the history of the slice, straight from the journal."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QListWidget, QVBoxLayout, QWidget

from core.boxes import iou
from core.model import Annotation, OriginKind
from core.store.journal import JournalEntry
from gui.actions import Desk, selected_detection
from gui.panels.finding_rows import remarks

ROWS = 200
"""Entries of the journal shown, newest first."""


class HistoryPanel(QWidget):
    """What a box knows about itself, and what was done on this slice."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.provenance = QLabel()
        self.provenance.setWordWrap(True)
        self.provenance.setTextFormat(Qt.TextFormat.PlainText)
        self.provenance.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.entries = QListWidget()
        self.entries.setAccessibleName("History of this slice")
        self.entries.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.addWidget(self.provenance)
        layout.addWidget(QLabel("History of this slice, newest first"))
        layout.addWidget(self.entries, 1)
        session = desk.session
        session.selection_changed.connect(self._show_provenance)
        session.place_changed.connect(self.refresh)
        session.annotations_changed.connect(lambda _keys: self.refresh())
        for signal in (desk.engine.point_changed, desk.engine.model_changed):
            signal.connect(self._show_provenance)
        self.refresh()

    def refresh(self) -> None:
        """Read the journal again for the slice in view."""
        self._show_provenance()
        self.entries.clear()
        key = self._desk.session.current_slice_key
        if key:
            for entry in self._desk.session.workspace.history(key, limit=ROWS):
                self.entries.addItem(_line(entry))

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
        elif origin.kind is OriginKind.IMPORTED:
            lines.append(f"Imported from {origin.source}")
        else:
            unchecked = "" if annotation.checked else ", computed and not checked yet (Enter keeps it)"
            lines.append(f"Origin: {origin.kind.value}{unchecked}")
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
