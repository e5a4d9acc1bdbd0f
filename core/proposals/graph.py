"""Graph-based segmentation (Felzenszwalb and Huttenlocher 2004) of a grey slice, at several scales.

Pixels are nodes, neighbours (eight to a pixel) are joined by edges that weigh the difference of their grey
levels. The edges are sorted once, by counting; each scale is then one pass over them with union-find. Pixels
of the background take no part. Integers throughout: the same pixels give the same segments everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.proposals.compiled import kernel
from core.proposals.working import LEVELS


@kernel
def sorted_edges(
    grey: NDArray[np.uint16], inside: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Edges between neighbouring foreground pixels, lightest first.

    Args:
        grey: (rows, columns) in [0, LEVELS).
        inside: (rows, columns), what is not background.

    Returns:
        (E,) codes `4 * pixel + direction` (right, down, down-right, down-left of the pixel at that flat
        index), and (LEVELS + 1,) where each weight's edges start.
    """
    rows, columns = grey.shape
    weights = np.empty((rows * columns, 4), dtype=np.int16)
    start = np.zeros(LEVELS + 1, dtype=np.int32)
    for r in range(rows):
        for c in range(columns):
            for d in range(4):
                # Right, down, down-right, down-left.
                rr, cc = r + (d > 0), c + (d in (0, 2)) - (d == 3)
                weight = -1
                if inside[r, c] and 0 <= cc < columns and rr < rows and inside[rr, cc]:
                    weight = int(abs(np.int32(grey[r, c]) - np.int32(grey[rr, cc])))
                    start[weight + 1] += 1
                weights[r * columns + c, d] = weight
    for w in range(LEVELS):
        start[w + 1] += start[w]
    fill = start.copy()
    codes = np.empty(start[LEVELS], dtype=np.int32)
    for p in range(rows * columns):
        for d in range(4):
            weight = int(weights[p, d])
            if weight >= 0:
                codes[fill[weight]] = 4 * p + d
                fill[weight] += 1
    return codes, start


@kernel
def _root(parent: NDArray[np.int32], p: int) -> int:
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p


@kernel
def segment(
    codes: NDArray[np.int32],
    start: NDArray[np.int32],
    inside: NDArray[np.bool_],
    scale: int,
    smallest: int,
    most: int,
) -> tuple[NDArray[np.int32], int]:
    """Segments at one scale: merge while the edge is lighter than either side's heaviest plus scale / size.

    Args:
        codes: Edges of `sorted_edges`.
        start: Where each weight's edges start.
        inside: (rows, columns), what is not background.
        scale: The paper's k, in grey levels times pixels; larger gives larger segments.
        smallest: Smaller segments are joined to their nearest neighbour in grey.
        most: If there are more segments than this, the smallest size is doubled until there are not, or
            nothing touches any more.

    Returns:
        (rows, columns) labels, -1 for background, else 0 … n - 1 in reading order; and n.
    """
    rows, columns = inside.shape
    free = inside.ravel()
    steps = np.array([1, columns, columns + 1, columns - 1])
    parent = np.arange(rows * columns).astype(np.int32)
    size = np.ones(rows * columns, dtype=np.int32)
    limit = np.full(rows * columns, scale, dtype=np.int32)
    left = np.empty(len(codes), dtype=np.int32)
    n_left = 0
    count = 0
    for p in range(rows * columns):
        count += free[p]
    for w in range(len(start) - 1):
        for e in range(start[w], start[w + 1]):
            code = codes[e]
            a = _root(parent, code >> 2)
            b = _root(parent, (code >> 2) + steps[code & 3])
            if a == b:
                continue
            if w <= limit[a] and w <= limit[b]:
                if size[a] < size[b]:
                    a, b = b, a
                parent[b] = a
                size[a] += size[b]
                limit[a] = w + scale // size[a]
                count -= 1
            else:
                left[n_left] = code
                n_left += 1
    while True:
        kept = 0
        for e in range(n_left):
            code = left[e]
            a = _root(parent, code >> 2)
            b = _root(parent, (code >> 2) + steps[code & 3])
            if a == b:
                continue
            if size[a] < smallest or size[b] < smallest:
                if size[a] < size[b]:
                    a, b = b, a
                parent[b] = a
                size[a] += size[b]
                count -= 1
            else:
                left[kept] = code
                kept += 1
        n_left = kept
        if count <= most or n_left == 0:
            break
        smallest *= 2
    labels = np.full(rows * columns, -1, dtype=np.int32)
    name = np.full(rows * columns, -1, dtype=np.int32)
    n = 0
    for p in range(rows * columns):
        if free[p]:
            root = _root(parent, p)
            if name[root] < 0:
                name[root] = n
                n += 1
            labels[p] = name[root]
    return labels.reshape(rows, columns), n
