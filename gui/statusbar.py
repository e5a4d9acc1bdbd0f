"""The status bar: position, value, window; what was just said; running jobs with progress and cancel."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QStatusBar, QToolButton, QWidget

from core.imaging.geometry import pixel_to_mm
from core.imaging.real_world import real_values_text
from gui.actions import Desk
from gui.runner import JobOutcome, JobProgress, JobRunner

MESSAGE_MS = {"info": 5000, "warning": 12000, "error": 0}
GLYPH = {"info": "", "warning": "⚠ ", "error": "✖ "}


class JobRow(QWidget):
    """One running job: name, progress, cancel."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title
        self.text = QLabel(title)
        self.bar = QProgressBar()
        self.bar.setFixedWidth(110)
        self.bar.setMaximumHeight(12)
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 0)
        self.bar.setAccessibleName(f"Progress: {title}")
        self.cancel = QToolButton()
        self.cancel.setText("✕")
        self.cancel.setAutoRaise(True)
        self.cancel.setToolTip(f"Cancel: {title}")
        self.cancel.setAccessibleName(f"Cancel: {title}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 6, 0)
        layout.setSpacing(6)
        layout.addWidget(self.text)
        layout.addWidget(self.bar)
        layout.addWidget(self.cancel)

    def show_progress(self, done: float, total: float) -> None:
        """Draw the bar; total 0 is unknown."""
        self.bar.setRange(0, 1000 if total else 0)
        if total:
            self.bar.setValue(round(1000 * done / total))


class StatusBar(QStatusBar):
    """What is under the cursor, what was said, what runs."""

    def __init__(self, desk: Desk, runner: JobRunner) -> None:
        super().__init__()
        self._desk = desk
        self._runner = runner
        self._jobs: dict[int, JobRow] = {}
        self._point: tuple[float, float] | None = None
        self.message = QLabel()
        self.message.setAccessibleName("Message")
        self.readout = QLabel()
        self.readout.setAccessibleName("Position and value under the cursor")
        self.window_text = QLabel()
        self.detecting = JobRow("Detecting")
        self.detecting.setVisible(False)
        self.detecting.cancel.clicked.connect(desk.engine.stop)
        self._clear = QTimer(self, singleShot=True)
        self._clear.timeout.connect(self.message.clear)
        self.addWidget(self.message, 1)
        for widget in (self.detecting, self.readout, self.window_text):
            self.addPermanentWidget(widget)
        desk.session.said.connect(self.say)
        desk.session.place_changed.connect(self.refresh)
        desk.display.pixels_changed.connect(self.refresh)
        desk.display.window_changed.connect(self.refresh)
        desk.engine.work_changed.connect(self._show_work)
        runner.started.connect(self._job_started)
        runner.progressed.connect(self._job_progressed)
        runner.finished.connect(self._job_finished)

    def say(self, level: str, text: str) -> None:
        """Show a message; errors stay until the next one."""
        self.message.setText(GLYPH[level] + text)
        self.message.setToolTip(text)
        self._clear.stop()
        if MESSAGE_MS[level]:
            self._clear.start(MESSAGE_MS[level])

    def point_at(self, point: tuple[float, float] | None) -> None:
        """Show position and value at a point of the slice, in pixels; None: the cursor left."""
        self._point = point
        self.refresh()

    def refresh(self) -> None:
        """Draw position, value and window again."""
        window = self._desk.display.window
        self.window_text.setText(f"C {window.center:.0f}  W {window.width:.0f}" if window else "")
        self.readout.setText(self._readout())

    def _readout(self) -> str:
        ref, pixels = self._desk.session.current_slice, self._desk.display.pixels
        if self._point is None or ref is None or pixels is None:
            return ""
        x, y = self._point
        column, row = int(x), int(y)
        if not (0 <= column < ref.columns and 0 <= row < ref.rows and x >= 0 and y >= 0):
            return ""
        value = float(pixels[row, column])
        text = f"x {column}  y {row}  value {value:g}"
        meaning = real_values_text(ref, value)
        if meaning:
            text += f" = {meaning}"
        if ref.geometry is not None:
            mm = pixel_to_mm(ref.geometry, x, y)
            text += f"  ({mm[0]:.1f}, {mm[1]:.1f}, {mm[2]:.1f}) mm"
        return text

    def _show_work(self, done: int, total: int, text: str) -> None:
        self.detecting.setVisible(total > 0)
        if total:
            self.detecting.text.setText(f"{text} {done}/{total}")
            self.detecting.show_progress(done, total)

    def _job_started(self, job_id: int, title: str) -> None:
        row = JobRow(title)
        row.cancel.clicked.connect(lambda: self._runner.cancel_job(job_id))
        self._jobs[job_id] = row
        self.insertPermanentWidget(1, row)

    def _job_progressed(self, progress: JobProgress) -> None:
        row = self._jobs.get(progress.job_id)
        if row is not None:
            row.show_progress(progress.done, progress.total)
            row.setToolTip(progress.text)

    def _job_finished(self, outcome: JobOutcome[object]) -> None:
        row = self._jobs.pop(outcome.job_id, None)
        if row is not None:
            self.removeWidget(row)
            row.deleteLater()
