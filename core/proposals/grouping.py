"""Hierarchical grouping of segments (Uijlings et al. 2013, section 3): the most similar merge first.

A region is a row of integer sums, so that a merge is an addition. Neighbours are edges of a graph kept in
linked lists; a heap holds how alike they are. Everything that a merge leaves behind is recorded, since each
region of the tree is a proposal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.proposals.compiled import kernel
from core.proposals.forest import AREA, BARE, CONTACTS, GREY, ROUGH, SQUARES, STEP, X1, X2, Y1, Y2, Forest
from core.proposals.working import LEVELS, WorkingImage

# What each part of a histogram adds up to.
_UNIT = 1 << 12


@dataclass(frozen=True, slots=True)
class Segments:
    """A segmentation and what the grouping needs of it.

    Attributes:
        labels: (rows, columns), -1 for background.
        sums: (2 n, 11) int64, the first n rows filled; columns as in `core.proposals.forest`.
        histograms: (2 n, 40) int32, the first n filled: grey levels, then gradients, each part of sum 2¹².
        ends: (E, 2) the segments that each edge joins.
        touch: (E, 3) int64 along the outline they share: length, absolute and signed grey steps.
    """

    labels: NDArray[np.int32]
    sums: NDArray[np.int64]
    histograms: NDArray[np.int32]
    ends: NDArray[np.int32]
    touch: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Weights of what makes neighbours alike (the paper's section 3.2), each part in [0, 1].

    Attributes:
        grey: Intersection of the grey-level histograms.
        texture: Intersection of the gradient histograms.
        size: Small regions merge early.
        fill: Regions that fit into each other merge early: a rim and its core.
        mean: Nearness of the mean grey levels.
    """

    grey: float = 0.0
    texture: float = 0.0
    size: float = 0.0
    fill: float = 0.0
    mean: float = 0.0


def describe(image: WorkingImage, labels: NDArray[np.int32], n: int) -> Segments:
    """Sums, histograms and neighbours of n segments."""
    sums = _sums(image.grey, labels, n)
    histograms = _histograms(image.grey, labels, n)
    ends, touch = _contacts(image.grey, labels, n)
    return Segments(labels, sums, histograms, ends, touch)


def group(segments: Segments, likeness: Likeness, source: int) -> Forest:
    """The tree of regions that merging the most similar neighbours leaves behind."""
    weights = np.array([likeness.grey, likeness.texture, likeness.size, likeness.fill, likeness.mean])
    sums, parent, alike = _merged(
        segments.sums.copy(), segments.histograms.copy(), segments.ends.copy(), segments.touch.copy(), weights
    )
    return Forest(source, sums, parent, alike, segments.labels)


@kernel
def _merged(
    sums: NDArray[np.int64],
    hist: NDArray[np.int32],
    ends: NDArray[np.int32],
    touch: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """Merge the most similar neighbours until none touch; the arguments are used up."""
    n, m = len(sums) // 2, len(ends)
    parent = np.full(2 * n, -1, dtype=np.int32)
    alike = np.ones(2 * n, dtype=np.float64)
    # Lists of edges: head of each region's; entry 2 e + side leads on from edge e at that end.
    head = np.full(2 * n, -1, dtype=np.int32)
    following = np.empty(2 * m, dtype=np.int32)
    # An edge ages when one of its ends merges and is -1 when it is gone. Older entries of the heap are void.
    age = np.zeros(m, dtype=np.int32)
    keys = np.empty(4 * m + 64, dtype=np.float64)
    entries = np.empty((4 * m + 64, 2), dtype=np.int32)
    seen = np.full(2 * n, -1, dtype=np.int32)
    fresh = np.arange(m).astype(np.int32)
    _link(head, following, ends, touch, sums)
    total = 0.0
    for i in range(n):
        total += sums[i, AREA]
    used = _push(fresh, 0, age, ends, sums, hist, total, weights, keys, entries)
    c = n
    while used > 0:
        used = _pop(used, keys, entries)
        e = entries[used, 0]
        if entries[used, 1] != age[e]:
            continue
        a, b = ends[e, 0], ends[e, 1]
        age[e] = -1
        parent[a] = c
        parent[b] = c
        alike[c] = keys[used]
        _add(a, b, c, e, sums, hist, touch)
        degree = _relink(a, b, c, head, following, ends, touch, age, seen, fresh)
        if used + degree > len(keys):
            keys, entries = _longer(keys, entries)
        used = _push(fresh[:degree], used, age, ends, sums, hist, total, weights, keys, entries)
        c += 1
    return sums[:c], parent[:c], alike[:c]


@kernel
def _link(
    head: NDArray[np.int32],
    following: NDArray[np.int32],
    ends: NDArray[np.int32],
    touch: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> None:
    """Put every edge into the lists of both its ends, and its outline into their sums."""
    for e in range(len(ends)):
        for side in range(2):
            r = ends[e, side]
            following[2 * e + side] = head[r]
            head[r] = 2 * e + side
            sums[r, CONTACTS] += touch[e, 0]
            sums[r, ROUGH] += touch[e, 1]
            sums[r, STEP] += touch[e, 2] if side == 0 else -touch[e, 2]


@kernel
def _add(
    a: int, b: int, c: int, e: int, sums: NDArray[np.int64], hist: NDArray[np.int32], touch: NDArray[np.int64]
) -> None:
    """Region c is a and b, which edge e joined; the outline they shared is inside it now."""
    for k in range(11):
        sums[c, k] = sums[a, k] + sums[b, k]
    for k in range(1, 3):
        sums[c, k] = min(sums[a, k], sums[b, k])
        sums[c, k + 2] = max(sums[a, k + 2], sums[b, k + 2])
    sums[c, CONTACTS] -= 2 * touch[e, 0]
    sums[c, ROUGH] -= 2 * touch[e, 1]
    for k in range(hist.shape[1]):
        hist[c, k] = (hist[a, k] * sums[a, AREA] + hist[b, k] * sums[b, AREA]) // sums[c, AREA]


@kernel
def _relink(
    a: int,
    b: int,
    c: int,
    head: NDArray[np.int32],
    following: NDArray[np.int32],
    ends: NDArray[np.int32],
    touch: NDArray[np.int64],
    age: NDArray[np.int32],
    seen: NDArray[np.int32],
    fresh: NDArray[np.int32],
) -> int:
    """Hand the edges of a and b to c, two to one neighbour becoming one; they go into fresh. How many."""
    degree = 0
    for first in (head[a], head[b]):
        after = first
        while after >= 0:
            h = after
            after = following[h]
            e, side = h >> 1, h & 1
            if age[e] >= 0:
                other = ends[e, 1 - side]
                g = seen[other]
                if g >= 0 and age[g] >= 0 and (ends[g, 0] == c or ends[g, 1] == c):
                    same = (ends[g, 0] == c) == (side == 0)
                    touch[g, 0] += touch[e, 0]
                    touch[g, 1] += touch[e, 1]
                    touch[g, 2] += touch[e, 2] if same else -touch[e, 2]
                    age[e] = -1
                else:
                    seen[other] = e
                    ends[e, side] = c
                    age[e] += 1
                    following[h] = head[c]
                    head[c] = h
                    fresh[degree] = e
                    degree += 1
    return degree


@kernel
def _push(
    fresh: NDArray[np.int32],
    used: int,
    age: NDArray[np.int32],
    ends: NDArray[np.int32],
    sums: NDArray[np.int64],
    hist: NDArray[np.int32],
    total: float,
    weights: NDArray[np.float64],
    keys: NDArray[np.float64],
    entries: NDArray[np.int32],
) -> int:
    """Put edges on the heap by how alike their ends are; gives the heap's size."""
    for e in fresh:
        a, b = ends[e, 0], ends[e, 1]
        both = sums[a, AREA] + sums[b, AREA]
        grey, texture = 0, 0
        for k in range(32):
            grey += min(hist[a, k], hist[b, k])
        for k in range(32, 40):
            texture += min(hist[a, k], hist[b, k])
        width = max(sums[a, X2], sums[b, X2]) - min(sums[a, X1], sums[b, X1])
        height = max(sums[a, Y2], sums[b, Y2]) - min(sums[a, Y1], sums[b, Y1])
        apart = abs(sums[a, GREY] / sums[a, AREA] - sums[b, GREY] / sums[b, AREA])
        key = (
            weights[0] * (grey / _UNIT)
            + weights[1] * (texture / _UNIT)
            + weights[2] * (1.0 - both / total)
            + weights[3] * (1.0 - (width * height - both) / total)
            + weights[4] * (1.0 - apart / LEVELS)
        )
        i = used
        used += 1
        while i > 0:
            up = (i - 1) >> 1
            if keys[up] > key or (keys[up] == key and entries[up, 0] < e):
                break
            keys[i] = keys[up]
            entries[i, 0] = entries[up, 0]
            entries[i, 1] = entries[up, 1]
            i = up
        keys[i] = key
        entries[i, 0] = e
        entries[i, 1] = age[e]
    return used


@kernel
def _pop(used: int, keys: NDArray[np.float64], entries: NDArray[np.int32]) -> int:
    """Move the best entry behind the rest of the heap; gives the heap's size. Equals: lower edge first."""
    used -= 1
    best, edge, mark = keys[0], entries[0, 0], entries[0, 1]
    key, e, m = keys[used], entries[used, 0], entries[used, 1]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= used:
            break
        right = child + 1
        if right < used and (
            keys[right] > keys[child]
            or (keys[right] == keys[child] and entries[right, 0] < entries[child, 0])
        ):
            child = right
        if key > keys[child] or (key == keys[child] and e < entries[child, 0]):
            break
        keys[i] = keys[child]
        entries[i, 0] = entries[child, 0]
        entries[i, 1] = entries[child, 1]
        i = child
    keys[i], entries[i, 0], entries[i, 1] = key, e, m
    keys[used], entries[used, 0], entries[used, 1] = best, edge, mark
    return used


@kernel
def _longer(
    keys: NDArray[np.float64], entries: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    n = len(keys)
    more_keys = np.empty(2 * n, dtype=np.float64)
    more_entries = np.empty((2 * n, 2), dtype=np.int32)
    more_keys[:n] = keys
    more_entries[:n] = entries
    return more_keys, more_entries


@kernel
def _sums(grey: NDArray[np.uint16], labels: NDArray[np.int32], n: int) -> NDArray[np.int64]:
    rows, columns = grey.shape
    sums = np.zeros((2 * n, 11), dtype=np.int64)
    sums[:, X1] = columns
    sums[:, Y1] = rows
    for r in range(rows):
        for c in range(columns):
            i = labels[r, c]
            if i < 0:
                continue
            v = np.int64(grey[r, c])
            sums[i, AREA] += 1
            sums[i, X1] = min(sums[i, X1], c)
            sums[i, Y1] = min(sums[i, Y1], r)
            sums[i, X2] = max(sums[i, X2], c + 1)
            sums[i, Y2] = max(sums[i, Y2], r + 1)
            sums[i, GREY] += v
            sums[i, SQUARES] += v * v
            sums[i, BARE] += (
                (c == 0 or labels[r, c - 1] < 0)
                + (c + 1 == columns or labels[r, c + 1] < 0)
                + (r == 0 or labels[r - 1, c] < 0)
                + (r + 1 == rows or labels[r + 1, c] < 0)
            )
    return sums


@kernel
def _histograms(grey: NDArray[np.uint16], labels: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    """Per region: 32 bins of grey level, then 8 of gradient (each twice the last), each part of sum 2¹²."""
    rows, columns = grey.shape
    counts = np.zeros((2 * n, 40), dtype=np.int32)
    area = np.zeros(n, dtype=np.int32)
    for r in range(rows):
        for c in range(columns):
            i = labels[r, c]
            if i < 0:
                continue
            v = np.int32(grey[r, c])
            counts[i, v * 32 // LEVELS] += 1
            right = np.int32(grey[r, min(c + 1, columns - 1)]) - np.int32(grey[r, max(c - 1, 0)])
            down = np.int32(grey[min(r + 1, rows - 1), c]) - np.int32(grey[max(r - 1, 0), c])
            steep = abs(right) + abs(down)
            steep >>= 5
            b = 0
            while steep > 0 and b < 7:
                steep >>= 1
                b += 1
            counts[i, 32 + b] += 1
            area[i] += 1
    for i in range(n):
        for b in range(40):
            counts[i, b] = counts[i, b] * _UNIT // area[i]
    return counts


@kernel
def _sides(labels: NDArray[np.int32]) -> int:
    """How many sides of pixels lie between two segments."""
    rows, columns = labels.shape
    count = 0
    for r in range(rows):
        for c in range(columns):
            i = labels[r, c]
            if i >= 0 and c + 1 < columns and labels[r, c + 1] >= 0 and labels[r, c + 1] != i:
                count += 1
            if i >= 0 and r + 1 < rows and labels[r + 1, c] >= 0 and labels[r + 1, c] != i:
                count += 1
    return count


@kernel
def _contacts(
    grey: NDArray[np.uint16], labels: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Pairs of touching segments, and along the outline they share its length, absolute and signed steps."""
    rows, columns = grey.shape
    # Segments may cross at corners, so that there can be more pairs than in a plane.
    most = min(_sides(labels), n * n)
    room = 1024
    while room < 2 * most:
        room *= 2
    slot = np.full(room, -1, dtype=np.int32)
    ends = np.empty((most, 2), dtype=np.int32)
    touch = np.zeros((most, 3), dtype=np.int64)
    m = 0
    for r in range(rows):
        for c in range(columns):
            i = labels[r, c]
            if i < 0:
                continue
            for d in range(2):
                if (d == 0 and c + 1 == columns) or (d == 1 and r + 1 == rows):
                    continue
                j = labels[r, c + 1] if d == 0 else labels[r + 1, c]
                if j < 0 or j == i:
                    continue
                step = np.int64(grey[r, c]) - np.int64(grey[r, c + 1] if d == 0 else grey[r + 1, c])
                a, b = i, j
                if a > b:
                    a, b = b, a
                    step = -step
                h = (a * 73856093 ^ b * 19349663) & (room - 1)
                while slot[h] >= 0 and (ends[slot[h], 0] != a or ends[slot[h], 1] != b):
                    h = (h + 1) & (room - 1)
                if slot[h] < 0:
                    slot[h] = m
                    ends[m, 0] = a
                    ends[m, 1] = b
                    m += 1
                e = slot[h]
                touch[e, 0] += 1
                touch[e, 1] += abs(step)
                touch[e, 2] += step
    return ends[:m].copy(), touch[:m].copy()
