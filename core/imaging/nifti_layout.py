"""How a NIfTI volume is cut into slices and hung: along which axis, which way up, and where each lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.imaging.nifti_header import NiftiHeader
from core.model import Geometry, Vector

_CLEARLY = 1.05  # thicker than that is the direction of the slices
_SHEAR = 0.02  # cosine between row and column above which they are not at right angles


@dataclass(frozen=True, slots=True)
class Layout:
    """How a volume is cut into slices.

    Attributes:
        axis: The voxel axis that slices are stacked along.
        across: The voxel axis that runs along a row.
        down: The voxel axis that runs along a column.
        flip_across: Rows are read backwards.
        flip_down: Columns are read backwards.
    """

    axis: int
    across: int
    down: int
    flip_across: bool
    flip_down: bool


def slice_axis(header: NiftiHeader) -> int:
    """The axis that slices were most likely acquired along.

    The one along which voxels are thickest; else the one the file names; else the shortest if by far (spacing
    is often lost); else the last.
    """
    order = np.argsort(header.spacing)
    if header.spacing[order[2]] > _CLEARLY * header.spacing[order[1]]:
        return int(order[2])
    if header.slice_axis is not None:
        return header.slice_axis
    few = np.argsort(header.shape, kind="stable")
    by_far = header.shape[few[0]] > 1 and 2 * header.shape[few[0]] <= header.shape[few[1]]
    return int(few[0]) if by_far else 2


def layout(header: NiftiHeader, axis: int) -> Layout:
    """Rows and columns of slices along an axis, as a radiologist hangs them."""
    directions = header.affine[:3, :3] / np.linalg.norm(header.affine[:3, :3], axis=0)
    first, second = (a for a in range(3) if a != axis)
    normal = np.cross(directions[:, first], directions[:, second])
    # Right and bottom (LPS axes): P and F on sagittal slices, L and F on coronal ones, L and P on axial ones.
    right, bottom = (
        (np.array([0, 1, 0]), np.array([0, 0, -1])),
        (np.array([1, 0, 0]), np.array([0, 0, -1])),
        (np.array([1, 0, 0]), np.array([0, 1, 0])),
    )[int(np.argmax(np.abs(normal)))]
    one, other = directions[:, first], directions[:, second]
    straight = abs(float(one @ right)) + abs(float(other @ bottom))
    crossed = abs(float(other @ right)) + abs(float(one @ bottom))
    across, down = (first, second) if straight >= crossed else (second, first)
    return Layout(
        axis=axis,
        across=across,
        down=down,
        flip_across=float(directions[:, across] @ right) < 0,
        flip_down=float(directions[:, down] @ bottom) < 0,
    )


def is_square(header: NiftiHeader, plane: Layout) -> bool:
    """Whether rows and columns are at right angles, as every slice's must be."""
    across, down = header.affine[:3, plane.across], header.affine[:3, plane.down]
    return abs(float(across @ down)) <= _SHEAR * float(np.linalg.norm(across) * np.linalg.norm(down))


def place(header: NiftiHeader, plane: Layout, at: int) -> Geometry:
    """Where a slice lies.

    Args:
        header: The volume's.
        plane: How it is cut.
        at: Index of the slice along the layout's axis.
    """
    corner = [0.0, 0.0, 0.0]
    corner[plane.axis] = at
    corner[plane.across] = header.shape[plane.across] - 1 if plane.flip_across else 0
    corner[plane.down] = header.shape[plane.down] - 1 if plane.flip_down else 0
    directions = header.affine[:3, :3] / np.linalg.norm(header.affine[:3, :3], axis=0)
    return Geometry(
        position=_vector(header.affine[:3, :3] @ np.array(corner) + header.affine[:3, 3]),
        row_cosine=_vector(directions[:, plane.across] * (-1 if plane.flip_across else 1)),
        column_cosine=_vector(directions[:, plane.down] * (-1 if plane.flip_down else 1)),
        row_spacing=header.spacing[plane.down],
        column_spacing=header.spacing[plane.across],
    )


def _vector(values: NDArray[np.float64]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))
