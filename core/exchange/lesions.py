"""The series of a run, with their true boxes linked into lesions and their detections into findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.detection.findings import Lesion, link
from core.evaluation.lesions import LesionBoxes, SeriesLesions
from core.imaging.geometry import position_along_normal
from core.imaging.grouping import reading_order, same_plane
from core.model import Box, Detection, LabelledSlice, LabelSchema, SliceRef

Truth = Sequence[tuple[Box, int]]
_APART_MM = 0.01


@dataclass(frozen=True, slots=True)
class Judged:
    """One slice with what is true of it and what was found.

    Attributes:
        labelled: The slice, with its group.
        truth: True boxes and class ids.
        found: Detections.
    """

    labelled: LabelledSlice
    truth: Truth
    found: Sequence[Detection]


def series_lesions(slices: Iterable[Judged], schema: LabelSchema) -> tuple[SeriesLesions, ...]:
    """Every series among the slices: those of one series UID, shape and orientation, at two places or more.

    Slices without a position, and single slices, belong to none: nothing can be linked there. Where a data
    set holds a part of a series only, the part is taken for the whole.

    Args:
        slices: Truth and detections.
        schema: Names of the classes.
    """
    stacks = _stacks(slices)
    groups = _joined([[j.labelled.group for j in stack] for stack in stacks])
    return tuple(_linked(stack, group, schema) for stack, group in zip(stacks, groups, strict=True))


def _stacks(slices: Iterable[Judged]) -> list[list[Judged]]:
    """The slices of each series in reading order."""
    planes: dict[str, list[list[Judged]]] = {}
    for judged in slices:
        ref = judged.labelled.ref
        if ref.geometry is None:
            continue
        stacks = planes.setdefault(ref.series_uid, [])
        home = next((s for s in stacks if same_plane(s[0].labelled.ref, ref)), None)
        if home is None:
            stacks.append([judged])
        else:
            home.append(judged)
    return [_ordered(stack) for stacks in planes.values() for stack in stacks if _has_depth(stack)]


def _has_depth(stack: Sequence[Judged]) -> bool:
    places = [position_along_normal(g) for j in stack if (g := j.labelled.ref.geometry) is not None]
    return max(places) - min(places) > _APART_MM


def _ordered(stack: Sequence[Judged]) -> list[Judged]:
    by_slice = {id(j.labelled.ref): j for j in stack}
    return [by_slice[id(ref)] for ref in reading_order((j.labelled.ref for j in stack), is_stack=True)]


def _joined(groups: Sequence[Sequence[str]]) -> list[str]:
    """Per series one group, which resamples draw as a whole.

    Where slices of a series have several groups (every file its own, say), these are one; and what shares a
    slice's group with another series goes with it.
    """
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            name = above[name]
        return name

    for names in groups:
        for name in names:
            one, other = sorted((top(names[0]), top(name)))
            above[other] = one
    return [top(names[0]) for names in groups]


def _linked(stack: Sequence[Judged], group: str, schema: LabelSchema) -> SeriesLesions:
    refs: list[SliceRef] = [j.labelled.ref for j in stack]
    true = [[Detection(box, label, schema.name_of(label), 1.0) for box, label in j.truth] for j in stack]
    return SeriesLesions(
        patient=group,
        slices=len(stack),
        truth=tuple(map(_boxes, link(true, refs))),
        found=tuple(map(_boxes, link([j.found for j in stack], refs))),
    )


def _boxes(lesion: Lesion) -> LesionBoxes:
    return LesionBoxes(lesion.boxes, lesion.score)
