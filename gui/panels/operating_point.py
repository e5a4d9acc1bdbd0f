"""Proposals and operating point: layers and thresholds, acting on results that are there."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLabel, QSlider, QWidget

from core.detection.operating_point import OperatingPoint
from core.detection.registry import ModelEntry
from core.evaluation.bootstrap import Interval
from core.evaluation.expected import expected_at
from gui.actions import Desk, toggle_layer
from gui.panels.comparing import Comparing
from gui.second import Second

LAYERS = (
    ("predictions", "Predictions (Shift+P)"),
    ("proposals", "Proposals (P)"),
    ("rejections", "Rejected (Shift+X)"),
)


class OperatingPointPanel(QWidget):
    """Checkboxes for the layers, sliders for score, overlap and number of proposals, and what they cost."""

    def __init__(self, desk: Desk, second: Second) -> None:
        super().__init__()
        self._desk = desk
        engine = desk.engine
        self.layer_boxes = {name: QCheckBox(title) for name, title in LAYERS}
        self.score = _slider("Lowest score shown", 0, 100)
        self.overlap = _slider("Largest overlap of two predictions", 5, 95)
        self.limit = _slider("Number of proposals shown", 1, 300)
        self._score_text, self._overlap_text, self._limit_text = QLabel(), QLabel(), QLabel()
        self.count = QLabel()
        self.count.setWordWrap(True)
        self.expected = QLabel()
        self.expected.setWordWrap(True)
        self.expected.setAccessibleName("What the model's card promises at this point")
        self.comparing = Comparing(desk, second)
        self.model_name = QLabel()
        self.ahead = QCheckBox("Detect ahead of the reader")

        form = QFormLayout(self)
        form.setContentsMargins(10, 10, 10, 10)
        form.addRow("Model", self.model_name)
        for box in self.layer_boxes.values():
            form.addRow(box)
        form.addRow("Score from", _with_value(self.score, self._score_text))
        form.addRow("Overlap up to", _with_value(self.overlap, self._overlap_text))
        form.addRow("Expect", self.expected)
        form.addRow("Proposals", _with_value(self.limit, self._limit_text))
        form.addRow(self.ahead)
        form.addRow(self.count)
        form.addRow("Compare with", self.comparing)

        for name, box in self.layer_boxes.items():
            box.clicked.connect(lambda _on, layer=name: toggle_layer(desk, layer))
        self.score.valueChanged.connect(lambda v: engine.set_point(min_score=v / 100))
        self.overlap.valueChanged.connect(lambda v: engine.set_point(nms_iou=v / 100))
        self.limit.valueChanged.connect(lambda v: engine.set_layers(replace(engine.layers, proposal_limit=v)))
        self.ahead.clicked.connect(engine.set_ahead)
        for signal in (engine.point_changed, engine.model_changed, desk.session.place_changed):
            signal.connect(self.refresh)
        engine.results_changed.connect(lambda _key: self.refresh())
        desk.session.annotations_changed.connect(lambda _keys: self.refresh())
        self.refresh()

    def refresh(self) -> None:
        """Show what is in force and what it leaves on the slice in view."""
        engine = self._desk.engine
        for name, box in self.layer_boxes.items():
            box.setChecked(getattr(engine.layers, name))
        for slider, value in (
            (self.score, round(engine.point.min_score * 100)),
            (self.overlap, round(engine.point.nms_iou * 100)),
            (self.limit, engine.layers.proposal_limit),
        ):
            with QSignalBlocker(slider):
                slider.setValue(value)
        self.ahead.setChecked(engine.ahead)
        self._score_text.setText(f"{engine.point.min_score:.2f}")
        self._overlap_text.setText(f"{engine.point.nms_iou:.2f}")
        self._limit_text.setText(str(engine.layers.proposal_limit))
        self.model_name.setText(engine.model_name or "none")
        self.count.setText(self._count())
        self.expected.setText(expected_text(engine.entry, engine.point))

    def _count(self) -> str:
        key = self._desk.session.current_slice_key
        short = self._desk.engine.short(key)
        if short is None:
            return ""
        n = len(self._desk.engine.undecided(key))
        return (
            f"This slice: {short.proposed} proposals judged in "
            f"{short.milliseconds:.0f} ms, {n} undecided prediction{'' if n == 1 else 's'} at this point."
        )


def expected_text(entry: ModelEntry | None, point: OperatingPoint) -> str:
    """What the model's card promises at an operating point, with intervals; what it was measured on."""
    if entry is None:
        return ""
    found = expected_at(entry.card.calibration.get("points", {}), point.min_score, point.nms_iou)
    if found is None:
        return "The card of this model does not say: it was made before cards did. Retrain to know."
    return (
        f"{found.sensitivity:.0%} of lesions found{_range(found.sensitivity_ci95, '.0%')}, "
        f"{found.false_positives:.2f} false a slice{_range(found.false_positives_ci95, '.2f')}: "
        f"measured on {found.slices} held-out slices with {found.boxes} lesions, 95 % intervals. "
        "On other scanners and patients it may differ."
    )


def _range(of: Interval, form: str) -> str:
    return "" if isnan(of.low) else f" ({of.low:{form}} to {of.high:{form}})"


def _slider(name: str, low: int, high: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setAccessibleName(name)
    slider.setToolTip(name)
    return slider


def _with_value(slider: QSlider, value: QLabel) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    value.setMinimumWidth(36)
    value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    layout.addWidget(slider, 1)
    layout.addWidget(value)
    return row
