"""Between two viewports: which slice, which point and which zoom of one belong to those of the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QSizeF

from core.imaging.geometry import normal, position_along_normal
from core.imaging.space import line_on, map_point, same_space
from core.imaging.stacks import along_normal
from core.model import Series, SliceRef
from gui.viewer.transform import ViewTransform, fitted, pixel_aspect

Point = tuple[float, float]
Line = tuple[Point, Point]
_PARALLEL = 0.97
"""Cosine of some 14 degrees: sequences planned on different localisers are tilted a little."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A slice of a series."""

    series: Series
    index: int

    @property
    def ref(self) -> SliceRef:
        """The slice."""
        return self.series.slices[self.index]


def one_space(a: Series, b: Series) -> bool:
    """Whether the two are linked by the patient's millimetres; else only by their distance when linked."""
    return bool(a.slices and b.slices) and same_space(a.slices[0], b.slices[0])


def slice_at(source: Spot, point: Point, target: Series) -> int | None:
    """The slice of a series nearest to a point of another; None where they do not share a space."""
    spot = map_point(source.ref, *point, target.slices)
    return spot.index if spot else None


def middle(ref: SliceRef) -> Point:
    """The middle of a slice."""
    return (ref.columns / 2, ref.rows / 2)


def parallel(a: SliceRef, b: SliceRef) -> bool:
    """Whether the two slices lie in parallel planes, seen from the same side."""
    if a.geometry is None or b.geometry is None:
        return False
    return sum(p * q for p, q in zip(normal(a.geometry), normal(b.geometry), strict=True)) > _PARALLEL


def offset(source: Spot, target: Spot) -> float:
    """How far apart two stacks without a common space stand: in mm where both are placed, else in slices."""
    if _by_mm(source, target.series):
        return _along(target.ref) - _along(source.ref)
    return float(target.index - source.index)


def slice_by_offset(source: Spot, target: Series, distance: float) -> int:
    """The slice of a stack that stands as far from the source as when they were linked."""
    along = along_normal(target.slices) if _by_mm(source, target) else None
    if along is None:
        return min(max(source.index + round(distance), 0), len(target.slices) - 1)
    wanted = _along(source.ref) + distance
    return min(range(len(target.slices)), key=lambda i: abs(float(along[i]) - wanted))


def beginning(here: Spot, target: Series) -> int:
    """Where a series hung beside a slice begins: through its middle, else as far through the stack."""
    found = slice_at(here, middle(here.ref), target)
    if found is not None:
        return found
    return round(here.index * (len(target.slices) - 1) / max(len(here.series.slices) - 1, 1))


def following(here: Spot, there: Spot, distance: float) -> int:
    """The slice that a viewport goes to when it follows another.

    Args:
        here: What is followed.
        there: What the follower shows.
        distance: As of `offset` when they were linked; where they share no space.
    """
    if not one_space(here.series, there.series):
        return slice_by_offset(here, there.series, distance)
    if not parallel(here.ref, there.ref):
        return there.index  # another plane: its reference line moves, not the slice
    found = slice_at(here, middle(here.ref), there.series)
    return there.index if found is None else found


def cross_on(source: Spot, point: Point, target: Spot) -> Point | None:
    """Where a point of one slice lies on another; None outside it, or where it is the same slice."""
    if source.ref.key == target.ref.key:
        return None
    found = map_point(source.ref, *point, [target.ref])
    if found is None or not (0 <= found.x < target.ref.columns and 0 <= found.y < target.ref.rows):
        return None
    return (found.x, found.y)


def lines_on(target: Spot, others: Iterable[Spot]) -> tuple[Line, ...]:
    """Where other slices cut one: those in other planes."""
    found = (line_on(o.ref, target.ref) for o in others if not parallel(o.ref, target.ref))
    return tuple(line for line in found if line is not None)


def _by_mm(source: Spot, target: Series) -> bool:
    return parallel(source.ref, target.slices[0]) and along_normal(target.slices) is not None


def _along(ref: SliceRef) -> float:
    assert ref.geometry is not None
    return position_along_normal(ref.geometry)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a viewport shows: a slice, how, and in how much room."""

    spot: Spot
    view: ViewTransform
    size: QSizeF

    @property
    def middle(self) -> Point:
        """The image point in the middle of the viewport."""
        return self.view.to_image(QPointF(self.size.width() / 2, self.size.height() / 2))


def linked_view(source: Seen, target: Seen) -> ViewTransform:
    """The target's zoom and pan that show what the source shows.

    In one space: the same millimetres to the centimetre of screen, around the same point of the patient. Else
    as many times the fitted size, around the same place in proportion.
    """
    ours, theirs = source.spot.ref, target.spot.ref
    point = source.middle
    if ours.spacing and theirs.spacing and same_space(ours, theirs):
        found = map_point(ours, *point, [theirs])
        place = (found.x, found.y) if found else middle(theirs)
        scale = source.view.scale_x / ours.spacing[1] * theirs.spacing[1]
    else:
        place = (point[0] / ours.columns * theirs.columns, point[1] / ours.rows * theirs.rows)
        scale = _fit(target).scale_x * source.view.scale_x / _fit(source).scale_x
    aspect = pixel_aspect(theirs.spacing, theirs.aspect)
    view = ViewTransform(scale, scale * aspect, orientation=target.view.orientation)
    middle_of_widget = QPointF(target.size.width() / 2, target.size.height() / 2)
    return view.panned(middle_of_widget - view.to_widget(*place))


def _fit(seen: Seen) -> ViewTransform:
    ref = seen.spot.ref
    shape = (ref.rows, ref.columns)
    return fitted(shape, seen.size, pixel_aspect(ref.spacing, ref.aspect), orientation=seen.view.orientation)
