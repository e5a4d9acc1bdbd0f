"""What is worth saying about the distances within a stack: ties, gaps, mixed spacing, sideways shifts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.imaging.stacks import SAME_PLACE_MM, along_normal
from core.model import Geometry, SliceRef

_EVEN = 0.1  # steps that differ by less than a tenth count as the same
_MISSING = 1.5  # a step this many times the usual one leaves room for a slice
_MOSTLY = 0.7  # of the steps are the usual one: then the others are gaps


def steps_of(slices: Sequence[SliceRef]) -> NDArray[np.float64]:
    """Distance in mm from each slice to the next, in the given order; empty where positions are missing."""
    along = along_normal(slices)
    return np.diff(along) if along is not None else np.empty(0)


def slice_distance(slices: Sequence[SliceRef]) -> float | None:
    """The usual distance between neighbours in mm, or None where there is none."""
    steps = steps_of(slices)
    real = steps[steps >= SAME_PLACE_MM]
    return float(np.median(real)) if real.size else None


def spacing_notes(slices: Sequence[SliceRef]) -> tuple[str, ...]:
    """Warnings about the distances in a stack.

    Args:
        slices: In reading order, each with a position.
    """
    steps = steps_of(slices)
    return (*_tie_note(steps), *_step_note(steps), *_pixel_note(slices), *_shift_note(slices))


def _tie_note(steps: NDArray[np.float64]) -> tuple[str, ...]:
    ties = int(np.count_nonzero(steps < SAME_PLACE_MM))
    return (f"several slices at one position ({ties} more than positions)",) if ties else ()


def _step_note(steps: NDArray[np.float64]) -> tuple[str, ...]:
    real = steps[steps >= SAME_PLACE_MM]
    if real.size < 2:
        return ()
    usual = float(np.median(real))
    even = np.abs(real - usual) <= _EVEN * usual
    if even.all():
        return ()
    gaps = np.flatnonzero(steps > _MISSING * usual)
    if gaps.size and even.mean() >= _MOSTLY:
        where = f"after slice {gaps[0] + 1}"
        if gaps.size == 1:
            return (f"a slice may be missing {where}: {_mm(steps[gaps[0]])} instead of {_mm(usual)}",)
        return (f"slices may be missing in {gaps.size} places, the first {where}",)
    return (f"slice distance varies from {_mm(real.min())} to {_mm(real.max())}",)


def _pixel_note(slices: Sequence[SliceRef]) -> tuple[str, ...]:
    spacing = np.array([ref.spacing for ref in slices if ref.spacing is not None])
    if len(spacing) < 2 or np.allclose(spacing, spacing[0], rtol=1e-3, atol=0):
        return ()
    return ("pixel spacing differs between slices",)


def _shift_note(slices: Sequence[SliceRef]) -> tuple[str, ...]:
    """Slices that are not stacked straight: the top left pixels move sideways by more than a pixel."""
    geometries = [ref.geometry for ref in slices if ref.geometry is not None]
    if len(geometries) < 2:
        return ()
    shift = sideways(geometries)
    first = geometries[0]
    size = min(first.row_spacing, first.column_spacing)
    worst = float(np.abs(np.diff(shift, axis=0)).max())
    return ("slices are shifted sideways against each other",) if worst > size else ()


def sideways(geometries: Sequence[Geometry]) -> NDArray[np.float64]:
    """(n, 2) in mm: how far each slice's first pixel lies off the first slice's, along row and column."""
    first = geometries[0]
    axes = np.array([first.row_cosine, first.column_cosine], dtype=np.float64)
    positions = np.array([g.position for g in geometries], dtype=np.float64)
    return np.asarray((positions - positions[0]) @ axes.T)


def _mm(value: float) -> str:
    return f"{value:.4g} mm"
