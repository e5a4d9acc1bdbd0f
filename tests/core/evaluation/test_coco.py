from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings

from core.evaluation.coco import Truth, evaluate_boxes
from core.evaluation.ranking import compared, once, precisions, rank
from core.model import Box
from tests.core.evaluation.scenes import SCHEMA, Scene, detection, scenes


def test_perfect_detections() -> None:
    truth: list[Truth] = [[(Box(0, 0, 10, 10), 1)], [(Box(5, 5, 20, 30), 4)], []]
    found = [[detection(box, 0.9, label) for box, label in boxes] for boxes in truth]
    result = evaluate_boxes(truth, found, SCHEMA)
    assert result.ap50 == pytest.approx(1.0)
    assert result.ap50_95 == pytest.approx(1.0)
    assert result.per_class["pituitary"].boxes == 1
    assert result.n_images == 3
    assert result.n_boxes == 2
    assert all(v == 1.0 for v in result.froc.values())


def test_a_hand_worked_example() -> None:
    # Ranked: hit, false alarm, hit, of three boxes: precision 1 up to recall 1/3, 2/3 up to 2/3, then 0.
    truth: list[Truth] = [[(Box(0, 0, 10, 10), 1)], [(Box(0, 0, 10, 10), 1)], [(Box(0, 0, 10, 10), 1)]]
    found = [
        [detection(Box(0, 0, 10, 10), 0.9)],
        [detection(Box(50, 50, 60, 60), 0.8), detection(Box(0, 0, 10, 9), 0.7)],
        [],
    ]
    result = evaluate_boxes(truth, found, SCHEMA)
    # Recalls 0, .01 … .33 are 34 points, .34 … .66 are 33.
    assert result.ap50 == pytest.approx((34 * 1.0 + 33 * 2 / 3) / 101, abs=1e-9)


def test_the_wrong_class_is_no_hit() -> None:
    truth: list[Truth] = [[(Box(0, 0, 10, 10), 1)]]
    result = evaluate_boxes(truth, [[detection(Box(0, 0, 10, 10), 0.9, label=4)]], SCHEMA)
    assert result.ap50 == 0.0


def test_no_boxes_at_all_gives_no_figure() -> None:
    result = evaluate_boxes([[], []], [[detection(Box(0, 0, 5, 5), 0.5)], []], SCHEMA, resamples=5)
    assert math.isnan(result.ap50)
    assert json.loads(json.dumps(result.as_dict()))["ap50"] is None


def test_no_detections_is_zero() -> None:
    assert evaluate_boxes([[(Box(0, 0, 5, 5), 1)]], [[]], SCHEMA).ap50 == 0.0


def test_the_report_is_json() -> None:
    truth: list[Truth] = [[(Box(0, 0, 10, 10), 1)], [(Box(0, 0, 10, 10), 1)]]
    found = [[detection(Box(0, 0, 10, 10), 0.9)], [detection(Box(40, 0, 50, 10), 0.95)]]
    plain = json.loads(
        json.dumps(evaluate_boxes(truth, found, SCHEMA, groups=["a", "b"], resamples=50).as_dict())
    )
    assert set(plain) >= {"ap50", "ap50_95", "per_class", "froc", "n_images", "ci95"}
    low, high = plain["ci95"]["ap50"]
    assert low == 0.0
    assert high == 1.0


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry per slice"):
        evaluate_boxes([[]], [], SCHEMA)


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_our_average_precision_is_pycocotools(case: Scene) -> None:
    """Intervals are computed with our own matching; it must be the same quantity as the reported one."""
    truth, found = case
    result = evaluate_boxes(truth, found, SCHEMA)
    for label in (1, 4):
        name = SCHEMA.name_of(label)
        if name in result.per_class:
            pairs = compared(truth, found)
            curve = precisions(rank(pairs, label), once(pairs))[0]
            assert curve[0] == pytest.approx(result.per_class[name].ap50, abs=1e-9)
            assert curve.mean() == pytest.approx(result.per_class[name].ap50_95, abs=1e-9)


def test_intervals_hold_the_figure_and_shrink_with_more_groups() -> None:
    rng = np.random.default_rng(0)

    def widths(groups: int) -> float:
        truth: list[Truth] = [[(Box(0, 0, 10, 10), 1)] for _ in range(groups * 2)]
        found = [
            [detection(Box(0, 0, 10, 10 if rng.random() < 0.7 else 3), float(rng.random()))] for _ in truth
        ]
        names = [str(i // 2) for i in range(len(truth))]
        result = evaluate_boxes(truth, found, SCHEMA, groups=names, resamples=200)
        interval = result.ci95["ap50"]
        assert interval.low <= result.ap50 <= interval.high
        return interval.high - interval.low

    assert widths(40) < widths(5)


def test_intervals_are_the_same_for_the_same_seed() -> None:
    truth: list[Truth] = [[(Box(0, 0, 10, 10), 1)] for _ in range(6)]
    found = [[detection(Box(0, 0, 10, 10 - i), 0.5)] for i in range(6)]
    results = [evaluate_boxes(truth, found, SCHEMA, resamples=20, seed=3).ci95 for _ in range(2)]
    assert results[0] == results[1]
