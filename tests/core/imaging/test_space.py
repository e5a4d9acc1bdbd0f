"""From series to series, and planes cut through them: worked examples and round trips on any plane."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import Cancelled, InputError
from core.imaging.geometry import mm_to_pixel, normal, pixel_shape, pixel_to_mm
from core.imaging.reslice import Volume, cut, cut_through, load_volume
from core.imaging.space import line_on, map_box, map_point, nearest, same_space
from core.jobs import CancelToken
from core.model import Box, Geometry, SliceRef, Vector
from tests.core.imaging.test_geometry import geometries

FRAME = "1.2.3"
AXIAL: tuple[Vector, Vector] = ((1, 0, 0), (0, 1, 0))
CORONAL: tuple[Vector, Vector] = ((1, 0, 0), (0, 0, -1))
SAGITTAL: tuple[Vector, Vector] = ((0, 1, 0), (0, 0, -1))


def ref(
    position: Vector,
    axes: tuple[Vector, Vector],
    shape: tuple[int, int] = (40, 50),
    spacing: tuple[float, float] = (2.0, 1.0),
    name: str = "a",
) -> SliceRef:
    geometry = Geometry(position, *axes, *spacing)
    return SliceRef(
        f"dicom:{name}{position}#0", Path(name), 0, *shape, name, geometry, spacing, frame_of_reference=FRAME
    )


def along(first: SliceRef, count: int, distance: float) -> list[SliceRef]:
    """A stack that begins with a slice."""
    assert first.geometry is not None
    start, axis = np.array(first.geometry.position), np.array(normal(first.geometry))
    stack = []
    for k in range(count):
        x, y, z = start + k * distance * axis
        at = replace(first.geometry, position=(float(x), float(y), float(z)))
        stack.append(replace(first, key=f"{first.key}{k}", geometry=at))
    return stack


@given(geometries(), geometries(), st.floats(0, 200), st.floats(0, 200), st.floats(0.2, 6))
def test_a_point_comes_back_from_another_series(
    one: Geometry, other: Geometry, x: float, y: float, distance: float
) -> None:
    source = replace(ref((0, 0, 0), AXIAL), geometry=one)
    stack = along(replace(source, geometry=other, key="other"), 9, distance)
    spot = map_point(source, x, y, stack)
    assert spot is not None
    there = stack[spot.index].geometry
    assert there is not None
    foot = np.array(pixel_to_mm(there, spot.x, spot.y))
    back = foot + spot.distance * np.array(normal(there))
    u, v = mm_to_pixel(one, (back[0], back[1], back[2]))
    error_mm = max(abs(u - x) * one.column_spacing, abs(v - y) * one.row_spacing)
    assert error_mm < 0.01
    heights = [abs(_height(s, back)) for s in stack]
    assert abs(spot.distance) <= min(heights) + 1e-6, "the nearest slice"


def _height(ref: SliceRef, point: NDArray[np.float64]) -> float:
    assert ref.geometry is not None
    return float((point - np.array(ref.geometry.position)) @ np.array(normal(ref.geometry)))


def test_a_point_on_crossing_planes() -> None:
    axial = ref((-20, -30, 10), AXIAL)
    coronal = along(ref((-20, -30, 50), CORONAL, (60, 50), (1.0, 1.0)), 30, 2.0)
    spot = map_point(axial, 10.5, 5.5, coronal)  # x = -20 + 10, y = -30 + 5·2 = -20, z = 10
    assert spot is not None
    assert (spot.x, spot.y) == pytest.approx((10.5, 40.5))
    # Row × column of this coronal points to the back: the stack goes from y = -30 to y = 28.
    assert spot.index == 5
    assert spot.distance == pytest.approx(0)


def test_frames_of_reference_are_not_mixed() -> None:
    one, other = ref((0, 0, 0), AXIAL), replace(ref((0, 0, 0), AXIAL), frame_of_reference="9")
    nowhere = replace(one, frame_of_reference="")
    unplaced = replace(one, geometry=None)
    assert same_space(one, one)
    for alien in (other, nowhere, unplaced):
        assert not same_space(one, alien)
        assert map_point(one, 1, 1, [alien]) is None
        assert map_box(one, Box(1, 1, 5, 5), 5, alien) is None
        assert line_on(one, alien) is None
    assert not same_space(nowhere, nowhere), "an empty frame of reference says nothing"
    assert nearest([unplaced], (0, 0, 0)) is None


def test_a_box_on_a_parallel_slice_is_the_same_tissue() -> None:
    coarse, fine = ref((0, 0, 0), AXIAL), ref((0, 0, 1), AXIAL, (160, 100), (0.5, 0.5))
    # Outer corner of the coarse first pixel: x = -.5, y = -1; of the fine one: x = -.25, y = -.25.
    found = map_box(coarse, Box(10, 10, 20, 15), 4.0, fine)
    assert found is not None
    assert found.as_tuple() == pytest.approx((19.5, 38.5, 39.5, 58.5))
    assert map_box(coarse, Box(10, 10, 20, 15), 1.0, fine) is None, "its block ends below the other slice"


def test_a_box_on_a_crossing_slice_is_the_cut_through_its_block() -> None:
    axial = ref((0, 0, 0), AXIAL, (50, 50), (1.0, 1.0))
    coronal = ref((0, 12, 30), CORONAL, (60, 50), (1.0, 1.0))
    found = map_box(axial, Box(10, 8, 20, 16), 6.0, coronal)
    assert found is not None
    assert found.as_tuple() == pytest.approx((10, 27.5, 20, 33.5))
    assert map_box(axial, Box(10, 20, 20, 30), 6.0, coronal) is None


@settings(deadline=None)
@given(geometries(), st.floats(-40, 40), st.floats(-40, 40))
def test_a_box_mapped_to_its_own_plane_is_itself(geometry: Geometry, x: float, y: float) -> None:
    source = replace(ref((0, 0, 0), AXIAL, (400, 400)), geometry=geometry)
    box = Box(100 + x, 120 + y, 150 + x, 131 + y)
    found = map_box(source, box, 3.0, source)
    assert found is not None
    assert found.as_tuple() == pytest.approx(box.as_tuple(), abs=1e-6)


def test_reference_lines_of_crossing_slices() -> None:
    axial = ref((0, 0, 0), AXIAL, (50, 50), (1.0, 1.0))
    coronal = ref((0, 12, 30), CORONAL, (60, 50), (1.0, 1.0))
    line = line_on(axial, coronal)
    assert line is not None
    assert sorted(x for x, _ in line) == pytest.approx([0, 50])
    assert [y for _, y in line] == pytest.approx([30.5, 30.5])
    assert line_on(axial, ref((0, 0, 9), AXIAL)) is None


def field(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A linear function of the patient's space: trilinear sampling gives it back exactly."""
    return np.asarray(3.0 * points[..., 0] - 2.0 * points[..., 1] + 0.5 * points[..., 2] + 100.0)


def pixels_of(ref: SliceRef) -> NDArray[np.float32]:
    assert ref.geometry is not None
    rows, columns = np.mgrid[: ref.rows, : ref.columns]
    across = np.array(ref.geometry.row_cosine) * ref.geometry.column_spacing
    down = np.array(ref.geometry.column_cosine) * ref.geometry.row_spacing
    grid = np.array(ref.geometry.position) + columns[..., None] * across + rows[..., None] * down
    return field(grid).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(geometries(), geometries(), st.floats(0.4, 5))
def test_any_cut_through_any_stack_has_the_values_of_its_place(
    stack: Geometry, other: Geometry, distance: float
) -> None:
    first = replace(ref((0, 0, 0), AXIAL, (20, 24)), geometry=stack)
    volume = load_volume(along(first, 16, distance), pixels_of)
    middle = np.array(pixel_to_mm(stack, 12, 10)) + 7.5 * distance * np.array(normal(stack))
    reach = 3 * min(stack.row_spacing, stack.column_spacing, distance)
    place = replace(other, row_spacing=reach / 12, column_spacing=reach / 12)
    corner = middle - 4 * (np.array(place.row_cosine) + np.array(place.column_cosine)) * reach / 12
    place = replace(place, position=(float(corner[0]), float(corner[1]), float(corner[2])))
    found = cut(volume, place, 9, 9)
    expected = pixels_of(replace(first, geometry=place, rows=9, columns=9))
    assert np.allclose(found.pixels, expected, atol=0.01)


def test_the_planes_of_the_patient() -> None:
    stack = along(ref((-20, -30, -15), AXIAL, (40, 50), (1.5, 1.0)), 16, 2.0)
    volume = load_volume(stack, pixels_of)
    found = {name: cut_through(volume, name, (3.0, -4.0, 5.0)) for name in ("axial", "coronal", "sagittal")}
    assert {name: c.plane for name, c in found.items()} == {name: name for name in found}
    assert found["axial"].pixels.shape == (60, 50), "square pixels of the finest spacing, here 1 mm"
    assert found["coronal"].pixels.shape == (30, 50)
    assert found["sagittal"].pixels.shape == (30, 60)
    for name, c in found.items():
        inner = c.pixels[3:-3, 3:-3]
        whole = replace(stack[0], geometry=c.geometry, rows=c.pixels.shape[0], columns=c.pixels.shape[1])
        assert np.allclose(inner, pixels_of(whole)[3:-3, 3:-3], atol=0.01), name
        assert abs(_height(whole, np.array([3.0, -4.0, 5.0]))) < 1e-9, "through the point"


def test_uneven_and_leaning_stacks_are_cut_where_they_lie() -> None:
    heights, leaning = (0.0, 2.0, 3.0, 7.0, 9.0), 0.6
    stack = [ref((leaning * z, 0, z), AXIAL, (20, 20), (1.0, 1.0), f"{z}") for z in heights]
    volume = load_volume(stack, pixels_of)
    place = Geometry((8.0, 9.0, 8.0), *CORONAL, 0.5, 0.5)
    found = cut(volume, place, 14, 9)
    expected = pixels_of(replace(stack[0], geometry=place, rows=14, columns=9))
    assert np.allclose(found.pixels, expected, atol=0.01)


def test_outside_there_is_the_lowest_value() -> None:
    volume = load_volume(along(ref((0, 0, 0), AXIAL, (8, 8), (1, 1)), 4, 1.0), pixels_of)
    found = cut(volume, Geometry((100, 100, 100), *AXIAL, 1, 1), 3, 3)
    assert (found.pixels == volume.low).all()


def test_a_volume_too_large_is_thinned_and_still_in_place() -> None:
    stack = along(ref((0, 0, 0), AXIAL, (30, 30), (1, 1)), 6, 1.0)
    volume = load_volume(stack, pixels_of, max_bytes=6 * 10 * 10 * 4)
    assert volume.every == 3
    assert volume.values.nbytes <= 6 * 10 * 10 * 4
    found = cut(volume, Geometry((6, 6, 2), *AXIAL, 1, 1), 12, 12)
    expected = pixels_of(ref((6, 6, 2), AXIAL, (12, 12), (1, 1)))
    assert np.allclose(found.pixels, expected, atol=0.01)


def test_what_cannot_be_cut_says_why() -> None:
    one = ref((0, 0, 0), AXIAL)
    for slices, reason in (
        ([one], "one position"),
        ([one, replace(one, geometry=None)], "no positions"),
        ([one, ref((0, 0, 5), CORONAL)], "not parallel"),
    ):
        with pytest.raises(InputError, match=reason):
            load_volume(slices, pixels_of)
    with pytest.raises(InputError, match="coronal"):
        cut_through(load_volume(along(one, 3, 1.0), pixels_of), "oblique", (0, 0, 0))


def test_loading_is_bounded_by_the_token_and_told_of() -> None:
    stack, token = along(ref((0, 0, 0), AXIAL), 5, 1.0), CancelToken()
    steps: list[float] = []

    def stop(done: float, total: float, text: str = "", **metrics: float) -> None:
        steps.append(done)
        if done == 3:
            token.cancel()

    with pytest.raises(Cancelled):
        load_volume(stack, pixels_of, progress=stop, cancel=token)
    assert steps == [1, 2, 3]
    assert isinstance(load_volume(stack, pixels_of), Volume)


def test_proportions_of_a_pixel() -> None:
    one = ref((0, 0, 0), AXIAL)
    assert pixel_shape(one) == (2.0, 1.0)
    assert pixel_shape(replace(one, spacing=None, aspect=1.25)) == (1.25, 1.0)
    assert pixel_shape(replace(one, spacing=None)) == (1.0, 1.0)
