"""Regions: masks, nesting, what lies under a point, outlines."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from core.model import Proposals
from core.proposals.registry import make_proposer
from core.regions import Regions, Tree
from tests.core.proposals.samples import check_regions, phantom_slice, propose, regions_of

Mask = NDArray[np.bool_]


@cache
def _searched(name: str) -> Proposals:
    return propose(make_proposer(name), phantom_slice()[0])


@pytest.fixture(params=["fast", "quality"])
def found(request: pytest.FixtureRequest) -> Proposals:
    return _searched(str(request.param))


def test_masks_boxes_and_parents_agree(found: Proposals) -> None:
    check_regions(found)
    assert (regions_of(found).parents >= 0).sum() > 20


def test_scales_lead_back_to_the_slice(found: Proposals) -> None:
    for tree in regions_of(found).trees:
        rows, columns = tree.labels.shape
        assert rows * tree.scale_y == pytest.approx(256)
        assert columns * tree.scale_x == pytest.approx(256)


def test_trees_are_those_in_use(found: Proposals) -> None:
    regions = regions_of(found)
    assert sorted(set(regions.tree.tolist())) == list(range(len(regions.trees)))


def test_a_parent_is_the_next_proposal_that_encloses(found: Proposals) -> None:
    regions = regions_of(found)
    spans = regions.spans
    for i in range(len(regions)):
        around = [
            j
            for j in range(len(regions))
            if j != i
            and regions.tree[j] == regions.tree[i]
            and spans[j, 0] <= spans[i, 0]
            and spans[i, 1] <= spans[j, 1]
        ]
        nearest = min(around, key=lambda j: spans[j, 1] - spans[j, 0], default=-1)
        assert regions.parents[i] == nearest


def test_spans_of_a_tree_nest_or_are_apart(found: Proposals) -> None:
    regions = regions_of(found)
    for k in range(len(regions.trees)):
        spans = regions.spans[regions.tree == k]
        first, end = spans[:, 0], spans[:, 1]
        apart = (end[:, None] <= first) | (first[:, None] >= end)
        within = (first[:, None] >= first) & (end[:, None] <= end)
        assert (apart | within | within.T).all()
        assert len({tuple(s) for s in spans.tolist()}) == len(spans)


def test_children_are_the_other_way_round(found: Proposals) -> None:
    regions = regions_of(found)
    for i in range(len(regions)):
        children = regions.children(i)
        assert list(children) == sorted(children)
        assert all(regions.parents[c] == i for c in children)
    assert sum(len(regions.children(i)) for i in range(len(regions))) == (regions.parents >= 0).sum()


def test_the_nested_regions_under_a_point_agree_with_the_masks(found: Proposals) -> None:
    regions = regions_of(found)
    masks = [regions.mask(i) for i in range(len(regions))]
    rng = np.random.default_rng(0)
    for x, y in [*rng.uniform(0, 256, (40, 2)).tolist(), [0.0, 0.0], [255.999, 255.999]]:
        here = regions.at(x, y)
        covering = set()
        for i, mask in enumerate(masks):
            tree = regions.trees[regions.tree[i]]
            if mask[int(y / tree.scale_y), int(x / tree.scale_x)]:
                covering.add(i)
        assert set(here) == covering
        assert len(here) == len(covering)
        areas = [float(regions.areas[i]) for i in here]
        assert areas == sorted(areas)


@pytest.mark.parametrize(("x", "y"), [(-0.001, 5), (5, -0.001), (256, 5), (5, 256), (1e9, 1e9), (-1e9, 0)])
def test_nothing_lies_outside_the_slice(found: Proposals, x: float, y: float) -> None:
    assert regions_of(found).at(x, y) == ()


def test_outlines_give_the_masks_back(found: Proposals) -> None:
    regions = regions_of(found)
    for i in range(0, len(regions), 5):
        tree = regions.trees[regions.tree[i]]
        lines = [np.rint(p / (tree.scale_x, tree.scale_y)).astype(int) for p in regions.outline(i)]
        assert np.array_equal(_filled(lines, regions.mask(i).shape), regions.mask(i))


def test_regions_do_not_enter_comparison_or_print() -> None:
    found = _searched("fast")
    assert found == Proposals(found.boxes, found.scores, found.method)
    assert "regions" not in repr(found)


def _one(mask: Mask, scale_x: float = 1.0, scale_y: float = 1.0) -> Regions:
    """One proposal over a mask."""
    tree = Tree(np.where(mask, 0, -1).astype(np.int32), np.array([0, -1], dtype=np.int32), scale_x, scale_y)
    none, area = np.array([-1], dtype=np.int32), np.array([mask.sum() * scale_x * scale_y])
    return Regions((tree,), np.zeros(1, np.int32), np.array([[0, 1]], dtype=np.int32), none, area)


def _filled(lines: list[NDArray[np.int64]], shape: tuple[int, int]) -> Mask:
    """Even-odd filling: a pixel is inside where an odd number of upright edges lies left of it."""
    crossings = np.zeros(shape, dtype=np.int64)
    for line in lines:
        for (x, y), (u, v) in zip(line, np.roll(line, -1, axis=0), strict=True):
            if x == u:
                crossings[min(y, v) : max(y, v), x:] += 1
    return np.asarray(crossings % 2 == 1)


def _area(line: NDArray[np.float64]) -> float:
    """Shoelace formula; with y pointing down, clockwise is positive."""
    (x, y), (u, v) = line.T, np.roll(line, -1, axis=0).T
    return float((x * v - u * y).sum() / 2)


masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))


@given(masks)
@settings(max_examples=200, deadline=None)
def test_an_outline_encloses_its_mask_and_nothing_else(mask: Mask) -> None:
    lines = _one(mask).outline(0)
    whole = [line.astype(np.int64) for line in lines]
    assert all(np.array_equal(a, b) for a, b in zip(lines, whole, strict=True))
    assert np.array_equal(_filled(whole, mask.shape), mask)
    assert sum(_area(line) for line in lines) == mask.sum()


@given(masks)
@settings(max_examples=100, deadline=None)
def test_an_outline_has_corners_only(mask: Mask) -> None:
    for line in _one(mask).outline(0):
        steps = np.roll(line, -1, axis=0) - line
        # Along one axis each, and the axes take turns: no point on a straight run, none twice in a row.
        assert ((steps == 0).sum(axis=1) == 1).all()
        across = steps[:, 0] != 0
        assert (across != np.roll(across, 1)).all()


@given(masks)
@settings(max_examples=100, deadline=None)
def test_outer_lines_run_clockwise_and_holes_against(mask: Mask) -> None:
    # Large pixels, the gaps between their corners closed: seldom do two touch by a corner alone.
    large = np.kron(mask, np.ones((4, 4))).astype(np.uint8)
    solid = np.pad(np.asarray(cv2.morphologyEx(large, cv2.MORPH_CLOSE, np.ones((3, 3)))) > 0, 2)
    cross = solid[:-1, :-1] & solid[1:, 1:] & ~solid[1:, :-1] & ~solid[:-1, 1:]
    other = ~solid[:-1, :-1] & ~solid[1:, 1:] & solid[1:, :-1] & solid[:-1, 1:]
    areas = [_area(line) for line in _one(solid).outline(0)]
    if cross.any() or other.any():
        assert sum(areas) == solid.sum()
        return
    pieces = cv2.connectedComponents(solid.astype(np.uint8), connectivity=4)[0] - 1
    holes = cv2.connectedComponents((~solid).astype(np.uint8), connectivity=4)[0] - 2
    assert sum(a > 0 for a in areas) == pieces
    assert sum(a < 0 for a in areas) == holes


def test_a_ring_has_two_lines() -> None:
    ring = np.zeros((7, 8), dtype=np.bool_)
    ring[1:6, 1:7] = True
    ring[2:5, 3:5] = False
    lines = _one(ring, 2.0, 0.5).outline(0)
    assert sorted(_area(line) for line in lines) == [-6.0, 30.0]
    assert sorted(len(line) for line in lines) == [4, 4]
    assert sorted(lines[0].tolist()) == [[2.0, 0.5], [2.0, 3.0], [14.0, 0.5], [14.0, 3.0]]


def test_no_region_has_no_outline() -> None:
    assert _one(np.zeros((3, 3), dtype=np.bool_)).outline(0) == ()


@given(st.floats(0.3, 9.0), st.floats(0.3, 9.0), st.integers(0, 4), st.integers(0, 6))
@settings(max_examples=50, deadline=None)
def test_a_point_is_found_at_any_scale(scale_x: float, scale_y: float, row: int, column: int) -> None:
    mask = np.zeros((5, 7), dtype=np.bool_)
    mask[row, column] = True
    regions = _one(mask, scale_x, scale_y)
    assert regions.at((column + 0.5) * scale_x, (row + 0.5) * scale_y) == (0,)
    assert regions.at((column + 1.5) * scale_x, (row + 0.5) * scale_y) == ()
    assert regions.at((column + 0.5) * scale_x, (row - 0.5) * scale_y) == ()
