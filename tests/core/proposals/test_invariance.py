"""Proposals are the lesion's, not the scanner's units' nor the side from which one looks.

Exact: the working image (test_working.py). Within tolerance: everything after it, since ties between equally
similar neighbours are settled in reading order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.model import Box
from core.proposals.base import Proposer
from core.proposals.registry import make_proposer
from tests.core.proposals.samples import best_overlaps, phantom_slice, propose

SHARE, OVERLAP, FIRST = 0.85, 0.8, 100

Back = Callable[[Box, int, int], Box]
TURNS: dict[str, tuple[Callable[[NDArray[np.generic]], NDArray[np.generic]], Back]] = {
    "left-right": (np.fliplr, lambda b, rows, columns: Box(columns - b.x2, b.y1, columns - b.x1, b.y2)),
    "up-down": (np.flipud, lambda b, rows, columns: Box(b.x1, rows - b.y2, b.x2, rows - b.y1)),
    "transposed": (np.transpose, lambda b, rows, columns: Box(b.y1, b.x1, b.y2, b.x2)),
    "half a turn": (
        lambda a: np.rot90(a, 2),
        lambda b, rows, columns: Box(columns - b.x2, rows - b.y2, columns - b.x1, rows - b.y1),
    ),
}
UNITS = {
    "gain 2": lambda a: a * np.uint16(2),
    "gain 15": lambda a: (a.astype(np.uint32) * 15).astype(np.uint16),
    "offset 1000": lambda a: a + np.uint16(1000),
    "gain 7, offset 333": lambda a: (a.astype(np.uint32) * 7 + 333).astype(np.uint16),
    "Hounsfield-like": lambda a: a.astype(np.int16) - np.int16(1024),
    "unit floats": lambda a: a / 4095.0,
}


@pytest.fixture(params=["fast", "quality"])
def proposer(request: pytest.FixtureRequest) -> Proposer:
    return make_proposer(str(request.param))


def _agree(
    one: tuple[Box, ...], other: tuple[Box, ...], overlap: float = OVERLAP, share: float = SHARE
) -> None:
    assert len(one) > 50
    assert len(other) > 50
    assert np.mean(best_overlaps(one[:FIRST], other) >= overlap) >= share
    assert np.mean(best_overlaps(other[:FIRST], one) >= overlap) >= share


def _check_turn(proposer: Proposer, image: NDArray[np.generic], way: str) -> None:
    turn, back = TURNS[way]
    turned = propose(proposer, turn(image)).boxes
    rows, columns = image.shape
    _agree(propose(proposer, image).boxes, tuple(back(b, rows, columns) for b in turned))


@pytest.mark.parametrize("way", TURNS)
def test_turned(proposer: Proposer, way: str) -> None:
    _check_turn(proposer, phantom_slice()[0], way)


@pytest.mark.parametrize("way", TURNS)
def test_turned_with_unlike_sides(proposer: Proposer, way: str) -> None:
    _check_turn(proposer, phantom_slice()[0][5:-5, 29:-21], way)


@pytest.mark.parametrize("units", UNITS)
def test_in_other_units(proposer: Proposer, units: str) -> None:
    image = phantom_slice()[0]
    _agree(propose(proposer, image).boxes, propose(proposer, UNITS[units](image)).boxes)


@pytest.mark.parametrize("gain", [0.5, 1.37, 2.5])
def test_a_gain_that_rounds(proposer: Proposer, gain: float) -> None:
    """Rounding is noise of its own: in flat tissue, where there is nothing, the merges come out otherwise.

    What stays is the lesions, and for nearly every region one that overlaps it.
    """
    image, lesions = phantom_slice()
    plain = propose(proposer, image).boxes
    rounded = propose(proposer, (image * gain).round().astype(np.uint16)).boxes
    _agree(plain, rounded, overlap=0.5, share=0.85)
    for boxes in (plain, rounded):
        assert best_overlaps(lesions, boxes[:FIRST]).min() >= 0.7


def _real_slice(data_dir: Path) -> NDArray[np.uint8]:
    folder = data_dir / "btod" / "train"
    labelled = sorted((folder / "labels").glob("*.txt"))
    return np.asarray(Image.open(folder / "images" / f"{labelled[40].stem}.jpg").convert("L"))


@pytest.mark.data
@pytest.mark.parametrize("way", TURNS)
def test_turned_real_slice(proposer: Proposer, way: str, data_dir: Path) -> None:
    _check_turn(proposer, _real_slice(data_dir), way)


@pytest.mark.data
def test_real_slice_in_other_units(proposer: Proposer, data_dir: Path) -> None:
    image = _real_slice(data_dir)
    plain = propose(proposer, image).boxes
    for gain, offset in ((16, 0), (16, 100), (37, 1000)):
        _agree(plain, propose(proposer, image.astype(np.uint16) * np.uint16(gain) + np.uint16(offset)).boxes)
