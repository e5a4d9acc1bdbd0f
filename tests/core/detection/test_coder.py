from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.detection.coder import DEVIATIONS, LOG_SIDE_LIMIT, decode, encode

_corner = st.floats(0.0, 400.0)
_side = st.floats(2.0, 120.0)


@st.composite
def _boxes(draw: st.DrawFn) -> list[float]:
    x, y, w, h = draw(_corner), draw(_corner), draw(_side), draw(_side)
    return [x, y, x + w, y + h]


@given(st.lists(st.tuples(_boxes(), _boxes()), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_decoding_inverts_encoding(pairs: list[tuple[list[float], list[float]]]) -> None:
    proposals = torch.tensor([p for p, _ in pairs], dtype=torch.float64)
    truth = torch.tensor([t for _, t in pairs], dtype=torch.float64)
    torch.testing.assert_close(decode(proposals, encode(proposals, truth)), truth, atol=1e-6, rtol=0)


def test_girshick_2014_appendix_c_by_hand() -> None:
    # Proposal centre (20, 20), sides 20, 40; truth centre (25, 30), sides 40, 20.
    targets = encode(torch.tensor([[10.0, 0.0, 30.0, 40.0]]), torch.tensor([[5.0, 20.0, 45.0, 40.0]]))
    expected = torch.tensor([[0.25, 0.25, math.log(2.0), math.log(0.5)]]) / torch.tensor(DEVIATIONS)
    torch.testing.assert_close(targets, expected)


def test_zero_deltas_leave_the_proposal() -> None:
    proposals = torch.tensor([[3.0, 4.0, 9.0, 20.0]])
    assert torch.equal(decode(proposals, torch.zeros(1, 4)), proposals)


def test_a_wild_prediction_is_clamped() -> None:
    proposals = torch.tensor([[0.0, 0.0, 16.0, 16.0]])
    wild = decode(proposals, torch.tensor([[0.0, 0.0, 1e4, 1e4]]))
    assert torch.isfinite(wild).all()
    side = float(wild[0, 2] - wild[0, 0])
    assert side == pytest.approx(16.0 * math.exp(LOG_SIDE_LIMIT), rel=1e-5)
    assert side == pytest.approx(1000.0, rel=1e-5)


def test_one_set_of_deltas_per_class() -> None:
    proposals = torch.tensor([[0.0, 0.0, 10.0, 10.0], [5.0, 5.0, 25.0, 15.0]])
    deltas = torch.randn(2, 3, 4)
    together = decode(proposals, deltas)
    for k in range(3):
        torch.testing.assert_close(together[:, k], decode(proposals, deltas[:, k]))
