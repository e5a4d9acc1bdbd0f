"""Rescaled pixels as PNG and back: 8 or 16 bits, with the mapping that undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import UnreadableFile

Stored = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Scale:
    """How stored integers relate to rescaled pixels: `rescaled = slope * stored + intercept`."""

    slope: float = 1.0
    intercept: float = 0.0


def to_storable(pixels: NDArray[np.generic], *, eight_bit: bool) -> tuple[Stored, Scale]:
    """Rescaled pixels as integers: exactly where they are whole numbers that fit, else spread over 16 bits.

    Args:
        pixels: (rows, columns), any real dtype; values that are not finite become the smallest one.
        eight_bit: The source had 8 bits: keep 8 where the values allow it.
    """
    values = np.asarray(pixels, dtype=np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    values = np.where(np.isfinite(values), values, low)
    whole = bool(np.all(values == np.round(values)))
    if eight_bit and whole and low >= 0 and high <= 255:
        return values.astype(np.uint8), Scale()
    if whole and low >= 0 and high <= 65535:
        return values.astype(np.uint16), Scale()
    if whole and high - low <= 65535:
        return (values - low).astype(np.uint16), Scale(1.0, low)
    slope = (high - low) / 65535 or 1.0  # all equal: any slope will do
    return np.round((values - low) / slope).astype(np.uint16), Scale(slope, low)


def write_png(path: Path, stored: Stored) -> None:
    """Write integers as a grey PNG of their depth, without any metadata.

    Raises:
        OSError: It cannot be written.
    """
    # Level 3 takes a third of the default's time and 4 % more room (measured on MR slices).
    Image.fromarray(stored).save(path, format="PNG", compress_level=3)


def read_png(path: Path) -> Stored:
    """The integers of a grey PNG.

    Raises:
        UnreadableFile: Not such a PNG.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            values = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadableFile(path, f"is not a PNG ({type(error).__name__})") from error
    return values.astype(np.uint8) if values.dtype == np.uint8 else values.astype(np.uint16)
