from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRectF

from core.model import Box
from gui.viewer.interaction import (
    HANDLE_SIZE,
    Handle,
    HitContext,
    Part,
    handle_rects,
    hit_test,
    moved,
    reshaped,
    span,
)
from gui.viewer.scene import BoxItem, BoxKind
from gui.viewer.transform import ViewTransform
from tests.gui.viewer.scenes import item

BOUNDS = (100.0, 80.0)
points = st.tuples(st.floats(-200, 300), st.floats(-200, 300))
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x1, y1 = draw(st.floats(0, 98)), draw(st.floats(0, 78))
    return Box(x1, y1, draw(st.floats(x1 + 0.5, 100)), draw(st.floats(y1 + 0.5, 80)))


def hit(
    *shown: BoxItem, where: tuple[float, float], selected: str | None = None, scale: float = 4.0, **more: bool
) -> tuple[str, Part, Handle | None] | None:
    view = ViewTransform(scale, scale, 7, 9)
    found = hit_test(HitContext(shown, selected, view), view.to_widget(*where), **more)
    return (found.item.id, found.part, found.handle) if found else None


def inside(box: Box) -> bool:
    return box.x1 >= 0 and box.y1 >= 0 and box.x2 <= BOUNDS[0] and box.y2 <= BOUNDS[1]


def test_empty_ground_hits_nothing() -> None:
    assert hit(item((10, 10, 50, 50)), where=(60, 60)) is None


def test_the_smaller_box_wins_inside_the_bigger_one() -> None:
    big, small = item((10, 10, 90, 90), id="big"), item((40, 40, 60, 60), id="small")
    for order in ((big, small), (small, big)):
        assert hit(*order, where=(50, 50)) == ("small", Part.BODY, None)


def test_the_selected_box_wins_over_the_smaller_one_unless_asked_not_to() -> None:
    big, small = item((10, 10, 90, 90), id="big"), item((40, 40, 60, 60), id="small")
    assert hit(big, small, where=(50, 50), selected="big") == ("big", Part.BODY, None)
    assert hit(big, small, where=(50, 50), selected="big", prefer_selected=False) == (
        "small",
        Part.BODY,
        None,
    )


def test_of_equal_boxes_the_one_drawn_later_wins() -> None:
    first, second = item((10, 10, 50, 50), id="first"), item((10, 10, 50, 50), id="second")
    assert hit(first, second, where=(30, 30)) == ("second", Part.BODY, None)


def test_an_edge_comes_before_the_body_of_another_box() -> None:
    big, small = item((10, 10, 50, 50), id="big"), item((48, 20, 54, 30), id="small")
    assert hit(big, small, where=(50, 25)) == ("big", Part.EDGE, None)


def test_a_handle_comes_before_everything() -> None:
    chosen, other = item((10, 10, 50, 50), id="chosen"), item((45, 45, 55, 55), id="other")
    assert hit(chosen, other, where=(50, 50), selected="chosen") == ("chosen", Part.HANDLE, Handle.SE)


def test_only_a_selected_editable_box_has_handles() -> None:
    fixed = item((10, 10, 50, 50), BoxKind.DETECTION, id="d")
    for selected in (None, "d"):
        assert hit(fixed, where=(50, 50), selected=selected) == ("d", Part.EDGE, None)


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0, 30.0])
def test_the_tolerance_is_a_distance_on_screen(scale: float) -> None:
    box = item((10, 10, 210, 210))
    assert hit(box, where=(10 - 3 / scale, 100), scale=scale) == ("a", Part.EDGE, None)
    assert hit(box, where=(10 - 6 / scale, 100), scale=scale) is None


def test_a_proposal_is_hit_on_its_edge_only_and_after_everything_else() -> None:
    proposal = item((10, 10, 50, 50), BoxKind.PROPOSAL, id="p")
    assert hit(proposal, where=(30, 30)) is None
    assert hit(proposal, where=(10, 30)) == ("p", Part.EDGE, None)
    assert hit(item((0, 0, 60, 60)), proposal, where=(10, 30)) == ("a", Part.BODY, None)


@given(st.floats(0.1, 400), st.floats(0.1, 400))
def test_handles_never_overlap_and_leave_room_to_grab_the_box(width: float, height: float) -> None:
    rects = list(handle_rects(QRectF(100, 100, width, height)).values())
    assert len(rects) == 8
    middle = QRectF(
        QPointF(100 + width / 2 - 3, 100 + height / 2 - 3), QPointF(103 + width / 2, 103 + height / 2)
    )
    for i, rect in enumerate(rects):
        assert rect.width() == HANDLE_SIZE
        assert not rect.intersects(middle)
        assert not any(rect.intersects(other) for other in rects[i + 1 :])


@given(points, points)
def test_a_drawn_box_is_inside_the_slice_or_is_none(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    box = span(first, second, BOUNDS)
    assert box == span(second, first, BOUNDS)
    assert box is None or inside(box)


def test_a_drawn_box_is_clamped_to_exactly_the_slice() -> None:
    assert span((-20, -3), (500, 500), BOUNDS) == Box(0, 0, 100, 80)
    assert span((10, 10), (10, 60), BOUNDS) is None
    assert span((-20, 10), (-5, 60), BOUNDS) is None


@given(boxes(), shifts)
def test_a_moved_box_keeps_its_size_and_stays_inside(box: Box, by: tuple[float, float]) -> None:
    result = moved(box, by, BOUNDS)
    assert inside(result)
    assert (result.width, result.height) == pytest.approx((box.width, box.height), abs=1e-9)


def test_a_box_pushed_against_the_edge_ends_exactly_there() -> None:
    box = moved(Box(0.1, 0.3, 33.3, 41.7), (1e6, 1e6), BOUNDS)
    assert (box.x2, box.y2) == BOUNDS


def test_a_box_that_reaches_outside_may_come_in_but_not_go_further_out() -> None:
    box = Box(90, 10, 120, 40)
    assert moved(box, (5, 0), BOUNDS) == box
    assert moved(box, (-30, 0), BOUNDS) == Box(60, 10, 90, 40)


@given(boxes(), shifts, st.sampled_from(Handle))
def test_a_handle_moves_its_own_edges_only(box: Box, by: tuple[float, float], handle: Handle) -> None:
    result = reshaped(box, handle, by, BOUNDS)
    if result is None:
        return
    assert inside(result)
    if "e" not in handle.value and "w" not in handle.value:
        assert (result.x1, result.x2) == (box.x1, box.x2)
    elif "e" in handle.value:
        assert box.x1 in (result.x1, result.x2)
    else:
        assert box.x2 in (result.x1, result.x2)
    if "n" not in handle.value and "s" not in handle.value:
        assert (result.y1, result.y2) == (box.y1, box.y2)


def test_a_handle_pulled_past_the_other_edge_turns_the_box_over() -> None:
    assert reshaped(Box(10, 10, 20, 20), Handle.E, (-15, 0), BOUNDS) == Box(5, 10, 10, 20)


def test_a_box_without_area_is_refused() -> None:
    assert reshaped(Box(10, 10, 20, 20), Handle.E, (-10, 0), BOUNDS) is None
