from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.boxes import area, clip, from_array, from_xywh, iou, iou_matrix, nms, to_array, to_xywh
from core.model import Box
from tests.core.strategies import boxes

some_boxes = st.lists(boxes(), max_size=8)


@given(boxes(), boxes())
def test_iou_is_symmetric_and_between_0_and_1(a: Box, b: Box) -> None:
    assert iou(a, b) == iou(b, a)
    assert 0.0 <= iou(a, b) <= 1.0


@given(boxes())
def test_iou_with_itself_is_1(box: Box) -> None:
    assert iou(box, box) == 1.0


@given(boxes(), boxes(), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_iou_does_not_depend_on_where(a: Box, b: Box, dx: float, dy: float) -> None:
    assert iou(a.moved(dx, dy), b.moved(dx, dy)) == pytest.approx(iou(a, b), abs=1e-6)


@given(boxes(), boxes())
def test_boxes_that_only_touch_do_not_overlap(a: Box, b: Box) -> None:
    beside = b.moved(a.x2 - b.x1, 0)
    assert iou(a, beside) == pytest.approx(0.0, abs=1e-9)


def test_iou_of_a_known_case() -> None:
    # 2×2 overlap of 4×4 and 4×4: 4 / (16 + 16 − 4).
    assert iou(Box(0, 0, 4, 4), Box(2, 2, 6, 6)) == pytest.approx(4 / 28)


def test_no_boxes_are_an_array_of_no_rows() -> None:
    none = to_array([])
    assert none.shape == (0, 4)
    assert iou_matrix(none, to_array([Box(0, 0, 1, 1)])).shape == (0, 1)
    assert area(none).shape == (0,)
    kept, by = nms(none, np.zeros(0), 0.5)
    assert (len(kept), len(by)) == (0, 0)


@given(some_boxes)
def test_arrays_and_boxes_are_the_same(found: list[Box]) -> None:
    assert list(from_array(to_array(found))) == found
    back = from_xywh(to_xywh(to_array(found)))
    np.testing.assert_allclose(back, to_array(found), atol=1e-9)
    np.testing.assert_allclose(area(to_array(found)), [b.area for b in found], atol=1e-9)


@given(some_boxes, st.integers(1, 300), st.integers(1, 300))
def test_clipping_keeps_inside_and_is_idempotent(found: list[Box], width: int, height: int) -> None:
    once = clip(to_array(found), width, height)
    assert (once >= 0).all()
    assert (once[:, [0, 2]] <= width).all()
    assert (once[:, [1, 3]] <= height).all()
    np.testing.assert_array_equal(clip(once, width, height), once)


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    found = draw(some_boxes)
    scores = draw(st.lists(st.floats(0, 1), min_size=len(found), max_size=len(found)))
    return to_array(found), np.array(scores, dtype=np.float64)


@given(scored(), st.floats(0, 1))
def test_nms_keeps_boxes_that_do_not_overlap_and_explains_the_rest(
    case: tuple[np.ndarray, np.ndarray], threshold: float
) -> None:
    found, scores = case
    kept, by = nms(found, scores, threshold)
    overlap = iou_matrix(found, found)
    for n, i in enumerate(kept):
        assert by[i] == i
        assert all(overlap[i, j] <= threshold for j in kept[:n])
    for i, j in enumerate(by):
        assert j in kept
        assert i == j or (overlap[i, j] > threshold and scores[j] >= scores[i])
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)


@given(scored(), st.floats(0, 1))
def test_nms_is_idempotent(case: tuple[np.ndarray, np.ndarray], threshold: float) -> None:
    found, scores = case
    kept, _ = nms(found, scores, threshold)
    again, _ = nms(found[kept], scores[kept], threshold)
    assert list(again) == list(range(len(kept)))
