"""The working image against exact rational arithmetic, and its symmetry."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.proposals.normalise import grey_limits
from core.proposals.working import LEVELS, WorkingImage, working_image
from tests.core.proposals.samples import head, phantom_slice

TAPS = (Fraction(22, 1024), Fraction(234, 1024), Fraction(512, 1024), Fraction(234, 1024), Fraction(22, 1024))


def _weights(wide: int, narrow: int) -> list[list[Fraction]]:
    """How much of each output pixel each input pixel covers."""
    size = Fraction(wide, narrow)
    return [
        [
            max(Fraction(0), min(Fraction(i + 1), (k + 1) * size) - max(Fraction(i), k * size)) / size
            for i in range(wide)
        ]
        for k in range(narrow)
    ]


def _weighted(weights: list[Fraction], values: list[Fraction]) -> Fraction:
    return sum((w * v for w, v in zip(weights, values, strict=True) if w), Fraction(0))


def _blur(line: list[Fraction]) -> list[Fraction]:
    n = len(line)
    return [
        sum((TAPS[d + 2] * line[min(max(i + d, 0), n - 1)] for d in range(-2, 3)), Fraction(0))
        for i in range(n)
    ]


def _exact(image: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Area means, then five taps along both axes, in fractions; levels in [0, LEVELS)."""
    limits = grey_limits(image)
    assert limits is not None
    low, high = (Fraction(v) for v in limits)
    unit = [
        [min(Fraction(1), max(Fraction(0), (Fraction(float(v)) - low) / (high - low))) for v in row]
        for row in image
    ]
    down, across = _weights(image.shape[0], shape[0]), _weights(image.shape[1], shape[1])
    short = [[_weighted(ws, row) for ws in across] for row in unit]
    small = [[_weighted(ws, list(column)) for column in zip(*short, strict=True)] for ws in down]
    rows = [_blur(row) for row in small]
    columns = [_blur([row[c] for row in rows]) for c in range(shape[1])]
    return np.array([[float(v * (LEVELS - 1)) for v in column] for column in columns]).T


@pytest.mark.parametrize(
    ("rows", "columns", "size"),
    [(17, 23, 10), (23, 17, 23), (12, 30, 11), (9, 9, 64), (31, 14, 30), (40, 5, 7)],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_it_is_the_area_mean_then_the_blur(
    rows: int, columns: int, size: int, dtype: type[np.generic]
) -> None:
    image = np.random.default_rng(rows * columns).uniform(0, 250, (rows, columns)).astype(dtype)
    made = working_image(image, size)
    assert made is not None
    assert max(made.grey.shape) == min(size, max(rows, columns))
    expected = _exact(image.astype(np.float64), made.grey.shape)
    # One level, and what truncation of the sixteen bits takes.
    assert np.abs(made.grey.astype(np.float64) - expected).max() <= 1.0
    assert made.scale_x * made.grey.shape[1] == pytest.approx(columns)
    assert made.scale_y * made.grey.shape[0] == pytest.approx(rows)


@given(st.integers(0, 2**16), st.integers(8, 60), st.integers(8, 60), st.integers(4, 70))
@settings(max_examples=50, deadline=None)
def test_tables_and_background(seed: int, rows: int, columns: int, size: int) -> None:
    image = head(rows, columns, seed)
    made = working_image(image, size)
    if made is None:
        return
    assert made.grey.dtype == np.uint16
    assert made.grey.max() < LEVELS
    assert np.array_equal(made.inside, made.grey > LEVELS * 37 // 1000)
    value = np.where(made.inside, made.grey, 0).astype(np.int64)
    for table, plane in zip(made.tables, (made.inside.astype(np.int64), value, value**2), strict=True):
        assert np.array_equal(table[1:, 1:], plane.cumsum(0).cumsum(1))
        assert not table[0].any()
        assert not table[:, 0].any()


def _same(a: WorkingImage | None, b: WorkingImage | None) -> bool:
    assert a is not None
    assert b is not None
    return np.array_equal(a.grey, b.grey) and np.array_equal(a.inside, b.inside)


def _turned(made: WorkingImage | None, way: str) -> WorkingImage:
    assert made is not None
    turn = TURNS[way]
    return WorkingImage(turn(made.grey), turn(made.inside), made.tables, made.scale_x, made.scale_y)


Turn = Callable[[NDArray[Any]], NDArray[Any]]
TURNS: dict[str, Turn] = {"left-right": np.fliplr, "up-down": np.flipud, "transposed": np.transpose}


@pytest.mark.parametrize("way", TURNS)
@pytest.mark.parametrize("shape", [(120, 90), (91, 133), (8, 64), (257, 300), (420, 399)])
@pytest.mark.parametrize("size", [64, 224])
def test_a_turned_slice_gives_exactly_the_turned_working_image(
    way: str, shape: tuple[int, int], size: int
) -> None:
    image = head(*shape)
    assert _same(working_image(TURNS[way](image), size), _turned(working_image(image, size), way))


@pytest.mark.parametrize("way", TURNS)
def test_a_turned_phantom_too(way: str) -> None:
    image, _ = phantom_slice()
    assert _same(working_image(TURNS[way](image), 224), _turned(working_image(image, 224), way))


@given(
    st.sampled_from(sorted(TURNS)),
    st.integers(0, 2**16),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 50),
)
@settings(max_examples=80, deadline=None)
def test_turning_is_exact_for_noise_of_any_shape(
    way: str, seed: int, rows: int, columns: int, size: int
) -> None:
    image = np.random.default_rng(seed).normal(0, 1e5, (rows, columns))
    made, turned = working_image(image, size), working_image(TURNS[way](image), size)
    if made is None:
        assert turned is None
    else:
        assert _same(turned, _turned(made, way))


@pytest.mark.parametrize("gain", [0.25, 2.0, 4096.0])
def test_a_gain_of_a_power_of_two_is_exact(gain: float) -> None:
    image, _ = phantom_slice()
    assert _same(working_image(image.astype(np.float32) * np.float32(gain), 224), working_image(image, 224))


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
def test_without_contrast_there_is_none(value: float) -> None:
    assert working_image(np.full((20, 20), value), 16) is None
