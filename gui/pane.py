"""A viewport beside the active one: a canvas, the slice it shows, and getting that slice's pixels."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QMouseEvent

from gui.actions import Desk
from gui.display import Pixels
from gui.linking_views import Line, Point, Spot
from gui.scene import Shown, pane_scene
from gui.viewer.canvas import Canvas
from gui.viewer.scene import SliceScene

EMPTY = "Nothing else is open.\nOpen another series."


class Pane(QObject):
    """Shows a slice to look at. A left click makes its viewport the active one.

    Signals:
        chosen: The reader has clicked it.
        drawn: Another slice, or its pixels, are shown.
    """

    chosen = Signal()
    drawn = Signal()

    def __init__(self, desk: Desk, number: int) -> None:
        super().__init__()
        self._desk = desk
        self._key = f"pane-{number}"
        self._pixels: tuple[str, Pixels] | None = None
        self._unreadable = ""
        self._cross: Point | None = None
        self._references: tuple[Line, ...] = ()
        self.spot: Spot | None = None
        self.canvas = Canvas()
        self.canvas.setAccessibleName(f"Viewport {number + 1}")
        self.canvas.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.canvas.installEventFilter(self)
        self.canvas.window_changed.connect(self._windowed)

    def show(self, spot: Spot | None) -> None:
        """Show a slice; None for nothing."""
        self.spot = spot
        self._unreadable = ""
        if spot is not None:
            key = spot.ref.key
            self._desk.display.fetch(spot.ref, spot.series, self._key, lambda p: self._arrived(key, p))
        self.draw()

    def mark(self, cross: Point | None, references: tuple[Line, ...]) -> None:
        """Show the linked cursor, and where other slices cut this one."""
        if (cross, references) != (self._cross, self._references):
            self._cross, self._references = cross, references
            self.draw()

    def draw(self) -> None:
        """Hand the scene to the canvas; it repaints what differs."""
        if self.spot is None:
            self.canvas.set_scene(SliceScene(message=EMPTY))
            return
        found = self._pixels if self._pixels and self._pixels[0] == self.spot.ref.key else None
        message = "" if found else self._unreadable
        shown = Shown(self.spot.series, self.spot.index, found[1] if found else None, message)
        scene = pane_scene(self._desk, shown)
        self.canvas.set_scene(replace(scene, cross=self._cross, references=self._references))
        self.drawn.emit()

    def close(self) -> None:
        """Take the viewport away."""
        self.canvas.removeEventFilter(self)
        self.canvas.hide()
        self.canvas.deleteLater()
        self.spot = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The first left click only chooses the viewport."""
        if (
            event.type() == QEvent.Type.MouseButtonPress
            and isinstance(event, QMouseEvent)
            and event.button() is Qt.MouseButton.LeftButton
            and self.spot is not None
        ):
            self.chosen.emit()
            return True
        return super().eventFilter(watched, event)

    def _arrived(self, slice_key: str, pixels: Pixels | None) -> None:
        if self.spot is None or self.spot.ref.key != slice_key:
            return  # it has moved on: a late slice is nobody's
        if pixels is None:
            self._unreadable = "This slice cannot be shown."
        else:
            self._pixels = (slice_key, pixels)
        self.draw()

    def _windowed(self, center: float, width: float, _finished: bool) -> None:
        if self.spot is not None:
            display, series = self._desk.display, self.spot.series
            current = display.window_of(self.spot.ref, series)
            if current is not None:  # its function or table stays
                window = replace(current, center=center, width=width, name="")
                display.set_view(series, replace(display.view_of(series), window=window))
