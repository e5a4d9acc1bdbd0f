"""The viewports: one is active (the session's slice, where boxes are edited), the others follow it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QRect, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from core.settings import Settings
from gui.actions import Desk
from gui.hanging import LAYOUTS, Hangings, Rule, beside, hung
from gui.linking_views import (
    Line,
    Point,
    Seen,
    Spot,
    beginning,
    cross_on,
    following,
    lines_on,
    linked_view,
    middle,
    offset,
    one_space,
    parallel,
    slice_at,
    slice_by_offset,
)
from gui.pane import Pane
from gui.theme import current_theme
from gui.viewer.canvas import Canvas
from gui.viewer.scene import CornerMode, SliceScene

_GAP = 3


class Viewports(QWidget):
    """The active canvas and the panes beside it, in a grid.

    The active canvas always is the same widget: choosing a pane lets the two change places, so that whatever
    acts on the slice in view acts on the active viewport.

    Signals:
        changed: Another layout, or linked or not.
    """

    changed = Signal()

    def __init__(self, desk: Desk, canvas: Canvas, settings: Settings, hangings: Hangings) -> None:
        super().__init__()
        self._desk, self._settings, self._hangings = desk, settings, hangings
        self.canvas = canvas
        # On a small screen the docks give way, not the slice.
        self.setMinimumSize(300, 240)
        self.layout_name = "1x1"
        self._cells: list[Pane | None] = [None]
        self._offsets: dict[Pane, float] = {}
        self._cross: Point | None = None
        self._pointed_at: tuple[Spot, Point] | None = None
        self._corner_mode = CornerMode.ALL
        self._series = self._study = ""
        self._hung_by_rule = self._moving = self._steering = False
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(_GAP)
        self._grid.addWidget(canvas, 0, 0)
        self._settle = QTimer(self, singleShot=True, interval=0)
        self._settle.timeout.connect(self._link_views)
        session, display = desk.session, desk.display
        session.place_changed.connect(self._moved)
        session.catalog_changed.connect(self._grew)
        session.annotations_changed.connect(lambda _keys: self._draw_panes())
        display.window_changed.connect(self._draw_panes)
        desk.engine.results_changed.connect(lambda _key: self._draw_panes())
        desk.engine.point_changed.connect(self._draw_panes)
        canvas.view_changed.connect(self._link_views)
        canvas.pointed.connect(lambda point: self._point(self.here, point))

    # -- what is where -------------------------------------------------------------------------------

    @property
    def panes(self) -> tuple[Pane, ...]:
        """The viewports that are not active, in reading order."""
        return tuple(cell for cell in self._cells if cell is not None)

    @property
    def here(self) -> Spot | None:
        """The slice in the active viewport."""
        series, place = self._desk.session.current_series, self._desk.session.place
        return Spot(series, place.index) if series is not None and place is not None else None

    @property
    def linked(self) -> bool:
        """Whether the viewports scroll, zoom and point together."""
        return self._settings.flag("view.linked")

    def toggle_linked(self) -> None:
        """Link the viewports as they stand now, or let each go its own way."""
        try:
            self._settings.set("view.linked", not self.linked)
        except OSError:
            self._desk.session.said.emit("warning", "The setting cannot be kept: disk?")
        self.relink()

    def relink(self) -> None:
        """Whether they are linked has changed: from here on they go together as they stand, or apart."""
        self._take_offsets()
        self._follow()
        self._link_views()
        self.changed.emit()

    def set_layout(self, name: str) -> None:
        """Arrange the viewports so, fill the new ones, and remember it for series of this description."""
        self._arrange(name)
        self._fill()
        self._remember()

    def choose(self, pane: Pane) -> None:
        """Make a pane's viewport the active one; what was active stays where it is, as a pane."""
        here, there = self.here, pane.spot
        if there is None or here is None:
            return
        i, j = self._cells.index(None), self._cells.index(pane)
        self._cells[i], self._cells[j] = pane, None
        self._place_widgets()
        self._series = there.series.uid
        self._moving = True
        self._desk.session.go_to(there.series.uid, there.index)
        pane.show(here)
        self._moving = False
        self._take_offsets()
        self._settle.start()
        self.canvas.setFocus()
        self.changed.emit()

    def step(self, by: int) -> None:
        """Make the next or previous viewport the active one."""
        cells = len(self._cells)
        for i in range(1, cells):
            pane = self._cells[(self._cells.index(None) + by * i) % cells]
            if pane is not None and pane.spot is not None:
                self.choose(pane)
                return

    def decorated(self, scene: SliceScene) -> SliceScene:
        """The active viewport's scene, with the cursor and the planes of the others."""
        here = self.here
        if here is None or not self.panes:
            return scene
        return replace(scene, cross=self._cross, references=self._lines_on(here, None))

    def set_corner_mode(self, mode: CornerMode) -> None:
        """Show so much corner text in every viewport, those to come included."""
        self._corner_mode = mode
        for canvas in (self.canvas, *(p.canvas for p in self.panes)):
            canvas.set_corner_mode(mode)

    def set_boxes_hidden(self, hidden: bool) -> None:
        """Hide or show all boxes in every viewport."""
        for canvas in (self.canvas, *(p.canvas for p in self.panes)):
            canvas.set_boxes_hidden(hidden)

    # -- arranging -----------------------------------------------------------------------------------

    def _arrange(self, name: str) -> None:
        rows, columns = LAYOUTS[name]
        while len(self._cells) > rows * columns:
            gone = next(c for c in reversed(self._cells) if c is not None)
            self._cells.remove(gone)
            self._offsets.pop(gone, None)
            self._grid.removeWidget(gone.canvas)
            gone.close()
        while len(self._cells) < rows * columns:
            self._cells.append(self._new_pane())
        self.layout_name = name
        self._place_widgets()
        self.changed.emit()

    def _new_pane(self) -> Pane:
        pane = Pane(self._desk, len(self._cells))
        pane.chosen.connect(partial(self.choose, pane))
        pane.drawn.connect(self._settle.start)
        pane.canvas.scrolled.connect(partial(self._scrolled, pane))
        pane.canvas.view_changed.connect(partial(self._zoomed, pane))
        pane.canvas.pointed.connect(lambda point: self._point(pane.spot, point))
        pane.canvas.set_corner_mode(self._corner_mode)
        pane.canvas.set_boxes_hidden(self.canvas.boxes_hidden())
        pane.draw()
        return pane

    def _place_widgets(self) -> None:
        _, columns = LAYOUTS[self.layout_name]
        for i, cell in enumerate(self._cells):
            widget = self.canvas if cell is None else cell.canvas
            self._grid.addWidget(widget, i // columns, i % columns)
            widget.show()
        for i in range(2):
            self._grid.setColumnStretch(i, int(i < columns))
            self._grid.setRowStretch(i, int(i < LAYOUTS[self.layout_name][0]))
        margin = 2 if len(self._cells) > 1 else 0
        self._grid.setContentsMargins(margin, margin, margin, margin)
        self.update()

    def _fill(self) -> None:
        """Hang series in the panes: what the rule says, then what belongs to the series in view most."""
        here = self.here
        if here is None or not self.panes:
            return
        rule = self._hangings.find(here.series)
        wanted = rule.beside if rule is not None else ()
        found = beside(here.series, self._desk.session.series, wanted, len(self.panes))
        for pane, series in zip(self.panes, [*found, *[None] * len(self.panes)], strict=False):
            if series is None:
                pane.show(None)
            elif pane.spot is None or pane.spot.series.uid != series.uid:
                pane.show(Spot(series, beginning(here, series)))
        self._take_offsets()
        self._follow()

    def _remember(self) -> None:
        here = self.here
        if here is None:
            return
        rule = Rule(
            self.layout_name,
            tuple(hung(p.spot.series, here.series) for p in self.panes if p.spot is not None),
        )
        try:
            self._hangings.remember(here.series, rule)
        except OSError:
            self._desk.session.said.emit("warning", "The layout cannot be remembered: disk?")

    # -- following -----------------------------------------------------------------------------------

    def _moved(self) -> None:
        """The session is at another slice."""
        here = self.here
        if here is None or self._moving:
            return
        if here.series.study_uid != self._study:
            self._study, self._series = here.series.study_uid, here.series.uid
            self._hang()
        elif here.series.uid != self._series:
            self._series = here.series.uid
            self._take_offsets()
            if self.panes:
                self._remember()
        self._follow()

    def _hang(self) -> None:
        """Another study is in view: take up the layout last used with such a series."""
        here = self.here
        assert here is not None
        rule = self._hangings.find(here.series) if self._settings.flag("view.hang") else None
        self._hung_by_rule = rule is not None
        if rule is not None and rule.layout != self.layout_name:
            self._arrange(rule.layout)
        self._fill()

    def _grew(self) -> None:
        """More slices or series are known."""
        here = self.here
        if here is not None and here.series.study_uid != self._study:
            self._moved()
        known = {s.uid: s for s in self._desk.session.series}
        for pane in self.panes:
            if pane.spot is not None and pane.spot.series.uid in known:
                series = known[pane.spot.series.uid]
                pane.spot = Spot(series, min(pane.spot.index, len(series.slices) - 1))
        if self._hung_by_rule or any(p.spot is None for p in self.panes):
            self._fill()
        if not self._desk.session.growing:
            self._hung_by_rule = False  # from now on it is the reader's arrangement
        self._follow()

    def _follow(self, source: Pane | None = None) -> None:
        """Let the panes follow the active viewport; the pane that it followed itself stays."""
        here = self.here
        if here is None or not self.linked:
            return
        for pane in self.panes:
            if pane is source or pane.spot is None:
                continue
            index = following(here, pane.spot, self._offsets.get(pane, 0.0))
            if index != pane.spot.index:
                pane.show(Spot(pane.spot.series, index))
        self._mark_panes()

    def _take_offsets(self) -> None:
        """Stacks without a common space are linked as they stand now."""
        here = self.here
        for pane in self.panes:
            if here is not None and pane.spot is not None:
                self._offsets[pane] = offset(here, pane.spot)

    def _scrolled(self, pane: Pane, slices: int) -> None:
        """The wheel over a pane: it scrolls, and if linked all others with it."""
        here, spot = self.here, pane.spot
        if spot is None or here is None:
            return
        index = min(max(spot.index + slices, 0), len(spot.series.slices) - 1)
        if index == spot.index:
            return
        pane.show(Spot(spot.series, index))
        if not self.linked:
            return
        assert pane.spot is not None
        if not one_space(here.series, spot.series):
            target = slice_by_offset(pane.spot, here.series, -self._offsets.get(pane, 0.0))
        elif parallel(here.ref, spot.ref):
            target = slice_at(pane.spot, middle(spot.ref), here.series) or 0
        else:
            self._mark_panes()
            return
        self._moving = True
        self._desk.session.go_to(here.series.uid, target)
        self._moving = False
        self._follow(source=pane)

    # -- zoom ----------------------------------------------------------------------------------------

    def _link_views(self) -> None:
        here = self.here
        if here is not None and self.linked:
            _zoom_like(self.canvas, here, self.panes)

    def _zoomed(self, pane: Pane) -> None:
        here = self.here
        if here is None or pane.spot is None or not self.linked or self.canvas.scene().shape is None:
            return
        self.canvas.set_view(linked_view(_seen(pane.canvas, pane.spot), _seen(self.canvas, here)))
        _zoom_like(self.canvas, here, [other for other in self.panes if other is not pane])

    # -- cursor --------------------------------------------------------------------------------------

    def steer(self, on: bool) -> None:
        """While on, the other viewports go to the slices through the point under the cursor."""
        self._steering = on
        if on:
            self._go_to_point()

    def steer_once(self) -> None:
        """The other viewports go to the slices through the point under the cursor, now."""
        self._go_to_point()

    def _point(self, source: Spot | None, point: Point | None) -> None:
        self._pointed_at = (source, point) if source is not None and point is not None else None
        if not self.panes:
            return
        if self._steering:
            self._go_to_point()
        self._mark_panes()

    def _go_to_point(self) -> None:
        here = self.here
        if self._pointed_at is None or here is None:
            return
        source, point = self._pointed_at
        for pane in self.panes:
            if pane.spot is None or pane.spot.series.uid == source.series.uid:
                continue
            index = slice_at(source, point, pane.spot.series)
            if index is not None and index != pane.spot.index:
                pane.show(Spot(pane.spot.series, index))
        index = slice_at(source, point, here.series)
        if source.series.uid != here.series.uid and index is not None:
            self._moving = True
            self._desk.session.go_to(here.series.uid, index)
            self._moving = False
        self._mark_panes()

    def _mark_panes(self) -> None:
        """Draw the linked cursor and the reference lines anew."""
        for pane in self.panes:
            if pane.spot is not None:
                pane.mark(self._cross_on(pane.spot), self._lines_on(pane.spot, pane))
        here = self.here
        cross = self._cross_on(here) if here is not None else None
        if self.panes and here is not None and self.canvas.scene().identity == here.ref.key:
            self._cross = cross
            self.canvas.set_scene(self.decorated(self.canvas.scene()))

    def _cross_on(self, spot: Spot) -> Point | None:
        if self._pointed_at is None or not self.linked:
            return None
        return cross_on(*self._pointed_at, spot)

    def _lines_on(self, spot: Spot, pane: Pane | None) -> tuple[Line, ...]:
        others = [p.spot for p in self.panes if p is not pane]
        if pane is not None:
            others.append(self.here)
        return lines_on(spot, (o for o in others if o is not None))

    # -- painting ------------------------------------------------------------------------------------

    def _draw_panes(self) -> None:
        for pane in self.panes:
            pane.draw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Link the views anew once every viewport has its size."""
        super().resizeEvent(event)
        self._settle.start()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A frame around the active viewport; the others have none."""
        painter = QPainter(self)
        theme = current_theme()
        painter.fillRect(self.rect(), theme.color("window"))
        if len(self._cells) > 1:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("accent"))
            painter.drawRect(QRect(self.canvas.geometry()).adjusted(-2, -2, 2, 2))
        painter.end()


def _seen(canvas: Canvas, spot: Spot) -> Seen:
    return Seen(spot, canvas.view(), QSizeF(canvas.size()))


def _zoom_like(canvas: Canvas, spot: Spot, panes: Iterable[Pane]) -> None:
    """Let panes show what a canvas shows; where either has no pixels yet there is nothing to go by."""
    if canvas.scene().shape is None:
        return
    for pane in panes:
        if pane.spot is not None and pane.canvas.scene().shape is not None:
            pane.canvas.set_view(linked_view(_seen(canvas, spot), _seen(pane.canvas, pane.spot)))
