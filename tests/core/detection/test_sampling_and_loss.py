from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core import boxes as bx
from core.detection.augment import Change, apply_changes, draw_change
from core.detection.coder import encode
from core.detection.inference import Judged, class_detections, suppress
from core.detection.loss import region_loss
from core.detection.sampling import Truth, assign, overlaps, sample_regions

_NONE = np.zeros((0, 4))
_SIZE = 64.0


def _truth(
    boxes: list[list[float]], labels: list[int], ignored: bx.Boxes = _NONE, hard: bx.Boxes = _NONE
) -> Truth:
    return Truth(np.array(boxes, dtype=np.float64).reshape(-1, 4), np.array(labels), ignored, hard)


def _proposals(rng: np.random.Generator, count: int = 200) -> bx.Boxes:
    corner = rng.uniform(0, 44, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(5, 20, (count, 2))], axis=1)


def test_sampled_regions_hold_foreground_near_misses_and_background() -> None:
    rng = np.random.default_rng(0)
    truth = _truth([[20, 20, 36, 36]], [1])
    regions = sample_regions(rng, truth, _proposals(rng), 40, _SIZE)
    overlap = bx.iou_matrix(regions.astype(np.float64), truth.boxes)[:, 0]
    assert len(regions) == 40
    assert 6 <= (overlap >= 0.5).sum() <= 12
    assert ((overlap > 0.1) & (overlap < 0.5)).sum() >= 6
    assert (overlap < 0.1).sum() >= 10
    assert (regions >= 0).all()
    assert (regions <= _SIZE).all()


def test_a_slice_without_boxes_gives_background() -> None:
    rng = np.random.default_rng(0)
    truth = _truth([], [])
    regions = torch.from_numpy(sample_regions(rng, truth, _proposals(rng), 16, _SIZE))
    targets = assign(regions, truth)
    assert len(regions) == 16
    assert not targets.labels.any()
    assert not targets.regressed.any()


def test_no_proposals_and_no_boxes_give_nothing() -> None:
    assert sample_regions(np.random.default_rng(0), _truth([], []), _NONE, 16, _SIZE).shape == (0, 4)


def test_rejected_boxes_are_drawn_as_background() -> None:
    rng = np.random.default_rng(0)
    hard = np.array([[40.0, 40, 60, 60]])
    far = _proposals(rng, 500)
    truth = _truth([[2, 2, 18, 18]], [1], hard=hard)
    regions = sample_regions(rng, truth, far, 12, _SIZE).astype(np.float64)
    assert bx.iou_matrix(regions, hard).max() == pytest.approx(1.0)


def test_targets() -> None:
    truth = _truth([[0, 0, 10, 10], [30, 30, 50, 50]], [2, 1], ignored=np.array([[55.0, 0, 60, 5]]))
    regions = torch.tensor(
        [
            [0.0, 0, 10, 9],  # the first box
            [30, 30, 50, 38.5],  # 42 % of the second: background, but regressed
            [55, 0, 60, 5],  # the ignored one
            [20, 0, 28, 8],  # nothing
        ]
    )
    targets = assign(regions, truth)
    assert targets.labels.tolist() == [2, 0, -1, 0]
    assert targets.matched[:2].tolist() == [2, 1]
    assert targets.regressed.tolist() == [True, True, False, False]


def test_perfect_outputs_cost_nothing_and_class_specific_deltas_are_used() -> None:
    truth = _truth([[0, 0, 10, 10]], [2])
    regions = torch.tensor([[1.0, 1, 11, 10]])
    logits = torch.tensor([[0.0, 0.0, 50.0]])
    deltas = torch.full((1, 2, 4), 77.0)
    deltas[0, 1] = encode(regions, torch.tensor([[0.0, 0, 10, 10]]))[0]
    classification, regression = region_loss(logits, deltas, [regions], [truth])
    assert float(classification) == pytest.approx(0.0, abs=1e-6)
    assert float(regression) == pytest.approx(0.0, abs=1e-6)


def test_background_is_not_regressed() -> None:
    truth = _truth([[0, 0, 10, 10]], [1])
    regions = torch.tensor([[40.0, 40, 50, 50]])
    deltas = torch.full((1, 1, 4), 5.0, requires_grad=True)
    loss = sum(region_loss(torch.zeros(1, 2), deltas, [regions], [truth]))
    assert isinstance(loss, torch.Tensor)
    torch.autograd.backward(loss)
    assert deltas.grad is not None
    assert not deltas.grad.any()


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_boxes_move_with_the_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    change = draw_change(rng)
    x, y = (int(v) for v in rng.integers(16, 36, 2))
    image = torch.zeros(1, 1, 64, 64)
    image[0, 0, y : y + 12, x : x + 12] = 1.0
    still = Change(change.factor, change.offset)
    moved = apply_changes(image, [still], rng)[0, 0].numpy()
    box = still.moved(np.array([[x, y, x + 12.0, y + 12.0]]), _SIZE)
    inside = bx.clip(box, _SIZE, _SIZE)
    if bx.area(inside)[0] < 0.99 * bx.area(box)[0]:
        return
    rows, columns = np.nonzero(moved > 0.5)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1.0, rows.max() + 1.0]])
    np.testing.assert_allclose(seen, box, atol=1.01)


@given(st.integers(0, 10_000), st.floats(-0.6, 0.6))
@settings(max_examples=40, deadline=None)
def test_a_turned_ellipse_stays_in_its_box(seed: int, angle: float) -> None:
    rng = np.random.default_rng(seed)
    change = Change(draw_change(rng).factor, (0.0, 0.0), angle)
    y, x = np.mgrid[:64, :64] + 0.5
    ellipse = ((x - 36) / 11) ** 2 + ((y - 30) / 6) ** 2 <= 1.0
    image = torch.from_numpy(ellipse.astype(np.float32))[None, None]
    moved = apply_changes(image, [change], rng)[0, 0].numpy()
    box = change.moved(np.array([[25.0, 24.0, 47.0, 36.0]]), _SIZE)
    rows, columns = np.nonzero(moved > 0.5)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1.0, rows.max() + 1.0]])
    np.testing.assert_allclose(seen, box, atol=1.6)


@given(st.integers(0, 2**32 - 1))
def test_an_outline_moves_with_its_box(seed: int) -> None:
    """The corners of an upright box are where the moved corners are; a turn keeps the ellipse's box."""
    rng = np.random.default_rng(seed)
    change = draw_change(rng)
    angles = np.linspace(0.0, 2.0 * np.pi, 400)
    ring = np.stack([36.0 + 11.0 * np.cos(angles), 30.0 + 6.0 * np.sin(angles)], axis=1)
    box = np.array([[25.0, 24.0, 47.0, 36.0]])
    moved = change.carried(ring, _SIZE)
    around = np.concatenate([moved.min(axis=0), moved.max(axis=0)])[None]
    np.testing.assert_allclose(around, change.moved(box, _SIZE), atol=0.02)


def test_outlines_stay_with_the_boxes_that_are_seen() -> None:
    lines = tuple((np.full((3, 2), float(i)),) for i in range(2))
    truth = replace(_truth([[0, 0, 10, 10], [30, 30, 40, 40]], [1, 2]), outlines=lines)
    step = np.array([8.0, 0.0])
    moved = truth.moved(lambda b: b - np.tile(step, 2), _SIZE, lambda p: p - step)
    assert [line[0].tolist() for line in moved.outlines] == [[[-7.0, 1.0]] * 3]


def test_shading_is_smooth_and_leaves_black_black() -> None:
    image = torch.full((1, 1, 64, 64), 0.5)
    image[0, 0, :8] = 0.0
    rng = np.random.default_rng(0)
    shaded = apply_changes(image, [Change(shading=(0.2, -0.1, 0.1, 0.0, 0.2))], rng)[0, 0].numpy()
    assert (shaded[:8] == 0.0).all()
    assert shaded[8:].max() / shaded[8:].min() > 1.3
    assert np.abs(np.diff(shaded[8:], axis=1)).max() < 0.02


def test_a_box_that_left_the_image_is_ignored() -> None:
    truth = _truth([[0, 0, 10, 10], [30, 30, 40, 40]], [1, 2])
    moved = truth.moved(lambda boxes: boxes - np.array([8.0, 0, 8, 0]), _SIZE)
    assert moved.labels.tolist() == [2]
    assert moved.boxes.tolist() == [[22, 30, 32, 40]]
    assert moved.ignored.tolist() == [[0, 0, 2, 10]]


_FOUND = Judged(
    boxes=np.array([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10], [40, 40, 50, 50], [60, 60, 70, 70]]),
    probabilities=np.array([[0.5, 0.2], [0.7, 0.0], [0.1, 0.6], [0.3, 0.02], [0.0, 0.0]]),
    promise=np.ones(5),
)


def test_suppression_is_across_classes_and_says_by_whom() -> None:
    # The last was not judged.
    assert suppress(_FOUND, 0.5).tolist() == [1, 1, 1, 3, 4]


def test_a_box_is_found_for_every_class_that_it_may_be() -> None:
    pairs = class_detections(_FOUND, 0.5, 0.02)
    assert pairs == [(1, 0), (2, 1), (3, 0), (3, 1)]


def test_suppression_of_nothing() -> None:
    nothing = Judged(_NONE, np.zeros((0, 2)), np.zeros(0))
    assert len(suppress(nothing, 0.5)) == 0
    assert class_detections(nothing, 0.5, 0.02) == []


def test_overlaps_are_those_of_the_box_arithmetic() -> None:
    rng = np.random.default_rng(0)
    first, second = _proposals(rng, 30), _proposals(rng, 20)
    ours = overlaps(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    np.testing.assert_allclose(ours, bx.iou_matrix(first, second), atol=1e-12)
