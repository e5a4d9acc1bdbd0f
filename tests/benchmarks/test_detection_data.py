"""How data is parted for measuring detectors: no patient on both sides, and the same parts every time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.detection_data import as_class, by_hash, choosing, deal, draw_boxes, numbered
from core.errors import InputError
from core.model import Box, Dataset, LabelClass, LabelledBox, LabelledSlice, LabelSchema, SliceRef

TWO = LabelSchema("two", (LabelClass(1, "negative"), LabelClass(2, "positive")))


def dataset(*slices: tuple[str, str, int]) -> Dataset:
    """Slices of (name, group, how many boxes)."""
    rows = [
        LabelledSlice(
            SliceRef(name, Path(name), 0, 64, 64, ""),
            tuple(LabelledBox(Box(k, k, k + 9, k + 9), 1 + k % 2) for k in range(boxes)),
            group,
        )
        for name, group, boxes in slices
    ]
    return Dataset("some", TWO, tuple(rows), "patient")


def patients(count: int, each: int = 3) -> Dataset:
    return dataset(*((f"{p:05}_{k}.jpg", f"{p:05}", 1) for p in range(count) for k in range(each)))


@given(st.sets(st.text(max_size=4), min_size=5, max_size=40), st.integers(2, 5), st.integers(0, 9))
def test_every_patient_is_in_one_fold(groups: set[str], folds: int, seed: int) -> None:
    dealt = deal(groups, folds, seed)
    assert len(dealt) == folds
    assert sorted(g for fold in dealt for g in fold) == sorted(groups)
    sizes = [len(fold) for fold in dealt]
    assert max(sizes) - min(sizes) <= 1
    # The order in which groups come, and how often, is of no account.
    assert deal([*groups, *sorted(groups, reverse=True)], folds, seed) == dealt


def test_another_seed_deals_otherwise() -> None:
    groups = [str(k) for k in range(20)]
    assert deal(groups, 5, 0) != deal(groups, 5, 1)


@pytest.mark.parametrize("folds", [1, 4])
def test_folds_that_cannot_be_are_refused(folds: int) -> None:
    with pytest.raises(InputError, match=f"--folds {folds}: must be from 2 to 3"):
        deal("abc", folds)


def test_a_patient_more_does_not_reorder_the_others() -> None:
    before, after = by_hash("abcdef", 0), by_hash("abcdefg", 0)
    assert [g for g in after if g != "g"] == before


def test_numbered_slices_are_those_with_a_patient_in_their_name() -> None:
    some = dataset(("00054_145.jpg", "00054", 1), ("72 (4).jpg", "72 (4).jpg", 1), ("109.jpg", "109.jpg", 1))
    kept = numbered(some)
    assert [s.ref.key for s in kept.slices] == ["00054_145.jpg"]
    assert kept.name == "some, numbered"


def test_what_is_chosen_on_shares_no_patient_with_what_is_trained_on() -> None:
    train, held = choosing(patients(20), 0.2)
    assert len({s.group for s in held.slices}) == 4
    assert not {s.group for s in train.slices} & {s.group for s in held.slices}
    assert len(train.slices) + len(held.slices) == 60


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_boxes_are_drawn_from_a_few_patients_and_judged_on_the_others(seed: int) -> None:
    few, rest = draw_boxes(patients(10), 8, seed)
    assert sum(len(s.boxes) for s in few.slices) == 8
    drawn = {s.group for s in few.slices}
    assert len(drawn) == 3  # of three slices with a box each
    assert {s.group for s in rest.slices} == {s.group for s in patients(10).slices} - drawn
    assert len(rest.slices) == 21  # the ninth slice of the drawn patients is in neither
    assert few.name == "some, 8 boxes"


def test_too_many_boxes_are_refused() -> None:
    with pytest.raises(InputError, match="--boxes 30: some holds too few"):
        draw_boxes(patients(10), 30, 0)  # all would be drawn, and none be left to judge on


def test_boxes_in_one_class_stay_where_they_are() -> None:
    some = dataset(("a", "a", 3))
    found = as_class(some, "glioma")
    assert found.schema.classes == (LabelClass(1, "glioma"),)
    assert [b.label_id for s in found.slices for b in s.boxes] == [1, 1, 1]
    assert [b.box for b in found.slices[0].boxes] == [b.box for b in some.slices[0].boxes]
