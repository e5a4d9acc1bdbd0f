"""Thousands of hairlines, fast: drawn into an array in one go and cached.

QPainter blends every pixel of every line; 2000 proposals take it 200 ms a frame, this takes a few.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QColor, QImage

from gui.viewer.scene import BoxItem
from gui.viewer.transform import ViewTransform


class ProposalLayer:
    """The last layer drawn."""

    def __init__(self) -> None:
        self._key: object = None
        self._image = QImage()

    def get(
        self,
        colors: tuple[tuple[QColor, tuple[BoxItem, ...]], ...],
        shadow: QColor,
        transform: ViewTransform,
        size: QSizeF,
        ratio: float,
    ) -> QImage:
        """A transparent image of the widget's size with the outlines on it.

        Args:
            colors: What to draw, by colour. Lines that cross do not add up.
            shadow: Of the line around each box.
            transform: The view.
            size: Of the widget.
            ratio: Device pixels per logical pixel.
        """
        key = (colors, shadow, transform, size, ratio)
        if key == self._key:  # quick for the same boxes: tuples compare their items by identity first
            return self._image
        width, height = max(1, round(size.width() * ratio)), max(1, round(size.height() * ratio))
        layer = np.zeros((height, width), dtype=np.uint32)
        for color, items in colors:
            corners = np.array([b.box.as_tuple() for b in items], dtype=np.float64).reshape(-1, 4)
            across, down = transform.orientation.forward(
                corners[:, 0::2] * transform.scale_x, corners[:, 1::2] * transform.scale_y
            )
            placed = np.stack(
                [across.min(axis=1), down.min(axis=1), across.max(axis=1), down.max(axis=1)], axis=1
            )
            offset = np.array([transform.dx, transform.dy] * 2)
            # Far outside is as good as just outside, and fits an integer.
            limits = np.array([width, height, width, height], dtype=np.float64)
            device = np.clip((placed + offset) * ratio, -9, limits + 9)
            rects, thick = np.floor(device).astype(np.int64), max(1, round(ratio))
            # A dark hairline around the bright one shows it on white tissue; drawn first, for all boxes.
            _outline(layer, rects + thick * np.array([-1, -1, 1, 1]), _premultiplied(shadow), thick)
            _outline(layer, rects, _premultiplied(color), thick)
        raw = QImage(layer.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
        self._image = raw.copy()  # nothing points into the array afterwards
        self._image.setDevicePixelRatio(ratio)
        self._key = key
        return self._image


def _premultiplied(color: QColor) -> int:
    alpha = color.alpha()
    red, green, blue = (round(v * alpha / 255) for v in (color.red(), color.green(), color.blue()))
    return alpha << 24 | red << 16 | green << 8 | blue


def _outline(layer: NDArray[np.uint32], rects: NDArray[np.int64], value: int, thick: int) -> None:
    for x1, y1, x2, y2 in rects.tolist():
        left, right = max(x1, 0), max(x2 + thick, 0)
        top, bottom = max(y1, 0), max(y2 + thick, 0)
        layer[top : max(y1 + thick, 0), left:right] = value
        layer[max(y2, 0) : bottom, left:right] = value
        layer[top:bottom, left : max(x1 + thick, 0)] = value
        layer[top:bottom, max(x2, 0) : right] = value
