"""Editing a box from the keyboard: which keys mean what, and what they make of a box. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QSizeF, Qt

from core.model import Box
from gui.viewer.gestures import in_slice
from gui.viewer.interaction import Bounds, Handle, moved, reshaped
from gui.viewer.orientation import Orientation
from gui.viewer.transform import ViewTransform

FAR = 10.0
"""Pixels of a step with Shift; one without."""
LEAST = 1.0
"""Pixels that resizing leaves of a box."""
_SHARE = 0.2  # of what is seen of the slice, along each side, for a box made without a mouse

_ARROWS = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, -1.0),
    Qt.Key.Key_Down: (0.0, 1.0),
}
_NO, _SHIFT, _ALT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
_STEPS = {_NO: (1.0, False), _SHIFT: (FAR, False), _ALT: (1.0, True), _ALT | _SHIFT: (FAR, True)}


@dataclass(frozen=True, slots=True)
class Nudge:
    """A step on the screen, in pixels of the slice; with `resize`, of the right or lower edge."""

    dx: float
    dy: float
    resize: bool

    @property
    def scrolls(self) -> bool:
        """Whether the key is one that otherwise goes to the next or previous slice."""
        return not self.resize and abs(self.dy) == 1.0


def nudge_of(key: Qt.Key, modifiers: Qt.KeyboardModifier) -> Nudge | None:
    """What an arrow key means for a selected box: Shift goes ten times as far, Alt resizes."""
    # Arrows of a number block, and on macOS all of them, come with this modifier.
    plain = modifiers & ~Qt.KeyboardModifier.KeypadModifier
    direction, step = _ARROWS.get(key), _STEPS.get(plain)
    if direction is None or step is None:
        return None
    return Nudge(direction[0] * step[0], direction[1] * step[0], step[1])


def nudged(box: Box, nudge: Nudge, orientation: Orientation, bounds: Bounds) -> Box:
    """The box after a step, inside the slice, however the slice is turned on the screen."""
    if not nudge.resize:
        return moved(box, orientation.back(nudge.dx, nudge.dy), bounds)
    along_x = bool(nudge.dx)
    handle = in_slice(Handle.E if along_x else Handle.S, orientation)
    across, down = orientation.back(1.0, 0.0) if along_x else orientation.back(0.0, 1.0)
    side = box.width if handle in {Handle.E, Handle.W} else box.height
    # An edge stops one pixel before the opposite one instead of turning the box over.
    outwards = max(nudge.dx + nudge.dy, min(LEAST - side, 0.0))
    return reshaped(box, handle, (across * outwards, down * outwards), bounds) or box


def box_in_view(view: ViewTransform, size: QSizeF, bounds: Bounds) -> Box | None:
    """A new box in the middle of what is seen of the slice, on whole pixels; None where nothing is seen."""
    a = view.to_image(QPointF(0.0, 0.0))
    b = view.to_image(QPointF(size.width(), size.height()))
    (x1, x2), (y1, y2) = (sorted((a[i], b[i])) for i in (0, 1))
    seen = Box(x1, y1, x2, y2).clipped(*bounds)
    if seen is None:
        return None
    width, height = max(round(seen.width * _SHARE), 2), max(round(seen.height * _SHARE), 2)
    left = round((seen.x1 + seen.x2 - width) / 2)
    top = round((seen.y1 + seen.y2 - height) / 2)
    return Box(left, top, left + width, top + height).clipped(*bounds)
