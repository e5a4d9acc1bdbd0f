"""Pixels and patient: worked examples, and the round trip on any plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.imaging.geometry import (
    mm_to_pixel,
    normal,
    orientation_letters,
    pixel_to_mm,
    position_along_normal,
    size_mm,
)
from core.model import Box, Geometry, Vector


def plane(row: Vector, column: Vector) -> Geometry:
    return Geometry((0.0, 0.0, 0.0), row, column, 1.0, 1.0)


AXIAL = plane((1, 0, 0), (0, 1, 0))


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Any plane in space: two orthonormal directions from three angles, anisotropic spacing."""
    a, b, c = (draw(st.floats(-3.1, 3.1)) for _ in range(3))
    turn_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    turn_y = np.array([[np.cos(c), 0, np.sin(c)], [0, 1, 0], [-np.sin(c), 0, np.cos(c)]])
    turn = turn_z @ turn_x @ turn_y
    x, y, z = (draw(st.floats(-500, 500)) for _ in range(3))
    row, column = turn[:, 0], turn[:, 1]
    spacing = (draw(st.floats(0.05, 8)), draw(st.floats(0.05, 8)))
    return Geometry((x, y, z), (row[0], row[1], row[2]), (column[0], column[1], column[2]), *spacing)


def test_worked_example() -> None:
    # 2 mm between rows, 0.5 mm between columns; the first pixel's centre (0.5, 0.5) is at the position.
    geometry = Geometry((10.0, 20.0, 30.0), (1, 0, 0), (0, 0, -1), 2.0, 0.5)
    assert pixel_to_mm(geometry, 0.5, 0.5) == (10, 20, 30)
    assert pixel_to_mm(geometry, 4.5, 0.5) == (12, 20, 30)
    assert pixel_to_mm(geometry, 0.5, 3.5) == (10, 20, 24)
    assert pixel_to_mm(geometry, 0, 0) == (9.75, 20, 31)


@given(geometries(), st.floats(-100, 1000), st.floats(-100, 1000))
def test_round_trip(geometry: Geometry, x: float, y: float) -> None:
    there = pixel_to_mm(geometry, x, y)
    back = mm_to_pixel(geometry, there)
    error_mm = max(abs(back[0] - x) * geometry.column_spacing, abs(back[1] - y) * geometry.row_spacing)
    assert error_mm < 1e-6


@given(geometries())
def test_normal_is_a_unit_vector_at_right_angles(geometry: Geometry) -> None:
    n = np.array(normal(geometry))
    assert np.linalg.norm(n) == pytest.approx(1)
    assert n @ np.array(geometry.row_cosine) == pytest.approx(0, abs=1e-9)
    assert n @ np.array(geometry.column_cosine) == pytest.approx(0, abs=1e-9)


def test_position_grows_towards_the_head_for_axial_slices() -> None:
    lower = Geometry((5.0, 5.0, -10.0), (1, 0, 0), (0, 1, 0), 1.0, 1.0)
    upper = Geometry((-7.0, 2.0, 10.0), (1, 0, 0), (0, 1, 0), 1.0, 1.0)
    assert position_along_normal(lower) == -10
    assert position_along_normal(upper) == 10


@pytest.mark.parametrize(
    ("geometry", "letters"),
    [
        (AXIAL, "RLAP"),
        (plane((0, 1, 0), (0, 0, -1)), "APHF"),  # sagittal
        (plane((1, 0, 0), (0, 0, -1)), "RLHF"),  # coronal
        (plane((-1, 0, 0), (0, 1, 0)), "LRAP"),  # axial seen from the other side
    ],
)
def test_letters_of_the_three_planes(geometry: Geometry, letters: str) -> None:
    found = orientation_letters(geometry)
    assert found.left + found.right + found.top + found.bottom == letters


def test_oblique_planes_have_more_letters() -> None:
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    found = orientation_letters(plane((c, s, 0), (-s, c, 0)))
    assert (found.right, found.left, found.bottom, found.top) == ("LP", "RA", "PR", "AL")


def test_a_slight_tilt_does_not_clutter() -> None:
    c, s = np.cos(np.radians(5)), np.sin(np.radians(5))
    assert orientation_letters(plane((c, s, 0), (-s, c, 0))).right == "L"


def test_size_of_a_box() -> None:
    # (row, column) spacing: width is measured along columns.
    assert size_mm(Box(0, 0, 10, 4), (3.0, 0.5)) == (5.0, 12.0)
