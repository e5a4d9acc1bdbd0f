"""Recall of proposals, against examples worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.proposal_metrics import (
    ALL,
    BUDGETS,
    HEADLINES,
    Lesions,
    best_overlaps,
    by_part,
    intervals,
    measures,
    summary,
)
from core.boxes import Boxes

TRUTH = np.array([[0.0, 0.0, 10.0, 10.0], [100.0, 100.0, 120.0, 110.0]])
# IoU with the first true box: 0, 50/100, 80/100; with the second: 100/200 by the first of them alone.
FOUND = np.array([[100.0, 100.0, 110.0, 110.0], [0.0, 0.0, 10.0, 5.0], [0.0, 0.0, 10.0, 8.0]])


def lesions(best: list[float], groups: tuple[str, ...], planes: tuple[str, ...] = ()) -> Lesions:
    """Lesions whose best overlap is the same with every budget."""
    count = len(best)
    same = np.tile(np.array(best).reshape(-1, 1), len(BUDGETS))
    return Lesions(same, groups, planes or ("",) * count, ("small",) * count)


def test_the_best_of_the_first_n() -> None:
    best = best_overlaps(TRUTH, FOUND, (1, 2, 3, 100, ALL))
    np.testing.assert_allclose(best, [[0.0, 0.5, 0.8, 0.8, 0.8], [0.5, 0.5, 0.5, 0.5, 0.5]])


def test_nothing_found_covers_nothing() -> None:
    assert best_overlaps(TRUTH, np.zeros((0, 4)), (1, ALL)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert best_overlaps(np.zeros((0, 4)), FOUND, (1, ALL)).shape == (0, 2)


def test_what_a_lesion_contributes() -> None:
    # .8 reaches .5, .55, …, .8: seven of the ten overlaps; .5 itself counts as reached.
    found = measures(np.array([0.8, 0.5, 0.49, 1.0]))
    expected = [[1, 1, 0.8, 0.7], [1, 0, 0.5, 0.1], [0, 0, 0.49, 0.0], [1, 1, 1.0, 1.0]]
    np.testing.assert_allclose(found, expected)


def test_the_summary_is_the_mean_over_lesions() -> None:
    found = summary(lesions([0.8, 0.5], ("a", "b")), HEADLINES)
    assert found == {
        "lesions": 2,
        "recall50": [1.0] * 5,
        "recall70": [0.5] * 5,
        "best_iou": [0.65] * 5,
        "average_recall": [0.4] * 5,
    }
    assert summary(lesions([], ())) == {"lesions": 0}


def test_parts_without_a_lesion_are_left_out() -> None:
    three = lesions([0.8, 0.6, 0.0], ("a", "b", "c"), ("axial", "axial", "sagittal"))
    found = by_part(three, three.planes, ("axial", "coronal", "sagittal"))
    assert list(found) == ["axial", "sagittal"]
    assert found["axial"]["best_iou"] == pytest.approx([0.7] * 5)
    assert found["sagittal"]["recall50"] == [0.0] * 5


def test_one_group_leaves_no_doubt() -> None:
    found = intervals(lesions([0.8, 0.5], ("a", "a")), 50)
    assert found["best_iou"] == [[0.65, 0.65]] * len(HEADLINES)


def test_groups_are_drawn_whole() -> None:
    # Two groups: means of a resample are .9 (a twice), .3 (b twice), or (.9 + .9 + .3) / 3 = .7.
    found = intervals(lesions([0.9, 0.9, 0.3], ("a", "a", "b")), 2000)
    assert found["best_iou"][0] == pytest.approx([0.3, 0.9])
    assert found == intervals(lesions([0.9, 0.9, 0.3], ("a", "a", "b")), 2000)
    assert intervals(lesions([], ()), 10) == {}


@st.composite
def some_boxes(draw: st.DrawFn) -> Boxes:
    corners = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40), st.integers(1, 40))
    rows = draw(st.lists(corners, max_size=12))
    return np.array([(x, y, x + w, y + h) for x, y, w, h in rows], dtype=np.float64).reshape(-1, 4)


@given(some_boxes(), some_boxes())
def test_more_proposals_never_find_less(truth: Boxes, found: Boxes) -> None:
    best = best_overlaps(truth, found)
    assert (np.diff(best, axis=1) >= 0).all()
    assert ((best >= 0) & (best <= 1)).all()
    # Of all of them, the order does not matter.
    np.testing.assert_array_equal(best[:, -1], best_overlaps(truth, found[::-1])[:, -1])
