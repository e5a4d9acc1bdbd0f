"""A transparent picture of the widget's size, for what is drawn once and shown often."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSizeF, Qt
from PySide6.QtGui import QImage, QPainter


def layer_image(size: QSizeF, ratio: float, paint: Callable[[QPainter], None]) -> QImage:
    """The picture with what is painted on it.

    Args:
        size: Of the widget, in logical pixels.
        ratio: Device pixels per logical pixel.
        paint: Draws in logical pixels, antialiased.
    """
    width, height = max(1, round(size.width() * ratio)), max(1, round(size.height() * ratio))
    image = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paint(painter)
    painter.end()
    return image
