"""Ahead of the reader: from disk after a restart, in the direction of travel, on to the next case."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.settings import home
from gui.results import WHOLE
from gui.viewer.scene import BoxKind
from tests.gui.conftest import MakeApp
from tests.gui.fakes import FakeDetector
from tests.gui.hands import Hands

Key = Qt.Key


def entries() -> list[Path]:
    return sorted((home() / "cache" / "results").rglob("*.result"))


def test_a_case_is_never_computed_twice_also_after_a_restart(
    make_app: MakeApp, qtbot: QtBot, phantom_folder: Path
) -> None:
    first = Hands(make_app(), qtbot)
    first.open(phantom_folder)
    first.detecting(FakeDetector())
    first.detected()
    before = [first.engine.result(key) for key in first.keys]
    first.window.close()
    assert len(entries()) == 8
    entries()[0].write_bytes(b"OVRESLT1 torn")
    second = Hands(make_app(), qtbot)
    second.open(phantom_folder)
    fake = second.detecting(FakeDetector())
    second.detected()
    assert len(fake.asked) == 1  # the damaged one
    assert [second.engine.result(key) for key in second.keys] == before
    other = second.detecting(FakeDetector("other"))
    second.detected()
    assert len(other.asked) == 8
    assert len(entries()) == 16


def test_neighbours_come_first_in_the_direction_of_travel(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.go(2)
    hands.press(Key.Key_Down)
    hands.shown()
    fake = hands.detecting(FakeDetector())
    hands.detected()
    assert [hands.keys.index(k) for k in fake.asked] == [3, 4, 5, 2, 6, 7, 1, 0]


def test_a_jump_shows_its_predictions_before_the_rest_goes_on(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    fake = FakeDetector()
    fake.gate.clear()
    hands.detecting(fake)
    hands.until(lambda: len(fake.asked) == 1)
    hands.go(7)
    hands.until(lambda: len(fake.asked) == 2)  # the first made room at once
    fake.gate.set()
    hands.shows(BoxKind.DETECTION, 2)
    assert [hands.keys.index(k) for k in fake.asked][:2] == [0, 7]
    hands.detected()


def test_then_the_next_case_is_computed(hands: Hands, phantom_folder: Path, pictures: Path) -> None:
    hands.open(phantom_folder)
    hands.open(pictures)
    fake = hands.detecting(FakeDetector())
    stack = hands.keys
    hands.until(lambda: len(fake.asked) == 12)
    assert set(fake.asked[:8]) == set(stack)  # first all of the one in view
    hands.press(Key.Key_PageDown)
    hands.shown()
    hands.shows(BoxKind.DETECTION, 2)
    hands.qtbot.wait(30)
    assert len(fake.asked) == 12


def test_memory_is_bounded_and_what_was_let_go_comes_from_disk(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    fake = hands.detecting(FakeDetector())
    hands.detected()
    results = hands.engine.results
    whole = hands.engine.result(hands.keys[2])
    results.spare()
    assert len(results._whole) == 0 < WHOLE
    assert hands.engine.result(hands.keys[2]) == whole
    assert len(hands.engine.undecided(hands.keys[4])) == 2  # answered without it
    assert len(fake.asked) == 8
