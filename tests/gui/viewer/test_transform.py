from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QSizeF

from core.model import Box
from gui.viewer.transform import MAX_SCALE, MIN_SCALE, ViewTransform, fitted, pixel_aspect

coordinates = st.floats(-5000, 5000)
transforms = st.builds(ViewTransform, st.floats(0.05, 60), st.floats(0.05, 60), coordinates, coordinates)
shapes = st.tuples(st.integers(1, 4000), st.integers(1, 4000))
sizes = st.builds(QSizeF, st.floats(20, 3000), st.floats(20, 3000))


@given(transforms, coordinates, coordinates)
def test_to_widget_and_back_is_the_same_point(view: ViewTransform, x: float, y: float) -> None:
    assert view.to_image(view.to_widget(x, y)) == pytest.approx((x, y), abs=1e-6)


@given(transforms, st.floats(0.01, 100), coordinates, coordinates)
def test_zooming_keeps_the_point_under_the_cursor(view: ViewTransform, by: float, x: float, y: float) -> None:
    cursor = QPointF(x, y)
    before, after = view.to_image(cursor), view.zoomed(by, cursor).to_image(cursor)
    assert after == pytest.approx(before, abs=1e-5, rel=1e-6)


@given(transforms, st.floats(1e-12, 1e12))
def test_zooming_stays_within_the_limits_and_keeps_the_aspect(view: ViewTransform, by: float) -> None:
    zoomed = view.zoomed(by, QPointF(10, 10))
    assert MIN_SCALE * 0.999 <= zoomed.scale_x <= MAX_SCALE * 1.001
    assert zoomed.scale_y / zoomed.scale_x == pytest.approx(view.scale_y / view.scale_x)


@pytest.mark.parametrize("factor", [0.0, -1.0, math.nan, math.inf])
def test_a_senseless_zoom_changes_nothing(factor: float) -> None:
    view = ViewTransform(2, 2, 5, 5)
    assert view.zoomed(factor, QPointF(1, 1)) == view


@given(shapes, sizes, st.floats(0.2, 5))
def test_a_fitted_slice_is_whole_centred_and_of_true_aspect(
    shape: tuple[int, int], size: QSizeF, aspect: float
) -> None:
    view = fitted(shape, size, aspect)
    rect = view.image_rect(shape)
    assert view.scale_y / view.scale_x == pytest.approx(aspect)
    assert rect.center().x() == pytest.approx(size.width() / 2)
    assert rect.center().y() == pytest.approx(size.height() / 2)
    if MIN_SCALE < view.scale_x < MAX_SCALE:
        assert rect.width() <= size.width() * (1 + 1e-9)
        assert rect.height() <= size.height() * (1 + 1e-9)
        touches = max(rect.width() / size.width(), rect.height() / size.height())
        assert touches == pytest.approx(1.0)


@given(transforms, shapes, sizes)
def test_a_piece_of_the_slice_stays_in_view(
    view: ViewTransform, shape: tuple[int, int], size: QSizeF
) -> None:
    rect = view.kept_in_view(shape, size).image_rect(shape)
    for low, high, extent in (
        (rect.left(), rect.right(), size.width()),
        (rect.top(), rect.bottom(), size.height()),
    ):
        assert min(high, extent) - max(low, 0) >= min(48.0, high - low, extent) - 1e-6


def test_a_box_covers_its_pixels() -> None:
    view = ViewTransform(4, 8, 10, 20)
    rect = view.rect(Box(1, 2, 3, 5))
    assert (rect.left(), rect.top(), rect.right(), rect.bottom()) == (14, 36, 22, 60)


@pytest.mark.parametrize(
    ("spacing", "aspect"),
    [
        (None, 1.0),
        ((2.0, 1.0), 2.0),
        ((0.5, 1.0), 0.5),
        ((0.0, 1.0), 1.0),
        ((math.nan, 1.0), 1.0),
        ((1.0, -1.0), 1.0),
    ],
)
def test_pixel_aspect(spacing: tuple[float, float] | None, aspect: float) -> None:
    assert pixel_aspect(spacing) == aspect
    assert pixel_aspect(spacing, 1.25) == (1.25 if spacing is None else aspect)
    assert pixel_aspect(None, math.nan) == 1.0
