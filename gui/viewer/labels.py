"""The label layer: class and score of every box, and the size of the box in hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from core.model import Box
from gui.viewer import looks
from gui.viewer.box_layer import MANY
from gui.viewer.chip_layer import Chip, Placed, Standing
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
# Other text is kept off in steps of so many pixels.
_COARSE = 16


def paint_chips(painter: QPainter, context: PaintContext) -> None:
    """Labels of boxes and the size of the box in hand, each where it covers least.

    Labels are placed once for the boxes as they stand; only that of a box in hand follows it.
    """
    placed = context.chip_layer.placed(_standing(context), partial(_place, context))
    apart, metrics = _apart(context), QFontMetricsF(context.font)
    still = [c for c in placed.chips if c.item.id not in apart]

    def draw(onto: QPainter, chip: Chip) -> None:
        onto.setFont(context.font)
        _paint_item(onto, chip, metrics)

    if len(still) < MANY:
        for chip in still:
            draw(painter, chip)
    else:
        painter.drawImage(QPointF(0, 0), context.chip_layer.image(draw, still))
    taken = [c.rect for c in still]
    if context.measured is not None:
        taken += _paint_size(painter, context.measured, context)
    wanted = (apart | {context.hovered}) - {c.item.id for c in still}
    for item in context.boxes:
        if item.id in wanted and _is_labelled(item):
            known = placed.of(item.id)
            unmoved = known is not None and known.item is item
            found = known if unmoved else _loose(item, context, placed, taken)
            if found is not None:
                draw(painter, found)


def _apart(context: PaintContext) -> frozenset[str]:
    return frozenset(i for i in (context.scene.selected, context.in_hand) if i)


def _standing(context: PaintContext) -> Standing:
    return Standing(
        context.standing,
        _apart(context),
        context.transform,
        context.size,
        context.device_ratio,
        tuple(_coarse(r) for r in context.overlays.rects()),
        context.font.key(),
    )


def _coarse(rect: QRectF) -> QRectF:
    """Somewhat larger: the numbers of a window that is dragged do not move the labels."""
    left, top = (math.floor(v / _COARSE) * _COARSE for v in (rect.left(), rect.top()))
    right, bottom = (math.ceil(v / _COARSE) * _COARSE for v in (rect.right(), rect.bottom()))
    return QRectF(left, top, right - left, bottom - top)


def _place(context: PaintContext) -> Placed:
    """Where the labels of the boxes go as they stand, the selected one's first."""
    metrics, apart = QFontMetricsF(context.font), _apart(context)
    labelled = [b for b in context.standing if _is_labelled(b)]
    # Where there are too many labels to read, those of annotations matter more than the model's.
    labelled.sort(key=lambda b: (b.id not in apart, -_layer(b)))
    rects = [context.transform.rect(b.box) for b in labelled]
    boxes, overlays = as_array(rects), as_array([_coarse(r) for r in context.overlays.rects()])
    area, taken, chips = _chip_area(context), [], []
    for i, item in enumerate(labelled[:_MOST_CHIPS]):
        rect = rects[i]
        if item.id == context.scene.selected:
            rect = _with_handles(item, rect)
            if max(rects[i].width(), rects[i].height()) < _SMALL:
                taken.append(rect)  # it comes first: other labels keep off it too
        size = _chip_size(item.text, _glyph(item), metrics, area)
        others = np.delete(boxes, i, axis=0)
        found = place_chip(size, rect, area, chips=as_array(taken), boxes=others, overlays=overlays)
        if found is not None:
            taken.append(found)
            chips.append(Chip(item, found))
    return Placed(tuple(chips), boxes, tuple(b.id for b in labelled))


def _loose(item: BoxItem, context: PaintContext, placed: Placed, taken: Sequence[QRectF]) -> Chip | None:
    """The label of a box that is in hand, or that none of the many had room for."""
    rect, area = context.transform.rect(item.box), _chip_area(context)
    if item.id == context.scene.selected:
        rect = _with_handles(item, rect)
    boxes = placed.boxes
    if boxes is not None and item.id in placed.ids:
        boxes = np.delete(boxes, placed.ids.index(item.id), axis=0)
    size = _chip_size(item.text, _glyph(item), QFontMetricsF(context.font), area)
    overlays = as_array(context.overlays.rects())
    found = place_chip(size, rect, area, chips=as_array(taken), boxes=boxes, overlays=overlays)
    return Chip(item, found) if found is not None else None


def _chip_area(context: PaintContext) -> QRectF:
    return context.area.adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)


def _is_labelled(item: BoxItem) -> bool:
    return item.kind is not BoxKind.PROPOSAL and (bool(item.text) or _glyph(item) is not None)


def _paint_item(painter: QPainter, chip: Chip, metrics: QFontMetricsF) -> None:
    item, look, glyph = chip.item, looks.LOOKS[chip.item.kind], _glyph(chip.item)
    room = _text_room(chip.rect, glyph, metrics)
    text = metrics.elidedText(item.text, Qt.TextElideMode.ElideRight, room)
    _paint_chip(painter, chip.rect, text, glyph, looks.line_color(item.color), look.opacity)


def _paint_size(painter: QPainter, box: Box, context: PaintContext) -> list[QRectF]:
    """The size of a box being drawn or reshaped, inside the widget, below the box if there is room.

    Returns:
        What it covers.
    """
    area = _chip_area(context)
    text = size_text(box, context.scene.spacing)
    size = _chip_size(text, None, QFontMetricsF(context.font), area)
    rect = context.transform.rect(box).adjusted(-5, -5, 5, 5)
    above = QRectF(area.left(), rect.top() - size.height() - 8, area.width(), size.height() + 8)
    chip = place_chip(size, rect, area, overlays=as_array([above]))
    if chip is None:
        return []
    _paint_chip(painter, chip, text, None, looks.TEXT, 1.0)
    return [chip]


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
