from __future__ import annotations

import math

import numpy as np
import pytest

from core.boxes import to_array
from core.evaluation.froc import froc
from core.evaluation.matching import average_precision, match_slice
from core.model import Box, Detection


def _found(*rows: tuple[Box, float]) -> list[Detection]:
    return [Detection(box, 1, "a", score) for box, score in rows]


def test_each_true_box_is_found_once() -> None:
    truth = to_array([Box(0, 0, 10, 10)])
    found = to_array([Box(0, 0, 10, 10), Box(0, 0, 10, 9)])
    match = match_slice(truth, found, np.array([0.6, 0.9]), np.array([0.5]))
    assert match.scores.tolist() == [0.9, 0.6]
    # The better score comes first, though the other overlaps more.
    assert match.hits.tolist() == [[True, False]]


def test_the_threshold_itself_matches() -> None:
    truth, found = to_array([Box(0, 0, 10, 10)]), to_array([Box(0, 0, 10, 5)])
    match = match_slice(truth, found, np.array([1.0]), np.array([0.5, 0.51]))
    assert match.hits[:, 0].tolist() == [True, False]


def test_nothing_on_either_side() -> None:
    none = np.zeros((0, 4))
    assert match_slice(none, none, np.zeros(0)).hits.shape == (10, 0)
    assert math.isnan(average_precision(np.zeros(0), np.zeros(0, dtype=np.bool_), 0))
    assert average_precision(np.zeros(0), np.zeros(0, dtype=np.bool_), 3) == 0.0


def test_froc_by_hand() -> None:
    # Two slices, three lesions. By score: hit .9, alarm .8, hit .7, alarm .6, alarm .5, hit .4.
    here, there = Box(0, 0, 10, 10), Box(20, 20, 30, 30)
    away = [Box(50 + i * 12, 50, 60 + i * 12, 60) for i in range(3)]
    truth = [[(here, 1), (there, 1)], [(here, 1)]]
    found = [
        _found((here, 0.9), (away[0], 0.8), (there, 0.4)),
        _found((here, 0.7), (away[1], 0.6), (away[2], 0.5)),
    ]
    curve = froc(truth, found, rates=(0.125, 0.5, 1.0, 1.5, 8.0))
    assert curve == pytest.approx({0.125: 1 / 3, 0.5: 2 / 3, 1.0: 2 / 3, 1.5: 1.0, 8.0: 1.0})


def test_froc_takes_equal_scores_together() -> None:
    here, away = Box(0, 0, 10, 10), Box(50, 50, 60, 60)
    curve = froc([[(here, 1)]], [_found((here, 0.5), (away, 0.5))], rates=(0.5, 1.0))
    assert curve == {0.5: 0.0, 1.0: 1.0}


def test_froc_ignores_classes() -> None:
    here = Box(0, 0, 10, 10)
    assert froc([[(here, 3)]], [_found((here, 0.5))], rates=(1.0,)) == {1.0: 1.0}


def test_froc_without_lesions_has_no_figure() -> None:
    assert math.isnan(froc([[]], [_found((Box(0, 0, 5, 5), 0.5))])[1.0])
