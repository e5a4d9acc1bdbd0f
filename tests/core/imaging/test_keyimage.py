"""Key images: what is drawn, and what is left out where the file does not say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageChops

from core.imaging.keyimage import KeyBox, render_key_image
from core.imaging.window import apply_window
from core.model import Box, Geometry, SliceRef, Window

GEOMETRY = Geometry((0.0, 0.0, 0.0), (1, 0, 0), (0, 1, 0), 2.0, 1.0)
PLACED = SliceRef("k", Path("f"), 0, 50, 100, "s", geometry=GEOMETRY, spacing=(2.0, 1.0))
BARE = replace(PLACED, geometry=None, spacing=None)
GREY = np.full((50, 100), 100, np.float32)
WINDOW = Window(100, 400)


def test_proportions_are_physical() -> None:
    # 50 rows of 2 mm and 100 columns of 1 mm are a square.
    assert render_key_image(PLACED, GREY, WINDOW, size=300).size == (300, 300)
    assert render_key_image(BARE, GREY, WINDOW, size=300).size == (300, 150)


def test_a_box_is_drawn_where_it_is_in_its_own_colour() -> None:
    plain = render_key_image(BARE, GREY, WINDOW, size=400)
    boxed = render_key_image(BARE, GREY, WINDOW, [KeyBox(Box(20, 10, 60, 40), color="#00ff00")], size=400)
    left, top, right, bottom = ImageChops.difference(plain, boxed).getbbox() or (0, 0, 0, 0)
    # Four picture pixels to an image pixel; the line is a few pixels wide.
    assert np.abs(np.array([left, top, right, bottom]) - 4 * np.array([20, 10, 60, 40])).max() <= 4
    assert boxed.getpixel((80, 100)) == (0, 255, 0)
    assert boxed.getpixel((160, 100)) == plain.getpixel((160, 100))  # the inside stays visible


def test_a_label_never_covers_its_box_nor_leaves_the_picture() -> None:
    for box in (Box(0, 0, 30, 30), Box(70, 0, 100, 20), Box(60, 30, 100, 50)):
        silent = render_key_image(BARE, GREY, WINDOW, [KeyBox(box)], size=400)
        spoken = render_key_image(BARE, GREY, WINDOW, [KeyBox(box, "glioma 0.93")], size=400)
        changed = np.asarray(ImageChops.difference(silent, spoken).convert("L")) > 0
        assert changed.any()
        inside = changed[int(box.y1 * 4) + 4 : int(box.y2 * 4) - 4, int(box.x1 * 4) + 4 : int(box.x2 * 4) - 4]
        assert not inside.any()


def test_dashes_tell_predictions_from_annotations() -> None:
    box = Box(20, 10, 80, 40)
    solid = render_key_image(BARE, GREY, WINDOW, [KeyBox(box)], size=400)
    dashed = render_key_image(BARE, GREY, WINDOW, [KeyBox(box, dashed=True)], size=400)
    ink = [sum(p == (255, 176, 0) for p in image.crop((82, 38, 318, 43)).get_flattened_data())
           for image in (solid, dashed)]  # fmt: skip
    assert 0.3 < ink[1] / ink[0] < 0.8


def test_letters_and_bar_only_where_the_file_says() -> None:
    def differs(one: SliceRef, other: SliceRef) -> bool:
        images = [render_key_image(r, GREY, WINDOW, size=300) for r in (one, other)]
        return ImageChops.difference(*images).getbbox() is not None

    assert differs(PLACED, replace(PLACED, geometry=None))  # letters
    assert differs(replace(PLACED, geometry=None), replace(PLACED, geometry=None, spacing=(4.0, 2.0)))  # bar
    assert not differs(BARE, replace(BARE, key="other"))


def test_the_window_and_inversion_are_the_viewers() -> None:
    for inverted in (False, True):
        image = render_key_image(replace(BARE, inverted=inverted), GREY, WINDOW, size=400)
        level = int(apply_window(GREY, WINDOW, inverted)[0, 0])
        assert image.getpixel((200, 40)) == (level,) * 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1)])
def test_extreme_shapes(shape: tuple[int, int]) -> None:
    ref = replace(BARE, rows=shape[0], columns=shape[1])
    image = render_key_image(
        ref, np.zeros(shape, np.float32), WINDOW, [KeyBox(Box(0, 0, 1, 1), "x")], size=64
    )
    assert max(image.size) == 64


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="size=5"):
        render_key_image(BARE, GREY, WINDOW, size=5)
    with pytest.raises(ValueError, match="pixels"):
        render_key_image(BARE, GREY[0], WINDOW)
