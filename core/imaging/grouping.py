"""Puts slices into series and into reading order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from core.imaging.base import Heading
from core.imaging.geometry import normal, position_along_normal
from core.imaging.walk import natural_key, path_key
from core.model import Series, SliceRef

_SAME_PLACE_MM = 0.01
_SAME_COSINE = 0.01
_NO_POSITION = "no position in the files: ordered by instance number"
_SHARED_POSITION = "several slices at one position"
_GAP = "uneven slice distance: a slice may be missing"


@dataclass(frozen=True, slots=True)
class Found:
    """A slice and what its file says about its series."""

    ref: SliceRef
    heading: Heading

    @property
    def stack(self) -> str:
        """The word that tells stacks at the same positions apart."""
        stacks = self.heading.stacks
        return stacks[self.ref.frame] if self.ref.frame < len(stacks) else ""


def dicom_series(found: Iterable[Found]) -> list[Series]:
    """Series of DICOM slices, by patient, then study, then number, then description."""
    by_uid: dict[str, list[Found]] = {}
    for item in found:
        by_uid.setdefault(item.ref.series_uid, []).append(item)
    keyed = []
    for uid, members in by_uid.items():
        stacks = _stacks(members)
        for name, stack in stacks.items():
            series = _series(uid if len(stacks) == 1 else f"{uid}#{name}", stack)
            first = stack[0].heading
            number = first.number if first.number is not None else 1 << 31
            study = (first.study_label, first.study_order, first.study_uid)
            keyed.append(((*study, number, series.description, series.uid), series))
    return [series for _, series in sorted(keyed, key=lambda pair: pair[0])]


def raster_series(found: Iterable[Found]) -> list[Series]:
    """One collection per folder of plain images, in natural order of paths."""
    by_folder: dict[Path, list[Found]] = {}
    for item in found:
        by_folder.setdefault(item.ref.path.parent, []).append(item)
    return [_collection(folder, by_folder[folder]) for folder in sorted(by_folder, key=path_key)]


def _collection(folder: Path, members: Sequence[Found]) -> Series:
    digest = hashlib.blake2b(str(folder.absolute()).encode(errors="replace"), digest_size=8).hexdigest()
    uid = f"folder:{digest}"
    ordered = reading_order((m.ref for m in members), is_stack=False)
    notes = sorted({f"{m.ref.path.name}: {note}" for m in members for note in m.heading.notes})
    return Series(
        uid=uid,
        study_uid=uid,
        modality="",
        description=folder.absolute().name or str(folder.absolute()),
        slices=tuple(replace(ref, series_uid=uid) for ref in ordered),
        is_stack=False,
        notes=tuple(notes),
    )


def _stacks(members: Sequence[Found]) -> dict[str, list[Found]]:
    """Split by orientation and shape; and by kind where that is what makes positions differ.

    The names depend only on what is in the stack, so they do not change while more files are found.
    """
    planes: list[list[Found]] = []
    for item in members:
        home = next((group for group in planes if same_plane(group[0].ref, item.ref)), None)
        if home is None:
            planes.append([item])
        else:
            home.append(item)
    stacks: dict[str, list[Found]] = {}
    for group in planes:
        plane = min(_plane(item.ref) for item in group)
        kinds: dict[str, list[Found]] = {}
        for item in group:
            kinds.setdefault(item.stack, []).append(item)
        if len(kinds) > 1 and _collide(group) and not all(_collide(kind) for kind in kinds.values()):
            stacks.update({_short(plane + kind): kind_group for kind, kind_group in kinds.items()})
        else:
            stacks[_short(plane)] = group
    return stacks


def same_plane(a: SliceRef, b: SliceRef) -> bool:
    """Whether two slices have one shape and, but for rounding in the file, one orientation."""
    if (a.rows, a.columns) != (b.rows, b.columns) or (a.geometry is None) != (b.geometry is None):
        return False
    if a.geometry is None or b.geometry is None:
        return True
    ours = (*a.geometry.row_cosine, *a.geometry.column_cosine)
    theirs = (*b.geometry.row_cosine, *b.geometry.column_cosine)
    return all(abs(p - q) < _SAME_COSINE for p, q in zip(ours, theirs, strict=True))


def _plane(ref: SliceRef) -> str:
    shape = f"{ref.rows}x{ref.columns}"
    if ref.geometry is None:
        return shape
    cosines = (*ref.geometry.row_cosine, *ref.geometry.column_cosine)
    return shape + " " + " ".join(f"{c + 0.0:.2f}".replace("-0.00", "0.00") for c in cosines)


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _collide(group: Sequence[Found]) -> bool:
    places = sorted(position_along_normal(m.ref.geometry) for m in group if m.ref.geometry is not None)
    return any(b - a < _SAME_PLACE_MM for a, b in pairwise(places))


def _series(uid: str, members: Sequence[Found]) -> Series:
    ordered, notes = _ordered([m.ref for m in members])
    first = min(members, key=lambda m: _by_number(m.ref)).heading
    said = sorted({note for m in members for note in m.heading.notes})
    return Series(
        uid=uid,
        study_uid=first.study_uid,
        modality=first.modality,
        description=first.description or first.modality or "series",
        slices=tuple(replace(ref, series_uid=uid) for ref in ordered),
        is_stack=True,
        notes=(*notes, *said),
        study_label=first.study_label,
    )


def reading_order(slices: Iterable[SliceRef], *, is_stack: bool) -> tuple[SliceRef, ...]:
    """Slices of one series as they are read: the one rule of slice order.

    A stack goes along its normal, lowest first, or by instance number where a position is missing; a
    collection goes by natural name and frame.
    """
    if is_stack:
        return tuple(_ordered(tuple(slices))[0])
    return tuple(sorted(slices, key=lambda ref: (natural_key(ref.path.name), ref.frame)))


def _ordered(slices: Sequence[SliceRef]) -> tuple[list[SliceRef], tuple[str, ...]]:
    by_number = sorted(slices, key=_by_number)
    geometries = [ref.geometry for ref in by_number]
    if any(g is None for g in geometries):
        return by_number, (_NO_POSITION,) if len(slices) > 1 else ()
    # One normal for all: each slice's own may differ in the last digit and would tilt the order.
    reference = geometries[0]
    assert reference is not None
    axis = np.array(normal(reference))
    places = [round(float(np.dot(g.position, axis)) / _SAME_PLACE_MM) for g in geometries if g is not None]
    order = sorted(range(len(places)), key=lambda i: places[i])  # stable: ties stay in order of number
    return [by_number[i] for i in order], _spacing_notes(sorted(places))


def _spacing_notes(places: Sequence[int]) -> tuple[str, ...]:
    steps = [b - a for a, b in pairwise(places)]
    notes = []
    if 0 in steps:
        notes.append(_SHARED_POSITION)
    real = [s for s in steps if s > 0]
    if len(real) > 1 and max(real) > 1.5 * float(np.median(real)):
        notes.append(_GAP)
    return tuple(notes)


def _by_number(ref: SliceRef) -> tuple[int, int, object, str]:
    number = ref.instance_number
    return (number if number is not None else 1 << 31, ref.frame, path_key(ref.path), ref.key)
