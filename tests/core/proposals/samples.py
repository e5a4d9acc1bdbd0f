"""Slices to search, and region arithmetic done the slow way."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from core.boxes import iou_matrix, to_array
from core.imaging.phantom import PhantomSpec, make_phantom
from core.jobs import CancelToken
from core.model import Box, Proposals
from core.proposals.base import Proposer
from core.proposals.forest import Forest, intervals
from core.regions import Regions

Mask = NDArray[np.bool_]


def head(rows: int = 120, columns: int = 90, seed: int = 0) -> NDArray[np.float32]:
    """A grey ellipse with a bright blob at (50 … 70, 30 … 46)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    inside = ((x - columns / 2) / (columns * 0.42)) ** 2 + ((y - rows / 2) / (rows * 0.45)) ** 2 < 1
    image = np.where(inside, 400.0, 10.0)
    blob = ((x - 60) / 10.0) ** 2 + ((y - 38) / 8.0) ** 2 < 1
    image[blob] = 900.0
    return (image + rng.normal(0, 10, image.shape)).astype(np.float32)


@cache
def _phantom_slice() -> tuple[NDArray[np.uint16], tuple[Box, ...]]:
    phantom = make_phantom(PhantomSpec(size=256, slices=9, lesions=4, seed=3))
    counts = [sum(b.slice == k for b in phantom.boxes) for k in range(9)]
    most = counts.index(max(counts))
    boxes = tuple(b.box for b in phantom.boxes if b.slice == most)
    return phantom.volume[most].astype(np.uint16), boxes


def phantom_slice() -> tuple[NDArray[np.uint16], tuple[Box, ...]]:
    """A 12-bit slice of 256² with skull, ventricles, bias, noise and lesions, and the lesions' boxes."""
    image, boxes = _phantom_slice()
    return image.copy(), boxes


def brain(size: int = 256, seed: int = 0) -> tuple[NDArray[np.float64], Mask, NDArray[np.float64]]:
    """A head of grey and white matter under scalp and skull: levels, what is brain, and noise to add."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    radius = np.sqrt((x / 0.40) ** 2 + (y / 0.46) ** 2)
    image = np.where(radius < 1.0, 700.0, 5.0)
    image[radius < 0.93] = 60.0
    image[radius < 0.86] = 420.0
    folds = np.sin(60 * x + 3 * np.sin(25 * y)) * np.sin(55 * y + 2 * np.sin(30 * x))
    image[(radius < 0.86) & (folds > 0.5)] = 340.0
    image[radius < 0.6] = 500.0
    return image, radius < 0.86, rng.normal(0.0, 12.0, image.shape)


def disc(size: int, x: float, y: float, a: float, b: float) -> Mask:
    """An ellipse about (x, y) with semiaxes a along x and b along y."""
    rows, columns = np.mgrid[:size, :size] + 0.5
    return np.asarray(((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 < 1)


def box_of(mask: Mask) -> tuple[int, int, int, int]:
    """The tight box of a mask, (x1, y1, x2, y2)."""
    rows, columns = np.nonzero(mask)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def propose(proposer: Proposer, image: NDArray[np.generic]) -> Proposals:
    return proposer.propose(image, cancel=CancelToken())


def best_overlaps(these: tuple[Box, ...], among: tuple[Box, ...]) -> NDArray[np.float64]:
    """For each of these boxes the IoU with its nearest among the others."""
    if not among:
        return np.zeros(len(these))
    return np.asarray(iou_matrix(to_array(these), to_array(among)).max(axis=1))


def check_proposals(found: Proposals, rows: int, columns: int) -> None:
    """What holds of any answer, whatever the slice."""
    boxes = to_array(found.boxes)
    assert np.isfinite(boxes).all()
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert (boxes[:, 2] <= columns).all()
    assert (boxes[:, 3] <= rows).all()
    assert len(set(found.boxes)) == len(found.boxes) == len(found.scores)
    assert list(found.scores) == sorted(found.scores, reverse=True)
    assert all(0.0 <= s <= 1.0 for s in found.scores)


def regions_of(found: Proposals) -> Regions:
    assert found.regions is not None
    assert len(found.regions) == len(found.boxes)
    return found.regions


def check_regions(found: Proposals, most: int | None = None) -> None:
    """Each mask has its proposal's box, and lies within its parent's, in the same tree."""
    regions = regions_of(found)
    for i in range(len(regions))[:most]:
        tree, mask = regions.trees[regions.tree[i]], regions.mask(i)
        x1, y1, x2, y2 = box_of(mask)
        expected = (x1 * tree.scale_x, y1 * tree.scale_y, x2 * tree.scale_x, y2 * tree.scale_y)
        np.testing.assert_allclose(found.boxes[i].as_tuple(), expected, rtol=1e-12)
        up = regions.parents[i]
        assert up != i
        if up >= 0:
            assert regions.tree[up] == regions.tree[i]
            assert not (mask & ~regions.mask(up)).any()
            inner, outer = found.boxes[i], found.boxes[up]
            assert outer.x1 <= inner.x1
            assert outer.y1 <= inner.y1
            assert outer.x2 >= inner.x2
            assert outer.y2 >= inner.y2


def sums_of(mask: Mask, grey: NDArray[np.uint16], inside: Mask) -> tuple[int, ...]:
    """A region's row of sums, from its pixels."""
    padded, free = np.pad(mask, 1), np.pad(inside, 1)
    level = np.pad(grey.astype(np.int64), 1)
    contacts = rough = step = bare = 0
    for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        there = (-down, -right)
        side = padded & ~np.roll(padded, there, (0, 1))
        beside = np.roll(free, there, (0, 1))
        steps = (level - np.roll(level, there, (0, 1)))[side & beside]
        contacts += int((side & beside).sum())
        bare += int((side & ~beside).sum())
        rough += int(np.abs(steps).sum())
        step += int(steps.sum())
    values = grey[mask].astype(np.int64)
    return (
        int(mask.sum()),
        *box_of(mask),
        int(values.sum()),
        int((values**2).sum()),
        contacts,
        rough,
        step,
        bare,
    )


def masks_of(forest: Forest) -> list[Mask]:
    """The pixels of every region of a forest, by following parents."""
    within = [forest.labels == i for i in range(len(forest.sums))]
    for i, up in enumerate(forest.parent):
        if up >= 0:
            within[up] = within[up] | within[i]
    return within


def masks_by_runs(forest: Forest) -> list[Mask]:
    """The same by the runs of numbers."""
    runs = intervals(forest.parent)
    number = np.append(runs[:, 0], -1)[forest.labels]
    return [(number >= first) & (number < end) for first, end in runs]
