"""Pixels and windows on screen: never another slice's, whatever is slow or broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.imaging.catalog import scan
from core.imaging.phantom import Phantom
from core.imaging.window import auto_window
from core.model import Box, Window
from tests.core.imaging.files import plane, ramp, write_dicom
from tests.gui.conftest import MakeApp
from tests.gui.fakes import FakeDetector, HeldCache
from tests.gui.hands import LEFT, Hands, slowly

BOX = Box(20, 24, 44, 52)


@pytest.fixture
def cache() -> HeldCache:
    return HeldCache()


@pytest.fixture
def slow_hands(make_app: MakeApp, qtbot: QtBot, cache: HeldCache) -> Hands:
    return Hands(make_app(cache), qtbot)


def shown_pixels(hands: Hands) -> np.ndarray:
    pixels = hands.canvas.scene().pixels
    assert pixels is not None
    return pixels


@pytest.fixture
def bare_stack(tmp_path: Path) -> Path:
    """Seven slices whose files name no window; each is brighter than the one before."""
    for i in range(7):
        (tmp_path / "bare").mkdir(exist_ok=True)
        write_dicom(tmp_path / "bare" / f"{i}", ramp(64, 64) // 8 * (i + 1), **plane(float(i)))
    return tmp_path / "bare"


def bare_window(index: int) -> Window:
    return auto_window(ramp(64, 64) // 8 * (index + 1))


def test_a_slow_slice_shows_nothing_of_another(
    slow_hands: Hands, cache: HeldCache, phantom_folder: Path, phantom: Phantom
) -> None:
    hands = slow_hands
    hands.open(phantom_folder)
    hands.detecting(FakeDetector())
    hands.detected()
    hands.draw(BOX)
    cache.clear()
    slow = hands.keys[4]
    cache.held = lambda ref: ref.key == slow
    hands.window.page.strip.picked.emit(4)
    # At once, before anything else happens: not the old pixels and not the old boxes.
    scene = hands.canvas.scene()
    assert (scene.identity, scene.pixels, scene.boxes) == (slow, None, ())
    hands.until(lambda: hands.canvas.scene().message == "Loading…")
    assert hands.canvas.scene().boxes == ()
    # Nothing is judged that is not on screen.
    before = hands.app.workspace.annotations
    hands.press(Qt.Key.Key_Return)
    hands.press(Qt.Key.Key_X)
    assert hands.app.workspace.annotations is before
    assert hands.message == "This slice is not on screen yet."
    # A quick neighbour is not kept waiting, and the slow one comes to itself only.
    hands.go(6)
    cache.held = lambda _ref: False
    hands.qtbot.wait(50)
    assert hands.canvas.scene().identity == hands.keys[6]
    np.testing.assert_array_equal(shown_pixels(hands), phantom.volume[6])
    hands.go(4)
    np.testing.assert_array_equal(shown_pixels(hands), phantom.volume[4])


def test_scrolling_through_shows_every_slice_its_own(
    slow_hands: Hands, phantom_folder: Path, phantom: Phantom
) -> None:
    hands = slow_hands
    hands.open(phantom_folder)
    for index in (0, 7, 3, 5, 1):
        hands.go(index)
        np.testing.assert_array_equal(shown_pixels(hands), phantom.volume[index])


def test_the_window_chosen_by_the_reader_stays_for_the_series(
    hands: Hands, phantom_folder: Path, pictures: Path
) -> None:
    hands.open(phantom_folder)
    hands.open(pictures)
    hands.go(3)
    before = hands.canvas.scene().window
    middle = hands.canvas.rect().center()
    QTest.mousePress(hands.canvas, LEFT, pos=middle)
    for step in (20, 60, 90):
        QTest.mouseMove(hands.canvas, middle + QPoint(step, 0))
    QTest.mouseRelease(hands.canvas, LEFT, pos=middle + QPoint(90, 0))
    hands.until(lambda: hands.canvas.scene().window != before)
    chosen = hands.canvas.scene().window
    assert chosen.width > before.width
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Home):
        hands.press(key)
        hands.shown()
        assert hands.canvas.scene().window == chosen
    hands.press(Qt.Key.Key_PageDown)
    hands.shown()
    assert hands.canvas.scene().window != chosen
    hands.press(Qt.Key.Key_PageUp)
    hands.shown()
    assert hands.canvas.scene().window == chosen


def test_every_slice_has_its_own_file_window_until_one_is_chosen(hands: Hands, tmp_path: Path) -> None:
    for i in range(3):
        window = {"WindowCenter": 10.0 + i, "WindowWidth": 20.0 + i}
        write_dicom(tmp_path / f"{i}", ramp(64, 64), **plane(float(i)), **window)
    hands.open(tmp_path)
    for i in range(3):
        hands.go(i)
        shown = hands.canvas.scene().window
        assert (shown.center, shown.width) == (10 + i, 20 + i)


def test_a_stack_without_file_windows_has_the_window_of_its_middle(hands: Hands, bare_stack: Path) -> None:
    hands.open(bare_stack)
    for i in range(7):
        hands.go(i)
        hands.until(lambda: hands.canvas.scene().window == bare_window(3))


def test_presets_auto_and_invert(hands: Hands, tmp_path: Path) -> None:
    window = {"WindowCenter": [700.0, 900.0], "WindowWidth": [400.0, 100.0]}
    write_dicom(tmp_path / "a", ramp(64, 64), **plane(0.0), **window)
    hands.open(tmp_path)
    auto = auto_window(ramp(64, 64))
    expected = {
        Qt.Key.Key_2: Window(900, 100, "file 2", "LINEAR"),
        Qt.Key.Key_1: Window(700, 400, "file 1", "LINEAR"),
        Qt.Key.Key_3: auto,
        Qt.Key.Key_4: Window(4095 / 2, 4095, "full"),
        Qt.Key.Key_6: Window(auto.center, auto.width * 0.6, "hard"),
        Qt.Key.Key_0: auto,
    }
    for key, wanted in expected.items():
        hands.press(key)
        assert hands.canvas.scene().window == wanted
    hands.press(Qt.Key.Key_9)  # there is no ninth
    assert hands.canvas.scene().window == auto
    hands.press(Qt.Key.Key_I)
    assert hands.canvas.scene().inverted
    assert hands.window.actions_by_id["invert"].isChecked()
    hands.press(Qt.Key.Key_I)
    assert not hands.canvas.scene().inverted


@pytest.mark.parametrize("broken", [0, 4])
def test_an_unreadable_slice_says_why_and_the_others_work(
    slow_hands: Hands, cache: HeldCache, phantom_folder: Path, broken: int, phantom: Phantom
) -> None:
    """The middle slice too, from which the window of a stack is found."""
    hands = slow_hands
    hands.open(phantom_folder)
    cache.clear()
    cache.broken = {hands.keys[broken]}
    hands.go(6)
    np.testing.assert_array_equal(shown_pixels(hands), phantom.volume[6])
    hands.window.page.strip.picked.emit(broken)
    hands.until(lambda: hands.canvas.scene().message.startswith("This slice cannot be shown."))
    assert "the tape is torn" in hands.canvas.scene().message
    assert hands.canvas.scene().pixels is None
    hands.go(broken + 1)
    assert hands.canvas.scene().message == ""
    cache.broken = set()
    hands.go(broken)
    np.testing.assert_array_equal(shown_pixels(hands), phantom.volume[broken])


def test_a_stack_whose_middle_is_unreadable_has_the_window_of_the_nearest(
    slow_hands: Hands, cache: HeldCache, bare_stack: Path
) -> None:
    hands = slow_hands
    cache.broken = {scan([bare_stack]).series[0].slices[3].key}
    hands.open(bare_stack)
    hands.until(lambda: hands.canvas.scene().window == bare_window(2))
    assert hands.canvas.scene().message == ""
    hands.window.page.strip.picked.emit(3)
    hands.until(lambda: "the tape is torn" in hands.canvas.scene().message)


def test_a_window_found_early_is_found_again_when_the_stack_is_whole(
    hands: Hands, bare_stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch, 0.03)
    hands.drop([bare_stack])
    hands.shown()
    assert len(hands.keys) < 7
    hands.until(lambda: hands.canvas.scene().window == bare_window(3))
    assert len(hands.keys) == 7
