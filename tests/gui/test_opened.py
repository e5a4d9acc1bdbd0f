"""A series opened in parts reads as the series opened whole."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from core.imaging.catalog import scan
from core.model import Series
from gui.opened import merged


@pytest.mark.parametrize("with_positions", [True, False], ids=["positions", "instance numbers only"])
@pytest.mark.parametrize("seed", range(4))
def test_parts_are_merged_into_the_order_of_the_whole(
    phantom_folder: Path, seed: int, with_positions: bool
) -> None:
    (whole,) = scan([phantom_folder]).series
    if not with_positions:
        bare = [replace(s, geometry=None) for s in whole.slices]
        whole = replace(whole, slices=tuple(sorted(bare, key=lambda s: s.instance_number or 0)))
    shuffled = list(whole.slices)
    random.Random(seed).shuffle(shuffled)
    one, other = (replace(whole, slices=tuple(part)) for part in (shuffled[:3], shuffled[3:]))
    assert merged(one, other) == whole


def test_a_slice_found_again_is_the_newer_one(phantom_folder: Path) -> None:
    (whole,) = scan([phantom_folder]).series
    moved: Series = replace(
        whole, slices=(replace(whole.slices[2], path=Path("elsewhere.dcm")), *whole.slices[3:])
    )
    assert merged(whole, moved).slices == (*whole.slices[:2], *moved.slices)
