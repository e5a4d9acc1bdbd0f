"""The slice strip as arithmetic: which slices share a column, and what a column shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Columns narrower than this (widget pixels) cannot be told apart: slices then share them.
NARROWEST = 4.0
_WIDEST = 26.0


@dataclass(frozen=True, slots=True)
class SliceMark:
    """What is known of one slice.

    Attributes:
        unread: Nobody has signed it off.
        predicted: Detections nobody has judged yet.
        accepted: Accepted detections.
        edited: Annotations drawn or corrected by hand.
        rejected: Rejected detections.
        computed: The engine has been over it.
    """

    unread: bool = True
    predicted: int = 0
    accepted: int = 0
    edited: int = 0
    rejected: int = 0
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """Neighbouring slices drawn as one.

    Attributes:
        first: First slice.
        last: Last slice, inclusive.
        left: Widget x.
        width: In widget pixels.
        unread: Slices among them that are unread.
        computed: Slices among them that the engine has been over.
        predicted: Sum over the slices; so are accepted, edited and rejected.
        accepted: See predicted.
        edited: See predicted.
        rejected: See predicted.
    """

    first: int
    last: int
    left: float
    width: float
    unread: int
    computed: int
    predicted: int
    accepted: int
    edited: int
    rejected: int

    @property
    def slices(self) -> int:
        """How many slices share the column."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class StripGeometry:
    """Where slices are on the strip.

    Attributes:
        count: Number of slices.
        left: Widget x of the first slice's left edge.
        per_slice: Widget pixels a slice takes; less than one where there are very many.
    """

    count: int
    left: float
    per_slice: float

    @classmethod
    def of(cls, count: int, left: float, width: float) -> StripGeometry:
        """Slices spread over the width, but no wider than is sensible, then centred."""
        per_slice = min(max(width, 1.0) / max(count, 1), _WIDEST)
        return cls(count, left + max(width - per_slice * count, 0.0) / 2, per_slice)

    @property
    def right(self) -> float:
        """Widget x of the last slice's right edge."""
        return self.left + self.count * self.per_slice

    def slice_at(self, x: float) -> int:
        """The slice at a widget x; the nearest one outside.

        Raises:
            ValueError: There are no slices.
        """
        if self.count == 0:
            raise ValueError("a strip without slices has no slice anywhere")
        return min(max(int((x - self.left) // self.per_slice), 0), self.count - 1)

    def middle_of(self, index: int) -> float:
        """Widget x of a slice's middle."""
        return self.left + (index + 0.5) * self.per_slice

    def group(self) -> int:
        """How many slices share a column so that it is wide enough to be seen."""
        return max(1, -int(-NARROWEST // self.per_slice))


def columns(marks: Sequence[SliceMark], geometry: StripGeometry) -> tuple[Column, ...]:
    """The marks gathered into columns; nothing of any slice is lost in the sums."""
    group = geometry.group()
    made = []
    for first in range(0, len(marks), group):
        part = marks[first : first + group]
        made.append(
            Column(
                first=first,
                last=first + len(part) - 1,
                left=geometry.left + first * geometry.per_slice,
                width=len(part) * geometry.per_slice,
                unread=sum(m.unread for m in part),
                computed=sum(m.computed for m in part),
                predicted=sum(m.predicted for m in part),
                accepted=sum(m.accepted for m in part),
                edited=sum(m.edited for m in part),
                rejected=sum(m.rejected for m in part),
            )
        )
    return tuple(made)


def words(mark: SliceMark, index: int, count: int) -> str:
    """A slice in words, for tooltips and screen readers; slices are counted from 1."""
    parts = [f"Slice {index + 1} of {count}", "unread" if mark.unread else "read"]
    found = [
        f"{number} {name}"
        for number, name in (
            (mark.predicted, "predicted"),
            (mark.accepted, "accepted"),
            (mark.edited, "edited"),
            (mark.rejected, "rejected"),
        )
        if number
    ]
    if found:
        parts.append(", ".join(found))
    elif mark.computed:
        parts.append("nothing predicted")
    if not mark.computed:
        parts.append("not computed yet")
    return " · ".join(parts)
