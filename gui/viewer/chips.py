"""Where the label of a box goes: near it, off the lesion, inside the widget, off the other labels."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSizeF

GAP = 3.0

# Costs of covering something, per share of the chip covered. The chip's own lesion is the worst.
_OWN_BOX = 10.0
_OTHER_CHIP = 6.0
_OVERLAY = 3.0
_OTHER_BOX = 2.0
# Later candidates are less wanted; small beside the costs above.
_ORDER = 0.05


def place_chip(
    size: QSizeF,
    box: QRectF,
    area: QRectF,
    *,
    chips: Sequence[QRectF] = (),
    boxes: Sequence[QRectF] = (),
    overlays: Sequence[QRectF] = (),
) -> QRectF | None:
    """The best place for a chip beside a box.

    Above is tried first, then below, then the sides, and at last inside the box. Every candidate lies
    inside the area.

    Args:
        size: Of the chip; no larger than the area.
        box: The box in the widget.
        area: Where chips may be: the widget less a small margin.
        chips: Chips already placed.
        boxes: Other boxes.
        overlays: Other text.

    Returns:
        The chip's rectangle, or None where the box is out of sight.
    """
    visible = box.intersected(area)
    if visible.isEmpty():
        return None
    best, best_cost = None, float("inf")
    for order, candidate in enumerate(_candidates(size, visible, area)):
        cost = order * _ORDER + _OWN_BOX * _share(candidate, box)
        cost += _OTHER_CHIP * sum(_share(candidate, other) for other in chips)
        cost += _OTHER_BOX * sum(_share(candidate, other) for other in boxes)
        cost += _OVERLAY * sum(_share(candidate, other) for other in overlays)
        if cost < best_cost:
            best, best_cost = candidate, cost
    return best


def _candidates(size: QSizeF, box: QRectF, area: QRectF) -> list[QRectF]:
    width, height = size.width(), size.height()
    above, below = box.top() - GAP - height, box.bottom() + GAP
    flush_right = box.right() - width
    places = [
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
    ]
    return [_inside(QRectF(x, y, width, height), area) for x, y in places]


def _inside(rect: QRectF, area: QRectF) -> QRectF:
    x = min(max(rect.left(), area.left()), max(area.right() - rect.width(), area.left()))
    y = min(max(rect.top(), area.top()), max(area.bottom() - rect.height(), area.top()))
    return QRectF(x, y, rect.width(), rect.height())


def _share(chip: QRectF, other: QRectF) -> float:
    """How much of the chip the other rectangle covers, in [0, 1]."""
    common = chip.intersected(other)
    total = chip.width() * chip.height()
    return common.width() * common.height() / total if total > 0 and not common.isEmpty() else 0.0
