"""Painted over the slice: the boxes of an explanation, told apart by their lines, each with its words."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from gui.viewer import looks
from gui.viewer.chips import as_array, place_chip
from gui.viewer.hints import HintRole
from gui.viewer.paint_context import PaintContext

_ARM = 9.0
_EDGE = 2.0
_LABEL = 90.0
_SPOT = QColor("#ffe14d")
PENS: Mapping[HintRole, tuple[QColor, float, tuple[float, ...]]] = {
    HintRole.PROPOSAL: (QColor("#7fd4ff"), 1.6, ()),
    HintRole.REGRESSED: (QColor("#ffe14d"), 1.8, (4.0, 2.5)),
    HintRole.SUPPRESSOR: (QColor("#ff8fd0"), 2.4, (6.0, 2.0, 1.0, 2.0)),
}
"""Colour, width and dashes (in pen widths) of each line."""


def hint_pen(role: HintRole) -> QPen:
    """The line of a role, on the slice and in the legend."""
    color, width, dashes = PENS[role]
    pen = QPen(color, width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    if dashes:
        pen.setDashPattern(list(dashes))
    return pen


def paint_hints(painter: QPainter, context: PaintContext) -> None:
    """The boxes, lines from the proposal to where regression moved it, the spot, the words."""
    hints = context.hints
    if not hints.boxes and hints.spot is None:
        return
    rects = [context.transform.rect(hint.box) for hint in hints.boxes]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for hint, rect in zip(hints.boxes, rects, strict=True):
        pen = hint_pen(hint.role)
        painter.setPen(QPen(looks.HALO, pen.widthF() + 2.2))
        painter.drawRect(rect)
        painter.setPen(pen)
        painter.drawRect(rect)
    _paint_move(painter, context)
    if hints.spot is not None:
        _paint_spot(painter, context.transform.to_widget(*hints.spot))
    _paint_words(painter, context, rects)


def _paint_move(painter: QPainter, context: PaintContext) -> None:
    """Corner to corner, from the proposal to its box after regression."""
    by_role = {hint.role: context.transform.rect(hint.box) for hint in context.hints.boxes}
    before, after = by_role.get(HintRole.PROPOSAL), by_role.get(HintRole.REGRESSED)
    if before is None or after is None:
        return
    painter.setPen(QPen(PENS[HintRole.REGRESSED][0], 0.8))
    for corner in ("topLeft", "topRight", "bottomLeft", "bottomRight"):
        painter.drawLine(QLineF(getattr(before, corner)(), getattr(after, corner)()))


def _paint_spot(painter: QPainter, at: QPointF) -> None:
    for color, width in ((looks.HALO, 4.0), (_SPOT, 1.6)):
        painter.setPen(QPen(color, width))
        painter.drawLine(at - QPointF(_ARM, 0), at + QPointF(_ARM, 0))
        painter.drawLine(at - QPointF(0, _ARM), at + QPointF(0, _ARM))


def _labels(context: PaintContext, height: float) -> list[QRectF]:
    """About where the labels of the boxes themselves are: above them."""
    rects = [context.transform.rect(b.box) for b in context.boxes if b.text]
    return [QRectF(r.left(), r.top() - height - 3, max(r.width(), _LABEL), height) for r in rects]


def _paint_words(painter: QPainter, context: PaintContext, rects: list[QRectF]) -> None:
    metrics = QFontMetricsF(context.font)
    area = context.area.adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)
    overlays, placed = as_array(context.overlays.rects()), _labels(context, metrics.height() + 4)
    for k, (hint, rect) in enumerate(zip(context.hints.boxes, rects, strict=True)):
        width = min(metrics.horizontalAdvance(hint.text) + 12, area.width())
        size = QSizeF(width, metrics.height() + 2)
        others = as_array([r for i, r in enumerate(rects) if i != k])
        chip = place_chip(size, rect, area, chips=as_array(placed), boxes=others, overlays=overlays)
        if chip is None:
            continue
        placed.append(chip)
        color = PENS[hint.role][0]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(looks.PLATE)
        painter.drawRoundedRect(chip, 3, 3)
        painter.setBrush(color)
        painter.drawRect(QRectF(chip.left(), chip.top(), 2.5, chip.height()))
        painter.setPen(color)
        painter.drawText(chip, int(Qt.AlignmentFlag.AlignCenter), hint.text)
