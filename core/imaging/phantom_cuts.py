"""The phantom seen otherwise: cut in another plane, lying otherwise, thinned out, at another echo time.

Each takes a phantom and gives one whose pixels, boxes and place agree as before, so that tests have true
answers for any geometry.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.imaging.phantom import WHITE_LEVEL, Phantom, PhantomBox, tight_box
from core.model import Vector

PLANES = ("axial", "coronal", "sagittal")


def cut(phantom: Phantom, plane: str) -> Phantom:
    """An axial phantom in another plane, hung as usual: the patient's left on the right, or the front left.

    Args:
        phantom: As made.
        plane: One of PLANES.

    Raises:
        ValueError: No such plane, or the phantom is not axial.
    """
    if plane not in PLANES or phantom.plane != "axial":
        raise ValueError(f"cannot cut a phantom that is {phantom.plane} in plane {plane!r}: one of {PLANES}")
    if plane == "axial":
        return phantom
    row, step = phantom.spacing, phantom.slice_spacing
    top = _along(phantom, len(phantom.volume) - 1)
    if plane == "coronal":  # front first; head up
        axes, spacing, distance = (1, 0, 2), (step, row[1]), row[0]
        directions = phantom.row_cosine, _times(_normal(phantom), -1.0)
        turned, origin = (slice(None), slice(None, None, -1), slice(None)), top
    else:  # the patient's left first, as row × column points to the right; head up, front to the left
        axes, spacing, distance = (2, 0, 1), (step, row[0]), row[1]
        directions = phantom.column_cosine, _times(_normal(phantom), -1.0)
        turned = (slice(None, None, -1), slice(None, None, -1), slice(None))
        width = phantom.volume.shape[2] - 1
        origin = _sum(top, _times(phantom.row_cosine, width * row[1]))
    return _with_boxes(
        replace(
            phantom,
            volume=np.ascontiguousarray(phantom.volume.transpose(axes)[turned]),
            lesions=np.ascontiguousarray(phantom.lesions.transpose(axes)[turned]),
            spacing=spacing,
            slice_spacing=distance,
            origin=origin,
            row_cosine=directions[0],
            column_cosine=directions[1],
            plane=plane,
        )
    )


def turned(phantom: Phantom, degrees: Vector, shift: Vector = (0.0, 0.0, 0.0)) -> Phantom:
    """The same pixels of a head that lies otherwise: turned about the patient's x, y and z axis, then moved.

    Args:
        phantom: The phantom.
        degrees: Angle about each axis, in this order.
        shift: Millimetres along each axis.
    """
    rotation = np.eye(3)
    for number, angle in enumerate(degrees):
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        about = np.eye(3)
        a, b = (number + 1) % 3, (number + 2) % 3
        about[a, a] = about[b, b] = cosine
        about[a, b], about[b, a] = -sine, sine
        rotation = about @ rotation

    def turn(vector: Vector) -> Vector:
        found = rotation @ np.array(vector)
        return (float(found[0]), float(found[1]), float(found[2]))

    return replace(
        phantom,
        origin=_sum(turn(phantom.origin), shift),
        row_cosine=turn(phantom.row_cosine),
        column_cosine=turn(phantom.column_cosine),
    )


def thinned(phantom: Phantom, *, rows: int = 1, columns: int = 1, slices: int = 1) -> Phantom:
    """Each so-manieth row, column and slice of it: pixels that are not square, slices further apart.

    Raises:
        ValueError: A step below 1.
    """
    if min(rows, columns, slices) < 1:
        raise ValueError(f"steps {rows}, {columns}, {slices}: must be at least 1")
    return _with_boxes(
        replace(
            phantom,
            volume=np.ascontiguousarray(phantom.volume[::slices, ::rows, ::columns]),
            lesions=np.ascontiguousarray(phantom.lesions[::slices, ::rows, ::columns]),
            spacing=(phantom.spacing[0] * rows, phantom.spacing[1] * columns),
            slice_spacing=phantom.slice_spacing * slices,
        )
    )


def at_echo(phantom: Phantom, milliseconds: float) -> Phantom:
    """The head at a later echo: bright tissue decays faster, as fat and contrast do.

    Args:
        phantom: The phantom.
        milliseconds: Echo time; 0 is the phantom itself.
    """
    decay: NDArray[np.float32] = np.exp(-milliseconds / 60.0 * phantom.volume / WHITE_LEVEL).astype(
        np.float32
    )
    return replace(phantom, volume=np.rint(phantom.volume * decay))


def slice_position(phantom: Phantom, index: int) -> Vector:
    """LPS position of the centre of a slice's top-left pixel."""
    return _along(phantom, index)


def _with_boxes(phantom: Phantom) -> Phantom:
    """Boxes anew, from the pixels of the lesions."""
    labels = {box.lesion: box.label for box in phantom.boxes}
    boxes = []
    for index, marked in enumerate(phantom.lesions):
        for lesion in sorted(labels):
            mask = marked == lesion + 1
            if mask.any():
                boxes.append(PhantomBox(index, tight_box(mask), labels[lesion], lesion))
    return replace(phantom, boxes=tuple(boxes))


def _normal(phantom: Phantom) -> Vector:
    found = np.cross(phantom.row_cosine, phantom.column_cosine)
    return (float(found[0]), float(found[1]), float(found[2]))


def _along(phantom: Phantom, index: int) -> Vector:
    return _sum(phantom.origin, _times(_normal(phantom), index * phantom.slice_spacing))


def _times(vector: Vector, factor: float) -> Vector:
    return (vector[0] * factor, vector[1] * factor, vector[2] * factor)


def _sum(one: Vector, other: Vector) -> Vector:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])
