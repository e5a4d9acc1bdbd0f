"""Trees of nested regions, as every region source gives them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.proposals.compiled import kernel

AREA, X1, Y1, X2, Y2, GREY, SQUARES, CONTACTS, ROUGH, STEP, BARE = range(11)
"""Columns of a region's sums: pixels; box; grey levels and their squares; length of the outline towards other
foreground, absolute and signed grey steps outwards over it; length of the outline towards background."""


@dataclass(frozen=True, slots=True)
class Forest:
    """Nested regions of one source.

    Attributes:
        source: Index of the source's kind, a feature of the ranking.
        sums: (N, 11) int64, one row per region; the columns are named in this module.
        parent: (N,) the region that a region merged into, a larger number than its own; -1 for a root.
        alike: (N,) how alike the parts were that merged into the region; the scale is the source's own.
        labels: (rows, columns) the smallest region that holds the pixel, -1 for none.
        known: The first so many regions are in an earlier forest too.
    """

    source: int
    sums: NDArray[np.int64]
    parent: NDArray[np.int32]
    alike: NDArray[np.float64]
    labels: NDArray[np.int32]
    known: int = 0


@kernel
def intervals(parent: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number the regions so that all within a region are a run: (N, 2) [own number, one past its last)."""
    n = len(parent)
    span = np.empty((n, 2), dtype=np.int32)
    below = np.ones(n, dtype=np.int32)
    for i in range(n):
        if parent[i] >= 0:
            below[parent[i]] += below[i]
    free = np.empty(n, dtype=np.int32)
    outside = 0
    for i in range(n - 1, -1, -1):
        if parent[i] < 0:
            first = outside
            outside += below[i]
        else:
            first = free[parent[i]]
            free[parent[i]] += below[i]
        span[i, 0] = first
        span[i, 1] = first + below[i]
        free[i] = first + 1
    return span


@kernel
def next_above(parent: NDArray[np.int32], proposal: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each region the proposal that next encloses it, or -1.

    Args:
        parent: (N,) as in `Forest`.
        proposal: (N,) which proposal each region is, or -1.
    """
    above = np.full(len(parent), -1, dtype=np.int32)
    for i in range(len(parent) - 1, -1, -1):
        up = parent[i]
        if up >= 0:
            above[i] = proposal[up] if proposal[up] >= 0 else above[up]
    return above
