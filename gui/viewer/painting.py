"""The canvas, painted: named layers, each a pure function over one frozen context."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen

from gui.viewer import looks
from gui.viewer.box_layer import MANY
from gui.viewer.glyphs import Glyph, paint_glyph
from gui.viewer.hint_layer import paint_hints
from gui.viewer.interaction import handle_rects
from gui.viewer.labels import paint_chips
from gui.viewer.measure_layer import paint_cross, paint_lens, paint_measures, paint_references
from gui.viewer.overlays import BADGE_PAD, TextLine
from gui.viewer.paint_context import PaintContext
from gui.viewer.scene import BoxItem, BoxKind
from gui.viewer.snap_layer import paint_snap


def in_layers(boxes: Iterable[BoxItem], selected: str | None) -> tuple[BoxItem, ...]:
    """Boxes in drawing order: by kind, bigger before smaller, the selected one last."""
    return tuple(sorted(boxes, key=lambda b: (b.id == selected, looks.LOOKS[b.kind].layer, -b.box.area)))


def paint_image(painter: QPainter, context: PaintContext) -> None:
    """The slice, smoothly scaled; averaged where it is shown at less than half its size."""
    shape = context.scene.shape
    if context.image is None or shape is None:
        return
    target = context.transform.image_rect(shape)
    image = context.image
    device = QSize(
        max(1, round(target.width() * context.device_ratio)),
        max(1, round(target.height() * context.device_ratio)),
    )
    if device.width() * 2 < image.width() or device.height() * 2 < image.height():
        image = context.slice_image.reduced(image, device)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, context.scene.smooth)
    painter.drawImage(target, image, QRectF(image.rect()))


def paint_proposals(painter: QPainter, context: PaintContext) -> None:
    """Hairlines of every proposal, all at once: there can be thousands."""
    look = looks.LOOKS[BoxKind.PROPOSAL]
    by_color: dict[str, list[BoxItem]] = {}
    for item in context.of(BoxKind.PROPOSAL):
        if item.id not in (context.scene.selected, context.hovered):
            by_color.setdefault(item.color, []).append(item)
    if not by_color:
        return
    colors = tuple((looks.line_color(c, look.opacity), tuple(items)) for c, items in by_color.items())
    layer = context.proposal_layer.get(
        colors, looks.shadow_color(look), context.transform, context.size, context.device_ratio
    )
    painter.drawImage(QPointF(0, 0), layer)


def paint_boxes(painter: QPainter, context: PaintContext) -> None:
    """Rejected boxes, detections, annotations; the selected or hovered proposal too."""
    chosen = (context.scene.selected, context.hovered)
    still = tuple(b for b in context.boxes if b.id not in chosen and b.kind is not BoxKind.PROPOSAL)

    def outline(onto: QPainter, item: BoxItem) -> None:
        _paint_outline(onto, item, context, extra=0.0)

    if len(still) < MANY:
        for item in still:
            outline(painter, item)
    else:
        layer = context.box_layer.get(still, outline, context.transform, context.size, context.device_ratio)
        painter.drawImage(QPointF(0, 0), layer)
    for item in context.boxes:
        if item.id in chosen:
            _paint_outline(painter, item, context, extra=0.8)


def _paint_outline(painter: QPainter, item: BoxItem, context: PaintContext, *, extra: float) -> None:
    look = looks.LOOKS[item.kind]
    rect = _near(context.transform.rect(item.box), context.area)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(looks.shadow_pen(look, extra))
    painter.drawRect(rect)
    opacity = 1.0 if extra else look.opacity
    painter.setPen(looks.bright_pen(look, looks.line_color(item.color, opacity), extra))
    painter.drawRect(rect)


def paint_handles(painter: QPainter, context: PaintContext) -> None:
    """Eight handles on the selected box, or brackets around it where it cannot be reshaped."""
    item = next((b for b in context.boxes if b.id == context.scene.selected), None)
    if item is None:
        return
    rect = context.transform.rect(item.box)
    if not item.editable:
        _paint_brackets(painter, rect.adjusted(-looks.BRACKET, -looks.BRACKET, looks.BRACKET, looks.BRACKET))
        return
    painter.setPen(QPen(QColor(0, 0, 0, 220), 1.2))
    painter.setBrush(looks.SELECTION)
    painter.drawRects([r.adjusted(0.5, 0.5, -0.5, -0.5) for r in handle_rects(rect).values()])


def _paint_brackets(painter: QPainter, rect: QRectF) -> None:
    arm_x, arm_y = min(9.0, rect.width() / 3), min(9.0, rect.height() / 3)
    lines = []
    for x, sx in ((rect.left(), 1), (rect.right(), -1)):
        for y, sy in ((rect.top(), 1), (rect.bottom(), -1)):
            lines += [QPointF(x + sx * arm_x, y), QPointF(x, y), QPointF(x, y), QPointF(x, y + sy * arm_y)]
    for color, width in ((QColor(0, 0, 0, 200), 3.6), (looks.SELECTION, 1.6)):
        pen = QPen(color, width)
        pen.setCapStyle(Qt.PenCapStyle.SquareCap)
        painter.setPen(pen)
        painter.drawLines(lines)


def paint_preview(painter: QPainter, context: PaintContext) -> None:
    """The box being drawn."""
    if context.preview is None:
        return
    look = looks.LOOKS[BoxKind.HUMAN]
    rect = _near(context.transform.rect(context.preview), context.area)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (looks.shadow_pen(look), looks.bright_pen(look, looks.NEW_BOX)):
        painter.setPen(pen)
        painter.drawRect(rect)


def _paint_lines(painter: QPainter, lines: Iterable[TextLine]) -> None:
    """Light text with a dark halo, readable on white tissue."""
    for line in lines:
        flags = int(line.align | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip)
        painter.setPen(looks.HALO)
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)):
            painter.drawText(line.rect.translated(dx, dy), flags, line.text)
        painter.setPen(looks.TEXT)
        painter.drawText(line.rect, flags, line.text)


def paint_letters(painter: QPainter, context: PaintContext) -> None:
    """Orientation letters, in bold."""
    painter.save()
    font = QFont(context.font)
    font.setBold(True)
    painter.setFont(font)
    _paint_lines(painter, context.overlays.letters)
    painter.restore()


def paint_scale_bar(painter: QPainter, context: PaintContext) -> None:
    """The bar with end ticks and its length in mm."""
    bar = context.overlays.scale_bar
    if bar is None:
        return
    rect = bar.rect
    points = [rect.topLeft(), rect.bottomLeft(), rect.bottomLeft(), rect.bottomRight(), rect.bottomRight()]
    points.append(rect.topRight())
    for color, width in ((looks.HALO, 3.4), (looks.TEXT, 1.4)):
        pen = QPen(color, width)
        pen.setCapStyle(Qt.PenCapStyle.SquareCap)
        painter.setPen(pen)
        painter.drawLines(points)
    _paint_lines(painter, (bar.label,))


def paint_corners(painter: QPainter, context: PaintContext) -> None:
    """Corner text."""
    _paint_lines(painter, context.overlays.corners)


def paint_badges(painter: QPainter, context: PaintContext) -> None:
    """Warnings: a sign and an outline, not colour alone."""
    for line in context.overlays.badges:
        painter.setBrush(looks.PLATE)
        painter.setPen(QPen(looks.WARNING, 1.0))
        painter.drawRoundedRect(line.rect.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        side = line.rect.height() - 2 * BADGE_PAD + 2
        sign = QRectF(line.rect.left() + BADGE_PAD - 2, line.rect.center().y() - side / 2, side, side)
        paint_glyph(painter, Glyph.BANG, sign, looks.WARNING, width=2.0)
        inner = QRectF(line.rect)
        inner.setLeft(sign.right() + BADGE_PAD / 2)
        painter.setPen(looks.WARNING)
        painter.drawText(inner, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), line.text)


def paint_message(painter: QPainter, context: PaintContext) -> None:
    """The message on a plate in the middle."""
    text = context.scene.message
    if not text:
        return
    room = context.area.adjusted(24, 24, -24, -24)
    room.setWidth(min(room.width(), 520.0))
    room.moveCenter(context.area.center())
    flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap | Qt.TextFlag.TextWrapAnywhere)
    used = painter.boundingRect(room, flags, text)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(looks.PLATE)
    painter.drawRoundedRect(used.adjusted(-14, -10, 14, 10), 6, 6)
    painter.setPen(looks.TEXT)
    painter.drawText(used, flags, text)


def paint_focus(painter: QPainter, context: PaintContext) -> None:
    """A thin ring while the canvas has the keyboard."""
    if context.focus is not None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(context.focus, 1.0))
        painter.drawRect(context.area.adjusted(0.5, 0.5, -0.5, -0.5))


# Nothing of a box is drawn further outside the widget than this; a box at 100× zoom has edges so far
# away that dashing them would take seconds.
_BEYOND = 60.0

Layer = Callable[[QPainter, PaintContext], None]

LAYERS: tuple[tuple[str, Layer], ...] = (
    ("image", paint_image),
    ("references", paint_references),
    ("proposals", paint_proposals),
    ("boxes", paint_boxes),
    ("handles", paint_handles),
    ("preview", paint_preview),
    ("chips", paint_chips),
    ("measures", paint_measures),
    ("cross", paint_cross),
    ("hints", paint_hints),
    ("snap", paint_snap),
    ("lens", paint_lens),
    ("letters", paint_letters),
    ("scale bar", paint_scale_bar),
    ("corners", paint_corners),
    ("badges", paint_badges),
    ("message", paint_message),
    ("focus", paint_focus),
)


def paint(painter: QPainter, context: PaintContext) -> None:
    """Paint every layer, lowest first."""
    painter.fillRect(context.area, looks.GROUND)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(context.font)
    for _, layer in LAYERS:
        layer(painter, context)


def _near(rect: QRectF, area: QRectF) -> QRectF:
    """The rectangle with edges far outside the widget drawn in to just outside it."""
    limits = area.adjusted(-_BEYOND, -_BEYOND, _BEYOND, _BEYOND)
    left = min(max(rect.left(), limits.left()), limits.right())
    top = min(max(rect.top(), limits.top()), limits.bottom())
    right = min(max(rect.right(), limits.left()), limits.right())
    bottom = min(max(rect.bottom(), limits.top()), limits.bottom())
    return QRectF(QPointF(left, top), QPointF(right, bottom))
