"""Cine: the series runs by itself, as fast as its slices can be shown and no faster than was asked."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from core.settings import Settings
from gui.actions import Desk

SLOWEST, FASTEST = 1.0, 60.0
STEP = 1.25


class Cine(QObject):
    """Runs the series in view until it is stopped, or the reader goes elsewhere.

    Signals:
        changed: It started or stopped, or its speed changed.
    """

    changed = Signal()

    def __init__(self, desk: Desk, settings: Settings) -> None:
        super().__init__()
        self._desk = desk
        self._settings = settings
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._forwards = True
        self._stepping = False
        desk.session.place_changed.connect(self._moved)

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._timer.isActive()

    @property
    def fps(self) -> float:
        """Slices a second."""
        return self._settings.number("view.cine_fps")

    def toggle(self) -> None:
        """Start, or stop."""
        if self.running:
            self.stop()
            return
        series = self._desk.session.current_series
        if series is None or len(series.slices) < 2:
            self._desk.session.said.emit("info", "Cine needs a series of more than one slice.")
            return
        self._forwards = True
        self._timer.start(round(1000 / self.fps))
        self.changed.emit()

    def stop(self) -> None:
        """Stay on the slice in view."""
        if self.running:
            self._timer.stop()
            self.changed.emit()

    def change_speed(self, factor: float) -> None:
        """Run faster or slower, now and next time."""
        self.set_fps(self.fps * factor)
        self._desk.session.said.emit("info", f"Cine: {self.fps:.0f} slices a second.")

    def set_fps(self, fps: float) -> None:
        """Run at so many slices a second, within 1 to 60."""
        try:
            self._settings.set("view.cine_fps", round(min(max(fps, SLOWEST), FASTEST), 1))
        except OSError:
            self._desk.session.said.emit("warning", "The speed of cine cannot be kept: disk?")
        self._timer.setInterval(round(1000 / self.fps))
        self.changed.emit()

    def _tick(self) -> None:
        session = self._desk.session
        series, place = session.current_series, session.place
        if series is None or place is None:
            self.stop()
            return
        if self._desk.display.pixels is None and not self._desk.display.unreadable:
            return  # the slice is on its way: a frame that nobody saw is no frame
        index = self._next(place.index, len(series.slices))
        self._stepping = True
        session.go_to(series.uid, index)
        self._stepping = False

    def _next(self, index: int, count: int) -> int:
        if self._settings.text("view.cine_mode") == "loop":
            return (index + 1) % count
        if not 0 <= index + (1 if self._forwards else -1) < count:
            self._forwards = not self._forwards
        return index + (1 if self._forwards else -1)

    def _moved(self) -> None:
        if not self._stepping:
            self.stop()  # the reader has gone elsewhere by hand
