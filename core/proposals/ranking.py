"""The learned order of regions: a small network scores each, then the chosen ones push their likes back.

The network looks at `core.proposals.features` and answers how well a region would fit a lesion. Alone it
would fill the first places with near-copies of one region, so each choice lowers what overlaps it: strongly
for the first hundred, which serve a reader's eye and hand, less so for the rest, which serve the detector.

Weights come from `benchmarks/build_ranking.py`. Loops in a fixed order and no function beyond the four basic
ones, so that the order is the same on every platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from core.proposals.compiled import kernel

FIRST = 100
"""So many proposals are spread widely before the order turns to tightness."""
SPREAD_FROM, SPREAD_BY = 0.4, 0.9
TIGHT_FROM, TIGHT_BY = 0.8, 0.95
"""Overlap (IoU) from which a chosen region lowers another's score, and by which share at full overlap."""
SAME = 0.95
"""Regions that overlap more are one proposal."""


@dataclass(frozen=True, slots=True)
class Network:
    """Two hidden layers of rectified units. All float64; `mean` and `scale` standardise the features."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    first: NDArray[np.float64]
    first_bias: NDArray[np.float64]
    second: NDArray[np.float64]
    second_bias: NDArray[np.float64]
    third: NDArray[np.float64]
    third_bias: NDArray[np.float64]


@cache
def load_network(name: str) -> Network:
    """The network of a preset, from resources."""
    data = (files("resources") / "proposals" / f"{name}.safetensors").read_bytes()
    arrays = {key: np.ascontiguousarray(value, dtype=np.float64) for key, value in load(data).items()}
    return Network(**arrays)


def scored(network: Network, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N,) how well each region should fit a lesion, in (0, 1)."""
    return _scored(
        features,
        network.mean,
        network.scale,
        network.first,
        network.first_bias,
        network.second,
        network.second_bias,
        network.third,
        network.third_bias[0],
    )


@kernel
def _scored(
    features: NDArray[np.float32],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    first: NDArray[np.float64],
    first_bias: NDArray[np.float64],
    second: NDArray[np.float64],
    second_bias: NDArray[np.float64],
    third: NDArray[np.float64],
    third_bias: float,
) -> NDArray[np.float64]:
    out = np.empty(len(features))
    hidden, deeper = np.empty(len(first_bias)), np.empty(len(second_bias))
    for i in range(len(features)):
        for j in range(len(hidden)):
            hidden[j] = first_bias[j]
        for k in range(features.shape[1]):
            value = (features[i, k] - mean[k]) * scale[k]
            value = min(6.0, max(-6.0, value))
            for j in range(len(hidden)):
                hidden[j] += value * first[k, j]
        for j in range(len(deeper)):
            deeper[j] = second_bias[j]
        for k in range(len(hidden)):
            if hidden[k] > 0.0:
                for j in range(len(deeper)):
                    deeper[j] += hidden[k] * second[k, j]
        answer = third_bias
        for k in range(len(deeper)):
            if deeper[k] > 0.0:
                answer += deeper[k] * third[k]
        # A sigmoid without the exponential, whose last bit differs between platforms.
        out[i] = 0.5 + 0.5 * answer / (1.0 + abs(answer))
    return out


@kernel
def chosen(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The order of proposals.

    Args:
        boxes: (N, 4), by falling score.
        scores: (N,) in (0, 1), falling.
        most: Stop after so many.

    Returns:
        Indices of the chosen boxes, best first, and their rank scores, which never rise.
    """
    n = len(boxes)
    # Columns apart, single precision and no branches: the compiler takes several boxes at a time.
    sides = np.empty((5, n), dtype=np.float32)
    for i in range(n):
        for k in range(4):
            sides[k, i] = boxes[i, k]
        sides[4, i] = (sides[2, i] - sides[0, i]) * (sides[3, i] - sides[1, i])
    wide, tight = scores.astype(np.float32), scores.astype(np.float32)
    order = np.empty(min(n, most), dtype=np.int64)
    rank = np.empty(min(n, most), dtype=np.float64)
    factor, last = 1.0, 1.0
    for k in range(len(order)):
        now = wide if k < FIRST else tight
        b = 0
        for i in range(1, n):
            if now[i] > now[b]:
                b = i
        if now[b] <= 0.0:
            return order[:k], rank[:k]
        if k == FIRST:
            factor = last / now[b]
        last = min(last, now[b] * factor)
        order[k] = b
        rank[k] = last
        if k < FIRST:
            _lower(b, sides, wide, np.float32(SPREAD_FROM), np.float32(SPREAD_BY / (1.0 - SPREAD_FROM)))
        _lower(b, sides, tight, np.float32(TIGHT_FROM), np.float32(TIGHT_BY / (1.0 - TIGHT_FROM)))
    return order, rank


@kernel
def _lower(
    b: int, sides: NDArray[np.float32], scores: NDArray[np.float32], start: np.float32, slope: np.float32
) -> None:
    """Lower the scores of what overlaps box b by more than `start`; it and its copies drop below 0."""
    x1, y1, x2, y2, area = sides[0], sides[1], sides[2], sides[3], sides[4]
    left, top, right, bottom, own = x1[b], y1[b], x2[b], y2[b], area[b]
    none, one, same = np.float32(0.0), np.float32(1.0), np.float32(SAME)
    for i in range(len(scores)):
        width = (x2[i] if x2[i] < right else right) - (x1[i] if x1[i] > left else left)
        height = (y2[i] if y2[i] < bottom else bottom) - (y1[i] if y1[i] > top else top)
        common = (width if width > none else none) * (height if height > none else none)
        overlap = common / (area[i] + own - common)
        lower = scores[i] * (one - slope * (overlap - start if overlap > start else none))
        scores[i] = -one if overlap > same else lower
