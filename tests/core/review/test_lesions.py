"""Annotations and predictions of one lesion belong together, whoever made them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.model import Box, Detection, Geometry, SliceRef
from core.review.lesions import CERTAIN, MarkedBox, read_lesions

BOX, OTHER = Box(10, 10, 40, 40), Box(60, 60, 90, 90)


def stack(count: int, step: float = 5.0) -> list[SliceRef]:
    return [
        SliceRef(
            f"k{i}", Path(f"{i}.dcm"), 0, 128, 128, "s",
            Geometry((0.0, 0.0, step * i), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 0.5, 0.5), (0.5, 0.5),
        )
        for i in range(count)
    ]  # fmt: skip


def drawn(box_id: str, box: Box, label: int = 1) -> MarkedBox:
    return MarkedBox(box_id, Detection(box, label, f"class {label}", CERTAIN))


def predicted(box_id: str, box: Box, score: float = 0.7, label: int = 1) -> MarkedBox:
    return MarkedBox(box_id, Detection(box, label, f"class {label}", score))


def test_a_drawn_box_joins_the_predictions_on_the_slices_beside_it() -> None:
    marked = [
        [],
        [predicted("d0", BOX), predicted("d1", OTHER)],
        [drawn("a", BOX.moved(2, 0))],
        [predicted("d0", BOX)],
        [],
        [predicted("d4", OTHER)],
    ]
    one, two, three = read_lesions(stack(6), marked)
    assert one.boxes == ((1, "d0"), (2, "a"), (3, "d0"))
    assert one.middle == (2, "a")
    assert one.lesion.extent_mm == (16.0, 15.0, 15.0)
    assert two.boxes == ((1, "d1"),)
    # Four slices on: three without a box between them are too many to bridge.
    assert three.boxes == ((5, "d4"),)


def test_the_middle_of_a_lesion_with_a_gap_is_a_slice_it_has_a_box_on() -> None:
    marked = [[predicted("d0", BOX)], [], [predicted("d0", BOX)], [predicted("d0", BOX)]]
    (lesion,) = read_lesions(stack(4), marked)
    assert (lesion.lesion.first, lesion.lesion.last, lesion.middle) == (0, 3, (2, "d0"))
    (two,) = read_lesions(stack(3), [[predicted("d0", BOX)], [], [predicted("d1", BOX)]])
    assert two.middle == (0, "d0")


def test_what_a_reader_drew_names_the_lesion() -> None:
    marked = [[predicted("d0", BOX, 0.99, 2)], [drawn("a", BOX)], [predicted("d0", BOX, 0.5, 2)]]
    (lesion,) = read_lesions(stack(3), [marked[0], marked[1], []])
    assert lesion.lesion.label_id == 1
    (outvoted,) = read_lesions(stack(3), marked)
    assert outvoted.lesion.label_id == 2


def test_another_class_at_the_same_place_is_listed_with_the_lesion() -> None:
    second = predicted("d1", BOX.moved(1, 1), 0.3, 2)
    marked = [[predicted("d0", BOX), predicted("far", OTHER), second], [predicted("d0", BOX)]]
    one, two = read_lesions(stack(2), marked)
    assert one.boxes == ((0, "d0"), (0, "d1"), (1, "d0"))
    assert two.boxes == ((0, "far"),)


def test_nothing_gives_nothing() -> None:
    assert read_lesions(stack(3), [[], [], []]) == ()
    assert read_lesions([], []) == ()
    with pytest.raises(InputError, match="2 lists of detections for 3 slices"):
        read_lesions(stack(3), [[], []])


boxes = st.builds(
    lambda x, y, size: Box(x, y, x + size, y + size),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(5, 40),
)
rows = st.lists(st.tuples(boxes, st.sampled_from([0.3, 0.6, CERTAIN]), st.integers(1, 3)), max_size=4)


@given(st.lists(rows, max_size=6))
def test_every_box_is_in_one_lesion(found: list[list[tuple[Box, float, int]]]) -> None:
    marked = [
        [MarkedBox(f"b{i}", Detection(box, label, "", score)) for i, (box, score, label) in enumerate(row)]
        for row in found
    ]
    lesions = read_lesions(stack(len(marked)), marked)
    everything = sorted((s, m.box_id) for s, row in enumerate(marked) for m in row)
    assert sorted(b for lesion in lesions for b in lesion.boxes) == everything
    for lesion in lesions:
        assert lesion.middle in lesion.boxes
        assert list(lesion.boxes) == sorted(lesion.boxes)
        assert lesion.lesion.first <= lesion.middle[0] <= lesion.lesion.last
    firsts = [lesion.lesion.first for lesion in lesions]
    assert firsts == sorted(firsts)


def told(box_id: str, box: Box, finding: str) -> MarkedBox:
    return MarkedBox(box_id, Detection(box, 1, "class 1", CERTAIN), finding)


def test_what_a_reader_merged_is_one_lesion_wherever_it_lies() -> None:
    marked = [[told("a", BOX, "f")], [], [], [], [], [told("b", OTHER, "f")], [drawn("c", OTHER.moved(1, 1))]]
    (one,) = read_lesions(stack(7), marked)
    assert one.boxes == ((0, "a"), (5, "b"), (6, "c"))  # a box drawn beside it joins
    assert (one.lesion.first, one.lesion.last) == (0, 6)
    assert one.lesion.extent_mm == (40.5, 40.5, 35.0)
    assert one.lesion.volume_ml == pytest.approx(3.14159265 / 6 * 15 * 15 * 35 / 1000)


def test_what_a_reader_split_stays_apart_although_it_overlaps() -> None:
    marked = [[told("a", BOX, "f")], [told("b", BOX, "g")], [drawn("c", BOX)]]
    one, two = read_lesions(stack(3), marked)
    assert [one.boxes, two.boxes] == [((0, "a"),), ((1, "b"), (2, "c"))]


def test_two_boxes_of_one_slice_never_become_one_lesion() -> None:
    lesions = read_lesions(stack(1), [[told("a", BOX, "f"), told("b", OTHER, "f")]])
    assert [lesion.boxes for lesion in lesions] == [((0, "a"),), ((0, "b"),)]
