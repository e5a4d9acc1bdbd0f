"""What a point snaps to."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.boxes import iou
from core.detection.base import DetectResult, TraceRow
from core.model import Box, Proposals
from core.proposals.registry import make_proposer
from core.review.snap import POOR, SAME, likely_class, snap_at
from tests.core.proposals.samples import box_of, brain, disc, propose
from tests.core.strategies import boxes

LESION, COPY = Box(100, 100, 140, 140), Box(101, 100, 141, 140)
WHOLE, BESIDE = Box(60, 80, 220, 200), Box(200, 200, 230, 230)


def proposals(*found: Box) -> Proposals:
    return Proposals(found, tuple(0.9 - 0.1 * i for i in range(len(found))))


def test_what_is_centred_and_agreed_on_comes_first_and_copies_are_one() -> None:
    snap = snap_at(proposals(WHOLE, LESION, COPY, BESIDE), 120, 120, 256, 256)
    first, second = snap.candidates
    assert {first.proposal, second.proposal} in ({0, 1}, {0, 2})
    assert iou(first.box, LESION) > SAME
    assert second.box == WHOLE
    assert first.chance > second.chance
    assert not first.covers, "the regions are not known"


def test_nothing_there_is_poor() -> None:
    snap = snap_at(proposals(LESION), 20, 20, 256, 256)
    assert (snap.candidates, snap.is_poor) == ((), True)
    assert snap_at(Proposals((), ()), 20, 20, 256, 256).is_poor


def test_a_point_at_the_edge_of_one_lone_box_is_poor() -> None:
    found = proposals(LESION)
    assert snap_at(found, 101, 138, 256, 256).is_poor
    assert not snap_at(found, 120, 120, 256, 256).is_poor


def test_a_lesion_in_a_slice_snaps_and_its_regions_are_known() -> None:
    image, _, noise = brain(256)
    lesion = disc(256, 150.0, 110.0, 18.0, 15.0)
    image[lesion] = 1000.0
    found = propose(make_proposer("fast"), (image + noise).clip(0, 4095).astype(np.uint16))
    snap = snap_at(found, 150.0, 110.0, 256, 256)
    assert not snap.is_poor
    assert iou(snap.candidates[0].box, Box(*map(float, box_of(lesion)))) >= 0.75
    assert any(c.covers for c in snap.candidates)
    assert found.regions is not None
    covering = found.regions.at(150.0, 110.0)
    assert all(c.covers is (c.proposal in covering) for c in snap.candidates)


def test_off_every_lesion_the_answer_is_poor_more_often_than_on_one() -> None:
    image, _, noise = brain(256)
    lesion = disc(256, 150.0, 110.0, 18.0, 15.0)
    image[lesion] = 1000.0
    found = propose(make_proposer("fast"), (image + noise).clip(0, 4095).astype(np.uint16))
    on = snap_at(found, 150.0, 110.0, 256, 256)
    edge = snap_at(found, 166.0, 110.0, 256, 256)
    assert on.candidates[0].chance > edge.candidates[0].chance


@given(st.lists(boxes(), max_size=30), st.floats(0, 400), st.floats(0, 400), st.integers(1, 20))
def test_candidates_hold_the_point_fall_in_chance_and_are_distinct(
    found: list[Box], x: float, y: float, most: int
) -> None:
    scores = tuple(1.0 / (i + 1) for i in range(len(found)))
    snap = snap_at(Proposals(tuple(found), scores), x, y, 400, 400, most)
    kept = snap.candidates
    assert len(kept) <= min(most, len(found))
    assert bool(kept) is any(b.contains(x, y) for b in found)
    assert all(c.box.contains(x, y) and c.box == found[c.proposal] and 0 < c.chance < 1 for c in kept)
    assert [c.chance for c in kept] == sorted((c.chance for c in kept), reverse=True)
    assert all(iou(a.box, b.box) < SAME for i, a in enumerate(kept) for b in kept[:i])
    assert snap.is_poor is (not kept or kept[0].chance < POOR)


def test_a_new_box_gets_the_class_the_model_gives_to_the_best_region_there() -> None:
    trace = (
        TraceRow(0, 1, 0.3, LESION),
        TraceRow(1, 2, 0.6, BESIDE),  # before regression it was the lesion
        TraceRow(2, 1, 0.9, WHOLE),
        TraceRow(3, 3, 0.0, LESION),
    )
    found = DetectResult("k", "m@1", (), proposals(LESION, COPY, WHOLE, LESION), trace)
    assert likely_class(found, LESION) == 2
    assert likely_class(found, WHOLE) == 1
    assert likely_class(found, Box(0, 0, 20, 20)) is None
    unjudged = DetectResult("k", "m@1", (), proposals(LESION), (TraceRow(0, 3, 0.0, LESION),))
    assert likely_class(unjudged, LESION) is None
