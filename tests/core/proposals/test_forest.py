"""Numbering of nested regions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.proposals.forest import intervals, next_above


@st.composite
def parents(draw: st.DrawFn) -> NDArray[np.int32]:
    n = draw(st.integers(0, 40))
    return np.array(
        [draw(st.integers(i + 1, n - 1) | st.just(-1)) if i < n - 1 else -1 for i in range(n)], dtype=np.int32
    )


def _above(parent: NDArray[np.int32], i: int) -> list[int]:
    chain = []
    while parent[i] >= 0:
        i = int(parent[i])
        chain.append(i)
    return chain


@given(parents())
@settings(max_examples=150, deadline=None)
def test_all_within_a_region_are_a_run_of_numbers(parent: NDArray[np.int32]) -> None:
    runs = intervals(parent)
    assert sorted(runs[:, 0].tolist()) == list(range(len(parent)))
    for i in range(len(parent)):
        within = {j for j in range(len(parent)) if j == i or i in _above(parent, j)}
        first, end = runs[i]
        assert {j for j in range(len(parent)) if first <= runs[j, 0] < end} == within
        assert end - first == len(within)


@given(parents(), st.data())
@settings(max_examples=150, deadline=None)
def test_the_next_proposal_above(parent: NDArray[np.int32], data: st.DataObject) -> None:
    n = len(parent)
    is_one = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    proposal = np.array([100 + i if one else -1 for i, one in enumerate(is_one)], dtype=np.int32)
    expected = [next((int(proposal[j]) for j in _above(parent, i) if is_one[j]), -1) for i in range(n)]
    assert next_above(parent, proposal).tolist() == expected
