"""Linking across slices: examples one can draw, and laws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.detection.findings import ELLIPSOID, Lesion, LinkConfig, link
from core.errors import InputError
from core.model import Box, Detection, Geometry, SliceRef

Row = Sequence[Detection]
NAMES = {1: "glioma", 2: "meningioma"}


def found(x: float, y: float, size: float = 10, score: float = 0.9, label: int = 1) -> Detection:
    """A square detection by its centre."""
    half = size / 2
    return Detection(Box(x - half, y - half, x + half, y + half), label, NAMES[label], score)


def stack(heights: Sequence[float], spacing: tuple[float, float] = (0.5, 0.25)) -> list[SliceRef]:
    """Slices at these heights in mm; (row, column) spacing."""
    return [
        SliceRef(
            f"k{i}", Path(f"{i}.dcm"), 0, 256, 256, "s",
            geometry=Geometry((5.0, 7.0, z), (1, 0, 0), (0, 1, 0), *spacing), spacing=spacing,
        )
        for i, z in enumerate(heights)
    ]  # fmt: skip


def plain(count: int) -> list[SliceRef]:
    """Slices of which nothing is known."""
    return [SliceRef(f"k{i}", Path(f"{i}.png"), 0, 256, 256, "s") for i in range(count)]


def members(lesion: Lesion) -> list[tuple[int, int]]:
    return [(m.slice, m.index) for m in lesion.members]


def as_sets(lesions: Sequence[Lesion], count: int | None = None) -> list[Any]:
    """What was linked, whatever the order of lesions and detections; mirrored where a count is given."""

    def place(index: int) -> int:
        return index if count is None else count - 1 - index

    return sorted(
        (
            sorted((place(m.slice), m.box.as_tuple(), m.score) for m in a.members),
            a.score,
            a.label,
            a.extent_mm,
            a.volume_ml,
        )
        for a in lesions
    )


def test_one_lesion_through_the_stack_with_its_measures() -> None:
    rows = [[], [found(50, 50, 8)], [found(51, 50, 16, 0.7)], [found(52, 50, 8, 0.5)], []]
    (lesion,) = link(rows, stack([0, 3, 6, 9, 12]))
    assert members(lesion) == [(1, 0), (2, 0), (3, 0)]
    assert (lesion.first, lesion.last, lesion.score, lesion.label) == (1, 3, 0.9, "glioma")
    # x from 43 to 59 at .25 mm, y from 42 to 58 at .5 mm, three slices of 3 mm.
    assert lesion.extent_mm == pytest.approx((4.0, 8.0, 9.0))
    assert lesion.volume_ml == pytest.approx(ELLIPSOID * 4 * 8 * 9 / 1000)


def test_a_lesion_that_wanders_is_estimated_by_its_largest_box() -> None:
    rows = [[found(50 + 6 * k, 50, 12)] for k in range(5)]
    (lesion,) = link(rows, stack([0, 2, 4, 6, 8], (1, 1)))
    assert lesion.extent_mm == pytest.approx((36, 12, 10))
    assert lesion.volume_ml == pytest.approx(ELLIPSOID * 12 * 12 * 10 / 1000)


@pytest.mark.parametrize(("gap", "lesions"), [(0, 2), (1, 1), (2, 1)])
def test_gaps_are_bridged_as_far_as_asked(gap: int, lesions: int) -> None:
    rows = [[found(50, 50)], [], [found(50, 50)]]
    assert len(link(rows, plain(3), LinkConfig(gap=gap))) == lesions


def test_a_gap_is_counted_in_millimetres_where_they_are_known() -> None:
    rows = [[found(50, 50)], [found(50, 50)], [found(50, 50)], [found(50, 50)]]
    missing = link(rows, stack([0, 3, 6, 30]))
    assert sorted(map(members, missing)) == [[(0, 0), (1, 0), (2, 0)], [(3, 0)]]
    assert len(link(rows, plain(4))) == 1


def test_a_small_end_near_the_middle_of_a_large_box_belongs_to_it() -> None:
    large = [found(50, 50, 40)]
    assert len(link([large, [found(52, 50, 8)]], plain(2))) == 1
    assert len(link([large, [found(64, 50, 8)]], plain(2))) == 2


def test_distance_is_in_millimetres() -> None:
    flat = [[Detection(Box(0, 0, 40, 4), 1, "glioma", 0.9)], [Detection(Box(0, 7, 40, 11), 1, "glioma", 0.9)]]
    assert len(link(flat, plain(2))) == 1
    # Rows 8 mm apart and columns .1: 56 mm from centre to centre, of a diagonal of 32.
    assert len(link(flat, stack([0, 1], (8.0, 0.1)))) == 2


def test_lesions_side_by_side_stay_two() -> None:
    rows = [[found(50, 50, 20), found(66, 50, 20)] for _ in range(5)]
    lesions = link(rows, plain(5))
    assert sorted(map(members, lesions)) == [[(k, 0) for k in range(5)], [(k, 1) for k in range(5)]]


def test_lesions_that_cross_stay_two() -> None:
    rows = [[found(20 + 6 * k, 50, 16), found(68 - 6 * k, 56, 16)] for k in range(9)]
    lesions = link(rows, plain(9))
    assert [len(a.members) for a in lesions] == [9, 9]


def test_a_weak_duplicate_does_not_break_a_lesion() -> None:
    rows = [[found(50, 50, 20, 0.9), found(53, 50, 26, 0.2)] for _ in range(4)]
    best, rest = link(rows, plain(4))
    assert members(best) == [(k, 0) for k in range(4)]
    assert members(rest) == [(k, 1) for k in range(4)]


def test_the_class_is_voted_by_score() -> None:
    rows = [[found(50, 50, score=0.9, label=1)], [found(50, 50, score=0.5, label=2)]] * 2
    assert link(rows, plain(4))[0].label == "glioma"
    rows = [[found(50, 50, score=0.9, label=1)], *[[found(50, 50, score=0.5, label=2)]] * 2]
    assert link(rows, plain(3))[0].label == "meningioma"


def test_another_class_at_the_same_place_only_votes() -> None:
    rows = [[found(50, 50, score=0.6, label=1), found(51, 50, score=0.55, label=2)]]
    rows += [[found(50, 50, score=0.2, label=2)]]
    (lesion,) = link(rows, plain(2))
    assert members(lesion) == [(0, 0), (1, 0)]
    assert lesion.label == "meningioma"


def test_a_single_image_gives_lesions_of_one_slice() -> None:
    lesions = link([[found(20, 20, score=0.5), found(50, 50)]], plain(1))
    assert [members(a) for a in lesions] == [[(0, 1)], [(0, 0)]]
    assert all(a.extent_mm is None and a.volume_ml is None for a in lesions)


def test_without_positions_there_are_no_millimetres() -> None:
    calibrated = [replace(ref, spacing=(1.0, 1.0)) for ref in plain(2)]
    (lesion,) = link([[found(50, 50)], [found(50, 50)]], calibrated)
    assert lesion.extent_mm is None


def test_nothing_gives_nothing() -> None:
    assert link([], []) == ()
    assert link([[], []], plain(2)) == ()


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="2 lists of detections for 1 slices"):
        link([[], []], plain(1))
    with pytest.raises(ValueError, match="gap=-1"):
        LinkConfig(gap=-1)
    with pytest.raises(ValueError, match="least_iou=0"):
        LinkConfig(least_iou=0.0)


detections = st.builds(
    found,
    st.integers(10, 60),
    st.integers(10, 40),
    st.sampled_from([6, 10, 20]),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.sampled_from([1, 2]),
)
volumes = st.lists(st.lists(detections, max_size=4), min_size=1, max_size=7)


@st.composite
def stacks(draw: st.DrawFn) -> tuple[list[list[Detection]], list[SliceRef]]:
    rows = draw(volumes)
    steps = draw(st.lists(st.sampled_from([3.0, 3.1, 9.0]), min_size=len(rows), max_size=len(rows)))
    return rows, stack(np.cumsum(steps).tolist()) if draw(st.booleans()) else plain(len(rows))


@given(stacks())
def test_every_detection_has_one_lesion_and_every_lesion_one_box_a_slice(
    case: tuple[list[list[Detection]], list[SliceRef]],
) -> None:
    rows, refs = case
    lesions = link(rows, refs)
    taken = [place for a in lesions for place in members(a)]
    assert len(set(taken)) == len(taken)
    for lesion in lesions:
        places = [m.slice for m in lesion.members]
        assert places == sorted(set(places))
        assert all(rows[m.slice][m.index].box == m.box for m in lesion.members)
        assert lesion.score == max(m.score for m in lesion.members)
    if len({d.label_id for row in rows for d in row}) < 2:
        assert len(taken) == sum(map(len, rows))
    assert [a.score for a in lesions] == sorted((a.score for a in lesions), reverse=True)


@given(stacks(), st.randoms())
def test_the_order_on_a_slice_does_not_matter(
    case: tuple[list[list[Detection]], list[SliceRef]], random: Random
) -> None:
    rows, refs = case
    shuffled = [list(row) for row in rows]
    for row in shuffled:
        random.shuffle(row)
    assert as_sets(link(shuffled, refs)) == as_sets(link(rows, refs))


@settings(max_examples=300)
@given(stacks())
def test_the_direction_of_the_stack_does_not_matter(
    case: tuple[list[list[Detection]], list[SliceRef]],
) -> None:
    rows, refs = case
    flat = [sorted((d.box.as_tuple(), d.score, d.label) for d in row) for row in rows]
    assume(flat != flat[::-1] or len(rows) == 1)
    assert as_sets(link(rows[::-1], refs[::-1]), len(rows)) == as_sets(link(rows, refs))
