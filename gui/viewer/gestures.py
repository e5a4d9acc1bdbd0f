"""What a drag does: frozen records that say how the view would look with the pointer at a point.

A gesture changes nothing itself. The canvas paints its preview and, at the end, turns the last preview
into one signal; Esc just forgets it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

from PySide6.QtCore import QPointF, QSizeF, Qt

from core.model import Box, Window
from gui.viewer.interaction import HANDLE_CURSORS, Bounds, Handle, moved, reshaped, span
from gui.viewer.orientation import Orientation
from gui.viewer.scene import BoxItem
from gui.viewer.transform import ViewTransform

# A press that wanders less than this (widget pixels) is a click.
DRAG_THRESHOLD = 3.0
# Dragging this far (widget pixels) to the right makes the window e times as wide, and downwards moves
# its centre by one width.
_WINDOW_REACH = 300.0
_ZOOM_REACH = 160.0
_NARROWEST = 1e-6

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Preview:
    """The view state of a running gesture; None means "as in the scene".

    Attributes:
        window: The grey-level window.
        transform: The view.
        box: A box being drawn or reshaped.
        box_id: Whose box it is; None for a new one.
        line: A line being measured, from (x, y) to (x, y) in image pixels.
    """

    window: Window | None = None
    transform: ViewTransform | None = None
    box: Box | None = None
    box_id: str | None = None
    line: tuple[Point, Point] | None = None


NOTHING = Preview()


@dataclass(frozen=True, slots=True)
class View:
    """What a gesture needs to know at every step.

    Attributes:
        transform: The view as it was before the gesture.
        shape: (rows, columns) of the slice.
        size: Of the widget.
    """

    transform: ViewTransform
    shape: tuple[int, int]
    size: QSizeF

    @property
    def bounds(self) -> Bounds:
        """(width, height) of the slice in image pixels."""
        return (float(self.shape[1]), float(self.shape[0]))

    def seen(self, transform: ViewTransform) -> Preview:
        """A preview of another view, in which a piece of the slice is still visible."""
        return Preview(transform=transform.kept_in_view(self.shape, self.size))


class Gesture(Protocol):
    """A drag from a press to a release."""

    @property
    def cursor(self) -> Qt.CursorShape:
        """Shown while the gesture runs."""
        ...

    def preview(self, at: QPointF, view: View) -> Preview:
        """How things would be if the gesture ended at this widget point."""
        ...


@dataclass(frozen=True, slots=True)
class WindowDrag:
    """Right = wider, left = narrower; up lowers the centre (brighter), or raises it (IHE BIR)."""

    start: QPointF
    window: Window
    up_brightens: bool = True
    cursor: Qt.CursorShape = Qt.CursorShape.CrossCursor

    def preview(self, at: QPointF, view: View) -> Preview:
        """The window changed in proportion to its width, so that 12-bit and 0–1 data feel alike."""
        by = at - self.start
        width = self.window.width * math.exp(min(by.x() / _WINDOW_REACH, 20.0))
        down = by.y() if self.up_brightens else -by.y()
        center = self.window.center + self.window.width * down / _WINDOW_REACH
        return Preview(window=replace(self.window, center=center, width=max(width, _NARROWEST), name=""))


@dataclass(frozen=True, slots=True)
class PanDrag:
    """Moves the slice with the pointer."""

    start: QPointF
    transform: ViewTransform
    cursor: Qt.CursorShape = Qt.CursorShape.ClosedHandCursor

    def preview(self, at: QPointF, view: View) -> Preview:
        """The view shifted."""
        return view.seen(self.transform.panned(at - self.start))


@dataclass(frozen=True, slots=True)
class ZoomDrag:
    """Up = larger, down = smaller, about the point that was pressed."""

    start: QPointF
    transform: ViewTransform
    cursor: Qt.CursorShape = Qt.CursorShape.SizeVerCursor

    def preview(self, at: QPointF, view: View) -> Preview:
        """The view scaled."""
        factor = math.exp((self.start.y() - at.y()) / _ZOOM_REACH)
        return view.seen(self.transform.zoomed(factor, self.start))


@dataclass(frozen=True, slots=True)
class BoxDrag:
    """Moves a box, or with a handle resizes it, or carries a copy of it away.

    Attributes:
        start: Where it was grabbed, (x, y) in image pixels.
        copying: The box stays, a new one follows the pointer.
    """

    start: tuple[float, float]
    item: BoxItem
    handle: Handle | None = None
    copying: bool = False

    @property
    def cursor(self) -> Qt.CursorShape:
        """As over the part that was grabbed."""
        if self.copying:
            return Qt.CursorShape.DragCopyCursor
        return HANDLE_CURSORS[self.handle] if self.handle else Qt.CursorShape.SizeAllCursor

    def preview(self, at: QPointF, view: View) -> Preview:
        """The box moved or resized, inside the slice; no box where it would have no area."""
        x, y = view.transform.to_image(at)
        by = (x - self.start[0], y - self.start[1])
        box: Box | None
        if self.handle is None:
            box = moved(self.item.box, by, view.bounds)
        else:
            handle = in_slice(self.handle, view.transform.orientation)
            box = reshaped(self.item.box, handle, by, view.bounds)
        return Preview(box=box, box_id=None if self.copying else self.item.id)


def in_slice(handle: Handle, orientation: Orientation) -> Handle:
    """The handle of the slice's own edges that a handle on the screen moves."""
    x = ("e" in handle) - ("w" in handle)
    y = ("s" in handle) - ("n" in handle)
    across, down = orientation.back(float(x), float(y))
    return Handle(("", "s", "n")[round(down)] + ("", "e", "w")[round(across)])


@dataclass(frozen=True, slots=True)
class DrawLine:
    """A line from the point that was pressed, for measuring.

    Attributes:
        first: Where it begins, (x, y) in image pixels.
    """

    first: Point
    cursor: Qt.CursorShape = Qt.CursorShape.CrossCursor

    def preview(self, at: QPointF, view: View) -> Preview:
        """The line from there to here, inside the slice."""
        x, y = view.transform.to_image(at)
        width, height = view.bounds
        return Preview(line=(self.first, (min(max(x, 0.0), width), min(max(y, 0.0), height))))


@dataclass(frozen=True, slots=True)
class DrawBox:
    """A new box from its first corner, kept in image pixels so that zooming between two clicks is fine.

    Attributes:
        first: The first corner, (x, y) in image pixels.
        two_clicks: Drawn by two clicks, the first being done; otherwise by one drag.
    """

    first: tuple[float, float]
    two_clicks: bool = False
    cursor: Qt.CursorShape = Qt.CursorShape.CrossCursor

    def preview(self, at: QPointF, view: View) -> Preview:
        """The box between the first corner and here; none while it has no area."""
        return Preview(box=span(self.first, view.transform.to_image(at), view.bounds))
