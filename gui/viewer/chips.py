"""Where the label of a box goes: near it, off the lesion, inside the widget, off the other labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSizeF

GAP = 3.0

# Costs of covering something wholly. The chip's own lesion is the worst.
_OWN_BOX = 10.0
_OTHER_CHIP = 6.0
_OVERLAY = 3.0
_OTHER_BOX = 2.0
# Later candidates are less wanted; small beside the costs above.
_ORDER = 0.05

Rects = NDArray[np.float64]


def as_array(rects: Sequence[QRectF]) -> Rects:
    """Rectangles as (N, 4): left, top, right, bottom."""
    rows = [(r.left(), r.top(), r.right(), r.bottom()) for r in rects]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 4)


def place_chip(
    size: QSizeF,
    box: QRectF,
    area: QRectF,
    *,
    chips: Rects | None = None,
    boxes: Rects | None = None,
    overlays: Rects | None = None,
) -> QRectF | None:
    """The best place for a chip beside a box.

    Above is tried first, then below, then the sides, and at last inside the box. Every candidate lies
    inside the area.

    Args:
        size: Of the chip; no larger than the area.
        box: The box in the widget.
        area: Where chips may be: the widget less a small margin.
        chips: Chips already placed, (N, 4) as of `as_array`.
        boxes: Other boxes.
        overlays: Other text.

    Returns:
        The chip's rectangle, or None where the box is out of sight.
    """
    visible = box.intersected(area)
    if visible.isEmpty():
        return None
    candidates = _candidates(size, visible, area)
    cost = _ORDER * np.arange(len(candidates)) + _OWN_BOX * _covered(candidates, as_array([box]))
    for weight, others in ((_OTHER_CHIP, chips), (_OTHER_BOX, boxes), (_OVERLAY, overlays)):
        if others is not None and len(others):
            cost += weight * _covered(candidates, others)
    left, top, right, bottom = (float(v) for v in candidates[int(np.argmin(cost))])
    return QRectF(left, top, right - left, bottom - top)


def _candidates(size: QSizeF, box: QRectF, area: QRectF) -> Rects:
    """(N, 4), best first."""
    width, height = size.width(), size.height()
    above, below = box.top() - GAP - height, box.bottom() + GAP
    flush_right = box.right() - width
    places = np.array(
        [
            (box.left(), above),
            (flush_right, above),
            (box.left(), below),
            (flush_right, below),
            (box.right() + GAP, box.top()),
            (box.left() - GAP - width, box.top()),
            (box.right() + GAP, box.bottom() - height),
            (box.left() - GAP - width, box.bottom() - height),
            (box.left() + GAP, box.top() + GAP),
            (box.left() + GAP, box.bottom() - GAP - height),
            # For a box that fills the view, places between the texts in the corners.
            (box.left() + GAP, box.center().y() - 3 * height),
            (box.right() - GAP - width, box.center().y() - 3 * height),
            (box.left() + GAP, box.center().y() + 2 * height),
        ]
    )
    low = np.array([area.left(), area.top()])
    high = np.maximum([area.right() - width, area.bottom() - height], low)
    places = np.clip(places, low, high)
    return np.concatenate([places, places + np.array([width, height])], axis=1)


def _covered(chips: Rects, others: Rects) -> NDArray[np.float64]:
    """For every chip, how much it covers, summed over the others.

    Each counts as the common area over the smaller of the two: hiding a tiny box wholly is as bad as being
    hidden wholly.
    """
    top_left = np.maximum(chips[:, None, :2], others[None, :, :2])
    bottom_right = np.minimum(chips[:, None, 2:], others[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0.0, None)
    smaller = np.minimum(_area(chips)[:, None], _area(others)[None, :])
    return np.asarray((sides[..., 0] * sides[..., 1] / np.maximum(smaller, 1e-9)).sum(axis=1))


def _area(rects: Rects) -> NDArray[np.float64]:
    return np.asarray(np.prod(rects[:, 2:] - rects[:, :2], axis=1))
