from __future__ import annotations

import math

from core.evaluation.ranking import Truth, compared
from core.evaluation.worst import KEPT_FOR_FALSE, MOST, operating_score, worst_cases
from core.model import Box, Detection
from tests.core.evaluation.scenes import detection, ref

AWAY = Box(200, 200, 240, 240)


def _box(side: float) -> Box:
    return Box(0, 0, side, side)


def test_missed_lesions_come_by_size_and_false_positives_by_score() -> None:
    truth: list[Truth] = [[(_box(20), 1)], [(_box(60), 1)], [(_box(40), 1)], [], [], []]
    found = [[], [], [detection(_box(40), 0.9)], [detection(AWAY, 0.6)], [detection(AWAY, 0.8)], []]
    # The first slice is half as large: its box of 20 pixels counts as 40.
    refs = [ref(i, side=256 if i == 0 else 512) for i in range(6)]
    cases = worst_cases(compared(truth, found, refs=refs), 0.5)
    assert [c.index for c in cases] == [1, 0, 4, 3]
    assert [c.largest for c in cases] == [60, 40, 0, 0]
    assert [c.surest for c in cases] == [0, 0, 0.8, 0.6]
    assert [c.index for c in worst_cases(compared(truth, found, refs=refs), 0.7)] == [1, 0, 4]


def test_a_slice_comes_once_with_all_that_is_wrong() -> None:
    truth: list[Truth] = [[(_box(20), 1), (Box(100, 100, 150, 150), 4), (Box(300, 300, 380, 380), 1)]]
    found = [[detection(AWAY, 0.6), detection(AWAY, 0.7), detection(_box(20), 0.9, 4)]]
    (case,) = worst_cases(compared(truth, found, refs=[ref()]), 0.0)
    assert case.missed == (1, 2)  # a found box of another class is found
    assert case.false == (False, True, True)
    assert (case.largest, case.surest) == (80, 0.7)


def test_there_is_room_for_both_kinds() -> None:
    truth: list[Truth] = [[(_box(20 + i), 1)] if i < 20 else [] for i in range(40)]
    found: list[list[Detection]] = [[] for _ in range(20)] + [
        [detection(AWAY, 0.5 + i / 100)] for i in range(20)
    ]
    pairs = compared(truth, found, refs=[ref(i) for i in range(40)])
    indices = [c.index for c in worst_cases(pairs, 0.0)]
    assert indices == [*range(19, 19 - MOST + KEPT_FOR_FALSE, -1), *range(39, 39 - KEPT_FOR_FALSE, -1)]
    only_missed = worst_cases(pairs.only(range(20)), 0.0)
    assert [c.index for c in only_missed] == list(range(19, 19 - MOST, -1))


def test_the_operating_score_allows_one_false_positive_a_slice() -> None:
    found = [[detection(AWAY, 0.9 - i / 10) for i in range(4)], []]
    assert operating_score(compared([[], []], found)) == 0.8
    many = compared([[]], [[detection(AWAY, 0.9), detection(_box(9), 0.9), detection(AWAY, 0.3)]])
    assert operating_score(many) == 0.9
    assert operating_score(compared([[]], [[]])) == math.inf
