"""The boxes of a series in reading, annotations and open predictions alike, put together into lesions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.boxes import iou
from core.detection.findings import Lesion, link
from core.model import Detection, SliceRef

CERTAIN = 1.0
"""Score of a box that a reader stands for: it goes before every prediction."""


@dataclass(frozen=True, slots=True)
class MarkedBox:
    """A box that has not been rejected.

    Attributes:
        box_id: What tells it from the others on its slice.
        found: Box and class; the score is CERTAIN for an annotation.
        finding: The finding that a reader put it in, or "".
    """

    box_id: str
    found: Detection
    finding: str = ""


@dataclass(frozen=True, slots=True)
class ReadLesion:
    """One lesion of the series.

    Attributes:
        lesion: How it was linked: class, slices, extent.
        boxes: (slice index, box id) of every box, by slice; with those that are on it a second time, as
            another class.
        middle: Of them the one on the slice nearest to the lesion's middle.
    """

    lesion: Lesion
    boxes: tuple[tuple[int, str], ...]
    middle: tuple[int, str]


def read_lesions(slices: Sequence[SliceRef], marked: Sequence[Sequence[MarkedBox]]) -> tuple[ReadLesion, ...]:
    """Link the boxes of one stack; every box is in one lesion.

    Args:
        slices: In reading order.
        marked: Per slice its boxes.

    Returns:
        The lesions in the order of their first slices, then from the top left.

    Raises:
        InputError: There are not as many slices as lists of boxes.
    """
    given = [[m.finding for m in row] for row in marked]
    lesions = link([[m.found for m in row] for row in marked], slices, given=given)
    homes: list[dict[int, int]] = [{} for _ in marked]  # per slice, the lesion of each box
    for k, lesion in enumerate(lesions):
        for member in lesion.members:
            homes[member.slice][member.index] = k
    places: list[list[tuple[int, int]]] = [[] for _ in lesions]
    for s, (row, home) in enumerate(zip(marked, homes, strict=True)):
        for i, one in enumerate(row):
            places[home[i] if i in home else _nearest(one, row, home)].append((s, i))
    made = [_read(lesion, at, marked) for lesion, at in zip(lesions, places, strict=True)]
    return tuple(sorted(made, key=_reading_order))


def _nearest(one: MarkedBox, row: Sequence[MarkedBox], home: Mapping[int, int]) -> int:
    """The lesion that a second opinion is about: the one whose box on its slice it overlaps most."""
    return home[max(home, key=lambda i: iou(row[i].found.box, one.found.box))]


def _read(lesion: Lesion, at: Sequence[tuple[int, int]], marked: Sequence[Sequence[MarkedBox]]) -> ReadLesion:
    centre = (lesion.first + lesion.last) / 2
    middle = min(lesion.members, key=lambda m: (abs(m.slice - centre), m.slice))
    return ReadLesion(
        lesion,
        tuple((s, marked[s][i].box_id) for s, i in at),
        (middle.slice, marked[middle.slice][middle.index].box_id),
    )


def _reading_order(one: ReadLesion) -> tuple[float, ...]:
    first = one.lesion.members[0]
    return (first.slice, first.box.y1, first.box.x1, first.index)
