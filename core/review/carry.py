"""Boxes made of other boxes: copied to a slice, interpolated between two, projected into another series.

What a computer has made nobody has looked at: such a box is not checked until a reader has changed it or
said so, and a series is not signed off while one is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.boxes import iou
from core.edits import AnnotationSet
from core.errors import InputError
from core.imaging.geometry import mm_to_pixel, normal, pixel_to_mm, position_along_normal
from core.model import Annotation, Box, Geometry, Origin, OriginKind, Series, SliceRef, new_id

PARALLEL = math.cos(math.radians(10.0))
"""Of the normals of two series, from which a box of one is a box of the other."""

_ALONE_MM = 2.5  # how far from a series of one slice a box may lie and still be on it


def carried(source: Annotation, slice_key: str, box: Box, kind: OriginKind, author: str) -> Annotation:
    """A box made of another: of its class and finding, not checked; what was said of the other is not."""
    return Annotation(
        id=new_id(),
        slice_key=slice_key,
        box=box,
        label_id=source.label_id,
        origin=Origin(kind, source=source.id),
        author=author,
        checked=False,
        finding=source.finding,
    )


@dataclass(frozen=True, slots=True)
class Gap:
    """Two boxes of one lesion with slices between them.

    Attributes:
        first: Index of the first's slice.
        last: Index of the last's slice, at least two further.
        start: The box on the first.
        end: The box on the last.
    """

    first: int
    last: int
    start: Annotation
    end: Annotation


def find_gap(slices: Sequence[SliceRef], annotations: AnnotationSet, chosen: Annotation) -> Gap | None:
    """The gap between a box and the nearest other box of its lesion: before it, else after it.

    One lesion are boxes of one class that lie at one place and that no reader has put into different
    findings.
    """
    at = next((i for i, ref in enumerate(slices) if ref.key == chosen.slice_key), None)
    if at is None:
        return None
    before = _nearest(slices, annotations, chosen, range(at - 1, -1, -1))
    if before is not None and at - before[0] > 1:
        return Gap(before[0], at, before[1], chosen)
    after = _nearest(slices, annotations, chosen, range(at + 1, len(slices)))
    if after is not None and after[0] - at > 1:
        return Gap(at, after[0], chosen, after[1])
    return None


def _nearest(
    slices: Sequence[SliceRef], annotations: AnnotationSet, chosen: Annotation, indices: range
) -> tuple[int, Annotation] | None:
    for index in indices:
        found = list(_same_lesion(chosen, annotations.on(slices[index].key).annotations))
        if found:
            return index, max(found, key=lambda a: (iou(a.box, chosen.box), -_apart(a.box, chosen.box)))
    return None


def _same_lesion(chosen: Annotation, others: Sequence[Annotation]) -> Iterator[Annotation]:
    for other in others:
        said = bool(chosen.finding) and other.finding == chosen.finding
        apart = bool(chosen.finding and other.finding) and not said
        reach = max(math.hypot(b.width, b.height) for b in (chosen.box, other.box))
        near = _apart(other.box, chosen.box) < reach
        if other.label_id == chosen.label_id and not apart and (said or near):
            yield other


def _apart(a: Box, b: Box) -> float:
    """Pixels between the centres."""
    return math.hypot(a.x1 + a.x2 - b.x1 - b.x2, a.y1 + a.y2 - b.y1 - b.y2) / 2


def interpolated(gap: Gap, slices: Sequence[SliceRef], author: str) -> tuple[Annotation, ...]:
    """A box on every slice of the gap, its edges in proportion to where the slice lies.

    Where all slices have a position that is along the normal in mm, else by their number.

    Args:
        gap: Between which boxes.
        slices: Of the whole series.
        author: Who asked for it.
    """
    places = _places(slices[gap.first : gap.last + 1])
    source = gap.start if gap.start.finding else gap.end
    made = []
    for index in range(gap.first + 1, gap.last):
        share = (places[index - gap.first] - places[0]) / (places[-1] - places[0])
        edges = zip(gap.start.box.as_tuple(), gap.end.box.as_tuple(), strict=True)
        x1, y1, x2, y2 = ((1.0 - share) * a + share * b for a, b in edges)
        ref = slices[index]
        box = Box(x1, y1, x2, y2).clipped(ref.columns, ref.rows)
        if box is not None:
            made.append(carried(source, ref.key, box, OriginKind.INTERPOLATED, author))
    return tuple(made)


def _places(slices: Sequence[SliceRef]) -> list[float]:
    known = [ref.geometry for ref in slices if ref.geometry is not None]
    if len(known) == len(slices):
        axis = np.array(normal(known[0]))
        places = [float(np.dot(g.position, axis)) for g in known]
        steps = np.diff(places)
        if bool((steps > 0).all() or (steps < 0).all()):
            return places
    return [float(i) for i in range(len(slices))]


def can_project(ref: SliceRef, series: Series) -> bool:
    """Whether boxes of a slice may be boxes of the series: same frame of reference, parallel planes."""
    other = next((s for s in series.slices if s.geometry is not None), None)
    if ref.geometry is None or other is None or other.geometry is None or not ref.frame_of_reference:
        return False
    return ref.frame_of_reference == other.frame_of_reference and _parallel(ref.geometry, other.geometry)


def _parallel(a: Geometry, b: Geometry) -> bool:
    return abs(float(np.dot(normal(a), normal(b)))) >= PARALLEL


def projected(box: Box, ref: SliceRef, series: Series) -> tuple[SliceRef, Box]:
    """Where a box of one series lies in another, through millimetres.

    Its corners go to the patient and back onto the nearest slice of the other series; the box around them is
    the answer.

    Args:
        box: On `ref`.
        ref: A slice with a place in the patient.
        series: The other series, see `can_project`.

    Raises:
        InputError: It lies beyond the other series' slices or outside of their picture, or they have no place
            in common.
    """
    if not can_project(ref, series) or ref.geometry is None:
        raise InputError(
            f"{series.description or series.modality}: has no frame of reference and plane in common with "
            "this series, so a box of one is no box of the other."
        )
    target, off = _nearest_slice(box, ref.geometry, series)
    geometry = target.geometry
    assert geometry is not None
    limit = _half_step(series)
    if off > limit * 1.01:
        raise InputError(
            f"{series.description or series.modality}: its nearest slice is {off:.1f} mm from this box, more "
            f"than half a step ({limit:.1f} mm)."
        )
    corners = [(x, y) for x in (box.x1, box.x2) for y in (box.y1, box.y2)]
    points = np.array([mm_to_pixel(geometry, pixel_to_mm(ref.geometry, x, y)) for x, y in corners])
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    inside = Box(x1, y1, x2, y2).clipped(target.columns, target.rows)
    if inside is None:
        raise InputError(
            f"{series.description or series.modality}: this box lies outside of its slices ({x1:.0f} … "
            f"{x2:.0f}, {y1:.0f} … {y2:.0f} of {target.columns} × {target.rows} px)."
        )
    return target, inside


def _nearest_slice(box: Box, geometry: Geometry, series: Series) -> tuple[SliceRef, float]:
    """The slice of the series nearest to the middle of a box, and how many mm it is off."""
    centre = np.array(pixel_to_mm(geometry, (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2))
    best: tuple[float, SliceRef] | None = None
    for ref in series.slices:
        if ref.geometry is not None:
            axis = np.array(normal(ref.geometry))
            off = abs(float(np.dot(axis, centre - np.array(ref.geometry.position))))
            if best is None or off < best[0]:
                best = (off, ref)
    assert best is not None  # `can_project` has found one with a place
    return best[1], best[0]


def _half_step(series: Series) -> float:
    places = sorted(position_along_normal(s.geometry) for s in series.slices if s.geometry is not None)
    steps = [step for step in np.diff(places).tolist() if step > 1e-3]
    return float(np.median(steps)) / 2 if steps else _ALONE_MM
