"""Windows: the standard's formulas, and laws that hold for any pixels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.imaging.window import apply_window, auto_window, default_window, presets, without_padding
from core.model import SliceRef, Window

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
values = st.floats(-1e6, 1e6, width=32)
windows = st.builds(
    Window, center=st.floats(-1e5, 1e5), width=st.floats(1e-3, 1e6), function=st.sampled_from(FUNCTIONS)
)
images = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=values)


def ref(*file_windows: Window, padding: tuple[float, float] | None = None) -> SliceRef:
    return SliceRef("k", Path("f"), 0, 4, 4, "s", windows=file_windows, padding=padding)


def by_hand(x: float, window: Window) -> float:
    """PS3.3 C.11.2.1.2.1 and C.11.2.1.3, for an output range of 0 to 255, as the text has it."""
    c, w = window.center, window.width
    if window.function == "SIGMOID":
        exponent = -4 * (x - c) / w
        return 0.0 if exponent > 700 else 255 / (1 + math.exp(exponent))
    if window.function == "LINEAR_EXACT":
        if x <= c - w / 2:
            return 0
        return 255 if x > c + w / 2 else ((x - c) / w + 0.5) * 255
    if x <= c - 0.5 - (w - 1) / 2:
        return 0
    return 255 if x > c - 0.5 + (w - 1) / 2 else ((x - (c - 0.5)) / (w - 1) + 0.5) * 255


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("center", "width"), [(40, 400), (2048, 4096), (100, 1), (0, 2), (-500.5, 33.3)])
def test_formulas(function: str, center: float, width: float) -> None:
    window = Window(center, width, function=function)
    xs = np.arange(center - width - 3, center + width + 3, max(width / 97, 0.25))
    expected = np.array([by_hand(float(x), window) for x in xs])
    # Half a level for rounding.
    assert np.abs(apply_window(xs, window).astype(float) - expected).max() <= 0.5 + 1e-6


@given(images, windows)
def test_never_falls_where_the_value_rises(pixels: np.ndarray, window: Window) -> None:
    order = np.argsort(pixels.ravel())
    grey = apply_window(pixels, window).ravel()[order].astype(int)
    assert (np.diff(grey) >= 0).all()


@given(images, windows)
def test_inversion_is_exact(pixels: np.ndarray, window: Window) -> None:
    assert np.array_equal(apply_window(pixels, window, inverted=True), 255 - apply_window(pixels, window))


@given(images)
def test_auto_window_is_finite_and_inside_the_data(pixels: np.ndarray) -> None:
    window = auto_window(pixels)
    low, high = float(pixels.min()), float(pixels.max())
    assert window.width > 0
    slack = 1e-6 * max(abs(low), abs(high), 1.0)
    if high > low:
        assert window.center - window.width / 2 >= low - slack
        assert window.center + window.width / 2 <= high + slack


@given(images, st.integers(-3, 6), st.floats(-1000, 1000))
def test_auto_window_follows_a_change_of_units(pixels: np.ndarray, power: int, offset: float) -> None:
    scale = 2.0**power  # exact in floating point, so that ties stay ties
    before, after = auto_window(pixels), auto_window(pixels.astype(np.float64) * scale)
    if float(pixels.max()) > float(pixels.min()):
        assert after.center == pytest.approx(before.center * scale, rel=1e-9, abs=1e-9)
        assert after.width == pytest.approx(before.width * scale, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 0), np.float32),
        np.full((3, 3), 7, np.float32),
        np.full((3, 3), np.nan, np.float32),
        np.array([[1.0, np.nan], [np.inf, -np.inf]], np.float32),
        np.array([[5]], np.uint8),
    ],
    ids=["empty", "equal", "nan", "mixed", "one"],
)
def test_odd_images_have_a_window(pixels: np.ndarray) -> None:
    for window in (auto_window(pixels), *presets(ref(), pixels)):
        assert math.isfinite(window.center)
        assert window.width > 0
        assert apply_window(pixels, window).shape == pixels.shape


def test_equal_pixels_are_mid_grey() -> None:
    pixels = np.full((3, 3), 812, np.float32)
    assert abs(int(apply_window(pixels, auto_window(pixels))[0, 0]) - 128) <= 1


def test_infinities_and_nan_are_levels_too() -> None:
    grey = apply_window(np.array([[np.nan, np.inf, -np.inf]], np.float32), Window(0, 10))
    assert grey.tolist() == [[0, 255, 0]]


def test_auto_window_is_blind_to_a_few_hot_pixels() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.normal(500, 50, (128, 128)).astype(np.float32)
    hot = pixels.copy()
    hot[0, :5] = 60000
    assert auto_window(hot).width == pytest.approx(auto_window(pixels).width, rel=0.1)


def test_auto_window_is_blind_to_air_and_padding() -> None:
    rng = np.random.default_rng(2)
    head = rng.uniform(200, 800, (64, 64)).astype(np.float32)
    with_air = np.zeros((256, 256), np.float32)
    with_air[:64, :64] = head
    high = auto_window(head).center + auto_window(head).width / 2
    window = auto_window(with_air)
    assert window.center + window.width / 2 == pytest.approx(high, rel=0.02)
    padded = np.full((128, 128), -2000, np.float32)
    padded[:64, :64] = head
    assert auto_window(padded, (-2000, -2000)) == auto_window(head)
    assert default_window(ref(padding=(-2000, -2000)), padded) == auto_window(head)


def test_the_files_window_comes_first_unless_it_shows_nothing() -> None:
    pixels = np.linspace(0, 100, 64, dtype=np.float32).reshape(8, 8)
    good, useless = Window(50, 60, "file"), Window(9000, 100, "file")
    assert default_window(ref(good), pixels) == good
    assert default_window(ref(useless), pixels).name == "auto"
    assert default_window(ref(), pixels).name == "auto"


def test_presets_fit_the_nine_keys() -> None:
    pixels = np.linspace(0, 100, 64, dtype=np.float32).reshape(8, 8)
    many = tuple(Window(i, 10, f"w{i}") for i in range(20))
    rows = presets(ref(*many), pixels)
    assert len(rows) == 9
    assert [w.name for w in rows[-4:]] == ["auto", "full", "soft", "hard"]
    assert [w.name for w in presets(ref(), pixels)] == ["auto", "full", "soft", "hard"]
    full = rows[-3]
    assert (full.center - full.width / 2, full.center + full.width / 2) == (0, 100)


def test_padding_is_dark_for_what_takes_grey_levels_for_anatomy() -> None:
    pixels = np.array([[-2000, 5], [9, 4000]], np.float32)
    assert without_padding(pixels, (-2001, -1999)).tolist() == [[5, 5], [9, 4000]]
    assert without_padding(pixels, (3999, 4001)).tolist() == [[-2000, 5], [9, -2000]]
    for nothing in (None, (1, 2), (-9999, 9999)):
        assert without_padding(pixels, nothing) is pixels
