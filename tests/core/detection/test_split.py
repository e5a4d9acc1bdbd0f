from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.detection.config import TrainConfig
from core.detection.samples import make_plan
from core.detection.split import merge_classes, split_groups
from core.errors import NotEnoughData
from core.model import Dataset, LabelClass, LabelSchema
from tests.core.detection.samples import blobs


@given(st.integers(2, 12), st.integers(0, 50), st.floats(0.01, 0.9))
@settings(max_examples=40, deadline=None)
def test_no_group_stands_on_both_sides(groups: int, seed: int, share: float) -> None:
    dataset, _ = blobs(24, groups=groups)
    try:
        train, valid = split_groups(dataset.slices, share, seed)
    except NotEnoughData:
        assert len({s.group for s in dataset.slices if s.boxes}) < 2
        return
    assert not {s.group for s in train} & {s.group for s in valid}
    assert len(train) + len(valid) == 24
    assert any(s.boxes for s in train)
    assert any(s.boxes for s in valid)


def test_the_split_is_the_same_for_the_same_seed() -> None:
    dataset, _ = blobs(24, groups=8)
    assert split_groups(dataset.slices, 0.3, 1) == split_groups(dataset.slices, 0.3, 1)
    assert any(split_groups(dataset.slices, 0.3, 1) != split_groups(dataset.slices, 0.3, s) for s in range(9))


def test_one_group_is_not_enough() -> None:
    dataset, _ = blobs(8, groups=1)
    with pytest.raises(NotEnoughData, match="1 group"):
        split_groups(dataset.slices, 0.15, 0)


def test_too_few_boxes_is_said_with_counts() -> None:
    dataset, _ = blobs(3, groups=3)
    with pytest.raises(NotEnoughData, match="3 slices with 3 boxes"):
        make_plan([dataset], None, TrainConfig())


def test_blocks_of_the_same_name_in_two_sets_are_different_ones() -> None:
    first, second = (replace(blobs(8, name=n)[0], grouped_by="block") for n in "ab")
    plan = make_plan([first, second], None, TrainConfig(valid_share=0.2))
    held = {(i, s.group) for i, s in plan.valid}
    assert not held & {(i, s.group) for i, s in plan.train}
    assert "of 8 groups" in plan.split


def test_a_patient_in_two_sets_is_one_patient() -> None:
    plan = make_plan([blobs(8, name="a")[0], blobs(8, name="b")[0]], None, TrainConfig(valid_share=0.3))
    assert not {s.group for _, s in plan.valid} & {s.group for _, s in plan.train}
    assert {i for i, _ in plan.valid} == {0, 1}


def test_a_slice_in_two_sets_stays_on_one_side_whatever_its_groups_are_called() -> None:
    first, _ = blobs(24, groups=12)
    again = tuple(replace(s, group=f"file {n}") for n, s in enumerate(first.slices))
    for seed in range(4):
        plan = make_plan([first, replace(first, slices=again)], None, TrainConfig(seed=seed))
        assert not {s.ref.key for _, s in plan.valid} & {s.ref.key for _, s in plan.train}


def test_many_negatives_do_not_take_the_boxes_out_of_training() -> None:
    dataset, _ = blobs(12, groups=12)
    negatives = tuple(
        replace(s, boxes=(), group=f"n{n}", ref=replace(s.ref, key=f"n{n}"))
        for n, s in enumerate(dataset.slices * 5)
    )
    train, valid = split_groups((*dataset.slices, *negatives), 0.15, 0)
    assert sum(bool(s.boxes) for s in train) == 8
    assert sum(not s.boxes for s in valid) == 9  # 15 % of 63


def test_a_given_validation_set_is_used_whole() -> None:
    dataset, _ = blobs(8)
    other, _ = blobs(4, seed=1, name="other")
    valid = replace(other, slices=tuple(replace(s, group=f"other {s.group}") for s in other.slices))
    plan = make_plan([dataset], valid, TrainConfig())
    assert len(plan.train) == 8
    assert len(plan.valid) == 4
    assert [u.role for u in plan.used] == ["train", "valid"]


def test_what_a_given_validation_set_holds_is_not_trained_on() -> None:
    dataset, _ = blobs(16, groups=4)
    valid = replace(dataset, slices=dataset.slices[:1])
    plan = make_plan([dataset], valid, TrainConfig())
    assert len(plan.train) == 12
    assert not {s.group for _, s in plan.train} & {s.group for s in valid.slices}
    assert "4 slices of its groups were left out of training" in plan.split


def test_classes_are_merged_by_name_and_only_those_with_boxes() -> None:
    first, _ = blobs(8)
    other = LabelSchema("other", (LabelClass(1, "tumour"), LabelClass(2, "long"), LabelClass(5, "square")))
    second = Dataset("second", other, first.slices)
    assert merge_classes([first, second], "all") == ("round", "long", "square")
    assert merge_classes([first, second], "one") == ("tumour",)
    empty = replace(first, slices=tuple(replace(s, boxes=()) for s in first.slices))
    with pytest.raises(NotEnoughData, match="no boxes"):
        merge_classes([empty], "all")
