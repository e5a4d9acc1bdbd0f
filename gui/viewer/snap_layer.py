"""Painted over the slice: what a click would snap to."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF

from gui.viewer import looks
from gui.viewer.paint_context import PaintContext
from gui.viewer.snapping import SnapShown

_FILL = 0.14
_DASHES = [4.0, 3.0]


def paint_snap(painter: QPainter, context: PaintContext) -> None:
    """The region of the candidate, tinted; its box, dashed where it is unlikely to fit; which it is."""
    shown = context.snap
    if shown is None:
        return
    rect = QRectF(context.transform.to_widget(*shown.at), context.transform.to_widget(*shown.at))
    if shown.box is not None:
        rect = context.transform.rect(shown.box)
        _paint_region(painter, shown, context)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width in ((looks.HALO, 4.0), (looks.line_color(shown.color), 2.0)):
            pen = QPen(color, width)
            if shown.poor and color is not looks.HALO:
                pen.setDashPattern(_DASHES)
            painter.setPen(pen)
            painter.drawRect(rect)
    paint_plate(painter, shown.text, rect, context, looks.WARNING if shown.poor else looks.TEXT)


def _paint_region(painter: QPainter, shown: SnapShown, context: PaintContext) -> None:
    path = QPainterPath()
    for line in shown.outline:
        path.addPolygon(QPolygonF([context.transform.to_widget(x, y) for x, y in line.tolist()]))
        path.closeSubpath()
    painter.setPen(QPen(looks.line_color(shown.color, 0.9), 1.0))
    painter.setBrush(looks.line_color(shown.color, _FILL))
    painter.drawPath(path)


def paint_plate(painter: QPainter, text: str, beside: QRectF, context: PaintContext, color: QColor) -> None:
    """A line of text under a rectangle, or above it where there is no room, inside the widget."""
    metrics = QFontMetricsF(context.font)
    plate = QRectF(0, 0, metrics.horizontalAdvance(text) + 12, metrics.height() + 4)
    plate.moveTopLeft(beside.bottomLeft() + QPointF(0, 8))
    if plate.bottom() > context.size.height() - 2:
        plate.moveBottom(beside.top() - 8)
    plate.moveLeft(max(min(plate.left(), context.size.width() - plate.width() - 2), 2.0))
    plate.moveTop(max(min(plate.top(), context.size.height() - plate.height() - 2), 2.0))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(looks.PLATE)
    painter.drawRoundedRect(plate, 3, 3)
    painter.setPen(color)
    painter.drawText(plate, int(Qt.AlignmentFlag.AlignCenter), text)
