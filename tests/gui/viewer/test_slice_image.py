from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PySide6.QtCore import QSize
from PySide6.QtGui import QImage

from core.imaging.window import apply_window
from core.model import Window
from gui.viewer.slice_image import SliceImage


def levels(image: QImage) -> NDArray[np.uint8]:
    flat = np.frombuffer(image.constBits(), dtype=np.uint8)
    return flat.reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width(), 0].copy()


def noise(rows: int, columns: int, *, whole: bool) -> NDArray[np.float32]:
    values = np.random.default_rng(0).normal(100, 400, (rows, columns))
    return (np.rint(values) if whole else values).astype(np.float32)


@given(st.floats(-1000, 1000), st.floats(0.01, 3000), st.booleans())
def test_every_pixel_has_its_grey_level(center: float, width: float, inverted: bool) -> None:
    pixels = noise(7, 13, whole=False)  # a row that is no multiple of four bytes
    image = SliceImage().get(pixels, Window(center, width), inverted)
    np.testing.assert_array_equal(levels(image), apply_window(pixels, Window(center, width), inverted))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_large_slice_goes_through_a_table_and_is_exactly_the_same(function: str, whole: bool) -> None:
    pixels = noise(1100, 1000, whole=whole)
    window = Window(120.0, 333.0, "", function)
    image = SliceImage().get(pixels, window, inverted=False)
    np.testing.assert_array_equal(levels(image), apply_window(pixels, window))


def test_a_large_slice_with_holes_is_shown() -> None:
    pixels = noise(1100, 1000, whole=True)
    pixels[3, 4], pixels[5, 6] = np.nan, np.inf
    window = Window(120.0, 333.0)
    np.testing.assert_array_equal(
        levels(SliceImage().get(pixels, window, inverted=False)), apply_window(pixels, window)
    )


def test_it_is_windowed_once_per_change() -> None:
    pixels, cache = noise(9, 9, whole=True), SliceImage()
    first = cache.get(pixels, Window(0, 10), inverted=False)
    assert cache.get(pixels, Window(0, 10), inverted=False) is first
    assert cache.get(pixels, Window(0, 11), inverted=False) is not first
    other = pixels.copy()
    again = cache.get(other, Window(0, 11), inverted=False)
    assert cache.get(other, Window(0, 11), inverted=True) is not again


def test_a_reduced_copy_averages_instead_of_skipping_pixels() -> None:
    stripes = np.zeros((64, 64), dtype=np.float32)
    stripes[:, ::2] = 255
    cache = SliceImage()
    image = cache.get(stripes, Window(127.5, 255), inverted=False)
    small = levels(cache.reduced(image, QSize(8, 8)))
    assert small.shape == (8, 8)
    assert abs(int(small.mean()) - 127) <= 2
    assert small.std() < 12


@pytest.mark.parametrize("side", [(5, 7), (1030, 1020)])
@pytest.mark.parametrize("colors", ["grey", "hot iron"])
def test_colours_are_drawn_as_they_are(side: tuple[int, int], colors: str) -> None:
    rgb = np.random.default_rng(2).integers(0, 256, (*side, 3)).astype(np.uint8)
    image = SliceImage().get(rgb, Window(127.5, 255), inverted=False, colors=colors)
    flat = np.frombuffer(image.constBits(), dtype=np.uint8)
    blue_green_red = flat.reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width(), :3]
    np.testing.assert_array_equal(blue_green_red[..., ::-1], rgb)
