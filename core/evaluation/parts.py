"""Parts of a data set that figures are given for: lesions by size, slices by plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.boxes import Boxes, area
from core.model import Geometry

SIZES = ("small", "medium", "large")
PLANES = ("axial", "coronal", "sagittal", "unknown")
NORMAL_SIDE = 512.0
_SMALL, _LARGE = 32.0, 96.0


def sides(boxes: Boxes, rows: int, columns: int) -> NDArray[np.float64]:
    """Side of the square of the same area, (N,) pixels of a slice whose longer side is 512 pixels.

    Args:
        boxes: (N, 4) in pixels of the slice.
        rows: Height of the slice.
        columns: Its width.
    """
    return np.asarray(np.sqrt(area(boxes)) * (NORMAL_SIDE / max(rows, columns)))


def sizes_of(boxes: Boxes, rows: int, columns: int) -> NDArray[np.int64]:
    """Index into SIZES of each box, (N,): a side under 32, to 96, or over 96 pixels, as COCO has it.

    Lengths are those of `sides`, so that a head is about as large in all data sets.
    """
    side = sides(boxes, rows, columns)
    return (side >= _SMALL).astype(np.int64) + (side > _LARGE)


def plane_of(geometry: Geometry | None) -> str:
    """The plane nearest to a slice by its normal, one of PLANES; "unknown" where nothing says how it lies."""
    if geometry is None:
        return "unknown"
    normal = np.abs(np.cross(geometry.row_cosine, geometry.column_cosine))
    # LPS: the normal of a sagittal slice runs along x, of a coronal along y, of an axial along z.
    return ("sagittal", "coronal", "axial")[int(normal.argmax())]
