"""The outlines of very many boxes that stand still, drawn once: dragging one must not draw all the others."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSizeF
from PySide6.QtGui import QImage, QPainter

from gui.viewer.layer_image import layer_image
from gui.viewer.scene import BoxItem
from gui.viewer.transform import ViewTransform

MANY = 40
"""From so many boxes on the layer is worth its memory."""

_Key = tuple[tuple[BoxItem, ...], ViewTransform, QSizeF, float]


class BoxLayer:
    """The last layer that was drawn, as long as nothing on it has changed."""

    def __init__(self) -> None:
        self._key: _Key | None = None
        self._image = QImage()

    def get(
        self,
        items: tuple[BoxItem, ...],
        outline: Callable[[QPainter, BoxItem], None],
        transform: ViewTransform,
        size: QSizeF,
        ratio: float,
    ) -> QImage:
        """A transparent image of the widget's size with the outlines on it.

        Args:
            items: The boxes, in drawing order.
            outline: Draws one.
            transform: The view, which `outline` draws in.
            size: Of the widget.
            ratio: Device pixels per logical pixel.
        """
        key = (items, transform, size, ratio)
        if key == self._key:  # quick for the same boxes: tuples compare their items by identity first
            return self._image

        def paint(painter: QPainter) -> None:
            for item in items:
                outline(painter, item)

        self._key, self._image = key, layer_image(size, ratio, paint)
        return self._image
