"""Two models on the slice in view: what the second finds more, misses, and puts elsewhere."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox, QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from core.review.differences import Change, Difference
from gui.actions import detection_id
from gui.desk import Desk
from gui.second import Second

NONE = "no other model"
SIGN = {Change.GAINED: "+", Change.LOST: "−", Change.MOVED_FAR: "⇄", Change.MOVED: "↔", Change.SAME: "="}


class Comparing(QWidget):
    """Chooses the second model and lists the differences; a click selects the box of the model in use."""

    def __init__(self, desk: Desk, second: Second) -> None:
        super().__init__()
        self._desk = desk
        self._second = second
        self.models = QComboBox()
        self.models.setAccessibleName("Compare with")
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.rows = QListWidget()
        self.rows.setAccessibleName("Differences of two models on this slice")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.models)
        layout.addWidget(self.told)
        layout.addWidget(self.rows)
        self.models.activated.connect(self._chosen)
        self.rows.itemClicked.connect(self._picked)
        desk.engine.model_changed.connect(self._fill)
        second.changed.connect(self.refresh)
        self._fill()

    def _fill(self) -> None:
        with QSignalBlocker(self.models):
            self.models.clear()
            self.models.addItem(NONE)
            for entry in self._second.choices():
                self.models.addItem(entry.name, entry)
            self.models.setCurrentText(self._second.name or NONE)
        self.refresh()

    def _chosen(self, index: int) -> None:
        self._second.compare_with(self.models.itemData(index))

    def refresh(self) -> None:
        """List the differences on the slice in view."""
        if self.models.currentText() != (self._second.name or NONE):
            with QSignalBlocker(self.models):
                self.models.setCurrentText(self._second.name or NONE)
        found = self._second.found()
        self.rows.clear()
        self.rows.setVisible(bool(found))
        if found is None:
            self.told.setText(self._second.state())
            return
        for one in found:
            item = QListWidgetItem(difference_text(one))
            item.setData(Qt.ItemDataRole.UserRole, detection_id(one.first.row) if one.first else "")
            self.rows.addItem(item)
        self.told.setText(self._summary(found))

    def _summary(self, found: tuple[Difference, ...]) -> str:
        if not found:
            return f"Neither {self._desk.engine.model_name} nor {self._second.name} predicts anything here."
        count = {c: sum(one.change is c for one in found) for c in Change}
        moved = count[Change.MOVED] + count[Change.MOVED_FAR]
        told = (
            f"{self._second.name} against {self._desk.engine.model_name}: {count[Change.GAINED]} gained, "
            f"{count[Change.LOST]} lost, {moved} moved, {count[Change.SAME]} the same."
        )
        scale = self._second.balance(found)
        if scale is not None:
            told += f" Against the boxes drawn here: {scale.better} better, {scale.worse} worse."
        return told

    def _picked(self, item: QListWidgetItem) -> None:
        box_id = item.data(Qt.ItemDataRole.UserRole)
        if box_id:
            self._desk.session.select(str(box_id))


def difference_text(one: Difference) -> str:
    """A difference in a line: "+ gained: glioma 0.81"."""
    named = [s.detection for s in (one.first, one.second) if s is not None]
    labels = list(dict.fromkeys(d.label for d in named))
    scores = " → ".join(f"{d.score:.2f}" for d in named)
    overlap = f", overlap {one.overlap:.2f}" if one.overlap is not None else ""
    return f"{SIGN[one.change]} {one.change}: {' → '.join(labels)} {scores}{overlap}"
