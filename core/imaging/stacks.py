"""Divides the slices of one series UID into stacks, as far as needed, and names them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.imaging.base import Heading
from core.imaging.geometry import normal
from core.imaging.traits import DIVIDERS, Divider, Traits, Value, sorted_values
from core.model import Geometry, SliceRef

SAME_PLACE_MM = 0.01
_SAME_COSINE = 0.01
_SAME_STEP = 0.1  # of the mean step: closer than that is the same place


@dataclass(frozen=True, slots=True)
class Found:
    """A slice and what its file says about its series."""

    ref: SliceRef
    heading: Heading

    @property
    def traits(self) -> Traits:
        """What tells it apart from slices at the same position."""
        traits = self.heading.traits
        return traits[self.ref.frame] if self.ref.frame < len(traits) else Traits()


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices that are one series on screen.

    Attributes:
        suffix: Tells it from the others of its UID; depends only on what is in it, so that it does not change
            while more files are found.
        name: How it differs from the others, in words: "echo 2", "b 1000", "sagittal".
        members: Its slices, in no order.
        localiser: Made to plan other series on.
    """

    suffix: str
    name: str
    members: tuple[Found, ...]
    localiser: bool


_Part = tuple[tuple[tuple[str, Value, str], ...], list[Found]]  # ((trait, value, name), …) and the slices


def stacks_of(members: Sequence[Found]) -> list[Stack]:
    """Divide by localiser, shape and orientation; then by traits where slices share positions."""
    planes = [
        (flag, plane)
        for flag in (False, True)
        for plane in _planes([m for m in members if m.traits.localiser is flag])
    ]
    names = _plane_names(planes)
    stacks = []
    for (flag, plane), name in zip(planes, names, strict=True):
        where = min(_plane_text(item.ref) for item in plane) + ("localiser" if flag else "")
        for marks, part in _divided(plane):
            told = " ".join(filter(None, (name, *(mark[2] for mark in marks))))
            suffix = _short(where + "".join(f"{trait}={value!r};" for trait, value, _ in marks))
            stacks.append(Stack(suffix, told, tuple(part), flag))
    return _distinct(stacks)


def _planes(members: Sequence[Found]) -> list[list[Found]]:
    planes: list[list[Found]] = []
    for item in members:
        home = next((group for group in planes if same_plane(group[0].ref, item.ref)), None)
        if home is None:
            planes.append([item])
        else:
            home.append(item)
    return planes


def same_plane(a: SliceRef, b: SliceRef) -> bool:
    """Whether two slices have one shape and, but for rounding in the file, one orientation."""
    if (a.rows, a.columns) != (b.rows, b.columns) or (a.geometry is None) != (b.geometry is None):
        return False
    if a.geometry is None or b.geometry is None:
        return True
    if (a.geometry.row_cosine, a.geometry.column_cosine) == (b.geometry.row_cosine, b.geometry.column_cosine):
        return True  # as nearly always
    ours = (*a.geometry.row_cosine, *a.geometry.column_cosine)
    theirs = (*b.geometry.row_cosine, *b.geometry.column_cosine)
    return all(abs(p - q) < _SAME_COSINE for p, q in zip(ours, theirs, strict=True))


def _plane_text(ref: SliceRef) -> str:
    shape = f"{ref.rows}x{ref.columns}"
    if ref.geometry is None:
        return shape
    cosines = (*ref.geometry.row_cosine, *ref.geometry.column_cosine)
    return shape + " " + " ".join(f"{c + 0.0:.2f}".replace("-0.00", "0.00") for c in cosines)


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def plane_name(geometry: Geometry) -> str:
    """Whichever is nearest: "axial", "coronal" or "sagittal"."""
    largest = int(np.argmax(np.abs(normal(geometry))))
    return ("sagittal", "coronal", "axial")[largest]


def _plane_names(planes: Sequence[tuple[bool, Sequence[Found]]]) -> list[str]:
    """What tells each plane from the others: that it is a localiser, its orientation, its shape."""
    if len(planes) < 2:
        return [""] * len(planes)
    flags = ["localiser" if flag else "" for flag, _ in planes]
    firsts = [plane[0].ref for _, plane in planes]
    oriented = ["" if r.geometry is None else plane_name(r.geometry) for r in firsts]
    shapes = [f"{r.columns} × {r.rows}" for r in firsts]
    return [
        " ".join(
            filter(
                None,
                (
                    flags[i] if len(set(flags)) > 1 else "",
                    oriented[i] if len(set(oriented)) > 1 else "",
                    shapes[i] if len(set(shapes)) > 1 and _alike(flags, oriented, i) else "",
                ),
            )
        )
        for i in range(len(planes))
    ]


def _alike(flags: Sequence[str], oriented: Sequence[str], index: int) -> bool:
    own = (flags[index], oriented[index])
    return list(zip(flags, oriented, strict=True)).count(own) > 1


def _distinct(stacks: Sequence[Stack]) -> list[Stack]:
    """No two of one name and none without: numbered where words do not tell them apart."""
    if len(stacks) < 2:
        return list(stacks)
    times = Counter(s.name for s in stacks)
    seen: Counter[str] = Counter()
    named = []
    for stack in stacks:
        name = stack.name
        if times[name] > 1 or not name:
            seen[name] += 1
            name = f"{name or 'stack'} {seen[name]}" if name or times[name] > 1 else "main"
        named.append(Stack(stack.suffix, name, stack.members, stack.localiser))
    return named


def _divided(group: list[Found]) -> list[_Part]:
    """The group, divided by one trait after the other for as long as slices share positions."""
    places = _places(group)
    shared = len(group) - len(set(places)) if places is not None else 0
    if not shared or places is None:
        return [((), group)]
    most = max(Counter(places).values())
    for divider in DIVIDERS:
        parts: dict[Value, list[Found]] = {}
        for item in group:
            parts.setdefault(divider.value(item.traits), []).append(item)
        # Many more values than slices at one place: it counts slices (some number each one), not stacks.
        if 1 < len(parts) <= 2 * most and _shared(parts) < shared:
            return _named(divider, parts)
    return _by_moment(group, places)


def _shared(parts: Mapping[Value, Sequence[Found]]) -> int:
    """How many slices lie where another one of their part does."""
    count = 0
    for part in parts.values():
        places = _places(part)
        count += len(part) - len(set(places)) if places is not None else 0
    return count


def _named(divider: Divider, parts: Mapping[Value, list[Found]]) -> list[_Part]:
    values = sorted_values(list(parts))
    names = divider.name(values)
    return [
        (((divider.trait, value, names[value]), *marks), part)
        for value in values
        for marks, part in _divided(parts[value])
    ]


def _by_moment(group: list[Found], places: Sequence[int]) -> list[_Part]:
    """Divide what was acquired again and again at every position, with nothing but the clock to say so."""
    times = Counter(places)
    repeats = set(times.values())
    if len(repeats) != 1 or not all(item.traits.moment for item in group):
        return [((), group)]
    by_place: dict[int, list[Found]] = {}
    for place, item in zip(places, group, strict=True):
        by_place.setdefault(place, []).append(item)
    parts: list[list[Found]] = [[] for _ in range(repeats.pop())]
    for here in by_place.values():
        if len({item.traits.moment for item in here}) < len(here):
            return [((), group)]
        for part, item in zip(parts, sorted(here, key=lambda i: i.traits.moment), strict=True):
            part.append(item)
    return [((("moment", i, f"time {i}"),), part) for i, part in enumerate(parts, 1)]


def _places(group: Sequence[Found]) -> list[int] | None:
    """A number for each slice, the same for those at the same position; None where positions are missing."""
    along = along_normal([item.ref for item in group])
    if along is None:
        return None
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    span = float(along.max() - along.min())
    apart = steps >= max(SAME_PLACE_MM, _SAME_STEP * span / max(len(group) - 1, 1))
    places = np.empty(len(group), dtype=np.int64)
    places[order] = np.concatenate([[0], np.cumsum(apart)])
    return [int(p) for p in places]


def along_normal(slices: Sequence[SliceRef]) -> NDArray[np.float64] | None:
    """Signed distance of each slice from the origin in mm, along the first one's normal.

    One normal for all: each slice's own may differ in the last digit and would tilt the order.

    Returns:
        None where a slice has no position.
    """
    geometries = [ref.geometry for ref in slices]
    if not geometries or any(g is None for g in geometries):
        return None
    first = geometries[0]
    assert first is not None
    positions = np.array([g.position for g in geometries if g is not None], dtype=np.float64)
    return np.asarray(positions @ np.array(normal(first)))
