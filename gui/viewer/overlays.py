"""Text over the slice: where it goes. Pure layout; nothing is ever placed outside the widget."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QFontMetricsF

from gui.viewer.scene import CornerMode, CornerText, SliceScene
from gui.viewer.transform import ViewTransform

MARGIN = 8.0
BADGE_PAD = 5.0
_BAR_LONGEST = 160.0
_BAR_SHORTEST = 24.0
# Narrower than this (in widths of "0"), there is room for one line a corner, or for none.
_ROOM_FOR_ALL = 44
_ROOM_FOR_ONE = 22


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text, elided to fit, and its place."""

    text: str
    rect: QRectF
    align: Qt.AlignmentFlag


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A horizontal bar of a round length.

    Attributes:
        mm: What it stands for.
        rect: The bar, its length being the width.
        label: "50 mm" and its place.
    """

    mm: float
    rect: QRectF
    label: TextLine


@dataclass(frozen=True, slots=True)
class Overlays:
    """All text over a slice, placed."""

    corners: tuple[TextLine, ...] = ()
    letters: tuple[TextLine, ...] = ()
    badges: tuple[TextLine, ...] = ()
    scale_bar: ScaleBar | None = None

    def rects(self) -> tuple[QRectF, ...]:
        """Places that box labels had better avoid."""
        bar = () if self.scale_bar is None else (self.scale_bar.rect, self.scale_bar.label.rect)
        lines = (*self.corners, *self.letters, *self.badges)
        return tuple(line.rect for line in lines) + bar


def lay_out(
    scene: SliceScene, transform: ViewTransform, size: QSizeF, metrics: QFontMetricsF, mode: CornerMode
) -> Overlays:
    """Place corner text, orientation letters, badges and the scale bar of a scene.

    Args:
        scene: What is shown.
        transform: The view, for the scale bar's length.
        size: Of the widget.
        metrics: Of the overlay font.
        mode: How much corner text.
    """
    zero = max(metrics.horizontalAdvance("0"), 1.0)
    if size.width() < _ROOM_FOR_ALL * zero and mode is CornerMode.ALL:
        mode = CornerMode.MINIMAL
    if size.width() < _ROOM_FOR_ONE * zero:
        mode = CornerMode.NONE
    corners = _corner_lines(scene.corners, size, metrics, mode)
    left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
    half = size.height() / 2
    upper = [line for line in corners if line.rect.top() < half]
    # Badges stand under the top letter and the top left text, and may pass under the top right text.
    under = max((line.rect.bottom() for line in upper if line.align == left), default=0.0)
    under_all = max((line.rect.bottom() for line in upper), default=0.0)
    below = min(
        (line.rect.top() for line in corners if line.align == right and line.rect.top() > half),
        default=size.height() - MARGIN,
    )
    shown = scene.shape is not None
    return Overlays(
        corners=tuple(corners),
        letters=_letter_lines(scene, size, metrics) if shown else (),
        badges=_badge_lines(scene.badges, under, under_all, size, metrics),
        scale_bar=_scale_bar(scene, transform, size, metrics, below) if shown else None,
    )


def _corner_lines(
    corners: CornerText, size: QSizeF, metrics: QFontMetricsF, mode: CornerMode
) -> list[TextLine]:
    if mode is CornerMode.NONE:
        return []
    height = metrics.height()
    width = _half_width(size, metrics)
    # The letters left and right stand at half height: neither corner reaches them.
    most = int((size.height() / 2 - MARGIN - height) // height)
    if mode is CornerMode.MINIMAL:
        most = min(most, 1)
    lines: list[TextLine] = []
    for texts, right, bottom in (
        (corners.top_left, False, False),
        (corners.top_right, True, False),
        (corners.bottom_left, False, True),
        (corners.bottom_right, True, True),
    ):
        kept = [t for t in texts if t][: max(most, 0)]
        for i, text in enumerate(kept):
            left = size.width() - MARGIN - width if right else MARGIN
            # The first line is nearest to the corner's own edge at the top, and the uppermost below.
            top = size.height() - MARGIN - height * (len(kept) - i) if bottom else MARGIN + height * i
            align = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
            elided = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)
            lines.append(TextLine(elided, _tight(elided, left, top, width, metrics, right=right), align))
    return lines


def _half_width(size: QSizeF, metrics: QFontMetricsF) -> float:
    """Half of the widget, less the letter in the middle."""
    return size.width() / 2 - MARGIN - 1.2 * metrics.horizontalAdvance("MM")


def _tight(
    text: str, left: float, top: float, width: float, metrics: QFontMetricsF, *, right: bool
) -> QRectF:
    used = min(metrics.horizontalAdvance(text) + 1, width)
    return QRectF(left + width - used if right else left, top, used, metrics.height())


def _letter_lines(scene: SliceScene, size: QSizeF, metrics: QFontMetricsF) -> tuple[TextLine, ...]:
    letters = scene.letters
    if letters is None:
        return ()
    height = metrics.height()
    middle = (size.height() - height) / 2
    lines = []
    for text, where in (
        (letters.left, "left"),
        (letters.right, "right"),
        (letters.top, "top"),
        (letters.bottom, "bottom"),
    ):
        if not text:
            continue
        width = metrics.horizontalAdvance(text) + 2
        left = (size.width() - width) / 2
        place = {
            "left": QRectF(MARGIN, middle, width, height),
            "right": QRectF(size.width() - MARGIN - width, middle, width, height),
            "top": QRectF(left, MARGIN, width, height),
            "bottom": QRectF(left, size.height() - MARGIN - height, width, height),
        }[where]
        lines.append(TextLine(text, place, Qt.AlignmentFlag.AlignHCenter))
    return tuple(lines)


def _badge_lines(
    badges: tuple[str, ...], under: float, under_all: float, size: QSizeF, metrics: QFontMetricsF
) -> tuple[TextLine, ...]:
    """Badges from `under` downwards, one a line, as many as fit above the middle."""
    glyph = metrics.height()
    height = metrics.height() + BADGE_PAD
    top = max(under, MARGIN + metrics.height()) + BADGE_PAD
    lines: list[TextLine] = []
    for text in badges:
        widest = size.width() - 2 * MARGIN if top >= under_all else size.width() / 2 - MARGIN
        if top + height > size.height() / 2 - metrics.height() or widest < 3 * glyph:
            break
        elided = metrics.elidedText(text, Qt.TextElideMode.ElideRight, widest - glyph - 2 * BADGE_PAD)
        width = min(metrics.horizontalAdvance(elided) + glyph + 2 * BADGE_PAD, widest)
        lines.append(TextLine(elided, QRectF(MARGIN, top, width, height), Qt.AlignmentFlag.AlignLeft))
        top += height + 3
    return tuple(lines)


def round_length(mm_per_pixel: float, longest: float) -> float | None:
    """The largest of 1, 2, 5 × 10^k mm that is no longer than `longest` widget pixels."""
    limit = mm_per_pixel * longest
    if not (math.isfinite(limit) and limit > 0):
        return None
    power = 10.0 ** math.floor(math.log10(limit))
    step = max(s for s in (0.5, 1.0, 2.0, 5.0) if s * power <= limit * (1 + 1e-9))
    return step * power


def _scale_bar(
    scene: SliceScene, transform: ViewTransform, size: QSizeF, metrics: QFontMetricsF, below: float
) -> ScaleBar | None:
    if scene.spacing is None or not all(math.isfinite(s) and s > 0 for s in scene.spacing):
        return None
    mm_per_pixel = scene.spacing[1] / transform.scale_x
    longest = min(_BAR_LONGEST, size.width() / 4)
    mm = round_length(mm_per_pixel, longest)
    if mm is None or mm / mm_per_pixel < min(_BAR_SHORTEST, longest / 2.6):
        return None
    length = mm / mm_per_pixel
    label = f"{mm:g} mm"
    right = size.width() - MARGIN
    bar = QRectF(right - length, below - 10, length, 5)
    width = metrics.horizontalAdvance(label) + 2
    text = QRectF(right - width, bar.top() - metrics.height() - 1, width, metrics.height())
    if text.top() < size.height() / 2:
        return None
    return ScaleBar(mm, bar, TextLine(label, text, Qt.AlignmentFlag.AlignRight))
