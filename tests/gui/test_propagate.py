"""From one box to its neighbours: unchecked boxes on the slices around, kept one by one or at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from core.detection.base import DetectRequest, DetectResult
from core.jobs import CancelToken
from core.model import Annotation, Box, OriginKind
from gui.viewer.scene import BoxKind
from tests.gui.conftest import MakeApp
from tests.gui.fakes import FakeDetector
from tests.gui.hands import Hands

Key = Qt.Key
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LESION = Box(80, 84, 104, 110)
SEEN = range(2, 7)


class Lesion(FakeDetector):
    """Sees one lesion, on some slices of a series only; there it grows from slice to slice."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__("lesion", (("glioma", 0.9, LESION),))
        self.keys = keys

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        """Its boxes, by where the slice lies."""
        index = self.keys.index(request.slice_key)
        box = Box(LESION.x1 - index, LESION.y1, LESION.x2, LESION.y2)
        self.rows = (("glioma", 0.9, box if index in SEEN else Box(4, 4, 9, 9)),)
        return super().detect(request, cancel=cancel)


@pytest.fixture
def reader(hands: Hands, phantom_folder: Path) -> Hands:
    """A reader on slice 4, whose box is drawn and selected; every slice is computed."""
    hands.open(phantom_folder)
    hands.until(lambda: len(hands.keys) == 8)
    hands.detecting(Lesion(hands.keys))
    hands.detected()
    hands.go(4)
    hands.draw(Box(77, 84, 104, 111))
    return hands


def on(hands: Hands, index: int) -> tuple[Annotation, ...]:
    return hands.app.workspace.annotations.on(hands.keys[index]).annotations


def others(hands: Hands) -> list[Annotation]:
    return [a for i in range(8) if i != 4 for a in on(hands, i)]


def propagate(hands: Hands) -> list[Annotation]:
    hands.press(Key.Key_P, CTRL)
    hands.until(lambda: not hands.app.runner.busy("propagate"))
    hands.qtbot.wait(10)
    return others(hands)


def test_the_boxes_of_the_lesion_are_unchecked_and_one_step(reader: Hands) -> None:
    (drawn,) = on(reader, 4)
    made = propagate(reader)
    assert [reader.keys.index(a.slice_key) for a in made] == [2, 3, 5, 6]
    for annotation in made:
        assert not annotation.checked
        assert annotation.label_id == drawn.label_id
        assert annotation.origin.kind is OriginKind.MODEL
        assert annotation.origin.model == "lesion@1"
        assert annotation.origin.score == 0.9
        assert annotation.origin.predicted == annotation.box
        assert annotation.origin.source == drawn.id
    assert "4 boxes" in reader.message
    assert "where the lesion ends" in reader.message
    assert reader.at in {3, 5}
    reader.shown()
    reader.shows(BoxKind.INTERPOLATED, 1)
    assert [e.action for e in reader.app.workspace.history()] == ["propagate", "create"]
    reader.press(Key.Key_Z, CTRL)
    assert others(reader) == []
    assert on(reader, 4) == (drawn,)
    reader.press(Key.Key_Z, CTRL | SHIFT)
    assert others(reader) == made


def test_all_are_kept_at_once(reader: Hands, make_app: MakeApp, phantom_folder: Path) -> None:
    made = propagate(reader)
    reader.press(Key.Key_R)
    assert "4 boxes are computed and not checked" in reader.message
    reader.press(Key.Key_Return, SHIFT)
    kept = others(reader)
    assert [a.id for a in kept] == [a.id for a in made]
    assert all(a.checked for a in kept)
    assert reader.app.workspace.history()[0].action == "check"
    reader.shows(BoxKind.ACCEPTED, 1)
    reader.window.close()
    again = Hands(make_app(), reader.qtbot)
    again.open(phantom_folder)
    again.until(lambda: len(again.keys) == 8)
    assert others(again) == kept
    again.press(Key.Key_Z, CTRL)
    assert not any(a.checked for a in others(again))


def test_one_by_one_kept_and_deleted(reader: Hands) -> None:
    propagate(reader)
    first = reader.session.selected
    reader.press(Key.Key_Return)
    assert {a.id for a in others(reader) if a.checked} == {first}
    second = reader.session.selected
    assert second not in {"", first}
    reader.press(Key.Key_Delete)
    assert second not in {a.id for a in others(reader)}
    third = reader.session.selected
    assert third not in {"", first, second}
    reader.press(Key.Key_Return)
    reader.press(Key.Key_Return)
    assert [a.checked for a in others(reader)] == [True] * 3


def test_again_it_doubles_nothing(reader: Hands) -> None:
    made = propagate(reader)
    reader.go(4)
    reader.press(Key.Key_Tab)
    assert propagate(reader) == made
    assert "No further box" in reader.message


def test_a_slice_that_is_not_computed_says_so(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.draw(Box(77, 84, 104, 111))
    hands.press(Key.Key_P, CTRL)
    assert "not computed yet" in hands.message


def test_single_pictures_have_no_neighbours(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.draw(Box(20, 20, 60, 60))
    hands.press(Key.Key_P, CTRL)
    assert "single pictures" in hands.message
    assert len(hands.app.workspace.history()) == 1
