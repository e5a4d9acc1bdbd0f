from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.proposals.normalise import normalise


def _textured(seed: int = 0, size: int = 40) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    image = rng.uniform(0.0, 0.02, (size, size))
    image[8:32, 6:30] = rng.uniform(0.3, 1.0, (24, 24))
    return image


@given(st.floats(1e-3, 1e5), st.floats(-1e5, 1e5))
@settings(max_examples=50, deadline=None)
def test_scanner_units_do_not_matter(gain: float, offset: float) -> None:
    image = _textured()
    # Units far from zero cost digits of the input itself, not of the method.
    tolerance = 1e-4 + 1e-10 * abs(offset) / gain
    np.testing.assert_allclose(normalise(image * gain + offset), normalise(image), atol=tolerance)


def test_foreground_spans_zero_to_one() -> None:
    unit = normalise(_textured())
    assert unit.dtype == np.float32
    assert unit.min() == 0.0
    assert unit.max() == 1.0
    assert 0.4 < unit[8:32, 6:30].mean() < 0.6


def test_background_does_not_move_the_scale() -> None:
    image = _textured()
    padded = np.pad(image, 40)
    np.testing.assert_allclose(
        normalise(padded)[40:80, 40:80][8:32, 6:30], normalise(image)[8:32, 6:30], atol=0.03
    )


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8)),
        np.full((8, 8), 7, dtype=np.uint16),
        np.full((8, 8), np.nan),
        np.full((8, 8), np.inf),
        np.full((1, 1), 3.0),
        np.full((6, 6), 1e308),
    ],
    ids=["zero", "constant", "nan", "inf", "one pixel", "huge"],
)
def test_without_contrast_all_is_zero(image: NDArray[np.generic]) -> None:
    unit = normalise(image)
    assert unit.shape == image.shape
    assert not unit.any()


def test_not_finite_values_are_ignored() -> None:
    image = _textured()
    expected = normalise(image)
    image[0, 0], image[0, 1], image[0, 2] = np.nan, np.inf, -np.inf
    unit = normalise(image)
    assert unit[0, 0] == 0.0
    assert unit[0, 1] == 1.0
    assert unit[0, 2] == 0.0
    np.testing.assert_allclose(unit[8:32, 6:30], expected[8:32, 6:30], atol=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_any_real_dtype(dtype: type[np.generic]) -> None:
    image = (_textured() * 200).astype(dtype)
    unit = normalise(image)
    assert unit.max() == 1.0
    assert np.isfinite(unit).all()
