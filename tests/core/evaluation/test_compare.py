from __future__ import annotations

import json
import math

import numpy as np
import pytest

from core.evaluation.coco import evaluate_boxes
from core.evaluation.compare import compare
from core.evaluation.ranking import Truth, compared
from core.model import Box, Detection
from tests.core.evaluation.scenes import SCHEMA, detection, scene

HERE, AWAY = Box(0, 0, 10, 10), Box(50, 50, 60, 60)


def test_a_model_against_itself() -> None:
    truth, found = scene(np.random.default_rng(1), 10)
    pairs = compared(truth, found)
    result = compare(pairs, pairs, resamples=50)
    assert result.ap50.first == pytest.approx(evaluate_boxes(truth, found, SCHEMA).ap50)
    assert result.ap50.difference == 0.0
    assert (result.ap50.ci95.low, result.ap50.ci95.high) == (0.0, 0.0)
    assert result.sensitivity.below_zero == 0.0


def test_a_model_that_finds_more_is_better_and_the_other_way_round() -> None:
    truth: list[Truth] = [[(HERE, 1)]] * 20
    good = [[detection(HERE if i % 10 else AWAY, 0.9)] for i in range(20)]
    poor = [[detection(HERE if i % 2 else AWAY, 0.9)] for i in range(20)]
    better = compare(compared(truth, good), compared(truth, poor), resamples=400)
    worse = compare(compared(truth, poor), compared(truth, good), resamples=400)
    assert better.sensitivity.difference == pytest.approx(0.4)
    assert worse.sensitivity.difference == pytest.approx(-0.4)
    assert better.sensitivity.ci95.low > 0.0
    assert better.sensitivity.below_zero == 0.0
    assert worse.sensitivity.below_zero == 1.0
    assert worse.ap50.ci95.low == pytest.approx(-better.ap50.ci95.high)


def test_pairing_is_narrower_than_either_interval() -> None:
    # Both miss the same patients; one of them one slice more.
    truth: list[Truth] = [[(HERE, 1)]] * 40
    first = [[detection(HERE if i % 2 else AWAY, 0.9)] for i in range(40)]
    second = [*first[:-1], [detection(AWAY, 0.9)]]
    result = compare(compared(truth, first), compared(truth, second), resamples=300).sensitivity
    own = compare(compared(truth, first), compared(truth, [[]] * 40), resamples=300).sensitivity
    assert result.ci95.high - result.ci95.low < (own.ci95.high - own.ci95.low) / 2
    assert 0.0 <= result.ci95.low <= result.difference <= result.ci95.high


def test_resamples_draw_whole_groups() -> None:
    truth: list[Truth] = [[(HERE, 1)]] * 4
    first: list[list[Detection]] = [[detection(HERE, 0.9)]] * 2 + [[]] * 2
    groups = ["a", "a", "b", "b"]
    result = compare(
        compared(truth, first, groups), compared(truth, [[]] * 4, groups), resamples=200
    ).sensitivity
    assert (result.difference, result.ci95.low, result.ci95.high) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize("truth", [[[]], [[(HERE, 1)]]])
def test_next_to_nothing(truth: list[Truth]) -> None:
    for slices, resamples in ((1, 5), (2, 0), (2, 5)):
        pairs = compared(truth * slices, [[]] * slices)
        result = compare(pairs, pairs, resamples=resamples)
        assert math.isnan(result.ap50.difference) == (not truth[0])
        assert math.isnan(result.ap50.below_zero) == (not truth[0] or slices * resamples < 10)
        json.dumps(result.as_dict(), allow_nan=False)


def test_other_slices_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same slices"):
        compare(compared([[(HERE, 1)]], [[]]), compared([[(AWAY, 1)]], [[]]), resamples=5)
    with pytest.raises(ValueError, match="same slices"):
        compare(compared([[]], [[]]), compared([[], []], [[], []]), resamples=5)
