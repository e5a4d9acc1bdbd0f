"""Rows 30 and 31: boxes interpolated over a range of slices, and projected to another series through mm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.edits import AnnotationSet, create
from core.errors import InputError
from core.imaging.geometry import mm_to_pixel, pixel_to_mm
from core.model import Annotation, Box, Geometry, OriginKind, Series, SliceRef
from core.review.carry import can_project, find_gap, interpolated, projected
from core.review.checks import duplicates, unchecked

BOX, BIGGER, ELSEWHERE = Box(10, 10, 40, 40), Box(20, 14, 60, 48), Box(80, 80, 95, 95)


def series(
    heights: list[float],
    *,
    name: str = "T2",
    spacing: tuple[float, float] = (0.5, 0.5),
    origin: tuple[float, float] = (0.0, 0.0),
    axes: tuple[tuple[float, float, float], tuple[float, float, float]] = ((1, 0, 0), (0, 1, 0)),
    frame: str = "1.2",
) -> Series:
    """An axial series of 128 × 128, unless other axes are given, at these heights."""
    refs = tuple(
        SliceRef(
            f"{name}{i}", Path(f"{i}.dcm"), 0, 128, 128, name,
            Geometry((*origin, z), *axes, *spacing), spacing, frame_of_reference=frame,
        )
        for i, z in enumerate(heights)
    )  # fmt: skip
    return Series(name, "study", "MR", name, refs, is_stack=True)


def on(ref: SliceRef, box: Box, name: str, label: int = 1, finding: str = "") -> Annotation:
    return Annotation(name, ref.key, box, label, finding=finding)


def put(*made: Annotation) -> AnnotationSet:
    found = AnnotationSet()
    for annotation in made:
        found, _ = create(annotation).apply(found)
    return found


def test_row_30_boxes_between_two_slices_lie_where_the_slices_lie() -> None:
    slices = series([0.0, 5.0, 10.0, 20.0]).slices  # the last step is double
    a, b = on(slices[0], BOX, "a"), on(slices[3], BIGGER, "b", finding="f")
    gap = find_gap(slices, put(a, b), b)
    assert gap is not None
    assert (gap.first, gap.last) == (0, 3)
    made = interpolated(gap, slices, "anna")
    assert [m.slice_key for m in made] == [slices[1].key, slices[2].key]
    assert made[0].box.as_tuple() == pytest.approx((12.5, 11, 45, 42))
    assert made[1].box.as_tuple() == pytest.approx((15, 12, 50, 44))
    assert {(m.label_id, m.origin.kind, m.checked, m.finding) for m in made} == {
        (1, OriginKind.INTERPOLATED, False, "f")
    }
    assert [u.id for u in unchecked(put(a, b, *made), [s.key for s in slices])] == [m.id for m in made]


def test_the_gap_is_to_the_nearest_box_of_the_same_lesion() -> None:
    slices = series([float(z) for z in range(10)]).slices
    near, far, other = on(slices[1], BOX, "a"), on(slices[4], ELSEWHERE, "b"), on(slices[6], BOX, "c", 2)
    chosen = on(slices[8], BOX.moved(3, 3), "d")
    gap = find_gap(slices, put(near, far, other, chosen), chosen)
    assert gap is not None
    assert (gap.start, gap.end) == (near, chosen)
    # Drawn on the first slice and asked for there: the other end is after it.
    gap = find_gap(slices, put(near, far, other, chosen), near)
    assert gap is not None
    assert (gap.start, gap.end) == (near, chosen)
    said = put(replace(near, finding="x"), far, other, replace(chosen, finding="y"))
    assert find_gap(slices, said, replace(chosen, finding="y")) is None
    beside = on(slices[7], BOX, "e")
    assert find_gap(slices, put(beside, chosen), chosen) is None


@given(
    st.tuples(st.floats(-10, 10), st.floats(-10, 10)),
    st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)),
    st.integers(0, 4),
    st.tuples(st.floats(30, 60), st.floats(30, 60), st.floats(5, 40), st.floats(5, 40)),
)
def test_row_31_a_projected_box_covers_the_same_millimetres(
    origin: tuple[float, float],
    spacing: tuple[float, float],
    at: int,
    place: tuple[float, float, float, float],
) -> None:
    t2 = series([0.0, 3.0, 6.0, 9.0, 12.0])
    flair = series([-1.0, 2.0, 5.0, 8.0, 11.0], name="FLAIR", spacing=spacing, origin=origin)
    x, y, width, height = place
    box, ref = Box(x, y, x + width, y + height), t2.slices[at]
    target, there = projected(box, ref, flair)
    assert target == flair.slices[at]
    assert ref.geometry is not None
    assert target.geometry is not None
    for corner, found in (((box.x1, box.y1), (there.x1, there.y1)), ((box.x2, box.y2), (there.x2, there.y2))):
        foot = mm_to_pixel(target.geometry, pixel_to_mm(ref.geometry, *corner))
        assert found == pytest.approx(np.clip(foot, 0, 128), abs=1e-6)


def test_a_projection_goes_into_a_series_that_runs_the_other_way_and_is_turned() -> None:
    t2 = series([0.0, 3.0, 6.0])
    # Rows run up, slices from the head down, and the picture is turned by a quarter.
    turned = series([6.0, 3.0, 0.0], name="turned", axes=((0, 1, 0), (1, 0, 0)))
    target, box = projected(Box(10, 20, 30, 60), t2.slices[0], turned)
    assert target == turned.slices[2]
    assert box.as_tuple() == pytest.approx((20, 10, 60, 30))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (series([0.0, 3.0], name="own frame", frame="9.9"), "frame of reference"),
        (series([0.0, 3.0], name="unknown", frame=""), "frame of reference"),
        (series([0.0, 3.0], name="sagittal", axes=((0, 1, 0), (0, 0, -1))), "frame of reference and plane"),
        (series([30.0, 33.0], name="higher"), "nearest slice is 30.0 mm"),
        (series([0.0, 3.0], name="aside", origin=(500.0, 0.0)), "lies outside of its slices"),
    ],
    ids=lambda v: v.uid if isinstance(v, Series) else "",
)
def test_row_31_a_box_that_has_no_place_there_is_refused_with_the_reason(other: Series, message: str) -> None:
    t2 = series([0.0, 3.0])
    with pytest.raises(InputError, match=message):
        projected(BOX, t2.slices[0], other)
    assert can_project(t2.slices[0], other) == (not message.startswith("frame"))


def test_row_32_duplicates_are_same_class_boxes_that_cover_each_other() -> None:
    ref = series([0.0]).slices[0]
    a, b = on(ref, BOX, "a"), on(ref, BOX.moved(1, 0), "b")
    assert duplicates([a, b, on(ref, BOX, "c", label=2), on(ref, BOX.moved(3, 0), "d")]) == ((a, b),)
    assert duplicates([a]) == ()
