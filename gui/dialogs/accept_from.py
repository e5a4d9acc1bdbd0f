"""Accepts the undecided predictions of a series from a score on; says beforehand how many these are."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from gui.accepting import accept_from, from_score
from gui.desk import Desk

FIRST = 0.9


class AcceptFrom(QDialog):
    """A score, and what accepting from it on would do."""

    def __init__(self, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self._desk = desk
        self.setWindowTitle("Accept from a score")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.score = QDoubleSpinBox()
        self.score.setRange(0.01, 1.0)
        self.score.setSingleStep(0.05)
        self.score.setValue(FIRST)
        self.score.setAccessibleName("Lowest score that is accepted")
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setMinimumWidth(320)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.accept_button = buttons.addButton("Accept them", QDialogButtonBox.ButtonRole.AcceptRole)
        form = QFormLayout()
        form.addRow("Score from", self.score)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.told)
        layout.addWidget(buttons)
        buttons.rejected.connect(self.reject)
        buttons.accepted.connect(self._accept)
        self.score.valueChanged.connect(self._refresh)
        desk.engine.results_changed.connect(self._refresh)
        desk.session.place_changed.connect(self._refresh)
        desk.session.annotations_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        found, series = from_score(self._desk, self.score.value()), self._desk.session.current_series
        classes = Counter(shown.detection.label for _, shown in found)
        by_class = ", ".join(f"{n} {name}" for name, n in classes.most_common())
        slices = len({key for key, _ in found})
        told = f"{len(found)} undecided predictions on {slices} slices ({by_class})." if found else "None."
        left = sum(not self._desk.engine.computed(s.key) for s in series.slices) if series else 0
        if left:
            told += f" {left} slices are not computed yet: theirs are not among them."
        self.told.setText(f"{told} Nobody has looked at each of them; one undo takes all back.")
        self.accept_button.setEnabled(bool(found))

    def _accept(self) -> None:
        if accept_from(self._desk, self.score.value()):
            self.accept()
