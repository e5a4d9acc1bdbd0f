"""Which slices lie beside a slice in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from core.imaging.geometry import position_along_normal
from core.imaging.grouping import reading_order, same_plane
from core.model import Series, SliceRef

Beside = tuple[SliceRef | None, SliceRef | None]
"""The slices before and after one in reading order; None at an end of the stack and for single pictures."""

ALONE: Beside = (None, None)

_APART_MM = 0.01
# A step is as usual up to half of one more: where a slice is missing, the next one is no neighbour.
_USUAL = 1.5
# Further away another part of the head is shown.
_FARTHEST_MM = 15.0


def beside(series: Series, index: int) -> Beside:
    """The neighbours of a slice of a whole series; none in a collection of pictures.

    Args:
        series: In reading order.
        index: The slice, from 0.
    """
    if not series.is_stack:
        return ALONE
    slices, ref = series.slices, series.slices[index]
    before = slices[index - 1] if index > 0 else None
    after = slices[index + 1] if index + 1 < len(slices) else None
    return (
        before if before is not None and same_plane(before, ref) else None,
        after if after is not None and same_plane(after, ref) else None,
    )


def beside_each(slices: Sequence[SliceRef]) -> list[Beside]:
    """The neighbours of every slice among these, which may be parts of several series in any order.

    Neighbours have one series UID, shape and orientation, and are a usual step of their stack apart: of a
    stack that is there in part only, slices across a gap are none. Slices without a position have none.
    """
    found: dict[int, Beside] = {}
    for stack in _stacks(slices):
        order = reading_order(stack, is_stack=True)
        # A slice that is there twice lies at one place: its copy is no neighbour.
        gaps = [_gap(a, b) for a, b in pairwise(order)]
        usual = float(np.median([g for g in gaps if g > _APART_MM] or [0.0]))
        near = [_APART_MM < g <= min(_USUAL * usual, _FARTHEST_MM) for g in gaps]
        for place, ref in enumerate(order):
            found[id(ref)] = (
                order[place - 1] if place > 0 and near[place - 1] else None,
                order[place + 1] if place < len(near) and near[place] else None,
            )
    return [found.get(id(ref), ALONE) for ref in slices]


def _stacks(slices: Sequence[SliceRef]) -> list[list[SliceRef]]:
    planes: dict[str, list[list[SliceRef]]] = {}
    for ref in slices:
        if ref.geometry is None:
            continue
        stacks = planes.setdefault(ref.series_uid, [])
        home = next((s for s in stacks if same_plane(s[0], ref)), None)
        if home is None:
            stacks.append([ref])
        else:
            home.append(ref)
    return [stack for stacks in planes.values() for stack in stacks]


def _gap(one: SliceRef, other: SliceRef) -> float:
    """Millimetres between two slices along their normal; both have a position."""
    assert one.geometry is not None
    assert other.geometry is not None
    return abs(position_along_normal(other.geometry) - position_along_normal(one.geometry))
