"""A DICOM header from one frame's point of view; attributes read so that no odd value breaks anything."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from core.imaging.dicom_file import OpenDicom

# What a header may break in: values of the wrong type, number, or range.
ODD = (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Frame:
    """The header from one frame's point of view.

    An attribute is looked for in the frame's own functional groups, then in the shared ones, then at the top.

    Attributes:
        top: The whole data set.
        groups: Functional groups that apply, the frame's own first; empty for a classic object.
    """

    top: Dataset
    groups: tuple[Dataset, ...]

    def within(self, sequence: str) -> Dataset:
        """The first item of a functional group, or the top level where there is none."""
        items = self.items(sequence)
        return items[0] if items else self.top

    def items(self, sequence: str) -> Sequence[Dataset]:
        """The items of a sequence: the frame's own, else the shared ones; none where neither has it."""
        for group in self.groups:
            items = sequence_items(group, sequence)
            if items:
                return items
        return ()


def frames_of(opened: OpenDicom) -> list[Frame]:
    """One view per frame."""
    top = opened.dataset
    shared = tuple(sequence_items(top, "SharedFunctionalGroupsSequence")[:1])
    per_frame = sequence_items(top, "PerFrameFunctionalGroupsSequence")
    return [
        Frame(top, ((per_frame[i],) if i < len(per_frame) else ()) + shared) for i in range(opened.frames)
    ]


def sequence_items(dataset: Dataset, name: str) -> Sequence[Dataset]:
    """The items of a sequence; none where it is absent or malformed."""
    try:
        value = dataset.get(name)
        return list(value) if value is not None and all(isinstance(v, Dataset) for v in value) else []
    except ODD:
        return []


def numbers(dataset: Dataset, name: str) -> tuple[float, ...]:
    """The finite numbers of an attribute; none where it is absent or malformed."""
    try:
        value = dataset.get(name)
        if value is None or (isinstance(value, str | bytes) and not value):
            return ()
        given = [value] if isinstance(value, str | bytes | int | float) else list(value)
        found = tuple(float(v) for v in given)
    except ODD:
        return ()
    return found if all(math.isfinite(v) for v in found) else ()


def text(dataset: Dataset, name: str) -> str:
    """An attribute as text, control characters removed; "" where it is absent or malformed."""
    try:
        value = dataset.get(name)
        words = "\\".join(map(str, value)) if isinstance(value, MutableSequence) else str(value or "")
    except ODD:
        return ""
    return "".join(c for c in words if c.isprintable()).strip()


def integer(dataset: Dataset, name: str) -> int | None:
    """An attribute as a whole number, or None."""
    found = numbers(dataset, name)
    return int(found[0]) if found else None
