"""Training: a view of its own. Retrain on what was read, watch it, use the result."""

from __future__ import annotations

import math

import pyqtgraph
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.detection.registry import ModelEntry
from gui.retraining import Retraining, RetrainOptions

LOSS_COLOR = "#e69f00"
AP_COLOR = "#56b4e9"


class TrainingView(QWidget):
    """Options on the left, curves on the right.

    Signals:
        use_wanted: (ModelEntry) The reader wants the new model in use.
    """

    use_wanted = Signal(object)

    def __init__(self, retraining: Retraining, minutes: float, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle("Retrain")
        self.resize(980, 560)
        self._retraining = retraining
        self._entry: ModelEntry | None = None
        self._curves: dict[str, tuple[list[float], list[float]]] = {"loss": ([], []), "valid_ap50": ([], [])}
        self.counts = QLabel()
        self.counts.setWordWrap(True)
        self.name = QLineEdit(placeholderText="chosen from date and time")
        self.minutes = QDoubleSpinBox(decimals=1, minimum=0.1, maximum=1440, value=minutes, suffix=" min")
        self.classes = QComboBox()
        self.classes.addItem("as labelled", "all")
        self.classes.addItem("one: tumour", "one")
        self.go_on = QCheckBox("Go on from the model in use")
        self.go_on.setChecked(True)
        self.seed = QSpinBox(minimum=0, maximum=2**31 - 1)
        self.start = QPushButton("Start")
        self.cancel = QPushButton("Cancel")
        self.use = QPushButton("Use the new model")
        self.bar = QProgressBar()
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.plot, self._lines, self._right = self._make_plot()
        self._lay_out()
        self.start.clicked.connect(self._start)
        self.cancel.clicked.connect(retraining.cancel)
        self.use.clicked.connect(self._use)
        retraining.progressed.connect(self._progressed)
        retraining.ended.connect(self._ended)
        retraining.counted.connect(self.counts.setText)
        self._set_running(running=retraining.running)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(self.counts)
        form.addRow("Name", self.name)
        form.addRow("Time budget", self.minutes)
        form.addRow("Classes", self.classes)
        form.addRow(self.go_on)
        form.addRow("Seed", self.seed)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start)
        buttons.addWidget(self.cancel)
        left = QVBoxLayout()
        left.addLayout(form)
        left.addLayout(buttons)
        left.addWidget(self.bar)
        left.addWidget(self.status)
        left.addWidget(self.use)
        left.addStretch(1)
        box = QWidget()
        box.setLayout(left)
        box.setFixedWidth(330)
        layout = QHBoxLayout(self)
        layout.addWidget(box)
        layout.addWidget(self.plot, 1)

    def _make_plot(self) -> tuple[pyqtgraph.PlotWidget, dict[str, pyqtgraph.PlotDataItem], pyqtgraph.ViewBox]:
        palette = self.palette()
        plot = pyqtgraph.PlotWidget(background=palette.color(QPalette.ColorRole.Base))
        plot.setAccessibleName("Loss and validation AP50 over time")
        axes = plot.getPlotItem()
        text = palette.color(QPalette.ColorRole.Text)
        for side in ("left", "bottom", "right"):
            axes.getAxis(side).setPen(text)
            axes.getAxis(side).setTextPen(text)
        axes.setLabel("bottom", "step")
        axes.setLabel("left", "loss", color=LOSS_COLOR)
        axes.showAxis("right")
        axes.setLabel("right", "validation AP50", color=AP_COLOR)
        axes.setMenuEnabled(False)
        axes.hideButtons()
        right = pyqtgraph.ViewBox(enableMenu=False)
        axes.scene().addItem(right)
        axes.getAxis("right").linkToView(right)
        right.setXLink(axes)
        right.setYRange(0, 1)
        axes.vb.sigResized.connect(lambda: right.setGeometry(axes.vb.sceneBoundingRect()))
        ap_pen = pyqtgraph.mkPen(AP_COLOR, width=2, style=Qt.PenStyle.DashLine)
        lines = {
            "loss": axes.plot(pen=pyqtgraph.mkPen(LOSS_COLOR, width=2)),
            "valid_ap50": pyqtgraph.PlotDataItem(pen=ap_pen, symbol="o", symbolSize=6, symbolBrush=AP_COLOR),
        }
        right.addItem(lines["valid_ap50"])
        return plot, lines, right

    def _start(self) -> None:
        for xs, ys in self._curves.values():
            xs.clear()
            ys.clear()
        self._draw_curves()
        self._entry = None
        self._set_running(running=True)
        self.status.setText("Gathering what was read …")
        self._retraining.start(
            RetrainOptions(
                name=self.name.text().strip(),
                minutes=self.minutes.value(),
                classes=self.classes.currentData(),
                go_on=self.go_on.isChecked(),
                seed=self.seed.value(),
            )
        )

    def _progressed(self, done: float, total: float, text: str, metrics: dict[str, float]) -> None:
        self.bar.setRange(0, 1000 if total else 0)
        if total:
            self.bar.setValue(round(1000 * done / total))
        if text:
            self.status.setText(text)
        step = metrics.get("step", done)
        for name, (xs, ys) in self._curves.items():
            if name in metrics and math.isfinite(metrics[name]):
                xs.append(step)
                ys.append(metrics[name])
        if metrics:
            self._draw_curves()

    def _draw_curves(self) -> None:
        for name, (xs, ys) in self._curves.items():
            self._lines[name].setData(xs, ys)

    def _ended(self, entry: ModelEntry | None, text: str) -> None:
        self._entry = entry
        self.status.setText(text)
        self._set_running(running=False)

    def _set_running(self, *, running: bool) -> None:
        for widget in (self.name, self.minutes, self.classes, self.go_on, self.seed, self.start):
            widget.setEnabled(not running)
        self.cancel.setEnabled(running)
        self.bar.setVisible(running)
        self.use.setVisible(self._entry is not None and not running)

    def _use(self) -> None:
        if self._entry is not None:
            self.use_wanted.emit(self._entry)
            self.use.setVisible(False)
