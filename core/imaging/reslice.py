"""Planes cut through a stack: the two others of an orthogonal view, or any plane at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.imaging.base import Pixels
from core.imaging.geometry import normal, pixel_to_mm
from core.imaging.spacing import sideways
from core.imaging.stacks import SAME_PLACE_MM, along_normal, plane_name, same_plane
from core.jobs import CancelToken, Progress, no_progress
from core.model import Geometry, SliceRef, Vector

DEFAULT_MAX_BYTES = 512 << 20
_MAX_SIDE = 2048
_PLANES: dict[str, tuple[Vector, Vector]] = {
    # Row and column direction as radiologists read them: patient's right on the left, head up.
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """The pixels of a stack, and where they lie.

    Attributes:
        values: (slices, rows, columns), float32.
        places: Distance of each slice from the first along the normal, in mm, rising; need not be even.
        geometry: The first slice's.
        shift: (slices, 2): how far each slice is moved along row and column against the first, in pixels.
        every: One in so many pixels of each row and column was kept, so that it fits the bound.
    """

    values: NDArray[np.float32]
    places: NDArray[np.float64]
    geometry: Geometry
    shift: NDArray[np.float64]
    every: int = 1

    @property
    def low(self) -> float:
        """The lowest value: what lies outside."""
        return float(self.values.min())


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A plane cut through a volume.

    Attributes:
        pixels: (rows, columns).
        geometry: Where it lies.
        plane: "axial", "coronal" or "sagittal", whichever is nearest.
    """

    pixels: Pixels
    geometry: Geometry
    plane: str


def load_volume(
    slices: Sequence[SliceRef],
    pixels: Callable[[SliceRef], Pixels],
    *,
    max_bytes: int = DEFAULT_MAX_BYTES,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Volume:
    """Read a stack. Too large a one is thinned within its slices, never between them.

    Args:
        slices: In reading order. Of slices at one position the first is taken.
        pixels: Where pixels come from: `PixelCache.get`.
        max_bytes: Bound on the volume.
        progress: Called once per slice.
        cancel: Stops the reading.

    Raises:
        InputError: Fewer than two positions, no positions, or slices of several planes.
        UnreadableFile: A slice cannot be read.
        Cancelled: The token was set.
    """
    chosen, places = _placed(slices)
    first = chosen[0].geometry
    assert first is not None
    every = 1
    while len(chosen) * -(-chosen[0].rows // every) * -(-chosen[0].columns // every) * 4 > max_bytes:
        every += 1
    rows, columns = -(-chosen[0].rows // every), -(-chosen[0].columns // every)
    values = np.empty((len(chosen), rows, columns), dtype=np.float32)
    token = cancel or CancelToken()
    for i, ref in enumerate(chosen):
        token.check()
        values[i] = pixels(ref)[::every, ::every]
        progress(i + 1, len(chosen), "slices read")
    moved = sideways([ref.geometry for ref in chosen if ref.geometry is not None])
    shift = moved / np.array([first.column_spacing, first.row_spacing])
    return Volume(values, places, first, shift, every)


def _placed(slices: Sequence[SliceRef]) -> tuple[list[SliceRef], NDArray[np.float64]]:
    along = along_normal(slices)
    if along is None:
        raise InputError("this series has no positions: no plane can be cut through it")
    if not all(same_plane(slices[0], ref) for ref in slices):
        raise InputError("the slices of this series are not parallel: no plane can be cut through it")
    order = np.argsort(along, kind="stable")
    chosen: list[SliceRef] = []
    places: list[float] = []
    for i in order:
        if not places or along[i] - places[-1] >= SAME_PLACE_MM:
            chosen.append(slices[i])
            places.append(float(along[i]))
    if len(places) < 2:
        raise InputError("this series has one position only: no plane can be cut through it")
    return chosen, np.array(places) - places[0]


def sample(volume: Volume, points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values at points of the patient, trilinear; outside the volume its lowest value.

    Args:
        volume: The volume.
        points: (..., 3), LPS millimetres.

    Returns:
        (...), float32.
    """
    first = volume.geometry
    off = points - np.asarray(first.position)
    k = np.interp(
        off @ np.asarray(normal(first)),
        volume.places,
        np.arange(len(volume.places), dtype=np.float64),
        left=-1.0,
        right=-1.0,
    )
    shift = _shift_at(volume, k)
    # Pixel centres are at whole numbers here; what was thinned out is interpolated over.
    c = (off @ np.asarray(first.row_cosine) / first.column_spacing - shift[..., 0]) / volume.every
    r = (off @ np.asarray(first.column_cosine) / first.row_spacing - shift[..., 1]) / volume.every
    _, rows, columns = volume.values.shape
    # Half a pixel beyond the outer centres still belongs to the outer pixels.
    inside = (k >= 0) & (c >= -0.5) & (c <= columns - 0.5) & (r >= -0.5) & (r <= rows - 0.5)
    found = np.full(k.shape, volume.low, dtype=np.float32)
    found[inside] = _trilinear(volume.values, k[inside], r[inside], c[inside])
    return found


def _shift_at(volume: Volume, k: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.abs(volume.shift).max():
        return np.zeros((*k.shape, 2))
    steps = np.arange(len(volume.places), dtype=np.float64)
    return np.stack([np.interp(k, steps, volume.shift[:, i]) for i in range(2)], axis=-1)


def _trilinear(
    values: NDArray[np.float32], k: NDArray[np.float64], r: NDArray[np.float64], c: NDArray[np.float64]
) -> NDArray[np.float32]:
    slices, rows, columns = values.shape
    flat = values.reshape(-1)
    low, weight = [], []
    for at, size in ((k, slices), (r, rows), (c, columns)):
        clipped = np.clip(at, 0, size - 1)
        floor = np.minimum(np.floor(clipped).astype(np.int64), max(size - 2, 0))
        low.append(floor)
        weight.append((clipped - floor).astype(np.float32))
    found = np.zeros(k.shape, dtype=np.float32)
    for corner in range(8):
        dk, dr, dc = corner >> 2, corner >> 1 & 1, corner & 1
        at_k = low[0] + dk
        at_r = np.minimum(low[1] + dr, rows - 1)
        at_c = np.minimum(low[2] + dc, columns - 1)
        part = np.ones_like(found)
        for w, upper in zip(weight, (dk, dr, dc), strict=True):
            part *= w if upper else 1 - w
        found += part * flat[(at_k * rows + at_r) * columns + at_c]
    return found


def cut(volume: Volume, geometry: Geometry, rows: int, columns: int) -> Cut:
    """Cut any plane.

    Args:
        volume: The volume.
        geometry: Where the plane lies, and its pixel spacing.
        rows: Height of the result in pixels.
        columns: Width.
    """
    across = np.asarray(geometry.row_cosine) * geometry.column_spacing
    down = np.asarray(geometry.column_cosine) * geometry.row_spacing
    grid = (
        np.asarray(geometry.position)
        + np.arange(rows, dtype=np.float64)[:, None, None] * down
        + np.arange(columns, dtype=np.float64)[None, :, None] * across
    )
    return Cut(sample(volume, grid), geometry, plane_name(geometry))


def cut_through(volume: Volume, plane: str, point: Vector) -> Cut:
    """The axial, coronal or sagittal plane of the patient through a point: square pixels, the volume's width.

    Args:
        volume: The volume.
        plane: "axial", "coronal" or "sagittal".
        point: LPS millimetres.

    Raises:
        InputError: There is no such plane.
    """
    if plane not in _PLANES:
        raise InputError(f"plane {plane!r}: axial, coronal or sagittal expected")
    row, column = (np.array(axis) for axis in _PLANES[plane])
    corners = _corners(volume)
    step = _finest(volume)
    low = np.array([(corners @ row).min(), (corners @ column).min()])
    high = np.array([(corners @ row).max(), (corners @ column).max()])
    step = max(step, float((high - low).max()) / _MAX_SIDE)
    columns, rows = (max(1, int(n)) for n in np.ceil((high - low) / step - 1e-6))
    axis = np.cross(row, column)
    start = (low[0] + step / 2) * row + (low[1] + step / 2) * column + (np.asarray(point) @ axis) * axis
    geometry = Geometry(_vector(start), _vector(row), _vector(column), step, step)
    return cut(volume, geometry, rows, columns)


def _corners(volume: Volume) -> NDArray[np.float64]:
    """(8, 3): the outer corners of the volume's pixels."""
    _, rows, columns = volume.values.shape
    across, down = columns * volume.every, rows * volume.every
    ring = [pixel_to_mm(volume.geometry, x, y) for x in (0, across) for y in (0, down)]
    axis = np.asarray(normal(volume.geometry))
    return np.array([np.asarray(p) + d * axis for p in ring for d in (volume.places[0], volume.places[-1])])


def _finest(volume: Volume) -> float:
    geometry = volume.geometry
    inside = min(geometry.row_spacing, geometry.column_spacing) * volume.every
    return min(inside, float(np.median(np.diff(volume.places))))


def _vector(values: NDArray[np.float64]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))
