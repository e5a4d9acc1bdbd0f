"""The score and the choice against plain numpy and plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.boxes import Boxes, iou_matrix
from core.jobs import CancelToken
from core.proposals.base import Mode
from core.proposals.features import COLUMNS, NAMES
from core.proposals.ranking import (
    FIRST,
    SAME,
    SPREAD_BY,
    SPREAD_FROM,
    TIGHT_BY,
    TIGHT_FROM,
    Network,
    chosen,
    load_network,
    scored,
)
from core.proposals.selective import PRESETS, candidates
from tests.core.proposals.samples import phantom_slice


def _network(seed: int, columns: int = COLUMNS, hidden: int = 9, deeper: int = 5) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        rng.normal(size=columns),
        rng.uniform(0.5, 5, columns),
        rng.normal(size=(columns, hidden)),
        rng.normal(size=hidden),
        rng.normal(size=(hidden, deeper)),
        rng.normal(size=deeper),
        rng.normal(size=deeper),
        rng.normal(size=1),
    )


def _plain(network: Network, features: NDArray[np.float32]) -> NDArray[np.float64]:
    value = np.clip((features.astype(np.float64) - network.mean) * network.scale, -6.0, 6.0)
    hidden = np.maximum(value @ network.first + network.first_bias, 0.0)
    deeper = np.maximum(hidden @ network.second + network.second_bias, 0.0)
    answer = deeper @ network.third + network.third_bias[0]
    return np.asarray(0.5 + 0.5 * answer / (1.0 + np.abs(answer)))


@given(st.integers(0, 2**16), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_the_network(seed: int, count: int) -> None:
    network = _network(seed)
    features = np.random.default_rng(seed).normal(0, 3, (count, COLUMNS)).astype(np.float32)
    found = scored(network, features)
    np.testing.assert_allclose(found, _plain(network, features), rtol=0, atol=1e-9)
    assert ((found > 0) & (found < 1)).all()


@pytest.mark.parametrize("mode", PRESETS)
def test_the_weights_at_hand_fit_the_features(mode: Mode) -> None:
    found = candidates(phantom_slice()[0], PRESETS[mode], CancelToken())
    assert found.features.shape == (len(found.boxes), COLUMNS)
    network = load_network(mode)
    assert network.mean.shape == network.scale.shape == (COLUMNS,)
    assert network.first.shape == (COLUMNS, len(network.first_bias))
    assert network.second.shape == (len(network.first_bias), len(network.second_bias))
    assert network.third.shape == network.second_bias.shape
    found = candidates(phantom_slice()[0], PRESETS[mode], CancelToken())
    assert np.isfinite(found.features).all()
    np.testing.assert_allclose(
        scored(network, found.features), _plain(network, found.features), rtol=0, atol=1e-9
    )


def test_sources_are_told_apart() -> None:
    found = candidates(phantom_slice()[0], PRESETS["quality"], CancelToken())
    which = found.features[:, len(NAMES) :]
    assert ((which == 0) | (which == 1)).all()
    assert (which.sum(axis=1) == 1).all()
    assert (which.sum(axis=0) > 0).all()


def _check_choice(boxes: Boxes, scores: NDArray[np.float64], most: int) -> None:
    """Each choice is the best of what is left; those near it fall, those equal to it go.

    The kernel counts in single precision: a choice that is best but for that is as good.
    """
    order, rank = chosen(boxes, scores, most)
    overlap = iou_matrix(boxes, boxes)
    wide, tight = scores.copy(), scores.copy()
    left = np.ones(len(boxes), dtype=np.bool_)
    factor = last = 1.0
    for k, best in enumerate(order):
        now = wide if k < FIRST else tight
        assert left[best]
        assert now[best] >= now[left].max() * (1 - 1e-4)
        if k == FIRST:
            factor = last / now[best]
        last = min(last, now[best] * factor)
        assert rank[k] == pytest.approx(last, rel=1e-3)
        left &= overlap[best] <= SAME
        left[best] = False
        wide *= 1.0 - SPREAD_BY * np.maximum(0.0, overlap[best] - SPREAD_FROM) / (1.0 - SPREAD_FROM)
        tight *= 1.0 - TIGHT_BY * np.maximum(0.0, overlap[best] - TIGHT_FROM) / (1.0 - TIGHT_FROM)
    assert (np.diff(rank) <= 0).all()
    if len(order) < most:
        # Nothing is left but what single precision has lowered to nothing.
        assert not left.any() or (wide if len(order) < FIRST else tight)[left].max() < 1e-35


def _some_boxes(count: int, seed: int, span: float) -> tuple[Boxes, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, span, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (count, 2))], axis=1)
    return boxes.round(1), np.sort(rng.uniform(0.01, 0.99, count))[::-1].copy()


@given(st.integers(0, 60), st.integers(0, 2**16), st.sampled_from([5.0, 40.0, 200.0]), st.integers(0, 70))
@settings(max_examples=100, deadline=None)
def test_the_choice_is_greedy(count: int, seed: int, span: float, most: int) -> None:
    boxes, scores = _some_boxes(count, seed, span)
    assume((np.abs(iou_matrix(boxes, boxes) - SAME) > 1e-5).all())
    _check_choice(boxes, scores, most)


@pytest.mark.parametrize("most", [FIRST - 1, FIRST, FIRST + 1, 250, 900])
@pytest.mark.parametrize("span", [30.0, 300.0])
def test_the_choice_beyond_the_first_hundred(most: int, span: float) -> None:
    boxes, scores = _some_boxes(500, 7, span)
    _check_choice(boxes, scores, most)


def test_equal_boxes_are_chosen_once() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 10, 10]], dtype=np.float64)
    order, rank = chosen(boxes, np.full(4, 0.5), 10)
    assert order.tolist() == [0, 2]
    assert rank.tolist() == [0.5, 0.5]
