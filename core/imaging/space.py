"""From one series to another of the same frame of reference: points, boxes, nearest slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import mm_to_pixel, normal, pixel_to_mm
from core.imaging.stacks import along_normal
from core.model import Box, Geometry, SliceRef, Vector

_LEAST_PIXELS = 1e-6  # a cut thinner than that has no area
_ON_PLANE_MM = 1e-9


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of the patient on a slice of a series.

    Attributes:
        index: The slice, in reading order.
        x: Column coordinate, corner convention.
        y: Row coordinate.
        distance: Signed distance in mm from the slice's plane, along its normal.
    """

    index: int
    x: float
    y: float
    distance: float


def same_space(a: SliceRef, b: SliceRef) -> bool:
    """Whether millimetres of one slice are millimetres of the other: both placed, one frame of reference."""
    same = a.frame_of_reference != "" and a.frame_of_reference == b.frame_of_reference
    return same and a.geometry is not None and b.geometry is not None


def distance_to_plane(geometry: Geometry, point: Vector) -> float:
    """Signed distance in mm of a point from a slice's plane, along its normal."""
    return float((np.asarray(point) - np.asarray(geometry.position)) @ np.asarray(normal(geometry)))


def nearest(slices: Sequence[SliceRef], point: Vector) -> Spot | None:
    """Where a point of the patient lies in a stack: on the slice nearest to it.

    Args:
        slices: In reading order.
        point: LPS millimetres, in the stack's frame of reference.

    Returns:
        None where a slice has no position. The spot may lie outside the slice, or beyond the stack's ends.
    """
    along = along_normal(slices)
    if along is None:
        return None
    first = slices[0].geometry
    assert first is not None
    place = float(np.asarray(point) @ np.asarray(normal(first)))
    index = int(np.argmin(np.abs(along - place)))
    geometry = slices[index].geometry
    assert geometry is not None
    x, y = mm_to_pixel(geometry, point)
    return Spot(index, x, y, distance_to_plane(geometry, point))


def map_point(source: SliceRef, x: float, y: float, slices: Sequence[SliceRef]) -> Spot | None:
    """Where a point of one slice lies in another stack; None where they do not share a space."""
    if not slices or source.geometry is None or not same_space(source, slices[0]):
        return None
    return nearest(slices, pixel_to_mm(source.geometry, x, y))


def map_box(source: SliceRef, box: Box, thickness: float, target: SliceRef) -> Box | None:
    """What a box of one slice covers on another: the cut of the other's plane through the box's block.

    A box stands for a block of tissue, as deep as slices lie apart. Where the planes are parallel this is the
    same box in the other's pixels; where they cross, it is where the block passes through.

    Args:
        source: The slice that the box is on.
        box: In its pixels.
        thickness: Depth of the block in mm, half of it on either side of the slice; at least a tenth of one.
        target: The other slice.

    Returns:
        Clipped to the other slice; None where it does not meet the block, or they do not share a space.
    """
    if source.geometry is None or target.geometry is None or not same_space(source, target):
        return None
    corners = _block(source.geometry, box, max(thickness, 0.1))
    cut = _cut(corners, target.geometry)
    if len(cut) < 3:
        return None
    points = np.array([mm_to_pixel(target.geometry, (p[0], p[1], p[2])) for p in cut])
    (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
    if x2 - x1 < _LEAST_PIXELS or y2 - y1 < _LEAST_PIXELS:
        return None
    return Box(float(x1), float(y1), float(x2), float(y2)).clipped(target.columns, target.rows)


def line_on(source: SliceRef, target: SliceRef) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Where the plane of one slice crosses another: a reference line in the other's pixels.

    Returns:
        Its two ends, where the outline of `source` and the edges of `target` let it; None where they do not
        cross, are parallel, or do not share a space.
    """
    if source.geometry is None or target.geometry is None or not same_space(source, target):
        return None
    whole = Box(0, 0, source.columns, source.rows)
    corners = np.array([pixel_to_mm(source.geometry, x, y) for x, y in _ring(whole)], dtype=np.float64)
    heights = _heights(corners, target.geometry)
    ends = [
        a + (b - a) * (p / (p - q))
        for (a, b), (p, q) in zip(
            pairwise([*corners, corners[0]]), pairwise([*heights, heights[0]]), strict=True
        )
        if (p < 0) != (q < 0)
    ]
    if len(ends) != 2:
        return None
    (ax, ay), (bx, by) = (mm_to_pixel(target.geometry, (p[0], p[1], p[2])) for p in ends)
    return _clipped_line((ax, ay), (bx, by), target.columns, target.rows)


def _ring(box: Box) -> tuple[tuple[float, float], ...]:
    return ((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2))


def _block(geometry: Geometry, box: Box, thickness: float) -> NDArray[np.float64]:
    """(2, 4, 3): the corners of the block, ring by ring."""
    ring = np.array([pixel_to_mm(geometry, x, y) for x, y in _ring(box)])
    half = np.asarray(normal(geometry)) * thickness / 2
    return np.stack([ring - half, ring + half])


def _heights(points: NDArray[np.float64], geometry: Geometry) -> NDArray[np.float64]:
    return np.asarray((points - np.asarray(geometry.position)) @ np.asarray(normal(geometry)))


def _cut(corners: NDArray[np.float64], geometry: Geometry) -> list[NDArray[np.float64]]:
    """Points where the edges of the block meet the plane."""
    heights = _heights(corners, geometry)
    edges = [((r, i), (r, (i + 1) % 4)) for r in range(2) for i in range(4)]
    edges += [((0, i), (1, i)) for i in range(4)]
    points = []
    for start, end in edges:
        p, q = float(heights[start]), float(heights[end])
        if abs(p) <= _ON_PLANE_MM:
            points.append(corners[start])
        if abs(q) <= _ON_PLANE_MM:
            points.append(corners[end])
        if p * q < 0:
            points.append(corners[start] + (corners[end] - corners[start]) * (p / (p - q)))
    return points


def _clipped_line(
    a: tuple[float, float], b: tuple[float, float], width: float, height: float
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The part of a line inside [0, width] × [0, height] (Liang and Barsky), or None."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    enter, leave = 0.0, 1.0
    for step, room in ((-dx, a[0]), (dx, width - a[0]), (-dy, a[1]), (dy, height - a[1])):
        if step == 0:
            if room < 0:
                return None
        elif step < 0:
            enter = max(enter, room / step)
        else:
            leave = min(leave, room / step)
    if enter >= leave:
        return None
    return (a[0] + enter * dx, a[1] + enter * dy), (a[0] + leave * dx, a[1] + leave * dy)
