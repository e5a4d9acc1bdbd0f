"""Faults of the engine: said calmly, on the slice they are of; work goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from core.detection.base import DetectRequest, DetectResult
from core.jobs import CancelToken
from gui.faults import IN_A_ROW, is_out_of_memory
from gui.viewer.scene import BoxKind
from tests.gui.fakes import FakeDetector, entry_of
from tests.gui.hands import Hands

TORCH = "[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory"


class Faulty(FakeDetector):
    """Raises what it is told on the slices it is told, so many times."""

    def __init__(self, error: BaseException, times: int) -> None:
        super().__init__("faulty")
        self.error, self.times = error, times
        self.only = ""

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        """Fail first, then do it."""
        if self.times and self.only in {"", request.slice_key}:
            self.times -= 1
            self.asked.append(request.slice_key)
            raise self.error
        return super().detect(request, cancel=cancel)


@pytest.fixture
def read(hands: Hands, phantom_folder: Path) -> Hands:
    """The phantom, open."""
    hands.open(phantom_folder)
    return hands


def fail(hands: Hands, error: BaseException, times: int, only: int | None = 0) -> Faulty:
    fake = Faulty(error, times)
    fake.only = hands.keys[only] if only is not None else ""
    hands.detecting(fake)
    hands.until(lambda: not hands.engine._running and not hands.engine._ahead_of)
    return fake


def test_an_exception_costs_its_slice(read: Hands) -> None:
    fail(read, ZeroDivisionError("patient Doe"), 1)
    assert [bool(read.engine.failure(k)) for k in read.keys] == [True] + [False] * 7
    assert "Not computed: An unexpected ZeroDivisionError" in read.canvas.scene().corners.top_right[1]
    assert "Doe" not in read.canvas.scene().corners.top_right[1]
    read.press(Qt.Key.Key_D)
    read.shows(BoxKind.DETECTION, 2)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(TORCH), RuntimeError("CUDA out of memory.")])
def test_out_of_memory_is_tried_once_more_with_memory_given_back(read: Hands, error: Exception) -> None:
    assert is_out_of_memory(error)
    fake = fail(read, error, 1)
    assert [read.engine.failure(k) for k in read.keys] == [""] * 8
    assert fake.asked.count(read.keys[0]) == 2


def test_out_of_memory_twice_is_said_and_the_others_go_on(read: Hands) -> None:
    fail(read, RuntimeError(TORCH), 2)
    assert read.engine.failure(read.keys[0]).startswith("Out of memory.")
    assert sum(read.engine.computed(k) for k in read.keys) == 7


def test_a_worker_that_dies_is_not_asked_for_ever(read: Hands) -> None:
    fake = fail(read, SystemExit(1), 1)
    assert read.engine.failure(read.keys[0])
    assert fake.asked.count(read.keys[0]) == 1
    assert sum(read.engine.computed(k) for k in read.keys) == 7


def test_faults_in_a_row_let_detection_rest_until_it_is_asked_for(read: Hands) -> None:
    fake = fail(read, ValueError(), IN_A_ROW, only=None)
    assert len(fake.asked) == IN_A_ROW
    assert f"Detection rests: {IN_A_ROW} slices in a row" in read.message
    read.press(Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    read.detected()
    assert [read.engine.failure(k) for k in read.keys] == [""] * 8


def test_a_model_deleted_meanwhile_leaves_the_one_in_use(read: Hands) -> None:
    fake = read.detecting(FakeDetector())
    read.detected()
    read.engine.use_model(entry_of("gone"))  # its file is not there
    read.until(lambda: "gone.safetensors" in read.message, 60_000)
    assert read.message.endswith("fake stays in use.")
    read.press(Qt.Key.Key_D)
    read.until(lambda: len(fake.asked) == 9)
    assert len(read.boxes(BoxKind.DETECTION)) == 2
