from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.edits import (
    AnnotationSet,
    Change,
    SetEdit,
    accept,
    create,
    delete,
    fold,
    mark_read,
    mark_unread,
    reject,
    relabel,
    reshape,
)
from core.errors import EditConflict
from core.model import Annotation, Box, Detection, OriginKind, ReadState
from tests.core.strategies import KEYS, annotation, edits, sets

FOUND = Detection(Box(1, 2, 3, 4), 3, "glioma", 0.9, Box(0, 2, 3, 5))


@given(st.data())
def test_the_inverse_takes_an_edit_back(data: st.DataObject) -> None:
    before = data.draw(sets())
    after, inverse = data.draw(edits(before)).apply(before)
    assert inverse.apply(after)[0] == before


@given(st.data())
def test_inverting_twice_gives_the_edit(data: st.DataObject) -> None:
    edit = data.draw(edits(data.draw(sets())))
    assert edit.inverse().inverse() == edit


@given(st.data())
def test_an_edit_leaves_the_set_it_was_applied_to_alone(data: st.DataObject) -> None:
    before = data.draw(sets())
    copy = {key: dict(record.entries) for key, record in before.by_slice.items()}
    data.draw(edits(before)).apply(before)
    assert {key: dict(record.entries) for key, record in before.by_slice.items()} == copy


@given(st.data())
def test_folding_is_applying_one_by_one(data: st.DataObject) -> None:
    made, run = AnnotationSet(), []
    for _ in range(data.draw(st.integers(0, 5))):
        run.append(data.draw(edits(made)))
        made, _ = run[-1].apply(made)
    folded = fold(run)
    assert folded == made
    # Not only equal: in the same order, or lists on screen would change with a restart.
    order = [(k, tuple(r.entries)) for k, r in made.by_slice.items()]
    assert [(k, tuple(r.entries)) for k, r in folded.by_slice.items()] == order


def test_a_stale_edit_is_refused_and_changes_nothing() -> None:
    one = annotation()
    before, _ = create(one).apply(AnnotationSet())
    moved = reshape(one, one.box.moved(1, 0), "r")
    after, _ = moved.apply(before)
    with pytest.raises(EditConflict, match="changed meanwhile"):
        moved.apply(after)
    with pytest.raises(EditConflict):
        fold([create(one), moved, moved])


def test_an_edit_applies_all_or_nothing() -> None:
    one, other = annotation(name="a"), annotation(name="b")
    edit = SetEdit("delete", (Change(None, one), Change(other, None)))
    with pytest.raises(EditConflict):
        edit.apply(AnnotationSet())


def test_a_change_keeps_identity_and_slice() -> None:
    one = annotation()
    with pytest.raises(ValueError, match="before or after"):
        Change(None, None)
    with pytest.raises(ValueError, match="identity"):
        Change(one, annotation(name="other"))
    with pytest.raises(ValueError, match="identity"):
        Change(one, annotation(key=KEYS[1]))


@pytest.mark.parametrize(
    ("box", "action"),
    [
        pytest.param(Box(11, 21, 31, 51), "move", id="same size"),
        pytest.param(Box(10, 20, 31, 50), "resize", id="wider"),
    ],
)
def test_moving_and_resizing_are_told_apart(box: Box, action: str) -> None:
    assert reshape(annotation(), box, "r").action == action


def test_accepting_keeps_what_the_model_said() -> None:
    edit = accept([FOUND], KEYS[0], "m@1", "reader", window=(40.0, 80.0))
    made = edit.apply(AnnotationSet())[0].on(KEYS[0]).annotations[0]
    assert (made.box, made.label_id, made.author, made.window) == (FOUND.box, 3, "reader", (40.0, 80.0))
    assert made.origin.kind is OriginKind.MODEL
    assert (made.origin.model, made.origin.score) == ("m@1", 0.9)
    assert (made.origin.proposal, made.origin.predicted) == (FOUND.proposal, FOUND.box)
    corrected = reshape(made, Box(0, 0, 9, 9), "other").changes[0].after
    assert isinstance(corrected, Annotation)
    assert (corrected.id, corrected.origin, corrected.author) == (made.id, made.origin, "other")
    relabelled = relabel(corrected, 1, "third").changes[0].after
    assert isinstance(relabelled, Annotation)
    assert (relabelled.label_id, relabelled.origin) == (1, made.origin)


def test_rejecting_says_why() -> None:
    edit = reject(FOUND, KEYS[0], "m@1", "reader", "vessel")
    made = edit.apply(AnnotationSet())[0].on(KEYS[0])
    assert made.annotations == ()
    assert (made.rejections[0].reason, made.rejections[0].score, edit.reason) == ("vessel", 0.9, "vessel")


def test_reading_is_read_off_the_boxes() -> None:
    state, _ = create(annotation()).apply(AnnotationSet())
    edit = mark_read(state, KEYS, "r")
    assert edit is not None
    state, _ = edit.apply(state)
    marks = [state.on(key).reading for key in KEYS]
    assert [m.state for m in marks if m] == [ReadState.FINDINGS, ReadState.NO_FINDING, ReadState.NO_FINDING]
    assert mark_read(state, KEYS, "r") is None, "nothing changes, so there is no edit"
    state, _ = delete(state.on(KEYS[0]).annotations).apply(state)
    again = mark_read(state, KEYS, "r")
    assert again is not None
    assert again.slice_keys == (KEYS[0],), "only the slice whose outcome changed"
    back = mark_unread(state, KEYS)
    assert back is not None
    assert back.apply(state)[0] == AnnotationSet()
    assert mark_unread(AnnotationSet(), KEYS) is None


def test_finding_an_annotation_by_its_id() -> None:
    state, _ = create(annotation(name="here")).apply(AnnotationSet())
    assert state.find("here") == annotation(name="here")
    assert state.find("elsewhere") is None
    assert [a.id for a in state.annotations()] == ["here"]
