"""Layers of the models: runs again change nothing, each model keeps its own, two are compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTabWidget
from pytestqt.qtbot import QtBot

from core.detection.registry import ModelEntry
from core.evaluation.expected import table_of
from core.model import Box, Detection
from gui.panels.operating_point import OperatingPointPanel
from gui.viewer.scene import BoxKind
from tests.gui.conftest import MakeApp
from tests.gui.fakes import DEFAULT_ROWS, FakeDetector, entry_of
from tests.gui.hands import Hands

Key = Qt.Key
BEST, SECOND = DEFAULT_ROWS[0][2], DEFAULT_ROWS[1][2]
OTHER = (("glioma", 0.8, BEST.moved(6, 0)), ("meningioma", 0.6, Box(5, 5, 25, 25)))


@pytest.fixture
def read(hands: Hands, phantom_folder: Path) -> Hands:
    """The phantom, computed by a first model."""
    hands.open(phantom_folder)
    hands.detecting(FakeDetector("first"))
    hands.detected()
    return hands


def panel(hands: Hands) -> OperatingPointPanel:
    found = hands.window.findChild(OperatingPointPanel)
    assert found is not None
    return found


def shown(hands: Hands) -> list[Box]:
    return [b.box for b in hands.boxes(BoxKind.DETECTION)]


def test_a_run_again_changes_nothing(read: Hands) -> None:
    read.press(Key.Key_Return)
    drawn = read.draw(Box(10, 120, 40, 150))
    before, journal = read.session.record, len(read.session.workspace.standing)
    boxes = [(b.id, b.box) for b in read.boxes()]
    fake = read.detecting(FakeDetector("first"))
    for runs in (1, 2):
        read.press(Key.Key_D)
        read.until(lambda runs=runs: len(fake.asked) == runs and not read.engine._running)  # type: ignore[misc]
    assert read.session.record == before
    assert len(read.session.workspace.standing) == journal
    assert sorted((b.id, b.box) for b in read.boxes()) == sorted(boxes)
    assert drawn in read.session.record.annotations


def test_switching_models_keeps_each_layer_and_computes_nothing_twice(read: Hands) -> None:
    read.press(Key.Key_Return)
    (accepted,) = read.session.record.annotations
    other = read.detecting(FakeDetector("other", OTHER))
    read.detected()
    assert len(other.asked) == 8
    assert shown(read) == [OTHER[1][2]]  # its first is where a box has been accepted
    first = read.detecting(FakeDetector("first"))
    read.until(lambda: shown(read) == [SECOND])
    read.qtbot.wait(50)
    assert first.asked == []
    (still,) = read.session.record.annotations
    assert still == accepted
    assert (still.origin.model, still.origin.predicted, still.origin.score) == ("first@1", BEST, 0.9)


def test_each_model_has_its_operating_point_also_after_a_restart(
    make_app: MakeApp, qtbot: QtBot, phantom_folder: Path
) -> None:
    first = Hands(make_app(), qtbot)
    first.open(phantom_folder)
    first.detecting(FakeDetector("first"))
    panel(first).score.setValue(80)
    panel(first).overlap.setValue(60)
    first.detecting(FakeDetector("other"))
    assert first.engine.point.min_score == 0.3
    panel(first).score.setValue(10)
    first.detecting(FakeDetector("first"))
    assert (first.engine.point.min_score, panel(first).score.value()) == (0.8, 80)
    first.window.close()
    second = Hands(make_app(), qtbot)
    second.detecting(FakeDetector("other"))
    assert second.engine.point.min_score == 0.1
    second.detecting(FakeDetector("first"))
    assert (second.engine.point.min_score, second.engine.point.nms_iou) == (0.8, 0.6)


def test_beside_the_sliders_stands_what_the_card_promises(read: Hands) -> None:
    assert "does not say" in panel(read).expected.text()
    truth = [[(BEST, 1)] for _ in range(20)]
    found = [[Detection(BEST, 1, "", 0.415 + 0.03 * i)] for i in range(20)]
    points = table_of(truth, found)
    card = replace(entry_of("told").card, calibration={"points": points})
    fake = FakeDetector("told")
    read.engine.install(ModelEntry("told", Path("told.safetensors"), "1", card, False, True), fake)
    assert panel(read).expected.text().startswith("100% of lesions found (100% to 100%), 0.00 false a slice")
    panel(read).score.setValue(90)
    told = panel(read).expected.text()
    assert told.startswith("15% of lesions found (0% to ")
    assert "measured on 20 held-out slices with 20 lesions" in told


def test_two_models_are_compared_on_the_slice_in_view(read: Hands) -> None:
    comparing = panel(read).comparing
    second = comparing._second
    fake = FakeDetector("other", OTHER)
    second.install(entry_of("other"), fake)
    read.until(lambda: comparing.rows.count() == 3)
    texts = [comparing.rows.item(i).text() for i in range(3)]
    assert texts == [
        "− lost: meningioma 0.70",
        "+ gained: meningioma 0.60",
        "⇄ moved far: glioma 0.90 → 0.80, overlap 0.67",
    ]
    assert comparing.told.text().startswith("other against first: 1 gained, 1 lost, 1 moved, 0 the same.")
    # Only the slice in view was asked for; the layer of the model in use is as it was.
    assert fake.asked == [read.keys[0]]
    assert shown(read) == [BEST, SECOND]
    item = comparing.rows.item(0)
    tabs = next(t for t in read.window.findChildren(QTabWidget) if t.isAncestorOf(panel(read)))
    tabs.setCurrentWidget(panel(read))
    read.qtbot.wait(20)
    at = comparing.rows.visualItemRect(item).center()
    QTest.mouseClick(comparing.rows.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert read.session.selected == "d1"
    read.press(Key.Key_Return)
    read.until(lambda: "Against the boxes drawn here: 0 better, 2 worse." in comparing.told.text())
    read.press(Key.Key_Down)
    read.until(lambda: fake.asked == read.keys[:2])
    second.compare_with(None)
    assert comparing.rows.count() == 0
    assert comparing.told.text() == ""
