"""Two models on one slice: what the second gained, lost and moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.detection.operating_point import ShownDetection
from core.model import Annotation, Box, Detection
from core.review.differences import Balance, Change, balance, differences
from tests.core.strategies import boxes

A, B, C = Box(10, 10, 50, 50), Box(60, 60, 100, 100), Box(120, 20, 160, 60)
A_NEAR = Box(11, 10, 51, 50)  # IoU .95
A_SHIFTED = Box(14, 10, 54, 50)  # IoU .82
A_FAR = Box(20, 10, 60, 50)  # IoU .60


def shown(row: int, box: Box, score: float = 0.8, label: int = 1) -> ShownDetection:
    return ShownDetection(row, Detection(box, label, f"class {label}", score))


def truth(box: Box, label: int = 1) -> Annotation:
    return Annotation("a", "k", box, label)


def test_lost_and_gained_come_first_then_what_moved_most() -> None:
    first = [shown(0, A), shown(1, B, 0.6), shown(2, C, 0.9)]
    second = [shown(7, A_SHIFTED, 0.5), shown(8, Box(200, 200, 240, 240)), shown(9, C, 0.95, label=2)]
    lost, gained, moved, same = differences(first, second)
    assert (lost.change, lost.first, lost.second) == (Change.LOST, first[1], None)
    assert (gained.change, gained.second) == (Change.GAINED, second[1])
    assert (moved.change, round(moved.overlap or 0, 2)) == (Change.MOVED, 0.82)
    assert moved.score_change == 0.5 - 0.8
    assert (same.change, same.other_class, lost.score_change) == (Change.SAME, True, None)


def test_bands_of_overlap() -> None:
    for box, change in ((A_NEAR, Change.SAME), (A_SHIFTED, Change.MOVED), (A_FAR, Change.MOVED_FAR)):
        (one,) = differences([shown(0, A)], [shown(0, box)])
        assert one.change is change


def test_the_closest_pair_is_taken_first() -> None:
    near, far = shown(0, A_NEAR), shown(1, A_FAR)
    found = differences([far, near], [shown(0, A)])
    assert [(d.change, d.first) for d in found] == [(Change.LOST, far), (Change.SAME, near)]


def test_the_balance_counts_for_and_against_the_second_model() -> None:
    read = [truth(A), truth(B)]
    assert balance(differences([], [shown(0, A)]), read) == Balance(1, 0)
    assert balance(differences([shown(0, A)], []), read) == Balance(0, 1)
    assert balance(differences([], [shown(0, C)]), read) == Balance(0, 1)
    assert balance(differences([shown(0, C)], []), read) == Balance(1, 0)
    named_right = differences([shown(0, A, label=2)], [shown(0, A)])
    assert balance(named_right, read) == Balance(1, 0)
    assert balance(differences([shown(0, A), shown(1, B)], [shown(0, A_NEAR)]), read) == Balance(0, 1)


SHOWN = st.lists(st.builds(shown, st.integers(0, 9), boxes(), st.floats(0.01, 1)), max_size=6)


@given(SHOWN, SHOWN)
def test_each_prediction_is_in_one_difference_and_the_other_way_round_says_the_same(
    first: list[ShownDetection], second: list[ShownDetection]
) -> None:
    found = differences(first, second)
    assert sorted(id(d.first) for d in found if d.first) == sorted(id(s) for s in first)
    assert sorted(id(d.second) for d in found if d.second) == sorted(id(s) for s in second)
    back = differences(second, first)
    turned = {Change.LOST: Change.GAINED, Change.GAINED: Change.LOST}
    assert sorted(turned.get(d.change, d.change) for d in back) == sorted(d.change for d in found)
