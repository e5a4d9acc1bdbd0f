"""Painted over the slice: measures, the cursor and the planes of linked viewports, the magnifier."""

from __future__ import annotations

import math

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from gui.viewer import looks
from gui.viewer.measures import Line, Measure
from gui.viewer.paint_context import PaintContext

LENS_RADIUS = 90.0
LENS_FACTOR = 3.0
_MEASURE = QColor("#ffe14d")
_REFERENCE = QColor("#7fd4ff")
_TICK = 5.0
_GAP, _ARM = 7.0, 20.0


def paint_references(painter: QPainter, context: PaintContext) -> None:
    """Where the planes of other viewports cut this slice: dashed, so that they are no boxes' edges."""
    for line in context.scene.references:
        _paint_line(painter, _on_screen(line, context), _REFERENCE, dashed=True)


def paint_cross(painter: QPainter, context: PaintContext) -> None:
    """The point under the cursor of a linked viewport: a cross with an open middle."""
    if context.scene.cross is None:
        return
    at = context.transform.to_widget(*context.scene.cross)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        arm = QLineF(at + QPointF(dx * _GAP, dy * _GAP), at + QPointF(dx * _ARM, dy * _ARM))
        _paint_line(painter, arm, _REFERENCE)


def paint_measures(painter: QPainter, context: PaintContext) -> None:
    """Every measure of the slice, and the line being drawn."""
    for measure in context.scene.measures:
        _paint_measure(painter, measure, context)
    if context.measuring is not None:
        _paint_measure(painter, context.measuring, context)


def paint_lens(painter: QPainter, context: PaintContext) -> None:
    """A round magnifier at the pointer: pixels only, three times as large as around it."""
    at, shape = context.lens, context.scene.shape
    if at is None or context.image is None or shape is None:
        return
    circle = QPainterPath()
    circle.addEllipse(at, LENS_RADIUS, LENS_RADIUS)
    painter.save()
    painter.setClipPath(circle)
    painter.fillPath(circle, looks.GROUND)
    target = context.transform.zoomed(LENS_FACTOR, at).image_rect(shape)
    painter.drawImage(target, context.image, QRectF(context.image.rect()))
    painter.restore()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for color, width in ((looks.HALO, 4.0), (looks.TEXT, 1.5)):
        painter.setPen(QPen(color, width))
        painter.drawEllipse(at, LENS_RADIUS, LENS_RADIUS)


def _on_screen(line: Line, context: PaintContext) -> QLineF:
    return QLineF(context.transform.to_widget(*line[0]), context.transform.to_widget(*line[1]))


def _paint_measure(painter: QPainter, measure: Measure, context: PaintContext) -> None:
    lines = [_on_screen(line, context) for line in measure.lines]
    for line in lines:
        _paint_line(painter, line, _MEASURE)
        for end in (line.p1(), line.p2()):
            across = math.radians(line.angle() + 90)
            tick = QPointF(math.cos(across) * _TICK, -math.sin(across) * _TICK)
            _paint_line(painter, QLineF(end - tick, end + tick), _MEASURE)
    if len(lines) == 2:
        _paint_line(painter, QLineF(lines[0].center(), lines[1].center()), _MEASURE, dashed=True)
    _paint_text(painter, measure.text, lines[-1].p2(), context)


def _paint_text(painter: QPainter, text: str, at: QPointF, context: PaintContext) -> None:
    metrics = QFontMetricsF(context.font)
    plate = QRectF(at.x() + 10, at.y() + 6, metrics.horizontalAdvance(text) + 10, metrics.height() + 4)
    # Inside the widget, wherever the line ends.
    plate.moveRight(min(plate.right(), context.size.width() - 2))
    plate.moveBottom(min(plate.bottom(), context.size.height() - 2))
    plate.moveLeft(max(plate.left(), 2.0))
    plate.moveTop(max(plate.top(), 2.0))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(looks.PLATE)
    painter.drawRoundedRect(plate, 3, 3)
    painter.setPen(_MEASURE)
    painter.drawText(plate, int(Qt.AlignmentFlag.AlignCenter), text)


def _paint_line(painter: QPainter, line: QLineF, color: QColor, *, dashed: bool = False) -> None:
    for tint, width in ((looks.HALO, 3.2), (color, 1.4)):
        pen = QPen(tint, width)
        if dashed and tint is color:
            pen.setDashPattern([5, 4])
        painter.setPen(pen)
        painter.drawLine(line)
