"""What a click would snap to, as the canvas is told it, and the drag that takes it and pulls it right."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt

from core.model import Box
from gui.viewer.gestures import Point, Preview, View
from gui.viewer.interaction import Handle, reshaped, span

_ENTER = {Qt.Key.Key_Return, Qt.Key.Key_Enter}
_STEPS = {Qt.Key.Key_BracketRight: 1, Qt.Key.Key_BracketLeft: -1}


@dataclass(frozen=True, slots=True)
class SnapShown:
    """The candidate under the pointer.

    Attributes:
        at: The point it is for, (x, y) in image pixels.
        box: Its box; None where there is none, or where a box stands there already.
        outline: Polygons (K, 2) around its region; empty where it is not known.
        color: "#rrggbb" of the class that it would get.
        text: Which of how many, and what else there is to say.
        poor: It is unlikely to fit.
        count: How many candidates there are to cycle through.
    """

    at: Point
    box: Box | None
    outline: tuple[NDArray[np.float64], ...] = field(default=(), compare=False)
    color: str = ""
    text: str = ""
    poor: bool = False
    count: int = 0


@dataclass(frozen=True, slots=True)
class SnapDrag:
    """Takes the candidate with its nearest corner pulled along; without one a new box is drawn.

    Attributes:
        start: Where it was pressed, (x, y) in image pixels.
        candidate: What was shown there, or None.
    """

    start: Point
    candidate: Box | None
    cursor: Qt.CursorShape = Qt.CursorShape.CrossCursor

    def preview(self, at: QPointF, view: View) -> Preview:
        """The box as it would be."""
        x, y = view.transform.to_image(at)
        if self.candidate is None:
            return Preview(box=span(self.start, (x, y), view.bounds))
        corner = _corner(self.candidate, self.start)
        by = (x - self.start[0], y - self.start[1])
        return Preview(box=reshaped(self.candidate, corner, by, view.bounds))


def _corner(box: Box, near: Point) -> Handle:
    """The corner of a box nearest to a point, on the slice however it lies on the screen."""
    down = "s" if near[1] > (box.y1 + box.y2) / 2 else "n"
    return Handle(down + ("e" if near[0] > (box.x1 + box.x2) / 2 else "w"))


def takes(key: Qt.Key) -> bool:
    """Whether a key takes the candidate."""
    return key in _ENTER


def step_of(key: Qt.Key) -> int:
    """By how many candidates a key goes on; 0 for any other key."""
    return _STEPS.get(key, 0)
