"""The working image of a slice: comparable grey levels, at most so large, lightly smoothed, background apart.

All in integers after the one division by the grey range, and symmetric in both axes: a flipped or transposed
slice gives the flipped or transposed working image, on every platform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.proposals.compiled import kernel
from core.proposals.normalise import grey_limits

LEVELS = 4096
"""Grey levels of a working image: 12 bits, what an MR scanner resolves."""

# Of the grey range; below lies air. The normalisation puts the darkest percent of the foreground at 0.
_BACKGROUND = LEVELS * 37 // 1000


@dataclass(frozen=True, slots=True)
class WorkingImage:
    """A slice as the region kernels see it.

    Attributes:
        grey: (rows, columns) uint16 in [0, LEVELS).
        inside: (rows, columns), what is not background.
        tables: (3, rows + 1, columns + 1) int64, sums over the foreground above and left of each corner:
            pixels, grey levels, squared grey levels (Viola and Jones's integral images).
        scale_x: Slice pixels per working pixel, along a row.
        scale_y: Slice pixels per working pixel, along a column.
    """

    grey: NDArray[np.uint16]
    inside: NDArray[np.bool_]
    tables: NDArray[np.int64]
    scale_x: float
    scale_y: float


def working_image(image: NDArray[np.generic], size: int) -> WorkingImage | None:
    """Bring a slice to its working image.

    Args:
        image: (rows, columns), any real dtype and range.
        size: Longest side of the working image; a smaller slice keeps its size.

    Returns:
        None where the slice has no contrast.
    """
    limits = grey_limits(image)
    if limits is None:
        return None
    rows, columns = image.shape
    longest = max(rows, columns)
    to = min(size, longest)
    shape = tuple(max(1, (2 * side * to + longest) // (2 * longest)) for side in (rows, columns))
    exact = image.dtype.itemsize <= 2 or image.dtype == np.float32
    values: NDArray[np.floating] = np.ascontiguousarray(image, dtype=np.float32 if exact else np.float64)
    grey, inside, tables = _prepared(values, limits[0], limits[1], shape[0], shape[1], _BACKGROUND)
    return WorkingImage(grey, inside, tables, columns / shape[1], rows / shape[0])


@kernel
def _prepared(
    image: NDArray[np.floating], low: float, high: float, rows: int, columns: int, background: int
) -> tuple[NDArray[np.uint16], NDArray[np.bool_], NDArray[np.int64]]:
    grey = _smoothed(_shrunk(image, low, high, rows, columns))
    inside = np.empty((rows, columns), dtype=np.bool_)
    tables = np.zeros((3, rows + 1, columns + 1), dtype=np.int64)
    for r in range(rows):
        pixels, sum_, squares = np.int64(0), np.int64(0), np.int64(0)
        for c in range(columns):
            value = np.int64(grey[r, c])
            inside[r, c] = value > background
            if value > background:
                pixels += 1
                sum_ += value
                squares += value * value
            tables[0, r + 1, c + 1] = tables[0, r, c + 1] + pixels
            tables[1, r + 1, c + 1] = tables[1, r, c + 1] + sum_
            tables[2, r + 1, c + 1] = tables[2, r, c + 1] + squares
    return grey, inside, tables


@kernel
def _shrunk(
    image: NDArray[np.floating], low: float, high: float, rows: int, columns: int
) -> NDArray[np.int64]:
    """Means over the area of each working pixel, in [0, 65535]; exact, since overlaps are whole numbers.

    Along a row of `wide` pixels brought to `columns`, lengths are counted in parts of 1 / columns of a pixel:
    an input pixel is `columns` long and an output pixel `wide`.
    """
    tall, wide = image.shape
    total = np.zeros((rows, columns), dtype=np.int64)
    first, share = _overlaps(wide, columns)
    reach = share.shape[1]
    line = np.zeros(wide + reach, dtype=np.int64)
    short = np.empty(columns, dtype=np.int64)
    scale = 1.0 / (high - low)
    for r in range(tall):
        for c in range(wide):
            value = (np.float64(image[r, c]) - low) * scale
            # Not a number compares false twice and stays 0.
            line[c] = 65535 if value >= 1.0 else (np.int64(value * 65535.0 + 0.5) if value > 0.0 else 0)
        for c in range(columns):
            sum_ = np.int64(0)
            for k in range(reach):
                sum_ += line[first[c] + k] * share[c, k]
            short[c] = sum_
        for k in range(r * rows // tall, ((r + 1) * rows + tall - 1) // tall):
            part = min((r + 1) * rows, (k + 1) * tall) - max(r * rows, k * tall)
            for c in range(columns):
                total[k, c] += short[c] * part
    whole = np.int64(tall) * np.int64(wide)
    for r in range(rows):
        for c in range(columns):
            total[r, c] = (2 * total[r, c] + whole) // (2 * whole)
    return total


@kernel
def _overlaps(wide: int, columns: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """For each output pixel its first input pixel, and how much of it and of those after it lies inside."""
    reach = (wide + columns - 1) // columns + 1
    first = np.empty(columns, dtype=np.int32)
    share = np.zeros((columns, reach), dtype=np.int64)
    for c in range(columns):
        first[c] = c * wide // columns
        for k in range(first[c], ((c + 1) * wide + columns - 1) // columns):
            share[c, k - first[c]] = min((k + 1) * columns, (c + 1) * wide) - max(k * columns, c * wide)
    return first, share


@kernel
def _smoothed(image: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Gaussian of sigma 0.8 in five taps of 1/1024, from 16 bits to 12; the border repeats its last pixel."""
    rows, columns = image.shape
    across = np.empty((rows, columns), dtype=np.int64)
    for r in range(rows):
        for c in range(columns):
            across[r, c] = (
                512 * image[r, c]
                + 234 * (image[r, max(c - 1, 0)] + image[r, min(c + 1, columns - 1)])
                + 22 * (image[r, max(c - 2, 0)] + image[r, min(c + 2, columns - 1)])
            )
    out = np.empty((rows, columns), dtype=np.uint16)
    for r in range(rows):
        a, b = max(r - 2, 0), max(r - 1, 0)
        d, e = min(r + 1, rows - 1), min(r + 2, rows - 1)
        for c in range(columns):
            sum_ = (
                512 * across[r, c] + 234 * (across[b, c] + across[d, c]) + 22 * (across[a, c] + across[e, c])
            )
            out[r, c] = sum_ >> 24
    return out
