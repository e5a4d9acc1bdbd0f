from __future__ import annotations

import math

import numpy as np
import pytest

from core.boxes import to_array
from core.evaluation.froc import RATES, froc, froc_points, threshold_at
from core.evaluation.matching import match_slice
from core.evaluation.ranking import AT_HALF, compared, draws, once, precisions, rank, sensitivities
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
    for truth, figure in (([[]], math.nan), ([[(Box(0, 0, 5, 5), 1)]], 0.0)):
        pairs = compared(truth, [[]])
        assert precisions(rank(pairs, 1), once(pairs))[0] == pytest.approx([figure] * 10, nan_ok=True)


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


def test_froc_by_hand_per_patient() -> None:
    # The same ranking in three slices of two patients; the first patient has two slices, both lesions of one.
    here, there = Box(0, 0, 10, 10), Box(20, 20, 30, 30)
    away = [Box(50 + i * 12, 50, 60 + i * 12, 60) for i in range(3)]
    truth = [[(here, 1), (there, 1)], [], [(here, 1)]]
    found = [
        _found((here, 0.9), (there, 0.4)),
        _found((away[0], 0.8)),
        _found((here, 0.7), (away[1], 0.6), (away[2], 0.5)),
    ]
    pairs = compared(truth, found, ["a", "a", "b"])
    ranking, rates = rank(pairs, None, AT_HALF), (0.25, 0.34, 0.5, 1.0, 1.5)
    # One alarm is 1/3 a slice and 1/2 a patient; three are one a slice and 3/2 a patient.
    by_slice = sensitivities(ranking, once(pairs), rates)[0]
    assert by_slice == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1.0, 1.0])
    by_patient = sensitivities(ranking, once(pairs), rates, per_group=True)[0]
    assert by_patient == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3, 1.0])
    # Resamples "a, a" and "b, b". b has two alarms below its one lesion.
    twice = np.array([[2, 0], [0, 2]])
    assert sensitivities(ranking, twice, (0.5,), per_group=True)[:, 0].tolist() == [0.5, 1.0]
    assert sensitivities(ranking, twice, (1.0,), per_group=True)[:, 0].tolist() == [1.0, 1.0]
    assert threshold_at(ranking, 1 / 3) == 0.7
    assert threshold_at(ranking, 1.0) == 0.4


def test_froc_points_have_intervals_around_them() -> None:
    here, away = Box(0, 0, 10, 10), Box(50, 50, 60, 60)
    truth = [[(here, 1)] for _ in range(30)]
    found = [_found((here if i % 3 else away, 1 - i / 100)) for i in range(30)]
    pairs = compared(truth, found)
    for per_group in (False, True):
        points = froc_points(
            pairs, rank(pairs, None, AT_HALF), draws(pairs.groups, 300, 0), per_group=per_group
        )
        assert [p.rate for p in points] == list(RATES)
        assert points[-1].sensitivity == pytest.approx(2 / 3)
        assert all(p.ci95.low <= p.sensitivity <= p.ci95.high for p in points)
        assert 0.4 < points[-1].ci95.low < 2 / 3 < points[-1].ci95.high < 0.9


def test_no_threshold_keeps_to_a_rate_where_the_best_is_wrong() -> None:
    pairs = compared([[]], [_found((Box(0, 0, 5, 5), 0.5))])
    ranking = rank(pairs, None, AT_HALF)
    assert threshold_at(ranking, 0.5) == math.inf
    assert threshold_at(rank(compared([[]], [[]]), None, AT_HALF), 1.0) == math.inf


def test_froc_takes_equal_scores_together() -> None:
    here, away = Box(0, 0, 10, 10), Box(50, 50, 60, 60)
    curve = froc([[(here, 1)]], [_found((here, 0.5), (away, 0.5))], rates=(0.5, 1.0))
    assert curve == {0.5: 0.0, 1.0: 1.0}


def test_froc_ignores_classes() -> None:
    here = Box(0, 0, 10, 10)
    assert froc([[(here, 3)]], [_found((here, 0.5))], rates=(1.0,)) == {1.0: 1.0}


def test_froc_without_lesions_has_no_figure() -> None:
    assert math.isnan(froc([[]], [_found((Box(0, 0, 5, 5), 0.5))])[1.0])
