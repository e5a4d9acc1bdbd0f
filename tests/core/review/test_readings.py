from __future__ import annotations

import pytest

from core.edits import AnnotationSet, SetEdit, accept, create, delete, mark_read, reject, reshape
from core.model import Annotation, Box, Detection, Series
from core.review.readings import SeriesState, next_unread, series_counts, series_state, undecided
from tests.core.strategies import annotation, slice_ref


def series(uid: str, count: int, *, is_stack: bool = True) -> Series:
    refs = tuple(slice_ref(f"{uid}{i}") for i in range(count))
    return Series(uid, "study", "MR", "", refs, is_stack)


def after(*edits: SetEdit | None, state: AnnotationSet | None = None) -> AnnotationSet:
    made = state or AnnotationSet()
    for edit in edits:
        assert edit is not None
        made, _ = edit.apply(made)
    return made


def read(state: AnnotationSet, *keys: str) -> AnnotationSet:
    return after(mark_read(state, keys, "r"), state=state)


def detection(box: Box, label_id: int = 1) -> Detection:
    return Detection(box, label_id, "tumour", 0.9)


FOUND = detection(Box(10, 10, 30, 30))


def test_a_series_is_read_once_every_slice_is() -> None:
    three = series("s", 3)
    state = AnnotationSet()
    assert series_state(three, state) is SeriesState.UNREAD
    state = after(create(annotation("s1")))
    assert series_state(three, state) is SeriesState.IN_PROGRESS
    state = read(state, "s0", "s1")
    assert series_state(three, state) is SeriesState.IN_PROGRESS
    assert series_state(three, read(state, "s2")) is SeriesState.READ


def test_a_series_without_slices_is_unread() -> None:
    assert series_state(series("s", 0), AnnotationSet()) is SeriesState.UNREAD


def test_counts() -> None:
    state = after(
        create(annotation("s0", Box(10, 10, 30, 30), name="a")),
        create(annotation("s0", Box(40, 40, 60, 60), name="b")),
        reject(FOUND, "s1", "m@1", "r"),
    )
    counts = series_counts(
        series("s", 3), read(state, "s0"), {"s0": [FOUND], "s1": [FOUND], "s2": [FOUND], "t0": [FOUND]}
    )
    assert (counts.slices, counts.read, counts.with_findings) == (3, 1, 1)
    assert (counts.annotations, counts.rejections, counts.undecided) == (2, 1, 1)


def test_an_accepted_prediction_stays_decided_when_its_box_is_moved_away() -> None:
    state = after(accept([FOUND], "k", "m@1", "r"))
    (made,) = state.on("k").annotations
    far = after(reshape(made, Box(100, 100, 120, 120), "r"), state=state)
    assert undecided(far.on("k"), [FOUND]) == ()
    gone = after(delete(far.on("k").annotations), state=far)
    assert undecided(gone.on("k"), [FOUND]) == (FOUND,), "deleted, it is open again"


@pytest.mark.parametrize(
    ("box", "label_id", "open_"),
    [
        pytest.param(FOUND.box, 1, False, id="the very same"),
        pytest.param(Box(10, 10, 30, 30.2), 1, False, id="the same but for rounding"),
        pytest.param(Box(10, 10, 30, 36), 1, True, id="another extent may come up again"),
        pytest.param(FOUND.box, 2, True, id="another class may come up again"),
    ],
)
def test_a_rejection_speaks_of_that_prediction_only(box: Box, label_id: int, open_: bool) -> None:
    state = after(reject(FOUND, "k", "m@1", "r"))
    assert bool(undecided(state.on("k"), [detection(box, label_id)])) is open_


@pytest.mark.parametrize(
    ("drawn", "open_"),
    [(Box(10, 10, 30, 34), False), (Box(10, 25, 30, 45), True)],
    ids=["over it", "beside it"],
)
def test_what_the_reader_has_drawn_is_decided_whatever_its_class(drawn: Box, open_: bool) -> None:
    state = after(create(Annotation("a", "k", drawn, 3)))
    assert bool(undecided(state.on("k"), [FOUND])) is open_


def test_the_next_unread_case() -> None:
    stacks = [series("a", 3), series("b", 2), series("c", 3, is_stack=False), series("d", 2)]
    state = AnnotationSet()
    assert next_unread(stacks, state) == ("a", 0)
    assert next_unread(stacks, state, "a", 2) == ("b", 0), "a stack is one case"
    assert next_unread(stacks, state, "b", 0) == ("c", 0)
    assert next_unread(stacks, state, "c", 0) == ("c", 1), "independent images are a case each"
    assert next_unread(stacks, state, "c", 2) == ("d", 0)
    assert next_unread(stacks, state, "d", 1) == ("a", 0), "round once"
    state = read(state, "b0")
    assert next_unread(stacks, state, "a", 0) == ("b", 1), "where its reading was left off"
    state = read(state, "b1", "c0", "c1", "c2", "d0", "d1")
    assert next_unread(stacks, state, "a", 1) == ("a", 0), "only the one in view is left"
    state = read(state, "a0", "a1", "a2")
    assert next_unread(stacks, state, "a", 1) is None
