"""Component trees of a grey slice: what hangs together above (or below) each grey level.

A lesion that enhances, or a dark one, is often exactly a component of some threshold. The tree of all of them
(Salembier et al. 1998, Najman and Couprie 2006), at a few dozen levels, costs a millisecond with union-find
and proposes what maximally stable extremal regions do (Matas et al. 2002), leaving stability to the ranking.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.proposals.compiled import kernel
from core.proposals.forest import AREA, BARE, CONTACTS, GREY, ROUGH, SQUARES, STEP, X1, X2, Y1, Y2
from core.proposals.working import LEVELS

# Columns of a pixel's row while its tree grows. 0: its parent in the union-find, -1 before the pixel is in.
# At a root: its sums, the pixels that no node holds yet (a list), its topmost nodes (a list), the level that
# it was last seen at.
_SLOT, _WAITING, _TAIL, _NEXT, _CHILD, _LAST, _SEEN = 1, 2, 3, 4, 5, 6, 7


@kernel
def component_tree(
    image: NDArray[np.uint16],
    grey: NDArray[np.uint16],
    inside: NDArray[np.bool_],
    levels: int,
    dark: bool,
    smallest: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
    """Components (four neighbours) of what is at least as bright as each level, or at most.

    A component that merely grew without moving its box is not a node of its own.

    Args:
        image: (rows, columns) in [0, LEVELS), what the levels cut.
        grey: (rows, columns) grey levels for the sums.
        inside: (rows, columns), what is not background; the rest takes no part.
        levels: How many, at most 255.
        dark: Cut from the dark end.
        smallest: Components of fewer pixels are not nodes.

    Returns:
        (N, 11) sums as in `core.proposals.forest`; (N,) parents, -1 for a root; (N,) the share a node has of
        its parent's area; (rows, columns) the smallest node that holds the pixel, or -1.
    """
    rows, columns = image.shape
    level = np.zeros((rows, columns), dtype=np.uint8)
    # A frame of background around the image spares every neighbour the question whether it exists.
    wide = columns + 2
    size = (rows + 2) * wide
    value = np.full(size, -1, dtype=np.int32)
    for r in range(rows):
        for c in range(columns):
            if inside[r, c]:
                from_end = LEVELS - 1 - np.int32(image[r, c]) if dark else np.int32(image[r, c])
                level[r, c] = 1 + from_end * levels // LEVELS
                value[(r + 1) * wide + c + 1] = grey[r, c]
    order, start = _by_level(level, wide)
    # One row for each pixel: see the columns below. -1 is none.
    state = np.empty((size, 8), dtype=np.int32)
    state[:, 0] = -1
    labels = np.full(size, -1, dtype=np.int32)
    sums = np.empty((len(order) + 1, 11), dtype=np.int64)
    used = 0
    changed = np.empty(len(order), dtype=np.int32)
    nodes = np.empty((256, 11), dtype=np.int64)
    above = np.full(256, -1, dtype=np.int32)
    sibling = np.full(256, -1, dtype=np.int32)
    n = 0
    for t in range(255, 0, -1):
        used = _flood(order[start[t] : start[t + 1]], used, wide, value, state, sums, sibling)
        m = 0
        for i in range(start[t], start[t + 1]):
            root = _root(state, order[i])
            if state[root, _SEEN] != t:
                state[root, _SEEN] = t
                changed[m] = root
                m += 1
        for i in range(m):
            root = changed[i]
            k = state[root, _SLOT]
            if sums[k, AREA] < smallest:
                continue
            only = state[root, _CHILD]
            if only >= 0 and sibling[only] < 0 and _same_box(nodes, only, sums, k):
                # The pixels wait for the next node that is one.
                continue
            if n == len(above):
                nodes, above, sibling = _longer(nodes, above, sibling)
            nodes[n] = sums[k]
            _emit(root, n, state, labels, above, sibling)
            n += 1
    share = np.ones(n, dtype=np.float64)
    for i in range(n):
        if above[i] >= 0:
            share[i] = nodes[i, AREA] / nodes[above[i], AREA]
    return nodes[:n].copy(), above[:n].copy(), share, labels.reshape(rows + 2, wide)[1:-1, 1:-1].copy()


@kernel
def _by_level(level: NDArray[np.uint8], wide: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    rows, columns = level.shape
    start = np.zeros(258, dtype=np.int32)
    for value in level.ravel():
        start[int(value) + 1] += 1
    start[1] = 0
    for v in range(1, 257):
        start[v + 1] += start[v]
    order = np.empty(start[256], dtype=np.int32)
    fill = start.copy()
    for r in range(rows):
        for c in range(columns):
            v = int(level[r, c])
            if v > 0:
                order[fill[v]] = (r + 1) * wide + c + 1
                fill[v] += 1
    return order, start


@kernel
def _root(state: NDArray[np.int32], p: int) -> int:
    while state[p, 0] != p:
        state[p, 0] = state[state[p, 0], 0]
        p = state[p, 0]
    return p


@kernel
def _same_box(a: NDArray[np.int64], i: int, b: NDArray[np.int64], j: int) -> bool:
    return bool(a[i, 1] == b[j, 1] and a[i, 2] == b[j, 2] and a[i, 3] == b[j, 3] and a[i, 4] == b[j, 4])


@kernel
def _longer(
    nodes: NDArray[np.int64], above: NDArray[np.int32], sibling: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    n = len(above)
    rows = np.empty((2 * n, 11), dtype=np.int64)
    up = np.full(2 * n, -1, dtype=np.int32)
    beside = np.full(2 * n, -1, dtype=np.int32)
    rows[:n] = nodes
    up[:n] = above
    beside[:n] = sibling
    return rows, up, beside


@kernel
def _emit(
    root: int,
    n: int,
    state: NDArray[np.int32],
    labels: NDArray[np.int32],
    above: NDArray[np.int32],
    sibling: NDArray[np.int32],
) -> None:
    """Make a component node n: its nodes so far become children, its waiting pixels get the number."""
    k = state[root, _CHILD]
    while k >= 0:
        above[k] = n
        k = sibling[k]
    p = state[root, _WAITING]
    while p >= 0:
        labels[p] = n
        p = state[p, _NEXT]
    state[root, _WAITING] = -1
    state[root, _CHILD] = n
    state[root, _LAST] = n
    sibling[n] = -1


@kernel
def _flood(
    pixels: NDArray[np.int32],
    used: int,
    wide: int,
    value: NDArray[np.int32],
    state: NDArray[np.int32],
    sums: NDArray[np.int64],
    sibling: NDArray[np.int32],
) -> int:
    """Put the pixels of a level into the components they touch, joining those; gives the sums' rows in use.

    Written out in one piece: a call that passes arrays costs more than what it would do for a pixel.
    """
    steps = np.array([-wide, -1, 1, wide])
    for p in pixels:
        a = -1
        for step in steps:
            q = p + step
            if state[q, 0] < 0:
                continue
            b = q
            while state[b, 0] != b:
                state[b, 0] = state[state[b, 0], 0]
                b = state[b, 0]
            if a < 0:
                a = b
            elif a != b:
                if sums[state[a, _SLOT], AREA] < sums[state[b, _SLOT], AREA]:
                    a, b = b, a
                _join(a, b, state, sums, sibling)
        r, c = p // wide - 1, p % wide - 1
        if a < 0:
            a = p
            state[p, _SLOT] = used
            state[p, _WAITING] = -1
            state[p, _CHILD] = -1
            state[p, _SEEN] = 0
            sums[used, :] = 0
            sums[used, X1] = c
            sums[used, Y1] = r
            used += 1
        state[p, 0] = a
        if state[a, _WAITING] < 0:
            state[a, _TAIL] = p
        state[p, _NEXT] = state[a, _WAITING]
        state[a, _WAITING] = p
        v = np.int64(value[p])
        i = state[a, _SLOT]
        sums[i, AREA] += 1
        sums[i, X1] = min(sums[i, X1], c)
        sums[i, Y1] = min(sums[i, Y1], r)
        sums[i, X2] = max(sums[i, X2], c + 1)
        sums[i, Y2] = max(sums[i, Y2], r + 1)
        sums[i, GREY] += v
        sums[i, SQUARES] += v * v
        for step in steps:
            q = p + step
            other = np.int64(value[q])
            if other < 0:
                sums[i, BARE] += 1
            elif state[q, 0] < 0:
                sums[i, CONTACTS] += 1
                sums[i, ROUGH] += abs(v - other)
                sums[i, STEP] += v - other
            else:
                # The neighbour counted this side as its outline, seen from there.
                sums[i, CONTACTS] -= 1
                sums[i, ROUGH] -= abs(v - other)
                sums[i, STEP] += v - other
    return used


@kernel
def _join(
    a: int, b: int, state: NDArray[np.int32], sums: NDArray[np.int64], sibling: NDArray[np.int32]
) -> None:
    """Put component b into a."""
    i, j = state[a, _SLOT], state[b, _SLOT]
    state[b, 0] = a
    for k in range(5, 11):
        sums[i, k] += sums[j, k]
    sums[i, AREA] += sums[j, AREA]
    sums[i, X1] = min(sums[i, X1], sums[j, X1])
    sums[i, Y1] = min(sums[i, Y1], sums[j, Y1])
    sums[i, X2] = max(sums[i, X2], sums[j, X2])
    sums[i, Y2] = max(sums[i, Y2], sums[j, Y2])
    if state[b, _WAITING] >= 0:
        if state[a, _WAITING] < 0:
            state[a, _TAIL] = state[b, _TAIL]
        else:
            state[state[b, _TAIL], _NEXT] = state[a, _WAITING]
        state[a, _WAITING] = state[b, _WAITING]
    if state[b, _CHILD] >= 0:
        if state[a, _CHILD] < 0:
            state[a, _CHILD] = state[b, _CHILD]
        else:
            sibling[state[a, _LAST]] = state[b, _CHILD]
        state[a, _LAST] = state[b, _LAST]
