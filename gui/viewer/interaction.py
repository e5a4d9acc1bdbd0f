"""Hit-testing and the arithmetic of editing a box: pure functions over frozen records.

Distances are screen distances: a handle is as easy to hit at any zoom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QPointF, QRectF, Qt

from core.model import Box
from gui.viewer.scene import BoxItem, BoxKind
from gui.viewer.transform import ViewTransform

HANDLE_SIZE = 8.0
HANDLE_REACH = 7.0
EDGE_REACH = 4.0
# The handles of a tiny box stand off from it, so that it stays visible and can be grabbed between them.
_MIN_FRAME = 34.0

Bounds = tuple[float, float]


class Handle(StrEnum):
    """The eight handles by compass; the value names the edges that follow (n = top, …)."""

    NW = "nw"
    N = "n"
    NE = "ne"
    E = "e"
    SE = "se"
    S = "s"
    SW = "sw"
    W = "w"


_PLACES: dict[Handle, tuple[float, float]] = {
    Handle.NW: (0, 0),
    Handle.N: (0.5, 0),
    Handle.NE: (1, 0),
    Handle.E: (1, 0.5),
    Handle.SE: (1, 1),
    Handle.S: (0.5, 1),
    Handle.SW: (0, 1),
    Handle.W: (0, 0.5),
}

HANDLE_CURSORS: dict[Handle, Qt.CursorShape] = {
    Handle.NW: Qt.CursorShape.SizeFDiagCursor,
    Handle.SE: Qt.CursorShape.SizeFDiagCursor,
    Handle.NE: Qt.CursorShape.SizeBDiagCursor,
    Handle.SW: Qt.CursorShape.SizeBDiagCursor,
    Handle.N: Qt.CursorShape.SizeVerCursor,
    Handle.S: Qt.CursorShape.SizeVerCursor,
    Handle.E: Qt.CursorShape.SizeHorCursor,
    Handle.W: Qt.CursorShape.SizeHorCursor,
}


class Part(StrEnum):
    """What of a box was hit."""

    HANDLE = "handle"
    EDGE = "edge"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Hit:
    """A box under the pointer, the part of it, and the handle where one was hit."""

    item: BoxItem
    part: Part
    handle: Handle | None = None


@dataclass(frozen=True, slots=True)
class HitContext:
    """What hit-testing looks at: the boxes in drawing order, the selected id, the view."""

    boxes: tuple[BoxItem, ...]
    selected: str | None
    transform: ViewTransform


def handle_rects(rect: QRectF) -> dict[Handle, QRectF]:
    """The eight handles of a box whose widget rectangle this is."""
    spread_x = max(0.0, (_MIN_FRAME - rect.width()) / 2)
    spread_y = max(0.0, (_MIN_FRAME - rect.height()) / 2)
    frame = rect.adjusted(-spread_x, -spread_y, spread_x, spread_y)
    half = HANDLE_SIZE / 2
    return {
        handle: QRectF(
            frame.left() + fx * frame.width() - half,
            frame.top() + fy * frame.height() - half,
            HANDLE_SIZE,
            HANDLE_SIZE,
        )
        for handle, (fx, fy) in _PLACES.items()
    }


def hit_test(context: HitContext, at: QPointF, *, prefer_selected: bool = True) -> Hit | None:
    """What is under a widget point: handles before edges before bodies, proposals last.

    Within edges and bodies the selected box wins, then the smaller one, then the one drawn later.
    Proposals have edges only and come after everything else, so that a heap of them never stands in
    the way of a box that counts.

    Args:
        context: Boxes and view.
        at: Widget point.
        prefer_selected: False lets a smaller box inside the selected one be picked by a click.
    """
    topmost_first = context.boxes[::-1]
    by_preference = sorted(
        topmost_first, key=lambda item: (not (prefer_selected and item.id == context.selected), item.box.area)
    )
    boxes = [item for item in by_preference if item.kind is not BoxKind.PROPOSAL]
    proposals = [item for item in by_preference if item.kind is BoxKind.PROPOSAL]
    return (
        _handle_at(context, at)
        or _edge_at(boxes, context.transform, at)
        or _body_at(boxes, context.transform, at)
        or _edge_at(proposals, context.transform, at)
    )


def _handle_at(context: HitContext, at: QPointF) -> Hit | None:
    item = next((b for b in context.boxes if b.id == context.selected and b.editable), None)
    if item is None:
        return None
    best: Handle | None = None
    best_distance = HANDLE_REACH
    for handle, rect in handle_rects(context.transform.rect(item.box)).items():
        offset = at - rect.center()
        distance = max(abs(offset.x()), abs(offset.y()))
        if distance <= best_distance:
            best, best_distance = handle, distance
    return Hit(item, Part.HANDLE, best) if best else None


def _edge_at(boxes: Sequence[BoxItem], transform: ViewTransform, at: QPointF) -> Hit | None:
    # Compared in image coordinates: no Qt object per box, for there can be thousands of proposals.
    x, y = transform.to_image(at)
    rx, ry = EDGE_REACH / transform.scale_x, EDGE_REACH / transform.scale_y
    for item in boxes:
        b = item.box
        outside = x < b.x1 - rx or x > b.x2 + rx or y < b.y1 - ry or y > b.y2 + ry
        inside = b.x1 + rx < x < b.x2 - rx and b.y1 + ry < y < b.y2 - ry
        if not outside and not inside:
            return Hit(item, Part.EDGE)
    return None


def _body_at(boxes: Sequence[BoxItem], transform: ViewTransform, at: QPointF) -> Hit | None:
    x, y = transform.to_image(at)
    for item in boxes:
        if item.box.contains(x, y):
            return Hit(item, Part.BODY)
    return None


def span(first: tuple[float, float], second: tuple[float, float], bounds: Bounds) -> Box | None:
    """The box between two corners, clamped to [0, width] × [0, height]; None where it has no area."""
    width, height = bounds
    x1, x2 = sorted((_clamp(first[0], width), _clamp(second[0], width)))
    y1, y2 = sorted((_clamp(first[1], height), _clamp(second[1], height)))
    return Box(x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def moved(box: Box, by: tuple[float, float], bounds: Bounds) -> Box:
    """The box shifted, its size kept, as far as the bounds let it.

    A box that already reaches outside (an import can) may move inwards but no further out.
    """
    dx = _limited(by[0], -box.x1, bounds[0] - box.x2)
    dy = _limited(by[1], -box.y1, bounds[1] - box.y2)
    shifted = box.moved(dx, dy)
    was_inside = box.clipped(*bounds) == box
    # x2 + (width - x2) can miss the edge by a rounding; the edge is meant exactly.
    return (shifted.clipped(*bounds) or shifted) if was_inside else shifted


def reshaped(box: Box, handle: Handle, by: tuple[float, float], bounds: Bounds) -> Box | None:
    """The box with the handle's edges shifted; pulled past the opposite edge it turns over.

    Returns:
        The new box inside the bounds, or None where it would have no area.
    """
    x1, y1, x2, y2 = box.as_tuple()
    x1 += by[0] if "w" in handle.value else 0.0
    x2 += by[0] if "e" in handle.value else 0.0
    y1 += by[1] if "n" in handle.value else 0.0
    y2 += by[1] if "s" in handle.value else 0.0
    return span((x1, y1), (x2, y2), bounds)


def _clamp(value: float, high: float) -> float:
    return min(max(value, 0.0), high)


def _limited(by: float, low: float, high: float) -> float:
    # low > 0 or high < 0 where the box already sticks out on that side.
    return min(max(by, min(low, 0.0)), max(high, 0.0))
