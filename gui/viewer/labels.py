"""The label layer: class and score of every box, and the size of the box in hand."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from core.model import Box
from gui.viewer import looks
from gui.viewer.chips import as_array, place_chip
from gui.viewer.glyphs import Glyph, paint_glyph
from gui.viewer.interaction import Handle, handle_rects
from gui.viewer.paint_context import PaintContext
from gui.viewer.scene import BoxItem, BoxKind

_CHIP_PAD = 4.0
_WIDEST_CHIP = 260.0
_EDGE = 2.0
# More labels than this say nothing, cover everything and take long to place.
_MOST_CHIPS = 60
# A selected box up to this size is surrounded by its handles: other boxes' labels would hide them.
_SMALL = 80.0


def paint_chips(painter: QPainter, context: PaintContext) -> None:
    """Labels of boxes and the size of the box in hand, each where it covers least."""
    metrics = QFontMetricsF(context.font)
    placed: list[QRectF] = []
    if context.measured is not None:
        _paint_size(painter, context.measured, context, placed)
    labelled = [b for b in context.of(*_LABELLED) if b.text or _glyph(b)]
    # Where there are too many labels to read, those of annotations matter more than the model's.
    labelled.sort(key=lambda b: (b.id not in (context.scene.selected, context.hovered), -_layer(b)))
    rects = [context.transform.rect(b.box) for b in labelled]
    boxes, overlays = as_array(rects), as_array(context.overlays.rects())
    area = context.area.adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)
    for i, item in enumerate(labelled[:_MOST_CHIPS]):
        look, glyph = looks.LOOKS[item.kind], _glyph(item)
        if item.id == context.scene.selected and max(rects[i].width(), rects[i].height()) < _SMALL:
            placed.append(_with_handles(item, rects[i]))  # it comes first: other labels keep off it too
        chip = place_chip(
            _chip_size(item.text, glyph, metrics, area),
            _with_handles(item, rects[i]) if item.id == context.scene.selected else rects[i],
            area,
            chips=as_array(placed),
            boxes=np.delete(boxes, i, axis=0),
            overlays=overlays,
        )
        if chip is not None:
            placed.append(chip)
            room = _text_room(chip, glyph, metrics)
            text = metrics.elidedText(item.text, Qt.TextElideMode.ElideRight, room)
            _paint_chip(painter, chip, text, glyph, looks.line_color(item.color), look.opacity)


def _paint_size(painter: QPainter, box: Box, context: PaintContext, placed: list[QRectF]) -> None:
    """The size of a box being drawn or reshaped, inside the widget, below the box if there is room."""
    metrics = QFontMetricsF(context.font)
    area = context.area.adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)
    text = size_text(box, context.scene.spacing)
    size = _chip_size(text, None, metrics, area)
    rect = context.transform.rect(box).adjusted(-5, -5, 5, 5)
    above = QRectF(area.left(), rect.top() - size.height() - 8, area.width(), size.height() + 8)
    chip = place_chip(size, rect, area, overlays=as_array([above]))
    if chip is not None:
        _paint_chip(painter, chip, text, None, looks.TEXT, 1.0)
        placed.append(chip)


def _with_handles(item: BoxItem, rect: QRectF) -> QRectF:
    """All that a selected box occupies."""
    if not item.editable:
        return rect.adjusted(-looks.BRACKET, -looks.BRACKET, looks.BRACKET, looks.BRACKET)
    handles = handle_rects(rect)
    return handles[Handle.NW].united(handles[Handle.SE])


def _glyph(item: BoxItem) -> Glyph | None:
    """The sign on a label: that it is locked matters more than where it came from."""
    return Glyph.LOCK if item.locked else looks.LOOKS[item.kind].glyph


def _layer(item: BoxItem) -> int:
    return looks.LOOKS[item.kind].layer


_LABELLED = tuple(kind for kind in BoxKind if kind is not BoxKind.PROPOSAL)


def size_text(box: Box, spacing: tuple[float, float] | None) -> str:
    """Width × height of a box, in mm where the spacing is known, otherwise in pixels."""
    if spacing is None:
        return f"{box.width:.0f} × {box.height:.0f} px"
    return f"{box.width * spacing[1]:.1f} × {box.height * spacing[0]:.1f} mm"


def _glyph_size(metrics: QFontMetricsF) -> float:
    return metrics.ascent() * 0.72


def _chip_size(text: str, glyph: Glyph | None, metrics: QFontMetricsF, area: QRectF) -> QSizeF:
    width = 2 * _CHIP_PAD + (metrics.horizontalAdvance(text) + 1 if text else 0)
    if glyph is not None:
        width += _glyph_size(metrics) + (_CHIP_PAD if text else 0)
    return QSizeF(min(width, _WIDEST_CHIP, area.width()), min(metrics.height() + 2, area.height()))


def _text_room(chip: QRectF, glyph: Glyph | None, metrics: QFontMetricsF) -> float:
    sign = 0.0 if glyph is None else _glyph_size(metrics) + _CHIP_PAD
    return max(chip.width() - 2 * _CHIP_PAD - sign, 0.0)


def _paint_chip(
    painter: QPainter, rect: QRectF, text: str, glyph: Glyph | None, color: QColor, opacity: float
) -> None:
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(looks.PLATE)
    painter.drawRoundedRect(rect, 3, 3)
    painter.setOpacity(opacity)
    # The class colour is a bar at the side; the text is light, so that it is readable in any colour.
    painter.setBrush(color)
    painter.drawRoundedRect(QRectF(rect.left(), rect.top(), 2.0, rect.height()), 1, 1)
    metrics = QFontMetricsF(painter.font())
    inner = rect.adjusted(_CHIP_PAD, 0, -_CHIP_PAD, 0)
    if glyph is not None:
        side = _glyph_size(metrics)
        sign = QRectF(inner.left(), inner.center().y() - side / 2, side, side)
        paint_glyph(painter, glyph, sign, looks.TEXT)
        inner.setLeft(sign.right() + _CHIP_PAD)
    painter.setPen(looks.TEXT)
    painter.drawText(inner, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
    painter.restore()
