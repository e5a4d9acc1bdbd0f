"""The true lesions of progression, from its masks: parts that hang together in three dimensions."""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableFile
from core.evaluation.lesions import LesionBoxes
from core.model import Box

# NIfTI-1 (nifti1.h): header of 348 bytes; dim at 40, datatype at 70, vox_offset at 108.
_HEADER = 348
_TYPES = {2: "u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 256: "i1", 512: "<u2", 768: "<u4"}

Mask = NDArray[np.bool_]


def read_mask(path: Path) -> Mask:
    """A mask from a NIfTI-1 file, (slices, rows, columns) as the data set's boxes count them.

    Raises:
        UnreadableFile: It is not a little-endian NIfTI-1 volume of a plain type.
    """
    with gzip.open(path) as stream:
        blob = stream.read()
    if len(blob) < _HEADER or int(np.frombuffer(blob[:4], "<i4")[0]) != _HEADER:
        raise UnreadableFile(path, "is no little-endian NIfTI-1 file")
    dimensions = np.frombuffer(blob[40:56], "<i2").tolist()
    kind = int(np.frombuffer(blob[70:72], "<i2")[0])
    if dimensions[0] != 3 or kind not in _TYPES:
        raise UnreadableFile(
            path, f"has {dimensions[0]} dimensions of type {kind}, not three of a plain type"
        )
    columns, rows, slices = dimensions[1:4]
    start = int(np.frombuffer(blob[108:112], "<f4")[0])
    values = np.frombuffer(blob, _TYPES[kind], columns * rows * slices, start)
    return np.asarray(values.reshape(slices, rows, columns) > 0)


def mask_lesions(mask: Mask, kept: set[tuple[int, Box]]) -> tuple[LesionBoxes, ...]:
    """Lesions of a mask, each with its boxes among those that are kept.

    Parts of a slice that touch (by a side or a corner) are one, and parts of neighbouring slices that share a
    pixel. A lesion without a box that is kept is left out.

    Args:
        mask: (slices, rows, columns).
        kept: (slice index, box) of the parts that count as true boxes.

    Raises:
        ValueError: A kept box is none of the mask's parts.
    """
    above: dict[tuple[int, int], tuple[int, int]] = {}
    boxes: dict[tuple[int, int], tuple[int, Box]] = {}

    def top(part: tuple[int, int]) -> tuple[int, int]:
        while above[part] != part:
            part = above[part]
        return part

    before = np.zeros(mask.shape[1:], dtype=np.int32)
    for k, plane in enumerate(mask):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(plane.astype(np.uint8), connectivity=8)
        for i, (x, y, width, height, _) in enumerate(stats[1:].tolist(), 1):
            above[k, i] = (k, i)
            boxes[k, i] = (k, Box(float(x), float(y), float(x + width), float(y + height)))
        both = (before > 0) & (labels > 0)
        for one, other in np.unique(np.stack([before[both], labels[both]], axis=1), axis=0).tolist():
            first, second = sorted((top((k - 1, one)), top((k, other))))
            above[second] = first
        before = labels
    if missing := kept - set(boxes.values()):
        raise ValueError(f"box {min(missing, key=str)} is none of the mask's parts")
    lesions: dict[tuple[int, int], list[tuple[int, Box]]] = {}
    for part, box in boxes.items():
        if box in kept:
            lesions.setdefault(top(part), []).append(box)
    return tuple(LesionBoxes(tuple(found)) for found in lesions.values())
