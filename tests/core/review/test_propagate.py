"""From one corrected box to the boxes of the lesion on the slices beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.detection.base import DetectResult, TraceRow
from core.model import Annotation, Box, OriginKind, Proposals
from core.review.propagate import STOP_BELOW, End, Propagation, SliceView, propagate, propagated_annotation
from tests.core.strategies import boxes

LESION, FAR = Box(40, 40, 80, 80), Box(100, 100, 120, 120)
SIZE = 160


def view(*found: tuple[Box, Box, float], lesion: Box | None = LESION) -> SliceView:
    """A slice with (proposal, box after regression, score; 0: not judged), bright where the lesion is."""
    trace = tuple(
        TraceRow(i, 1, score, box if score else region) for i, (region, box, score) in enumerate(found)
    )
    proposals = Proposals(tuple(region for region, _, _ in found), (0.5,) * len(found))
    image = np.tile(np.linspace(20.0, 60.0, SIZE, dtype=np.float32), (SIZE, 1))
    if lesion is not None:
        image[int(lesion.y1) : int(lesion.y2), int(lesion.x1) : int(lesion.x2)] = 100.0
    return SliceView(DetectResult("k", "m@1", (), proposals, trace), image)


def judged(box: Box, score: float = 0.8) -> tuple[Box, Box, float]:
    return box, box, score


def proposed(box: Box) -> tuple[Box, Box, float]:
    return box, box, 0.0


def over(
    slices: Sequence[SliceView | None], start: int, known: Mapping[int, Box] | None = None
) -> Propagation:
    return propagate(start, LESION, len(slices), lambda k: slices[k], known)


def test_it_goes_outward_until_the_lesion_ends() -> None:
    shifted, smaller = LESION.moved(2, 1), Box(43, 43, 79, 79)
    slices = [
        view(judged(FAR), lesion=None),
        view(judged(FAR), judged(smaller, 0.7), lesion=smaller),
        view(judged(LESION)),
        view(judged(shifted, 0.9), lesion=shifted),
        view(judged(shifted, 0.9), lesion=shifted),
    ]
    made = over(slices, 2)
    assert [(p.slice, p.box) for p in made.boxes] == [(1, smaller), (3, shifted), (4, shifted)]
    assert (made.before, made.after) == (End.LESION, End.STACK)
    assert all(p.detected and p.chance >= STOP_BELOW for p in made.boxes)
    assert made.boxes[0].row == 1


def test_the_box_after_regression_is_taken_where_it_was_judged() -> None:
    near = Box(41, 40, 81, 80)
    made = over([view(judged(LESION)), view((Box(36, 36, 90, 90), near, 0.9))], 0)
    (one,) = made.boxes
    assert (one.box, one.detected, one.row) == (near, True, 0)


def test_proposals_alone_lead_on_where_they_agree() -> None:
    copies = [proposed(LESION.moved(dx, 0)) for dx in (0, 1, 2)]
    made = over([view(judged(LESION)), view(*copies), view()], 0)
    (one,) = made.boxes
    assert (one.box, one.detected) == (LESION, False)
    assert made.after is End.LESION


def test_a_region_of_another_grey_level_is_another_thing() -> None:
    same = over([view(judged(LESION)), view(judged(LESION, 0.3))], 0)
    dark = over([view(judged(LESION)), view(judged(LESION, 0.3), lesion=None)], 0)
    assert len(same.boxes) == 1
    assert dark.boxes == ()


def test_of_two_boxes_the_one_of_like_size_is_taken() -> None:
    large = Box(30, 30, 92, 92)
    made = over([view(judged(LESION)), view(judged(large, 0.8), judged(LESION.moved(1, 0), 0.7))], 0)
    assert made.boxes[0].row == 1


def test_what_is_not_computed_is_not_the_end_of_the_lesion() -> None:
    made = over([None, view(judged(LESION)), view(judged(LESION)), None, view(judged(LESION))], 1)
    assert [p.slice for p in made.boxes] == [2]
    assert (made.before, made.after) == (End.UNKNOWN, End.UNKNOWN)
    assert over([view(judged(LESION)), None], 1).boxes == ()


def test_boxes_that_are_there_already_are_kept_and_lead_on() -> None:
    moved = LESION.moved(30, 0)  # too far from LESION to follow
    slices = [view(judged(LESION)), view(judged(LESION)), view(judged(moved), lesion=moved)]
    assert [p.slice for p in over(slices, 0).boxes] == [1]
    made = over(slices, 0, {1: moved})
    assert [(p.slice, p.box) for p in made.boxes] == [(2, moved)]


def test_no_slice_is_asked_for_beyond_the_end() -> None:
    asked: list[int] = []
    slices = [view(), view(judged(LESION)), view(judged(LESION)), view(), view(judged(LESION))]

    def look(index: int) -> SliceView:
        asked.append(index)
        return slices[index]

    propagate(1, LESION, 5, look)
    assert sorted(asked) == [0, 1, 2, 3]


def test_a_start_outside_of_the_stack_is_refused() -> None:
    with pytest.raises(ValueError, match="slice 2 of 2"):
        propagate(2, LESION, 2, lambda k: view())


def test_the_annotation_keeps_what_the_model_said_and_waits_for_an_eye() -> None:
    source = Annotation("a", "k0", LESION, 3, finding="f")
    there = view((Box(36, 36, 90, 90), LESION, 0.9), proposed(LESION))
    one = over([view(judged(LESION)), there], 0).boxes[0]
    made = propagated_annotation(one, there.result, "k1", source, "reader")
    assert (made.slice_key, made.box, made.label_id, made.finding) == ("k1", LESION, 3, "f")
    assert (made.checked, made.author) == (False, "reader")
    assert (made.origin.kind, made.origin.model, made.origin.score) == (OriginKind.MODEL, "m@1", 0.9)
    assert (made.origin.proposal, made.origin.predicted) == (Box(36, 36, 90, 90), LESION)
    assert made.origin.source == "a"
    bare = view(*[proposed(LESION)] * 3)
    found = over([view(judged(LESION)), bare], 0).boxes[0]
    origin = propagated_annotation(found, bare.result, "k1", source, "reader").origin
    assert (origin.kind, origin.proposal, origin.model) == (OriginKind.PROPOSAL, LESION, "")


ROWS = st.lists(st.tuples(boxes(), boxes(), st.just(0.0) | st.floats(0.01, 1)), max_size=5)


@given(st.lists(ROWS, min_size=1, max_size=4), st.integers(0, 3), boxes())
def test_the_boxes_are_a_run_around_the_start(
    rows: list[list[tuple[Box, Box, float]]], start: int, box: Box
) -> None:
    slices, start = [view(*found) for found in rows], start % len(rows)
    made = propagate(start, box, len(slices), lambda k: slices[k])
    at = [p.slice for p in made.boxes]
    assert sorted([*at, start]) == list(range(min([*at, start]), max([*at, start]) + 1))
    assert (made.before is End.STACK) is (min([*at, start]) == 0)
    assert (made.after is End.STACK) is (max([*at, start]) == len(slices) - 1)
    for one in made.boxes:
        trace = slices[one.slice].result.trace[one.row]
        proposal = slices[one.slice].result.proposals.boxes[trace.proposal]
        assert one.box == (trace.box if one.detected else proposal)
