"""The engine brings a slice's neighbours to a model that sees them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from core.detection.base import DetectRequest, DetectResult
from core.jobs import CancelToken
from tests.gui.fakes import FakeDetector
from tests.gui.hands import Hands


class Seeing(FakeDetector):
    """Keeps what it was brought."""

    def __init__(self, name: str, neighbours: int) -> None:
        super().__init__(name)
        self.neighbours = neighbours
        self.brought: dict[str, DetectRequest] = {}

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        self.brought[request.slice_key] = request
        return super().detect(request, cancel=cancel)


def test_a_series_brings_neighbours_in_the_order_of_the_stack(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    model = hands.detecting(Seeing("seeing", 1))
    assert isinstance(model, Seeing)
    hands.detected()
    asked = [model.brought[key] for key in hands.keys]
    assert asked[0].beside[0] is None
    assert asked[-1].beside[1] is None
    for lower, upper in pairwise(asked):
        after, before = lower.beside[1], upper.beside[0]
        assert after is not None
        assert before is not None
        np.testing.assert_array_equal(after, upper.image)
        np.testing.assert_array_equal(before, lower.image)


def test_pictures_bring_none(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    model = hands.detecting(Seeing("seeing", 1))
    hands.detected()
    assert isinstance(model, Seeing)
    assert model.brought
    assert all(r.beside == (None, None) for r in model.brought.values())


def test_a_model_of_single_slices_is_brought_none(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    model = hands.detecting(Seeing("alone", 0))
    hands.detected()
    assert isinstance(model, Seeing)
    assert len(model.brought) == len(hands.keys)
    assert all(r.beside == (None, None) for r in model.brought.values())
