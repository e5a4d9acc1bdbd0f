from __future__ import annotations

import numpy as np
import torch

from core import boxes as bx
from core.detection.inference import PROMISING, judge_regions
from core.detection.network import Embedding, NetworkSpec, build_network

_LARGE, _SMALL = (8.0, 8.0, 72.0, 72.0), (96.0, 96.0, 112.0, 112.0)


def _embedding(*lesions: tuple[float, float, float, float]) -> Embedding:
    """A map of 16 × 16 cells of 8 pixels that is sure of what it sees."""
    said = torch.zeros(1, 2, 16, 16)
    said[:, 0] = 6.0
    for x1, y1, x2, y2 in lesions:
        said[0, :, int(y1 / 8) : int(y2 / 8), int(x1 / 8) : int(x2 / 8)] = torch.tensor([-6.0, 6.0])[
            :, None, None
        ]
    return Embedding(torch.zeros(1, 97, 16, 16), torch.zeros(1, 256), said)


def _judged(regions: bx.Boxes, *lesions: tuple[float, float, float, float]) -> tuple[bx.Boxes, list[float]]:
    torch.manual_seed(0)
    network = build_network(NetworkSpec(depth=10, width=0.25, classes=1, image_size=128)).eval()
    judged = judge_regions(network, _embedding(*lesions), regions, 128.0, 128.0)
    return regions[judged.scores > 0.0], judged.promise.tolist()


def test_the_region_that_is_the_lesion_promises_most() -> None:
    regions = np.array([_LARGE, (8.0, 8.0, 40.0, 72.0), (64.0, 64.0, 128.0, 128.0), (0.0, 0.0, 128.0, 128.0)])
    _, promise = _judged(regions, _LARGE)
    assert promise[0] > 0.95
    # Half of it: twice the overlap over the sum of the areas.
    assert abs(promise[1] - 2 / 3) < 0.02
    assert max(promise[1:]) == promise[1]


def test_a_small_lesion_is_judged_beside_the_many_regions_of_a_large_one() -> None:
    rng = np.random.default_rng(0)
    near = np.array(_LARGE) + rng.uniform(-3.0, 3.0, (4 * PROMISING, 4))
    chosen, promise = _judged(np.concatenate([near, [_SMALL]]), _LARGE, _SMALL)
    assert promise[-1] > 0.9, "it is measured against its own part of the map"
    assert _SMALL in [tuple(row) for row in chosen.tolist()]
    assert len(chosen) < PROMISING, "near-copies are one"


def test_a_map_that_sees_nothing_still_orders_regions() -> None:
    chosen, promise = _judged(np.array([_LARGE, _SMALL]))
    assert len(chosen) == 2
    assert 0.0 <= min(promise) <= max(promise) < 0.1
