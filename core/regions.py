"""Which pixels each proposal covers, and how proposals lie within one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Nested regions, numbered so that all within a region are a run of numbers.

    Attributes:
        labels: (rows, columns) int32, the smallest region that holds the pixel; -1 for none.
        numbers: (M + 1,) int32, the number of each region that `labels` may name, and at the end -1 for none.
        scale_x: Slice pixels per pixel of `labels`, along a row.
        scale_y: Slice pixels per pixel of `labels`, along a column.
    """

    labels: NDArray[np.int32]
    numbers: NDArray[np.int32]
    scale_x: float
    scale_y: float


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The regions behind N proposals, in their order.

    Attributes:
        trees: Each a hierarchy of its own.
        tree: (N,) int32, the tree of each proposal.
        spans: (N, 2) int32, the run of numbers [first, last + 1) that a region holds in its tree.
        parents: (N,) int32, the proposal of the same tree that next encloses it; -1 for none.
        areas: (N,) float64, of each region, in square slice pixels.
    """

    trees: tuple[Tree, ...]
    tree: NDArray[np.int32]
    spans: NDArray[np.int32]
    parents: NDArray[np.int32]
    areas: NDArray[np.float64]

    def __len__(self) -> int:
        """How many proposals."""
        return len(self.tree)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """The pixels of a proposal's region, (rows, columns) of its tree's grid."""
        tree, (first, end) = self.trees[self.tree[index]], self.spans[index]
        held: NDArray[np.bool_] = ((tree.numbers >= first) & (tree.numbers < end))[tree.labels]
        return held

    def children(self, index: int) -> tuple[int, ...]:
        """The proposals that this one next encloses, best first."""
        return tuple(int(i) for i in np.flatnonzero(self.parents == index))

    def at(self, x: float, y: float) -> tuple[int, ...]:
        """The proposals whose region covers a point of the slice, the smallest region first.

        Args:
            x: In slice pixels, corner convention.
            y: Likewise.
        """
        here = np.full(len(self.trees), -1, dtype=np.int32)
        for k, tree in enumerate(self.trees):
            row, column = int(y // tree.scale_y), int(x // tree.scale_x)
            if 0 <= row < tree.labels.shape[0] and 0 <= column < tree.labels.shape[1]:
                here[k] = tree.numbers[tree.labels[row, column]]
        number = here[self.tree]
        found = np.flatnonzero((number >= self.spans[:, 0]) & (number < self.spans[:, 1]))
        return tuple(int(i) for i in found[np.argsort(self.areas[found], kind="stable")])

    def outline(self, index: int) -> tuple[NDArray[np.float64], ...]:
        """The closed lines around a proposal's region, holes included, along the edges of pixels.

        Returns:
            Polygons (K, 2) of x, y in slice pixels, the last point not repeated; outer ones clockwise.
        """
        tree = self.trees[self.tree[index]]
        scale = np.array([tree.scale_x, tree.scale_y])
        return tuple(np.array(line, dtype=np.float64) * scale for line in _traced(self.mask(index)))


def _traced(mask: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Closed lines of pixel corners with the region on their right, corners on straight runs left out."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return []
    padded = np.pad(mask, 1)
    # Each bare side of a pixel is a step: offset of the neighbour, then where the step starts and ends.
    sides = (
        ((-1, 0), (0, 0), (1, 0)),
        ((0, 1), (1, 0), (1, 1)),
        ((1, 0), (1, 1), (0, 1)),
        ((0, -1), (0, 1), (0, 0)),
    )
    onward: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (down, right), start, end in sides:
        bare = ~padded[rows + 1 + down, columns + 1 + right]
        for r, c in zip(rows[bare].tolist(), columns[bare].tolist(), strict=True):
            onward.setdefault((c + start[0], r + start[1]), []).append((c + end[0], r + end[1]))
    lines = []
    while onward:
        first = next(iter(onward))
        lines.append(_straightened(_followed(onward, first)))
    return lines


def _followed(
    onward: dict[tuple[int, int], list[tuple[int, int]]], first: tuple[int, int]
) -> list[tuple[int, int]]:
    line, here = [first], first
    while True:
        ahead = onward[here]
        # Where two pixels touch at a corner there are two ways; either closes.
        after = ahead.pop()
        if not ahead:
            del onward[here]
        if after == first:
            return line
        line.append(after)
        here = after


def _straightened(line: list[tuple[int, int]]) -> list[tuple[int, int]]:
    before = [line[-1], *line[:-1]]
    after = [*line[1:], line[0]]
    return [
        p
        for a, p, b in zip(before, line, after, strict=True)
        if (p[0] - a[0], p[1] - a[1]) != (b[0] - p[0], b[1] - p[1])
    ]
