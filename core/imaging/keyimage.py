"""Key images: one slice as it is read, with window, boxes, letters and scale bar. No screen needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.imaging.base import Pixels
from core.imaging.geometry import orientation_letters, pixel_shape
from core.imaging.window import apply_window
from core.model import Box, SliceRef, Window

_INK = "#f2f2f2"
_SHADE = "#000000"
_BAR_MM = (500, 200, 100, 50, 20, 10, 5, 2, 1)
_DASH = 6
_MAX_SIDE = 8192


@dataclass(frozen=True, slots=True)
class KeyBox:
    """A box to draw.

    Attributes:
        box: In image pixels.
        text: Label, with the score where there is one; "" for none.
        color: "#rrggbb".
        dashed: A prediction or proposal, as opposed to an annotation.
    """

    box: Box
    text: str = ""
    color: str = "#ffb000"
    dashed: bool = False


def render_key_image(
    ref: SliceRef,
    pixels: Pixels,
    window: Window,
    boxes: Sequence[KeyBox] = (),
    *,
    size: int = 1024,
    caption: Sequence[str] = (),
) -> Image.Image:
    """Draw a key image.

    Proportions are physical where the spacing is known. Letters are drawn only where the file gives the
    orientation, the scale bar only where it gives the spacing.

    Args:
        ref: The slice.
        pixels: Its rescaled pixels, (rows, columns).
        window: The window to show it with.
        boxes: Boxes to draw, later ones above.
        size: Longer side of the picture in pixels, at least 64.
        caption: Lines for the lower left corner; nothing that names a patient belongs here.

    Returns:
        An RGB image.

    Raises:
        ValueError: `size` is out of range, or `pixels` is not (rows, columns).
    """
    if pixels.ndim != 2:
        raise ValueError(f"pixels: (rows, columns) expected, got shape {pixels.shape}")
    if not 64 <= size <= _MAX_SIDE:
        raise ValueError(f"size={size}: must be between 64 and {_MAX_SIDE}")
    picture = _Picture(ref, pixels, window, size)
    for box in boxes:
        picture.add_box(box)
    picture.add_letters()
    picture.add_scale_bar()
    picture.add_caption([*caption, f"W {window.width:.6g}  C {window.center:.6g}"])
    return picture.image


class _Picture:
    def __init__(self, ref: SliceRef, pixels: Pixels, window: Window, size: int) -> None:
        self._ref = ref
        rows, columns = pixels.shape
        dy, dx = pixel_shape(ref)
        scale = size / max(rows * dy, columns * dx)
        self._width = max(round(columns * dx * scale), 1)
        self._height = max(round(rows * dy * scale), 1)
        self._sx, self._sy = self._width / columns, self._height / rows
        self._mm = scale  # picture pixels per mm, where the spacing is known
        self._font = ImageFont.load_default(max(size // 48, 11))
        self._margin = max(size // 64, 4)
        grey = Image.fromarray(_resized(pixels, self._width, self._height, window, ref.inverted))
        self.image = grey.convert("RGB")
        self._draw = ImageDraw.Draw(self.image)

    def add_box(self, item: KeyBox) -> None:
        box = item.box
        corners = (box.x1 * self._sx, box.y1 * self._sy, box.x2 * self._sx, box.y2 * self._sy)
        left, top, right, bottom = corners
        edges = (
            ((left, top), (right, top)), ((right, top), (right, bottom)),
            ((left, bottom), (right, bottom)), ((left, top), (left, bottom)),
        )  # fmt: skip
        width = max(self._margin // 6, 2)
        for start, end in edges:
            for a, b in _dashes(start, end) if item.dashed else ((start, end),):
                self._draw.line((*a, *b), fill=_SHADE, width=width + 2)
                self._draw.line((*a, *b), fill=item.color, width=width)
        if item.text:
            self._add_chip(item, left, top, bottom)

    def _add_chip(self, item: KeyBox, left: float, top: float, bottom: float) -> None:
        """The label above the box, or below it where there is no room: not over it, not cut by the edge."""
        x0, y0, x1, y1 = self._draw.textbbox((0, 0), item.text, font=self._font)
        width, height = x1 - x0 + 6, y1 - y0 + 6
        x = min(max(left, 0), max(self._width - width, 0))
        y = top - height - 3
        if y < 0:
            y = min(bottom + 3, self._height - height)
        self._draw.rectangle((x, y, x + width, y + height), fill=_SHADE, outline=item.color)
        self._draw.text((x + 3 - x0, y + 3 - y0), item.text, font=self._font, fill=item.color)

    def add_letters(self) -> None:
        """R, L, A, P, H, F at the edges; none where the file gives no orientation."""
        if self._ref.geometry is None:
            return
        letters = orientation_letters(self._ref.geometry)
        m, w, h = self._margin, self._width, self._height
        self._text((m, h / 2), letters.left, "lm")
        self._text((w - m, h / 2), letters.right, "rm")
        self._text((w / 2, m), letters.top, "ma")
        self._text((w / 2, h - m), letters.bottom, "md")

    def add_scale_bar(self) -> None:
        """A bar of a round length, at most a third of the width; none where the spacing is unknown."""
        if self._ref.spacing is None:
            return
        length = next((mm for mm in _BAR_MM if mm * self._mm <= self._width / 3), None)
        if length is None:
            return
        x2, y = self._width - self._margin, self._height - 2 * self._margin
        x1 = x2 - length * self._mm
        for extra, ink in ((2, _SHADE), (0, _INK)):
            self._draw.line((x1, y, x2, y), fill=ink, width=2 + extra)
            for x in (x1, x2):
                self._draw.line((x, y - 5, x, y + 5), fill=ink, width=2 + extra)
        self._text(((x1 + x2) / 2, y - 8), f"{length} mm", "md")

    def add_caption(self, lines: Sequence[str]) -> None:
        self._text((self._margin, self._height - self._margin), "\n".join(lines), "ld")

    def _text(self, at: tuple[float, float], text: str, anchor: str) -> None:
        lines = text.split("\n")
        step = self._font.getbbox("Ag")[3] + 4
        for i, line in enumerate(lines):  # anchors of one line each; lines stack upwards from the last
            place = (at[0], at[1] - step * (len(lines) - 1 - i))
            self._draw.text(
                place, line, font=self._font, fill=_INK, anchor=anchor, stroke_width=2, stroke_fill=_SHADE
            )


def _resized(pixels: Pixels, width: int, height: int, window: Window, inverted: bool) -> np.ndarray:
    """Interpolated as values and windowed afterwards, so that no grey level is invented by clipping."""
    smooth = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return apply_window(np.asarray(smooth), window, inverted)


def _dashes(
    start: tuple[float, float], end: tuple[float, float]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    a, b = np.array(start), np.array(end)
    count = max(int(np.linalg.norm(b - a) / (2 * _DASH)), 1)
    pieces = []
    for i in range(count):
        p, q = a + (b - a) * i / count, a + (b - a) * (i + 0.55) / count
        pieces.append(((float(p[0]), float(p[1])), (float(q[0]), float(q[1]))))
    return pieces
