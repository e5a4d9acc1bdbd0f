"""What to expect at an operating point: the table by hand, read off, and read off a damaged card."""

from __future__ import annotations

import math

import pytest

from core.evaluation.expected import OVERLAPS, SCORES, expected_at, table_of
from core.model import Box, Detection

LESION = Box(10, 10, 30, 30)


def found(score: float, box: Box = LESION) -> Detection:
    return Detection(box, 1, "", score)


def test_a_table_by_hand() -> None:
    # Two slices with a lesion each; the second's is found at .62 only; a false alarm at .32.
    truth = [[(LESION, 1)], [(LESION, 2)]]
    table = table_of(truth, [[found(0.9), found(0.32, Box(60, 60, 80, 80))], [found(0.62)]])
    for score, sensitivity, alarms in ((0.95, 0.0, 0.0), (0.8, 0.5, 0.0), (0.6, 1.0, 0.0), (0.3, 1.0, 0.5)):
        at = expected_at(table, score, 0.4)
        assert at is not None
        assert (at.sensitivity, at.false_positives) == (sensitivity, alarms)
        assert at.sensitivity_ci95.low <= at.sensitivity <= at.sensitivity_ci95.high
        assert (at.slices, at.boxes) == (2, 2)


def test_a_class_that_is_wrong_is_no_miss() -> None:
    at = expected_at(table_of([[(LESION, 3)]], [[found(0.9)]]), 0.5, 0.4)
    assert at is not None
    assert at.sensitivity == 1.0
    assert math.isnan(at.sensitivity_ci95.low)  # one group: nothing to resample


def test_more_overlap_lets_doubles_through() -> None:
    double = Box(10, 10, 30, 26)  # IoU .8 with the lesion, .5 less two
    table = table_of([[(LESION, 1)]], [[found(0.9), found(0.8, double)]])
    alarms = [expected_at(table, 0.5, o) for o in (0.4, 0.8)]
    assert [a.false_positives for a in alarms if a] == [0.0, 1.0]
    between = expected_at(table, 0.5, 0.7)
    assert between is not None
    assert between.false_positives == pytest.approx(0.5)


def test_groups_are_resampled_whole() -> None:
    truth = [[(LESION, 1)] for _ in range(40)]
    hit = [group for group in range(4) for _ in range(10)]
    rows = [[found(0.9)] if hit[i] % 2 else [] for i in range(40)]
    by_slice = expected_at(table_of(truth, rows), 0.5, 0.4)
    by_group = expected_at(table_of(truth, rows, [str(g) for g in hit]), 0.5, 0.4)
    assert by_slice is not None
    assert by_group is not None
    assert by_group.sensitivity == by_slice.sensitivity == 0.5
    assert by_group.sensitivity_ci95.high - by_group.sensitivity_ci95.low > 0.6
    assert by_slice.sensitivity_ci95.high - by_slice.sensitivity_ci95.low < 0.4


def test_nothing_to_find_promises_nothing() -> None:
    assert table_of([[]], [[found(0.9)]]) == {}
    assert expected_at({}, 0.5, 0.4) is None


@pytest.mark.parametrize(
    "damage", [{"scores": None}, {"overlaps": [0.4]}, {"sensitivity": [[1.0]]}, {"slices": "many"}]
)
def test_a_table_that_cannot_be_read_promises_nothing(damage: dict[str, object]) -> None:
    table = table_of([[(LESION, 1)]], [[found(0.9)]])
    assert len(table["sensitivity"]) == len(OVERLAPS)
    assert len(table["sensitivity"][0]) == len(SCORES)
    assert expected_at(table | damage, 0.5, 0.4) is None
