"""Which regions a slice is trained on, and what each should become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import boxes as bx

FOREGROUND_IOU = 0.5
# Near misses are background to the classifier, but are regressed: the second look then sees a better box.
REGRESSED_IOU = 0.3
_IGNORED_IOU = 0.2
_FOREGROUND_SHARE = 0.25
_NEAR_SHARE = 0.25
_JITTERED = 24
_SAME = 0.999


Points = NDArray[np.float64]
"""(P, 2) x and y in working pixels."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of one slice, in working pixels.

    Attributes:
        boxes: (T, 4).
        labels: (T,) classes 1 … K.
        ignored: (I, 4) true boxes too small to learn from; regions on them are neither right nor wrong.
        hard: (H, 4) boxes a reader rejected.
        outlines: Per box the polygons around the lesion; none where only the box is known. Empty where that
            is so of all boxes.
    """

    boxes: bx.Boxes
    labels: NDArray[np.int64]
    ignored: bx.Boxes
    hard: bx.Boxes
    outlines: tuple[tuple[Points, ...], ...] = ()

    def moved(
        self,
        move: Callable[[bx.Boxes], bx.Boxes],
        size: float,
        carry: Callable[[Points], Points] | None = None,
    ) -> Truth:
        """The truth after a change of the image; a box that left it by more than half is ignored.

        Args:
            move: Moves boxes.
            size: Side of the image.
            carry: Moves points; None forgets the outlines.
        """
        placed = move(self.boxes)
        inside = bx.clip(placed, size, size)
        seen = bx.area(inside) >= 0.5 * bx.area(placed)
        return Truth(
            inside[seen],
            self.labels[seen],
            np.concatenate([inside[~seen], bx.clip(move(self.ignored), size, size)]),
            bx.clip(move(self.hard), size, size),
            _carried(self.outlines, seen, carry) if carry is not None else (),
        )


def _carried(
    outlines: Sequence[tuple[Points, ...]], seen: NDArray[np.bool_], carry: Callable[[Points], Points]
) -> tuple[tuple[Points, ...], ...]:
    """The outlines of the boxes that are still seen, moved along."""
    if not outlines:
        return ()
    return tuple(tuple(carry(p) for p in outlines[int(i)]) for i in np.flatnonzero(seen))


def sample_regions(
    rng: np.random.Generator, truth: Truth, proposals: bx.Boxes, count: int, size: float
) -> NDArray[np.float32]:
    """Draw `count` regions: a quarter foreground, a quarter near misses and rejections, the rest elsewhere.

    Foreground comes from the true boxes, jittered copies of them, and proposals that overlap them. A slice
    without true boxes gives background only.

    Args:
        rng: Source of chance.
        truth: What is known of the slice.
        proposals: (N, 4) from the proposer.
        count: How many regions.
        size: Side of the working image.

    Returns:
        (count, 4), fewer where there are not enough.
    """
    pool = np.concatenate([truth.boxes, _jittered(rng, truth.boxes, size), truth.hard, proposals])
    pool = bx.clip(pool, size, size)
    pool = pool[((pool[:, 2:] - pool[:, :2]) >= 2.0).all(axis=1)]
    overlap = _best_overlap(pool, truth.boxes)
    usable = (overlap >= FOREGROUND_IOU) | (_best_overlap(pool, truth.ignored) < _IGNORED_IOU)
    foreground = np.flatnonzero(usable & (overlap >= FOREGROUND_IOU))
    emphasised = _best_overlap(pool, truth.hard) >= FOREGROUND_IOU
    is_near = (overlap >= 0.1) | emphasised
    near = np.flatnonzero(usable & (overlap < FOREGROUND_IOU) & is_near)
    far = np.flatnonzero(usable & (overlap < FOREGROUND_IOU) & ~is_near)
    wanted = round(count * _NEAR_SHARE)
    chosen = [_draw(rng, foreground, round(count * _FOREGROUND_SHARE))]
    # What a reader took the trouble to reject is always among them.
    chosen.append(_draw(rng, np.flatnonzero(usable & (_best_overlap(pool, truth.hard) > _SAME)), wanted))
    chosen.append(_draw(rng, np.setdiff1d(near, chosen[-1]), wanted - len(chosen[-1])))
    chosen.append(_draw(rng, far, count - sum(len(c) for c in chosen)))
    return pool[np.concatenate(chosen)].astype(np.float32)


def _jittered(rng: np.random.Generator, boxes: bx.Boxes, size: float) -> bx.Boxes:
    """Copies of each box, moved and resized so that overlaps from about .2 to .9 occur."""
    if len(boxes) == 0:
        return boxes
    copies = np.repeat(boxes, max(4, _JITTERED // len(boxes)), axis=0)
    side = copies[:, 2:] - copies[:, :2]
    center = copies[:, :2] + side / 2
    strength = rng.uniform(0.05, 0.4, (len(copies), 1))
    center = center + rng.normal(0.0, 1.0, center.shape) * strength * side
    half = side * np.exp(rng.normal(0.0, 1.0, side.shape) * strength) / 2
    return bx.clip(np.concatenate([center - half, center + half], axis=1), size, size)


def _best_overlap(pool: bx.Boxes, boxes: bx.Boxes) -> NDArray[np.float64]:
    if len(boxes) == 0 or len(pool) == 0:
        return np.zeros(len(pool))
    return np.asarray(bx.iou_matrix(pool, boxes).max(axis=1))


def _draw(rng: np.random.Generator, indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    if len(indices) <= count:
        return indices
    return np.asarray(rng.choice(indices, count, replace=False))


@dataclass(frozen=True, slots=True)
class Targets:
    """What regions should become.

    Attributes:
        labels: (R,) class 1 … K, 0 for background, -1 where it should not count.
        boxes: (R, 4) the true box each region overlaps most.
        matched: (R,) that box's class, 1 … K (0 where the slice has none).
        regressed: (R,) whether the regression should learn from it.
    """

    labels: Tensor
    boxes: Tensor
    matched: Tensor
    regressed: Tensor


def assign(regions: Tensor, truth: Truth) -> Targets:
    """The targets of one slice's regions."""
    none = torch.zeros(len(regions), dtype=torch.int64)
    ignore = torch.zeros(len(regions), dtype=torch.bool)
    if len(truth.ignored):
        ignore = overlaps(regions, _tensor(truth.ignored)).max(dim=1).values >= _IGNORED_IOU
    if len(truth.boxes) == 0:
        return Targets(none.masked_fill(ignore, -1), regions.clone(), none, torch.zeros_like(ignore))
    best, index = overlaps(regions, _tensor(truth.boxes)).max(dim=1)
    matched = torch.from_numpy(truth.labels)[index]
    foreground = best >= FOREGROUND_IOU
    labels = torch.where(foreground, matched, none.masked_fill(ignore, -1))
    return Targets(labels, _tensor(truth.boxes)[index], matched, best >= REGRESSED_IOU)


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """(N, M) intersection over union of (N, 4) and (M, 4) boxes with positive sides."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clamp(min=0.0).prod(dim=2)
    areas = [(b[:, 2:] - b[:, :2]).prod(dim=1) for b in (first, second)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)


def _tensor(boxes: bx.Boxes) -> Tensor:
    return torch.from_numpy(boxes.astype(np.float32))
