"""Findings: the boxes of the series in view, judged and not yet judged, under the lesions they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Qt, QTimer
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QToolButton, QTreeView, QVBoxLayout, QWidget

from gui import actions
from gui.actions import Desk
from gui.panels.box_fields import BoxFields
from gui.panels.finding_rows import UNCHECKED, UNDECIDED, BoxKey, Group, Item, RowsBySlice
from gui.panels.finding_tree import FindingsModel
from gui.panels.linking import Linked, Linker, Question
from gui.panels.tables import plain_tree

REFRESH_MS = 30
"""Changes that come closer together are drawn at once."""


class FindingsPanel(QWidget):
    """Class buttons, and lesions with their boxes; picking a box goes to it, a lesion to its middle slice.

    Pictures of a collection have nothing to do with each other: their boxes stand without lesions.
    """

    def __init__(self, desk: Desk, linker: Linker) -> None:
        super().__init__()
        self._desk = desk
        self._linker = linker
        self._rows = RowsBySlice(desk)
        self._shown_uid = ""
        self._folded: set[BoxKey] = set()
        self.model = FindingsModel(self)
        self.tree = self._make_tree()
        self._classes = QHBoxLayout()
        self._class_group = QButtonGroup(self)
        self._class_group.setExclusive(True)
        self._class_group.idClicked.connect(self._classify)
        self.summary = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(self._classes)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.summary)
        self.fields = BoxFields(desk)
        layout.addWidget(self.fields)
        self._soon = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._soon.timeout.connect(self.refresh)
        session, engine = desk.session, desk.engine
        session.schema_changed.connect(self._show_classes)
        session.selection_changed.connect(self._follow)
        session.place_changed.connect(self._moved)
        for signal in (
            session.catalog_changed,
            session.schema_changed,
            engine.point_changed,
            engine.model_changed,
            engine.answers_changed,
        ):
            signal.connect(self._soon.start)
        session.annotations_changed.connect(lambda _keys: self._soon.start())
        engine.results_changed.connect(lambda _key: self._soon.start())
        linker.linked.connect(self._linked)
        self._show_classes()
        self.refresh()

    def _make_tree(self) -> QTreeView:
        tree = plain_tree(self.model, "Findings of the series", widths=(102, 114, 48, 124, 0))
        # Not currentRowChanged: a row is picked again after scrolling away, and none is when rows vanish.
        tree.clicked.connect(self._picked)
        tree.collapsed.connect(lambda index: self._folded.update(self._keys_below(index)))
        tree.expanded.connect(lambda index: self._folded.difference_update(self._keys_below(index)))
        return tree

    def _keys_below(self, index: QModelIndex) -> set[BoxKey]:
        item = self.model.item_at(index)
        return {row.key for row in item.rows} if isinstance(item, Group) else set()

    def _show_classes(self) -> None:
        schema = self._desk.session.workspace.schema
        while (item := self._classes.takeAt(0)) is not None:
            widget = item.widget()
            if isinstance(widget, QToolButton):
                self._class_group.removeButton(widget)
                widget.deleteLater()
        for place, label in enumerate(schema.classes):
            button = QToolButton()
            button.setText(label.name)
            button.setCheckable(True)
            button.setAccessibleName(f"Class {label.name}")
            number = schema.key_of(label.id)
            key = f" (Ctrl+{number})" if number else ""
            button.setToolTip(f"New boxes and the selected box: {label.name}{key}")
            button.setStyleSheet(f"QToolButton {{ border-bottom: 3px solid {label.color}; }}")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self._class_group.addButton(button, label.id)
            self._classes.insertWidget(place, button)
        self._classes.addStretch(1)
        self._check_class()

    def _classify(self, label_id: int) -> None:
        actions.classify(self._desk, label_id)
        self._check_class()

    def _check_class(self) -> None:
        """Press the button of the selected box's class, else of the class that the next box gets."""
        selected = self._desk.session.selected_annotation
        label_id = selected.label_id if selected else self._desk.session.current_label
        button = self._class_group.button(label_id)
        if button is not None:
            button.setChecked(True)

    def _moved(self) -> None:
        """Another series has other rows; another slice of the series has the same."""
        series = self._desk.session.current_series
        if series is None or series.uid != self._shown_uid:
            self._soon.start()

    def refresh(self) -> None:
        """Ask what belongs together, and draw what is known of it."""
        self._soon.stop()
        series, rows = self._desk.session.current_series, self._rows.rows()
        if series is not None and series.is_stack:
            linked = self._linker.ask(Question(series, rows, self._desk.session.workspace.schema))
            if linked is not None:
                self._linked(linked)
            elif series.uid != self._shown_uid:
                self._show(series.uid, (), 0)  # nothing of the series before stays
        else:
            self._show(series.uid if series else "", rows, 0)

    def _linked(self, answer: Linked) -> None:
        series = self._desk.session.current_series
        if series is not None and series.uid == answer.question.series.uid:
            self._show(series.uid, answer.items, answer.lesions)

    def _show(self, series_uid: str, items: Sequence[Item], lesions: int) -> None:
        if series_uid != self._shown_uid:
            self._folded.clear()
        self._shown_uid = series_uid
        bar = self.tree.verticalScrollBar()
        at = bar.value()
        if self.model.show(items):
            self._unfold()
            bar.setValue(at)
        self._follow()
        boxes = self.model.rows
        open_ones = sum(row.state == UNDECIDED for row in boxes)
        waiting = sum(row.state == UNCHECKED for row in boxes)
        unchecked = f", {waiting} unchecked" if waiting else ""
        told = f"{len(boxes) - open_ones - waiting} judged{unchecked}, {open_ones} undecided in this series"
        if lesions:
            told = f"{lesions} lesion{'' if lesions == 1 else 's'}; boxes: {told}"
        self.summary.setText(told)

    def _unfold(self) -> None:
        """Everything lies open but what the reader has folded."""
        folded = [i for i, group in self.model.groups() if any(r.key in self._folded for r in group.rows)]
        self.tree.expandAll()
        for index in folded:
            self.tree.collapse(index)

    def _picked(self, index: QModelIndex) -> None:
        series, item = self._desk.session.current_series, self.model.item_at(index)
        if series is None or series.uid != self._shown_uid:
            return
        row = item.target if isinstance(item, Group) else item
        self._desk.session.go_to(series.uid, row.index)
        self._desk.session.select(row.box_id)

    def _follow(self) -> None:
        """Mark the line of the selected box, or of its lesion where that is folded."""
        self._check_class()
        place, selected = self._desk.session.place, self._desk.session.selected
        index = self.model.index_of((place.index, selected)) if place is not None else QModelIndex()
        above = index.parent()
        if above.isValid() and not self.tree.isExpanded(above):
            index = above
        if index.isValid():
            self.tree.setCurrentIndex(index)
        else:
            self.tree.clearSelection()
