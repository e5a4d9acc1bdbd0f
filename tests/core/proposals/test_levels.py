"""Component trees against components found one level at a time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.proposals.forest import Forest
from core.proposals.levels import component_tree
from tests.core.proposals.samples import Mask, box_of, masks_by_runs, masks_of, sums_of

Picture = tuple[NDArray[np.uint16], Mask]


def _components(grey: NDArray[np.uint16], inside: Mask, levels: int, dark: bool) -> list[Mask]:
    """The components of every level, from the top; equal masks once."""
    value = 4095 - grey.astype(int) if dark else grey.astype(int)
    level = 1 + value * levels // 4096
    found: dict[bytes, Mask] = {}
    for t in range(levels, 0, -1):
        n, labels = cv2.connectedComponents(((level >= t) & inside).astype(np.uint8), connectivity=4)
        for k in range(1, n):
            mask = labels == k
            found.setdefault(mask.tobytes(), mask)
    return list(found.values())


def _nodes(components: list[Mask], smallest: int) -> list[Mask]:
    """Those of some size, but of a component that grew within its box only the first."""
    large = [m for m in components if m.sum() >= smallest]
    kept = []
    for mask in large:
        within = [m for m in large if m is not mask and not (m & ~mask).any()]
        topmost = [m for m in within if not any(o is not m and not (m & ~o).any() for o in within)]
        if not (len(topmost) == 1 and box_of(topmost[0]) == box_of(mask)):
            kept.append(mask)
    return kept


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    rows, columns = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    grey = rng.integers(0, 4096, (rows, columns)).astype(np.uint16)
    if draw(st.booleans()):
        grey = cv2.blur(grey, (3, 3)).astype(np.uint16)
    inside = rng.random((rows, columns)) < draw(st.sampled_from([1.0, 0.9, 0.6]))
    return grey, inside


def _forest(grey: NDArray[np.uint16], inside: Mask, levels: int, dark: bool, smallest: int) -> Forest:
    sums, parent, share, labels = component_tree(grey, grey, inside, levels, dark, smallest)
    return Forest(0, sums, parent, share, labels)


@given(pictures(), st.integers(1, 40), st.booleans(), st.sampled_from([1, 2, 5]))
@settings(max_examples=150, deadline=None)
def test_nodes_are_the_components_of_the_levels(
    picture: Picture, levels: int, dark: bool, smallest: int
) -> None:
    grey, inside = picture
    forest = _forest(grey, inside, levels, dark, smallest)
    expected = _nodes(_components(grey, inside, levels, dark), smallest)
    found = masks_of(forest)
    assert {m.tobytes() for m in found} == {m.tobytes() for m in expected}
    assert len(found) == len(expected)


@given(pictures(), st.integers(1, 255), st.booleans())
@settings(max_examples=100, deadline=None)
def test_sums_are_those_of_the_masks(picture: Picture, levels: int, dark: bool) -> None:
    grey, inside = picture
    forest = _forest(grey, inside, levels, dark, 2)
    for i, mask in enumerate(masks_of(forest)):
        assert tuple(forest.sums[i].tolist()) == sums_of(mask, grey, inside)


@given(pictures(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_parents_enclose_and_runs_name_the_same_pixels(picture: Picture, dark: bool) -> None:
    grey, inside = picture
    forest = _forest(grey, inside, 24, dark, 1)
    found = masks_of(forest)
    assert all(np.array_equal(a, b) for a, b in zip(found, masks_by_runs(forest), strict=True))
    assert not ((forest.labels >= 0) & ~inside).any()
    for i, up in enumerate(forest.parent):
        if up >= 0:
            assert up > i
            assert not (found[i] & ~found[up]).any()
            assert forest.alike[i] == forest.sums[i, 0] / forest.sums[up, 0]
            assert 0 < forest.alike[i] < 1
        else:
            assert forest.alike[i] == 1.0


def test_levels_may_cut_another_image_than_is_summed() -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 4096, (20, 20)).astype(np.uint16)
    cut = cv2.morphologyEx(grey, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.uint16)
    inside = np.ones((20, 20), dtype=np.bool_)
    sums, parent, share, labels = component_tree(cut, grey, inside, 32, False, 4)
    forest = Forest(0, sums, parent, share, labels)
    expected = _nodes(_components(cut, inside, 32, False), 4)
    assert {m.tobytes() for m in masks_of(forest)} == {m.tobytes() for m in expected}
    for i, mask in enumerate(masks_of(forest)):
        assert tuple(sums[i].tolist()) == sums_of(mask, grey, inside)


def test_dark_is_bright_upside_down() -> None:
    grey = np.random.default_rng(1).integers(0, 4096, (15, 18)).astype(np.uint16)
    inside = np.ones((15, 18), dtype=np.bool_)
    dark, bright = _forest(grey, inside, 16, True, 3), _forest(4095 - grey, inside, 16, False, 3)
    assert np.array_equal(dark.labels, bright.labels)
    assert np.array_equal(dark.parent, bright.parent)


@pytest.mark.parametrize("levels", [1, 2, 255])
def test_without_foreground_there_is_no_node(levels: int) -> None:
    grey = np.full((5, 6), 100, dtype=np.uint16)
    forest = _forest(grey, np.zeros((5, 6), dtype=np.bool_), levels, False, 1)
    assert len(forest.sums) == len(forest.parent) == 0
    assert (forest.labels == -1).all()


def test_more_nodes_than_the_first_room_holds() -> None:
    grey = np.zeros((60, 60), dtype=np.uint16)
    grey[::2, ::2] = 4000
    forest = _forest(grey, np.ones((60, 60), dtype=np.bool_), 8, False, 1)
    assert len(forest.sums) == 901
    assert (forest.parent[:900] == 900).all()
