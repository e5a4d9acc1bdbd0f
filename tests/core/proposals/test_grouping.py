"""Grouping: each region's sums against its pixels; the most similar neighbours merge first."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.proposals.forest import Forest
from core.proposals.graph import segment, sorted_edges
from core.proposals.grouping import Likeness, Segments, describe, group
from core.proposals.working import WorkingImage, working_image
from tests.core.proposals.samples import Mask, masks_by_runs, masks_of, phantom_slice, sums_of

WAYS = {
    "all": Likeness(grey=1, texture=1, size=1, fill=1),
    "mean": Likeness(mean=4, size=0.3, fill=0.3),
    "fitting": Likeness(size=1, fill=1),
    "nothing": Likeness(),
}


def _segments(image: WorkingImage, scale: int = 160, smallest: int = 4) -> tuple[Segments, int]:
    labels, n = segment(*sorted_edges(image.grey, image.inside), image.inside, scale, smallest, 1500)
    return describe(image, labels, n), n


@st.composite
def images(draw: st.DrawFn) -> WorkingImage:
    rows, columns = draw(st.integers(2, 24)), draw(st.integers(2, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    grey = rng.integers(0, 4096, (rows, columns)).astype(np.uint16)
    if draw(st.booleans()):
        grey = cv2.blur(grey, (3, 3)).astype(np.uint16)
    inside = rng.random((rows, columns)) < draw(st.sampled_from([1.0, 0.9, 0.6, 0.0]))
    return WorkingImage(grey, inside, np.zeros((3, rows + 1, columns + 1), dtype=np.int64), 1.0, 1.0)


def _check_tree(forest: Forest, image: WorkingImage, n: int) -> None:
    found = masks_of(forest)
    assert all(np.array_equal(a, b) for a, b in zip(found, masks_by_runs(forest), strict=True))
    for i, mask in enumerate(found):
        assert tuple(forest.sums[i].tolist()) == sums_of(mask, image.grey, image.inside)
    children: dict[int, list[int]] = {}
    for i, up in enumerate(forest.parent.tolist()):
        if up >= 0:
            assert up > i
            children.setdefault(up, []).append(i)
    assert sorted(children) == list(range(n, len(forest.sums)))
    for up, (a, b) in children.items():
        assert not (found[a] & found[b]).any()
        assert np.array_equal(found[a] | found[b], found[up])


@given(images(), st.sampled_from(sorted(WAYS)))
@settings(max_examples=100, deadline=None)
def test_sums_and_children_are_those_of_the_masks(image: WorkingImage, way: str) -> None:
    segments, n = _segments(image)
    _check_tree(group(segments, WAYS[way], 0), image, n)


@pytest.mark.parametrize("way", WAYS)
def test_on_a_phantom(way: str) -> None:
    image = working_image(phantom_slice()[0], 96)
    assert image is not None
    segments, n = _segments(image, 480, 8)
    assert n > 30
    _check_tree(group(segments, WAYS[way], 0), image, n)


@given(images())
@settings(max_examples=100, deadline=None)
def test_what_touches_ends_in_one_tree(image: WorkingImage) -> None:
    """One root for each piece of foreground that hangs together through the sides of segments."""
    segments, _ = _segments(image)
    forest = group(segments, WAYS["all"], 0)
    roots = [m for m, up in zip(masks_of(forest), forest.parent, strict=True) if up < 0]
    covered = np.zeros(image.grey.shape, dtype=np.int64)
    for mask in roots:
        covered += mask
    assert np.array_equal(covered, image.inside.astype(np.int64))
    for mask in roots:
        around = cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) > 0
        assert not (around & image.inside & ~mask).any()


@given(images())
@settings(max_examples=60, deadline=None)
def test_grouping_leaves_the_segments_as_they_were(image: WorkingImage) -> None:
    segments, _ = _segments(image)
    arrays: list[NDArray[Any]] = [segments.sums, segments.histograms, segments.ends, segments.touch]
    before = [a.copy() for a in arrays]
    first = group(segments, WAYS["all"], 3)
    second = group(segments, WAYS["all"], 3)
    assert all(np.array_equal(a, b) for a, b in zip(before, arrays, strict=True))
    assert np.array_equal(first.parent, second.parent)
    assert np.array_equal(first.alike, second.alike)
    assert first.source == 3


@given(images())
@settings(max_examples=60, deadline=None)
def test_contacts_are_the_sides_that_two_segments_share(image: WorkingImage) -> None:
    segments, _ = _segments(image)
    grey, labels = image.grey.astype(int), segments.labels
    expected: dict[tuple[int, int], list[int]] = {}
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1, :], np.s_[1:, :])):
        for a, b, step in zip(
            labels[here].ravel().tolist(),
            labels[there].ravel().tolist(),
            (grey[here] - grey[there]).ravel().tolist(),
            strict=True,
        ):
            if a == b or min(a, b) < 0:
                continue
            row = expected.setdefault((min(a, b), max(a, b)), [0, 0, 0])
            row[0] += 1
            row[1] += abs(step)
            row[2] += step if a < b else -step
    found = {tuple(e): t for e, t in zip(segments.ends.tolist(), segments.touch.tolist(), strict=True)}
    assert found == expected


@given(images())
@settings(max_examples=60, deadline=None)
def test_histograms_count_grey_levels_and_gradients(image: WorkingImage) -> None:
    segments, n = _segments(image)
    wide = np.pad(image.grey.astype(int), 1, mode="edge")
    steep = np.abs(wide[1:-1, 2:] - wide[1:-1, :-2]) + np.abs(wide[2:, 1:-1] - wide[:-2, 1:-1])
    for i in range(n):
        mask = segments.labels == i
        grey = np.bincount(image.grey[mask] >> 7, minlength=32)
        gradient = np.bincount(_octave(steep[mask]), minlength=8)
        expected = np.concatenate([grey, gradient]) * 4096 // int(mask.sum())
        assert np.array_equal(segments.histograms[i], expected)


def _octave(steep: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([min(7, (int(s) >> 5).bit_length()) for s in steep], dtype=np.int64)


def _likeness(a: Mask, b: Mask, image: WorkingImage, total: int) -> float:
    """Size, fill and mean as `WAYS["mean"]` weighs them."""
    both = a | b
    ys, xs = np.nonzero(both)
    area, box = int(both.sum()), int((np.ptp(xs) + 1) * (np.ptp(ys) + 1))
    apart = abs(image.grey[a].mean() - image.grey[b].mean())
    return float(4 * (1 - apart / 4096) + 0.3 * (1 - area / total) + 0.3 * (1 - (box - area) / total))


@given(images())
@settings(max_examples=40, deadline=None)
def test_the_most_similar_neighbours_merge_first(image: WorkingImage) -> None:
    segments, n = _segments(image, 160, 12)
    forest = group(segments, WAYS["mean"], 0)
    total = int(image.inside.sum())
    found = masks_of(forest)
    alive = set(range(n))
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for c in range(n, len(forest.sums)):
        grown = {i: cv2.dilate(found[i].astype(np.uint8), cross) > 0 for i in alive}
        best = max(
            _likeness(found[i], found[j], image, total)
            for i in alive
            for j in alive
            if i < j and (grown[i] & found[j]).any()
        )
        a, b = np.flatnonzero(forest.parent == c).tolist()
        assert _likeness(found[a], found[b], image, total) == pytest.approx(best, abs=1e-9)
        assert forest.alike[c] == pytest.approx(best, abs=1e-9)
        alive = alive - {a, b} | {c}
