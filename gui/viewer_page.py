"""The middle of the window: canvas and slice strip, wired to the desk."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.model import Box, Series
from core.settings import Settings
from gui import actions, box_actions
from gui.actions import Desk
from gui.cine import Cine
from gui.display import view_options
from gui.hanging import Hangings
from gui.missed import Missed
from gui.propagation import Propagator
from gui.scene import build_scene, strip_marks
from gui.snap import Snapper
from gui.start_card import StartCard
from gui.viewer.canvas import Canvas
from gui.viewer.measures import Line
from gui.viewer.scene import Tool
from gui.viewer.strip import SliceMark, SliceStrip
from gui.viewports import Viewports


class ViewerPage(QWidget):
    """Canvas over slice strip.

    Signals:
        pointed: (x, y) of the slice under the cursor, or None.
    """

    pointed = Signal(object)

    def __init__(self, desk: Desk, settings: Settings, hangings: Hangings, propagator: Propagator) -> None:
        super().__init__()
        self._desk = desk
        self._settings = settings
        self.canvas = Canvas()
        self.viewports = Viewports(desk, self.canvas, settings, hangings)
        self.cine = Cine(desk, settings)
        self.snapper = Snapper(desk, self.canvas)
        self.missed = Missed(desk, self.canvas)
        self.propagator = propagator
        self.strip = SliceStrip()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.viewports, 1)
        layout.addWidget(self.strip)
        # Several signals often come at once (a result, its effect on the selection): draw once for all.
        self.start = StartCard()
        over = QVBoxLayout(self.canvas)
        over.addWidget(self.start, alignment=Qt.AlignmentFlag.AlignCenter)
        self._redraw = QTimer(self, singleShot=True, interval=0)
        self._redraw.timeout.connect(self.draw)
        # What is still so of the last drawing: scrolling builds one scene a slice, and no marks.
        self._scene_is_new = False
        self._marks: tuple[Series | None, tuple[SliceMark, ...]] | None = None
        self._connect_model()
        self._connect_view()
        self.draw()

    def _connect_model(self) -> None:
        session, display, engine = self._desk.session, self._desk.display, self._desk.engine
        for signal in (
            session.selection_changed,
            session.schema_changed,
            display.pixels_changed,
            display.window_changed,
            display.measures.changed,
            self._desk.check.changed,
        ):
            signal.connect(self._scene_outdated)
        for signal in (
            session.catalog_changed,
            engine.point_changed,
            engine.answers_changed,
            engine.model_changed,
        ):
            signal.connect(self._all_outdated)
        session.annotations_changed.connect(lambda _keys: self._all_outdated())
        engine.results_changed.connect(lambda _key: self._all_outdated())
        # At once: a gesture that ends before the next event must not act on the slice before.
        session.place_changed.connect(self._show_slice)
        session.place_changed.connect(self._redraw.start)

    def _connect_view(self) -> None:
        session, canvas = self._desk.session, self.canvas
        canvas.grasped.connect(session.stay)
        canvas.box_drawn.connect(self._drawn)
        canvas.box_reshaped.connect(self._reshaped)
        canvas.box_copied.connect(self._copied)
        canvas.box_clicked.connect(session.select)
        canvas.box_activated.connect(self._activated)
        canvas.window_changed.connect(self._windowed)
        canvas.scrolled.connect(session.step)
        canvas.line_drawn.connect(self._measured)
        canvas.pointed.connect(self.pointed)
        self.strip.picked.connect(self._picked)

    def _scene_outdated(self) -> None:
        self._scene_is_new = False
        self._redraw.start()

    def _all_outdated(self) -> None:
        self._marks = None
        self._scene_outdated()

    def draw(self) -> None:
        """Hand the scene and the marks to the views; they repaint what differs."""
        self._redraw.stop()
        if not self._scene_is_new:
            self._show_slice()
        series, place = self._desk.session.current_series, self._desk.session.place
        if self._marks is None or self._marks[0] is not series:
            self._marks = (series, strip_marks(self._desk))
        self.strip.set_marks(self._marks[1], place.index if place else 0)

    def _show_slice(self) -> None:
        self._scene_is_new = True
        self.canvas.set_scene(self.viewports.decorated(build_scene(self._desk)))
        self.start.setVisible(self._desk.session.current_slice is None)

    def toggle_smooth(self) -> None:
        """Smooth enlarged pixels, or show each as a plain square; now and next time."""
        try:
            self._settings.set("view.smooth", not self._settings.flag("view.smooth"))
        except OSError:
            self._desk.session.said.emit("warning", "The setting cannot be kept: disk?")
        self._desk.display.set_options(view_options(self._settings))

    def _measured(self, line: Line) -> None:
        measures, key = self._desk.display.measures, self._desk.session.current_slice_key
        if self.canvas.tool() is Tool.ANGLE:
            measures.add_angle(key, line)
        else:
            measures.add_distance(key, line)

    def _picked(self, index: int) -> None:
        place = self._desk.session.place
        if place is not None:
            self._desk.session.go_to(place.series_uid, index)

    def _drawn(self, box: Box) -> None:
        actions.draw(self._desk, box)
        self.draw()

    def _reshaped(self, box_id: str, box: Box) -> None:
        actions.change_box(self._desk, box_id, box)
        self.draw()

    def _copied(self, box_id: str, box: Box) -> None:
        box_actions.copy_box(self._desk, box_id, box)
        self.draw()

    def _activated(self, box_id: str) -> None:
        self._desk.session.select(box_id)
        if actions.selected_detection(self._desk) is not None:
            actions.accept_selected(self._desk)

    def _windowed(self, center: float, width: float, _finished: bool) -> None:
        current = self._desk.display.window
        if current is not None:  # its function or table stays
            self._desk.display.set_window(replace(current, center=center, width=width, name=""))
