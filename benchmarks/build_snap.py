"""Fit the order of snap candidates anew: `python -m benchmarks.build_snap`, minutes; prints the constants.

Points at the centre of every true box and up to a fifth of its size away, on the five blocks of
cheng/train that the ranking of the proposals never saw and on half of btod/train. The weights are fitted
as a choice among the proposals that hold the point (a share of the softmax falls to those that fit),
then stretched and shifted so that the chance of the best one is how often it has IoU ≥ .75 on those
blocks. core/review/snap.py has the result, rounded.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.build_ranking import HELD
from benchmarks.proposal_sets import TrueSlice, evenly, load_set
from benchmarks.real_data import arguments
from benchmarks.snap import AWAY, ENOUGH
from core.boxes import iou_matrix, to_array
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.proposals.registry import DEFAULT_PROPOSER, make_proposer
from core.review.snap import features, holds

_PIXEL_BYTES = 16 << 20
# The target of a proposal rises from 0 to 1 between these overlaps with the lesion.
_POOR, _GOOD = 0.55, 0.85
_DECAY = 1e-3
_OF_BTOD = 450

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """One point: features (M, 5) of the proposals that hold it, their IoU (M,) with the lesion."""

    features: Floats
    overlap: Floats


def choices(slices: Sequence[TrueSlice]) -> Iterator[Choice]:
    """Two points for every true box; a point that no proposal holds teaches nothing."""
    proposer, cache, cancel = make_proposer(DEFAULT_PROPOSER), PixelCache(_PIXEL_BYTES), CancelToken()
    for one in slices:
        image = cache.get(one.ref)
        proposals = proposer.propose(image, cancel=cancel)
        boxes, scores = to_array(proposals.boxes), np.array(proposals.scores)
        rng = np.random.default_rng(zlib.crc32(one.name.encode()))
        for truth in one.boxes:
            middle, size = (truth[:2] + truth[2:]) / 2, truth[2:] - truth[:2]
            for x, y in (middle.tolist(), (middle + rng.uniform(-AWAY, AWAY, 2) * size).tolist()):
                here = boxes[holds(boxes, x, y)]
                if len(here):
                    told = features(here, iou_matrix(here, boxes), scores, (x, y), max(image.shape))
                    yield Choice(told, iou_matrix(truth[None], here)[0])


def fit_order(known: Sequence[Choice]) -> Floats:
    """Weights (5,) by which the softmax of each point falls to proposals that fit."""
    every = np.concatenate([c.features for c in known])
    mean, scale = every.mean(axis=0), every.std(axis=0)
    values = torch.from_numpy((every - mean) / scale)
    target = torch.from_numpy(
        np.clip((np.concatenate([c.overlap for c in known]) - _POOR) / (_GOOD - _POOR), 0, 1)
    )
    of = torch.from_numpy(np.repeat(np.arange(len(known)), [len(c.overlap) for c in known]))
    weights = torch.zeros(values.shape[1], dtype=torch.float64, requires_grad=True)

    def loss() -> torch.Tensor:
        logit = values @ weights
        share = torch.exp(logit - logit.max())
        none = torch.zeros(len(known), dtype=torch.float64)
        total, right = none.index_add(0, of, share), none.index_add(0, of, share * target)
        teaches = none.index_add(0, of, target) > 0
        told = torch.log(right[teaches] / total[teaches] + 1e-9)
        return -told.mean() + _DECAY * (weights**2).sum()

    _minimise(weights, loss)
    return np.asarray(weights.detach().numpy() / scale)


def fit_chance(known: Sequence[Choice], weights: Floats) -> tuple[float, float]:
    """Slope and shift from the order's value of the best proposal to the logit of its chance."""
    best = [int((c.features @ weights).argmax()) for c in known]
    value = torch.tensor([float(c.features[k] @ weights) for c, k in zip(known, best, strict=True)])
    right = torch.tensor([float(c.overlap[k] >= ENOUGH) for c, k in zip(known, best, strict=True)])
    line = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def loss() -> torch.Tensor:
        logit = line[0] * value.double() + line[1]
        return torch.nn.functional.binary_cross_entropy_with_logits(logit, right.double())

    _minimise(line, loss)
    slope, shift = line.detach().tolist()
    return slope, shift


def _minimise(parameter: torch.Tensor, loss: Callable[[], torch.Tensor]) -> None:
    optimiser = torch.optim.LBFGS([parameter], max_iter=200)

    def closure() -> float:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value.item()

    optimiser.step(closure)


def main(arguments_given: Sequence[str] | None = None) -> int:
    """Fit and print."""
    options = arguments(__doc__ or "").parse_args(arguments_given)
    data: Path = options.data
    blocks = list(choices([s for s in load_set(data, "cheng/train").slices if s.group in HELD]))
    others = list(choices(evenly(load_set(data, "btod/train").slices, _OF_BTOD)))
    weights = fit_order([*blocks, *others])
    slope, shift = fit_chance(blocks, weights)
    print("WEIGHTS =", (weights * slope).round(2).tolist())
    print("CONSTANT =", round(shift, 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
