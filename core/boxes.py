"""Arithmetic on arrays of boxes, (N, 4) float64 (x1, y1, x2, y2), corner convention (docs/adr/0001)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from core.model import Box

Boxes = NDArray[np.float64]
_TABLE = 1024  # boxes


def to_array(boxes: Iterable[Box]) -> Boxes:
    """Boxes as an (N, 4) array; (0, 4) where there are none."""
    rows = [b.as_tuple() for b in boxes]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 4)


def from_array(boxes: Boxes) -> tuple[Box, ...]:
    """The rows of an (N, 4) array as boxes.

    Raises:
        ValueError: A row is not finite or has no area.
    """
    return tuple(Box(*row) for row in np.asarray(boxes, dtype=np.float64).tolist())


def area(boxes: Boxes) -> NDArray[np.float64]:
    """Areas (N,); a box turned inside out has area 0."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None)
    return np.asarray(sides[:, 0] * sides[:, 1])


def iou_matrix(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Intersection over union of every pair, (len(a), len(b)), each in [0, 1]."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0.0, None)
    intersection = sides[..., 0] * sides[..., 1]
    union = area(a)[:, None] + area(b)[None, :] - intersection
    # The minimum guards against 1 + 1e-16 for equal boxes far from the origin.
    ratio = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return np.asarray(np.minimum(ratio, 1.0))


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    return float(iou_matrix(to_array([a]), to_array([b]))[0, 0])


def clip(boxes: Boxes, width: float, height: float) -> Boxes:
    """A copy with every coordinate inside [0, width] × [0, height]."""
    limits = np.array([width, height, width, height], dtype=np.float64)
    return np.clip(boxes, 0.0, limits)


def from_xywh(boxes: Boxes) -> Boxes:
    """(x, y, width, height) to corners; COCO's and OpenCV's form."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def to_xywh(boxes: Boxes) -> Boxes:
    """Corners to (x, y, width, height)."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def nms(
    boxes: Boxes, scores: NDArray[np.float64], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Greedy non-maximum suppression.

    Boxes are visited by falling score (ties: lower index first); a box is dropped when its IoU with an
    already kept one exceeds the threshold.

    Args:
        boxes: (N, 4).
        scores: (N,).
        threshold: IoU in [0, 1].

    Returns:
        Indices kept, by falling score, and for every box the index of the box that suppressed it
        (its own index where it was kept).
    """
    order = np.argsort(-scores, kind="stable")
    suppressed_by = np.full(len(boxes), -1, dtype=np.int64)
    # A table of all pairs is quicker than a row at a time, while it is small.
    table = iou_matrix(boxes, boxes) > threshold if len(boxes) <= _TABLE else None
    kept: list[int] = []
    for i in order:
        if suppressed_by[i] >= 0:
            continue
        over = table[i] if table is not None else iou_matrix(boxes[i : i + 1], boxes)[0] > threshold
        suppressed_by[over & (suppressed_by < 0)] = i
        suppressed_by[i] = i
        kept.append(int(i))
    return np.array(kept, dtype=np.int64), suppressed_by
