"""The window-sensitive badge: when it is computed, what the slice then says, and who comes first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt

from core.detection.base import DetectRequest, DetectResult
from core.jobs import CancelToken
from core.model import Box
from core.review.stability import VARIANTS
from gui.viewer.scene import BoxKind
from tests.gui.conftest import MakeApp
from tests.gui.fakes import FakeDetector
from tests.gui.hands import Hands

Key = Qt.Key
SHIFT = Qt.KeyboardModifier.ShiftModifier
STEADY, FICKLE = Box(20, 20, 60, 60), Box(90, 90, 130, 130)


class Fickle(FakeDetector):
    """Sees a second box only where the slice is as it came: the mean of its grey levels tells."""

    def __init__(self) -> None:
        super().__init__("fickle")
        self.means: dict[str, float] = {}

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        """One box, and a second on a slice seen for the first time or as then."""
        mean = float(np.mean(request.image))
        as_it_came = abs(self.means.setdefault(request.slice_key, mean) - mean) < 1e-3
        self.rows = (("glioma", 0.9, STEADY), *((("glioma", 0.6, FICKLE),) if as_it_came else ()))
        return super().detect(request, cancel=cancel)


def texts(hands: Hands) -> dict[Box, str]:
    return {b.box: b.text for b in hands.boxes(BoxKind.DETECTION)}


def checked(hands: Hands, index: int) -> None:
    hands.until(lambda: bool(hands.app.desk.check.of(hands.keys[index])))
    hands.qtbot.wait(20)


def test_off_at_first_and_then_what_comes_and_goes_is_marked(hands: Hands, pictures: Path) -> None:
    fake = Fickle()
    hands.detecting(fake)
    hands.open(pictures)
    hands.detected()
    hands.qtbot.wait(50)
    assert len(fake.asked) == 4
    assert texts(hands)[FICKLE] == "glioma 0.60"
    hands.press(Key.Key_W, SHIFT)
    checked(hands, 0)
    assert texts(hands)[STEADY] == "glioma 0.90"
    assert texts(hands)[FICKLE] == f"glioma 0.60 · window-sensitive 0/{len(VARIANTS)}"
    # The slice in view first, then the others.
    assert fake.asked[4:9] == [hands.keys[0]] * len(VARIANTS)
    checked(hands, 3)
    assert len(fake.asked) == 4 * (1 + len(VARIANTS))
    row = next(s.row for s in hands.engine.undecided(hands.keys[0]) if s.detection.box == FICKLE)
    hands.session.select(f"d{row}")
    hands.until(lambda: any("darker" in badge for badge in hands.canvas.scene().badges))
    assert not hands.app.workspace.history()
    hands.press(Key.Key_W, SHIFT)
    assert texts(hands)[FICKLE] == "glioma 0.60"


def test_it_gives_way_to_the_reader(hands: Hands, pictures: Path) -> None:
    hands.press_action("ahead")
    fake = Fickle()
    hands.detecting(fake)
    hands.open(pictures)
    hands.press(Key.Key_D)
    hands.until(lambda: hands.engine.result(hands.keys[0]) is not None)
    fake.gate.clear()
    hands.press(Key.Key_W, SHIFT)
    hands.until(lambda: len(fake.asked) == 2)
    hands.go(2)
    hands.press(Key.Key_D)
    hands.until(lambda: fake.asked[-1] == hands.keys[2])
    assert len(fake.asked) == 3  # the check was left after the variant it was at
    fake.gate.set()
    hands.until(lambda: hands.engine.result(hands.keys[2]) is not None)
    checked(hands, 2)
    checked(hands, 0)


def test_it_is_remembered(make_app: MakeApp, hands: Hands) -> None:
    hands.press_action("window-check")
    hands.window.close()
    assert make_app().desk.check.on
