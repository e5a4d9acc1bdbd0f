"""Edges and segments against what one sees pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.proposals.graph import segment, sorted_edges
from core.proposals.working import LEVELS
from tests.core.proposals.samples import Mask

Picture = tuple[NDArray[np.uint16], Mask]

scales = st.sampled_from([0, 16, 160, 1600])


@st.composite
def pictures(draw: st.DrawFn, most: int = 16) -> Picture:
    rows, columns = draw(st.integers(1, most)), draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    spread = draw(st.sampled_from([1, 30, 400, LEVELS]))
    grey = rng.integers(0, spread, (rows, columns)).astype(np.uint16)
    inside = rng.random((rows, columns)) < draw(st.sampled_from([1.0, 0.9, 0.5, 0.0]))
    return grey, inside


def _neighbours(inside: Mask) -> set[tuple[int, int]]:
    """Pairs of flat indices of touching foreground pixels, eight neighbours to a pixel."""
    rows, columns = inside.shape
    pairs = set()
    for r, c in zip(*(a.tolist() for a in np.nonzero(inside)), strict=True):
        for y, x in ((r, c + 1), (r + 1, c - 1), (r + 1, c), (r + 1, c + 1)):
            if 0 <= y < rows and 0 <= x < columns and inside[y, x]:
                pairs.add((r * columns + c, y * columns + x))
    return pairs


@given(pictures())
@settings(max_examples=150, deadline=None)
def test_edges_are_all_there_lightest_first(picture: Picture) -> None:
    grey, inside = picture
    codes, start = sorted_edges(grey, inside)
    columns = grey.shape[1]
    ahead = np.array([1, columns, columns + 1, columns - 1])
    p, q = codes >> 2, (codes >> 2) + ahead[codes & 3]
    pairs = list(zip(p.tolist(), q.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) == _neighbours(inside)
    flat = grey.ravel().astype(int)
    weight = np.abs(flat[p] - flat[q])
    assert (np.diff(weight) >= 0).all()
    assert len(start) == LEVELS + 1
    assert start[0] == 0
    assert start[-1] == len(codes)
    assert np.array_equal(weight, np.repeat(np.arange(LEVELS), np.diff(start)))


def _felzenszwalb(grey: NDArray[np.uint16], inside: Mask, scale: int, smallest: int, most: int) -> list[int]:
    """The same method with sets and no thrift; -1 for background, else any name."""
    columns = grey.shape[1]
    codes, start = sorted_edges(grey, inside)
    weights = np.repeat(np.arange(LEVELS), np.diff(start)).tolist()
    ahead = [1, columns, columns + 1, columns - 1]
    edges = [(code >> 2, (code >> 2) + ahead[code & 3]) for code in codes.tolist()]
    owner = list(range(grey.size))
    members = {i: [i] for i in range(grey.size) if inside.ravel()[i]}
    limit = dict.fromkeys(members, scale)

    def merge(a: int, b: int) -> int:
        for pixel in members[b]:
            owner[pixel] = a
        members[a] += members.pop(b)
        return a

    for (p, q), w in zip(edges, weights, strict=True):
        a, b = owner[p], owner[q]
        if a != b and w <= limit[a] and w <= limit[b]:
            merge(a, b)
            limit[a] = w + scale // len(members[a])
    while True:
        for p, q in edges:
            a, b = owner[p], owner[q]
            if a != b and min(len(members[a]), len(members[b])) < smallest:
                merge(a, b)
        if len(members) <= most or all(owner[p] == owner[q] for p, q in edges):
            break
        smallest *= 2
    return [owner[i] if inside.ravel()[i] else -1 for i in range(grey.size)]


@given(pictures(12), scales, st.sampled_from([1, 4, 10]), st.sampled_from([2, 9, 999]))
@settings(max_examples=150, deadline=None)
def test_segments_are_those_of_the_plain_method(
    picture: Picture, scale: int, smallest: int, most: int
) -> None:
    grey, inside = picture
    labels, n = segment(*sorted_edges(grey, inside), inside, scale, smallest, most)
    plain = _felzenszwalb(grey, inside, scale, smallest, most)
    pairs = set(zip(labels.ravel().tolist(), plain, strict=True))
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert n == len(pairs - {(-1, -1)})


@given(pictures(), scales, st.sampled_from([1, 8]), st.sampled_from([1, 5, 1500]))
@settings(max_examples=150, deadline=None)
def test_segments_hang_together_and_respect_the_background(
    picture: Picture, scale: int, smallest: int, most: int
) -> None:
    grey, inside = picture
    labels, n = segment(*sorted_edges(grey, inside), inside, scale, smallest, most)
    assert np.array_equal(labels >= 0, inside)
    names, first = np.unique(labels[inside], return_index=True)
    assert names.tolist() == list(range(n))
    # In reading order.
    assert (np.diff(first) > 0).all()
    sizes = np.bincount(labels[inside], minlength=n)
    islands, island = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
    for k in range(n):
        assert cv2.connectedComponents((labels == k).astype(np.uint8), connectivity=8)[0] == 2
        whole = sizes[k] == (island == island[labels == k][0]).sum()
        assert sizes[k] >= smallest or whole
    # Islands of foreground cannot be joined: so many segments there may be, whatever is asked.
    assert n <= max(most, islands - 1)


def test_two_flat_halves_are_two_segments() -> None:
    grey = np.full((20, 20), 1000, dtype=np.uint16)
    grey[:, 10:] = 2000
    inside = np.ones((20, 20), dtype=np.bool_)
    labels, n = segment(*sorted_edges(grey, inside), inside, 1600, 8, 1500)
    assert n == 2
    assert np.array_equal(labels, (grey == 2000).astype(np.int32))
