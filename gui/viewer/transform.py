"""From image pixels to the widget and back: scale (anisotropic where the pixels are), turn and offset."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, QSizeF

from core.model import Box
from gui.viewer.orientation import UPRIGHT, Orientation

# Widget pixels per image pixel: from a thumbnail of a huge slice to one pixel as big as a hand.
MIN_SCALE = 0.01
MAX_SCALE = 128.0
# At least this much of the slice (widget pixels) stays in view while panning.
_KEPT_IN_VIEW = 48.0


@dataclass(frozen=True, slots=True)
class ViewTransform:
    """widget = turn(image × scale) + offset.

    Attributes:
        scale_x: Widget pixels per image column.
        scale_y: Widget pixels per image row.
        dx: Widget x of the image's first corner.
        dy: Widget y of the image's first corner.
        orientation: How the slice lies on the screen.
    """

    scale_x: float = 1.0
    scale_y: float = 1.0
    dx: float = 0.0
    dy: float = 0.0
    orientation: Orientation = UPRIGHT

    def to_widget(self, x: float, y: float) -> QPointF:
        """The widget point of an image point."""
        across, down = self.orientation.forward(x * self.scale_x, y * self.scale_y)
        return QPointF(across + self.dx, down + self.dy)

    def to_image(self, at: QPointF) -> tuple[float, float]:
        """The image point (x, y) of a widget point; may lie outside the image."""
        across, down = self.orientation.back(at.x() - self.dx, at.y() - self.dy)
        return (across / self.scale_x, down / self.scale_y)

    def rect(self, box: Box) -> QRectF:
        """The widget rectangle of a box."""
        return QRectF(self.to_widget(box.x1, box.y1), self.to_widget(box.x2, box.y2)).normalized()

    def image_rect(self, shape: tuple[int, int]) -> QRectF:
        """The widget rectangle of a whole image of (rows, columns)."""
        return QRectF(self.to_widget(0, 0), self.to_widget(shape[1], shape[0])).normalized()

    def zoomed(self, factor: float, at: QPointF) -> ViewTransform:
        """Scaled by the factor, the image point under `at` staying where it is."""
        if not (math.isfinite(factor) and factor > 0):
            return self
        factor = min(max(factor, MIN_SCALE / self.scale_x), MAX_SCALE / self.scale_x)
        return ViewTransform(
            self.scale_x * factor,
            self.scale_y * factor,
            at.x() - (at.x() - self.dx) * factor,
            at.y() - (at.y() - self.dy) * factor,
            self.orientation,
        )

    def panned(self, by: QPointF) -> ViewTransform:
        """Shifted by a vector in widget pixels."""
        return replace(self, dx=self.dx + by.x(), dy=self.dy + by.y())

    def kept_in_view(self, shape: tuple[int, int], size: QSizeF) -> ViewTransform:
        """Shifted just so far that a piece of the image stays inside a widget of that size."""
        rect = self.image_rect(shape)
        shift = QPointF(
            _into_view(rect.left(), rect.right(), size.width()),
            _into_view(rect.top(), rect.bottom(), size.height()),
        )
        return self if shift.isNull() else self.panned(shift)


def _into_view(low: float, high: float, extent: float) -> float:
    """The shift that brings [low, high] back over [0, extent]; 0 where enough of it is visible."""
    keep = min(_KEPT_IN_VIEW, high - low, extent)
    if high < keep:
        return keep - high
    if low > extent - keep:
        return extent - keep - low
    return 0.0


def pixel_aspect(spacing: tuple[float, float] | None, otherwise: float = 1.0) -> float:
    """Height over width of a pixel; `otherwise` where the spacing is unknown, 1 where it makes no sense."""
    if spacing is None:
        return otherwise if math.isfinite(otherwise) and otherwise > 0 else 1.0
    row, column = spacing
    if not (math.isfinite(row) and math.isfinite(column) and row > 0 and column > 0):
        return 1.0
    return row / column


def fitted(
    shape: tuple[int, int],
    size: QSizeF,
    aspect: float = 1.0,
    margin: float = 0.0,
    orientation: Orientation = UPRIGHT,
) -> ViewTransform:
    """The largest centred view of an image of (rows, columns) in a widget of that size.

    Args:
        shape: (rows, columns).
        size: The widget's, in widget pixels.
        aspect: Height over width of one image pixel.
        margin: Kept free on each side, in widget pixels.
        orientation: How the slice lies on the screen.
    """
    rows, columns = shape
    room_x = max(size.width() - 2 * margin, 1.0)
    room_y = max(size.height() - 2 * margin, 1.0)
    if orientation.turns % 2:
        room_x, room_y = room_y, room_x
    scale = min(room_x / columns, room_y / (rows * aspect))
    return centred(shape, size, scale, aspect, orientation)


def centred(
    shape: tuple[int, int], size: QSizeF, scale: float, aspect: float, orientation: Orientation
) -> ViewTransform:
    """The view of that scale (widget pixels per image column) with the image in the middle."""
    scale = min(max(scale, MIN_SCALE), MAX_SCALE)
    view = ViewTransform(scale, scale * aspect, orientation=orientation)
    return view.panned(QPointF(size.width() / 2, size.height() / 2) - view.image_rect(shape).center())
