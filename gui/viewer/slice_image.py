"""The slice as a QImage, windowed once per change of pixels, window or inversion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage

from core.imaging.window import apply_window
from core.model import Window


class SliceImage:
    """Caches the last windowed slice and, for a slice larger than its place, the last reduced copy."""

    def __init__(self) -> None:
        self._pixels: NDArray[np.float32] | None = None
        self._look: tuple[Window, bool] | None = None
        self._image = QImage()
        self._reduced = QImage()

    def get(self, pixels: NDArray[np.float32], window: Window, inverted: bool) -> QImage:
        """The windowed slice, one image pixel per pixel.

        Args:
            pixels: (rows, columns), compared by identity: it must not be written to afterwards.
            window: Grey-level window.
            inverted: Whether to invert after the window.
        """
        if pixels is self._pixels and (window, inverted) == self._look:
            return self._image
        grey = np.ascontiguousarray(apply_window(pixels, window, inverted))
        rows, columns = grey.shape
        raw = QImage(grey.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
        # The conversion copies, so nothing points into the array afterwards; and RGB32 is the format
        # that Qt's smooth scaling is fastest in (three times faster than grey).
        self._image = raw.convertToFormat(QImage.Format.Format_RGB32)
        self._pixels, self._look = pixels, (window, inverted)
        self._reduced = QImage()
        return self._image

    def reduced(self, image: QImage, size: QSize) -> QImage:
        """The image averaged down to a size in device pixels; bilinear drawing alone would alias."""
        if image is not self._image:
            return image.scaled(
                size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
        if self._reduced.size() != size:
            self._reduced = image.scaled(
                size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
        return self._reduced
