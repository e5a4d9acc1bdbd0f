"""Links detections across the slices of a series into findings: one lesion, the boxes it has on each slice.

The rule. Detections of slices at most `gap + 1` steps apart are joined by an edge where they overlap
(IoU ≥ `least_iou`) or where their centres lie nearer than `near` times the smaller box's diagonal. Edges are
taken by falling strength: the weaker of the two scores, times how well the boxes agree, over the steps
between them. An edge merges the two lesions it joins unless both have a box on one slice: so no slice gives
two boxes to a lesion, and lesions side by side, or crossing, stay two. What no edge takes is a lesion of its
own.

The result depends neither on the order of the detections on a slice nor on the direction of the stack (only
a stack that equals its own mirror image, box for box, may have ties that the direction decides).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.boxes import Boxes, iou, iou_matrix, to_array
from core.errors import InputError
from core.imaging.geometry import normal, size_mm
from core.model import Box, Detection, SliceRef

ELLIPSOID = math.pi / 6
"""Share of its enclosing box that an ellipsoid fills."""

_TOLERANCE = 0.25  # of a step: written positions are rounded, and steps drift


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """How detections are linked.

    Attributes:
        gap: Slices without a detection that are bridged, ≥ 0.
        least_iou: Overlap from which boxes of different slices are one lesion, in (0, 1].
        near: Distance of centres, as a share of the smaller box's diagonal, below which they are too.
        same_place: Overlap on one slice from which a weaker detection of another class is no box of its own
            but a second opinion: it votes on the class of the stronger one's lesion.

    Raises:
        ValueError: A value is outside its range.
    """

    gap: int = 1
    least_iou: float = 0.2
    near: float = 0.5
    same_place: float = 0.5

    def __post_init__(self) -> None:
        if self.gap < 0:
            raise ValueError(f"link gap={self.gap}: must be at least 0 slices")
        for name in ("least_iou", "near", "same_place"):
            value = getattr(self, name)
            if not 0.0 < value <= 1.0:
                raise ValueError(f"link {name}={value}: must be above 0 and at most 1")


@dataclass(frozen=True, slots=True)
class Member:
    """One box of a lesion.

    Attributes:
        slice: Index of the slice in reading order.
        index: Index of the detection on its slice.
        box: The detection's box.
        score: The detection's score.
    """

    slice: int
    index: int
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Lesion:
    """A finding of the model: the detections of one lesion, at most one on a slice.

    Attributes:
        members: By slice, ascending; at least one.
        score: The best of the members' scores.
        label_id: The class with the greatest sum of scores (ties: the lower id).
        label: Its name.
        extent_mm: Along x, along y, and through the stack: what the boxes span together, a slice counting
            for one step of the stack. None where spacing or positions are not known.
        volume_ml: An estimate from boxes, not a measurement: the ellipsoid (factor π/6) on width and
            height of the largest box and the extent through the stack, as in the ABC/2 rule (Kothari et al.,
            Stroke 1996). None where `extent_mm` is.
    """

    members: tuple[Member, ...]
    score: float
    label_id: int
    label: str
    extent_mm: tuple[float, float, float] | None
    volume_ml: float | None

    @property
    def first(self) -> int:
        """Index of the first slice."""
        return self.members[0].slice

    @property
    def last(self) -> int:
        """Index of the last slice."""
        return self.members[-1].slice

    @property
    def boxes(self) -> tuple[tuple[int, Box], ...]:
        """(slice, box) of every member."""
        return tuple((m.slice, m.box) for m in self.members)


@dataclass(frozen=True, slots=True)
class _Stack:
    """What is known of the slices together.

    Attributes:
        places: Where each slice lies, in mm along the stack where `step` is known, else its index.
        step: Millimetres from slice to slice (the median), or None.
        spacing: (row, column) in mm where all slices share one, or None.
    """

    places: tuple[float, ...]
    step: float | None
    spacing: tuple[float, float] | None

    def steps(self, a: int, b: int) -> float:
        """Steps of the stack between two slices."""
        return abs(self.places[a] - self.places[b]) / (self.step or 1.0)


@dataclass(frozen=True, slots=True)
class _Node:
    slice: int
    index: int
    found: Detection
    given: str = ""

    @property
    def key(self) -> tuple[float | str, ...]:
        return (-self.found.score, *self.found.box.as_tuple(), self.found.label_id, self.found.label)


def link(
    detections: Sequence[Sequence[Detection]],
    slices: Sequence[SliceRef],
    config: LinkConfig | None = None,
    given: Sequence[Sequence[str]] | None = None,
) -> tuple[Lesion, ...]:
    """Link the detections of one series into lesions, best score first.

    Every detection belongs to one lesion, but for the second opinions (`LinkConfig.same_place`).

    Args:
        detections: Per slice.
        slices: The slices in reading order, as many; their geometry makes the rule and the extents
            millimetric where it is known.
        config: How; the defaults where None.
        given: Per detection the finding that a reader put it in, "" for none. Those of one name are one
            lesion (but for a second one on a slice), those of two names never are; others follow the rule.

    Raises:
        InputError: There are not as many slices as lists of detections.
    """
    if len(detections) != len(slices):
        raise InputError(
            f"{len(detections)} lists of detections for {len(slices)} slices: give one for each."
        )
    config = config or LinkConfig()
    stack = _stack(slices)
    rows = [
        sorted(
            (_Node(s, i, d, given[s][i] if given else "") for i, d in enumerate(found)), key=lambda n: n.key
        )
        for s, found in enumerate(detections)
    ]
    if _reads_backwards(rows, stack):
        rows.reverse()
    kept, opinions = _second_opinions(rows, config.same_place)
    nodes = [node for row in kept for node in row]
    groups = _grouped(nodes, _edges(kept, stack, config))
    made = [_lesion([nodes[i] for i in group], opinions, stack) for group in groups]
    return tuple(sorted(made, key=lambda m: (-m.score, m.first, m.members[0].index)))


def _stack(slices: Sequence[SliceRef]) -> _Stack:
    spacings = [
        (r.geometry.row_spacing, r.geometry.column_spacing) if r.geometry else r.spacing for r in slices
    ]
    first = spacings[0] if spacings else None
    alike = first is not None and all(s is not None and np.allclose(s, first, rtol=1e-3) for s in spacings)
    by_index = tuple(float(i) for i in range(len(slices)))
    geometries = [r.geometry for r in slices if r.geometry is not None]
    if not geometries or len(geometries) < len(slices):
        return _Stack(by_index, None, first if alike else None)
    axis = np.array(normal(geometries[0]))  # one for all: each slice's own may differ in the last digit
    places = tuple(float(np.dot(g.position, axis)) for g in geometries)
    steps = [abs(b - a) for a, b in pairwise(places) if abs(b - a) > 1e-3]
    if not steps:
        return _Stack(by_index, None, first if alike else None)
    return _Stack(places, float(np.median(steps)), first if alike else None)


def _reads_backwards(rows: Sequence[Sequence[_Node]], stack: _Stack) -> bool:
    """Whether the mirrored stack comes first in a fixed order: ties fall alike in both directions."""
    keys = [[n.key for n in row] for row in rows]
    steps = [abs(b - a) for a, b in pairwise(stack.places)]
    return (keys[::-1], steps[::-1]) < (keys, steps)


def _second_opinions(
    rows: Sequence[Sequence[_Node]], same_place: float
) -> tuple[list[list[_Node]], dict[tuple[int, int], list[Detection]]]:
    """The nodes to link, and by (slice, index) of a node what weaker ones of another class say of it."""
    kept: list[list[_Node]] = []
    opinions: dict[tuple[int, int], list[Detection]] = {}
    for row in rows:
        stay: list[_Node] = []
        for node in row:  # best first
            over = next((k for k in stay if _means_the_same(k.found, node.found, same_place)), None)
            if over is None:
                stay.append(node)
            else:
                opinions.setdefault((over.slice, over.index), []).append(node.found)
        kept.append(stay)
    return kept, opinions


def _means_the_same(a: Detection, b: Detection, same_place: float) -> bool:
    return a.label_id != b.label_id and iou(a.box, b.box) >= same_place


def _edges(rows: Sequence[Sequence[_Node]], stack: _Stack, config: LinkConfig) -> list[tuple[int, int]]:
    """Pairs of node numbers that may be one lesion, strongest first."""
    starts = np.cumsum([0, *(len(row) for row in rows)])
    ranked: list[tuple[float, int, int]] = []
    filled = [k for k, row in enumerate(rows) if row]
    boxes = {k: to_array(n.found.box for n in rows[k]) for k in filled}
    scores = {k: np.array([n.found.score for n in rows[k]]) for k in filled}
    for at, a in enumerate(filled):
        for b in filled[at + 1 :]:
            steps = stack.steps(rows[a][0].slice, rows[b][0].slice)
            if steps > config.gap + 1 + _TOLERANCE:
                break
            agreement = _agreement(boxes[a], boxes[b], stack.spacing, config)
            weaker = np.minimum(scores[a][:, None], scores[b][None, :])
            strength = agreement * weaker / max(steps, 1.0)
            for i, j in np.argwhere(agreement > 0):
                ranked.append((-float(strength[i, j]), int(starts[a] + i), int(starts[b] + j)))
    return [(i, j) for _, i, j in sorted(ranked)]


def _agreement(
    a: Boxes, b: Boxes, spacing: tuple[float, float] | None, config: LinkConfig
) -> NDArray[np.float64]:
    """How well boxes of two slices agree, (len(a), len(b)); 0 where they are no pair.

    The IoU where it suffices. Otherwise, of boxes with near centres (the small end of a lesion within its
    broad middle), less than the least IoU that suffices: overlap goes before nearness.
    """
    overlap = iou_matrix(a, b)
    unit = np.array(spacing[::-1] if spacing else (1.0, 1.0))
    centres = [(boxes[:, :2] + boxes[:, 2:]) / 2 * unit for boxes in (a, b)]
    diagonals = [np.hypot(*((boxes[:, 2:] - boxes[:, :2]) * unit).T) for boxes in (a, b)]
    distance = np.linalg.norm(centres[0][:, None] - centres[1][None, :], axis=2)
    limit = config.near * np.minimum(diagonals[0][:, None], diagonals[1][None, :])
    nearness = config.least_iou * np.clip(1.0 - distance / limit, 0.0, None)
    return np.where(overlap >= config.least_iou, overlap, nearness)


def _grouped(nodes: Sequence[_Node], edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Node numbers by lesion: edges merge in turn, unless both sides have a box on one slice.

    What a reader has put together goes first, and what a reader keeps apart stays so.
    """
    home = list(range(len(nodes)))
    members = {i: [i] for i in home}
    used = {i: {node.slice} for i, node in enumerate(nodes)}
    names = {i: {node.given} - {""} for i, node in enumerate(nodes)}
    firsts: dict[str, int] = {}
    told = [(firsts.setdefault(n.given, i), i) for i, n in enumerate(nodes) if n.given]
    for i, j in (*told, *edges):
        a, b = home[i], home[j]
        if a == b or used[a] & used[b] or len(names[a] | names[b]) > 1:
            continue
        for k in members[b]:
            home[k] = a
        members[a] += members.pop(b)
        used[a] |= used.pop(b)
        names[a] |= names.pop(b)
    return list(members.values())


def _lesion(
    nodes: Sequence[_Node], opinions: dict[tuple[int, int], list[Detection]], stack: _Stack
) -> Lesion:
    ordered = sorted(nodes, key=lambda n: n.slice)
    members = tuple(Member(n.slice, n.index, n.found.box, n.found.score) for n in ordered)
    votes: dict[tuple[int, str], list[float]] = {}
    for node in ordered:
        for found in (node.found, *opinions.get((node.slice, node.index), ())):
            votes.setdefault((found.label_id, found.label), []).append(found.score)
    # fsum: the sum, and so the vote, does not depend on the order.
    label_id, label = min(votes, key=lambda name: (-math.fsum(votes[name]), name))
    extent = _extent(members, stack)
    return Lesion(
        members=members,
        score=max(m.score for m in members),
        label_id=label_id,
        label=label,
        extent_mm=extent,
        volume_ml=_volume(members, stack, extent),
    )


def _extent(members: Sequence[Member], stack: _Stack) -> tuple[float, float, float] | None:
    if stack.spacing is None or stack.step is None:
        return None
    corners = to_array(m.box for m in members)
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    x, y = size_mm(Box(*low.tolist(), *high.tolist()), stack.spacing)
    return (x, y, abs(stack.places[members[-1].slice] - stack.places[members[0].slice]) + stack.step)


def _volume(
    members: Sequence[Member], stack: _Stack, extent: tuple[float, float, float] | None
) -> float | None:
    if stack.spacing is None or extent is None:
        return None
    width, height = max((size_mm(m.box, stack.spacing) for m in members), key=lambda s: (s[0] * s[1], s))
    return ELLIPSOID * width * height * extent[2] / 1000.0
