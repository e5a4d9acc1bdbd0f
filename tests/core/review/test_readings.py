from __future__ import annotations

from core.edits import AnnotationSet, SetEdit, create, mark_read
from core.model import Series
from core.review.readings import SeriesState, next_unread, series_state
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
