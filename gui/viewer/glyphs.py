"""Small signs drawn as lines: no font has to hold them, and they look alike on box, chip and strip."""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF


class Glyph(StrEnum):
    """Check: accepted. Arrow: imported. Cross: rejected. Diamond: predicted. Pencil: edited.

    Wave: computed and not checked. Lock: locked. Bang: a warning.
    """

    CHECK = "check"
    ARROW = "arrow"
    CROSS = "cross"
    DIAMOND = "diamond"
    PENCIL = "pencil"
    WAVE = "wave"
    LOCK = "lock"
    BANG = "bang"


# Polylines in the unit square, y downwards.
_LINES: dict[Glyph, tuple[tuple[tuple[float, float], ...], ...]] = {
    Glyph.CHECK: (((0.08, 0.55), (0.38, 0.85), (0.92, 0.18)),),
    Glyph.ARROW: (
        ((0.5, 0.05), (0.5, 0.68)),
        ((0.2, 0.4), (0.5, 0.7), (0.8, 0.4)),
        ((0.12, 0.95), (0.88, 0.95)),
    ),
    Glyph.CROSS: (((0.15, 0.15), (0.85, 0.85)), ((0.85, 0.15), (0.15, 0.85))),
    Glyph.DIAMOND: (((0.5, 0.04), (0.96, 0.5), (0.5, 0.96), (0.04, 0.5), (0.5, 0.04)),),
    Glyph.PENCIL: (((0.1, 0.9), (0.2, 0.6), (0.7, 0.1), (0.9, 0.3), (0.4, 0.8), (0.1, 0.9)),),
    Glyph.WAVE: (((0.02, 0.62), (0.18, 0.36), (0.34, 0.36), (0.66, 0.64), (0.82, 0.64), (0.98, 0.38)),),
    Glyph.LOCK: (
        ((0.12, 0.46), (0.88, 0.46), (0.88, 0.96), (0.12, 0.96), (0.12, 0.46)),
        ((0.28, 0.46), (0.28, 0.22), (0.42, 0.06), (0.58, 0.06), (0.72, 0.22), (0.72, 0.46)),
    ),
    Glyph.BANG: (((0.5, 0.1), (0.5, 0.62)), ((0.5, 0.88), (0.5, 0.9))),
}
if set(_LINES) != set(Glyph):  # an incomplete table fails at import, not in front of a reader
    raise RuntimeError("every glyph needs its lines")


def paint_glyph(
    painter: QPainter, glyph: Glyph, rect: QRectF, color: QColor, *, width: float = 1.5, filled: bool = False
) -> None:
    """Draw a glyph into a rectangle (logical pixels)."""
    pen = QPen(color, width)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.save()
    painter.setPen(pen)
    painter.setBrush(QBrush(color) if filled else Qt.BrushStyle.NoBrush)
    for line in _LINES[glyph]:
        points = QPolygonF(
            [QPointF(rect.left() + x * rect.width(), rect.top() + y * rect.height()) for x, y in line]
        )
        if filled:
            painter.drawPolygon(points)
        else:
            painter.drawPolyline(points)
    painter.restore()
