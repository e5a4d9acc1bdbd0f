"""Between pixels and the patient (LPS millimetres)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.model import Box, Geometry, SliceRef, Vector

# A direction is named by its largest component, and by further ones that tilt it more than 10 degrees.
_TILT = float(np.sin(np.radians(10.0)))


@dataclass(frozen=True, slots=True)
class Letters:
    """What lies towards each edge of the slice: R L A P H F, two or three where it is oblique.

    Attributes:
        left: At the left edge.
        right: At the right edge.
        top: At the top edge.
        bottom: At the bottom edge.
    """

    left: str
    right: str
    top: str
    bottom: str


def normal(geometry: Geometry) -> Vector:
    """The slice's unit normal, row × column direction. Reading order is along it, ascending."""
    # Plain numbers: this is asked many times a slice, and arrays of three take a hundred times longer.
    (a, b, c), (d, e, f) = geometry.row_cosine, geometry.column_cosine
    x, y, z = b * f - c * e, c * d - a * f, a * e - b * d
    length = max(math.hypot(x, y, z), 1e-12)
    return (x / length, y / length, z / length)


def position_along_normal(geometry: Geometry) -> float:
    """Signed distance in mm of the slice from the patient's origin, along its normal."""
    return sum(p * n for p, n in zip(geometry.position, normal(geometry), strict=True))


def pixel_to_mm(geometry: Geometry, x: float, y: float) -> Vector:
    """Where a point of the slice lies in the patient.

    Args:
        geometry: The slice's place.
        x: Column coordinate, corner convention: the first pixel's centre is at 0.5.
        y: Row coordinate.
    """
    across, down = _axes(geometry)
    point = np.asarray(geometry.position) + (x - 0.5) * across + (y - 0.5) * down
    return (float(point[0]), float(point[1]), float(point[2]))


def mm_to_pixel(geometry: Geometry, point: Vector) -> tuple[float, float]:
    """The (x, y) of a point's foot on the slice, corner convention."""
    across, down = _axes(geometry)
    axes = np.stack([across, down], axis=1)
    # Least squares rather than two dot products: written cosines are only nearly orthogonal.
    steps = np.linalg.lstsq(axes, np.asarray(point) - np.asarray(geometry.position), rcond=None)[0]
    return (float(steps[0]) + 0.5, float(steps[1]) + 0.5)


def orientation_letters(geometry: Geometry) -> Letters:
    """The letters for the four edges, from the direction cosines."""
    row, column = np.asarray(geometry.row_cosine), np.asarray(geometry.column_cosine)
    return Letters(left=_letters(-row), right=_letters(row), top=_letters(-column), bottom=_letters(column))


def size_mm(box: Box, spacing: tuple[float, float]) -> tuple[float, float]:
    """Width and height of a box in mm, given (row, column) spacing."""
    return (box.width * spacing[1], box.height * spacing[0])


def pixel_shape(ref: SliceRef) -> tuple[float, float]:
    """(height, width) of a pixel as it is to be drawn: mm where the file says, else in proportion only."""
    return ref.spacing or (ref.aspect, 1.0)


def _axes(geometry: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    across = np.asarray(geometry.row_cosine, dtype=np.float64) * geometry.column_spacing
    down = np.asarray(geometry.column_cosine, dtype=np.float64) * geometry.row_spacing
    return across, down


def _letters(direction: NDArray[np.float64]) -> str:
    pairs = (("R", "L"), ("A", "P"), ("F", "H"))
    order = np.argsort(-np.abs(direction), kind="stable")
    named = [pairs[i][int(direction[i] > 0)] for i in order if abs(direction[i]) > _TILT]
    return "".join(named)
