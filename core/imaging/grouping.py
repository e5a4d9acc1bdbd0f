"""Puts slices into series and into reading order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from core.imaging.spacing import spacing_notes
from core.imaging.stacks import SAME_PLACE_MM, Found, Stack, along_normal, same_plane, stacks_of
from core.imaging.walk import natural_key, path_key, shown_name
from core.model import Series, SliceRef

__all__ = ["Found", "dicom_series", "raster_series", "reading_order", "same_plane"]

_NO_POSITION = "no position in the files: ordered by instance number"


def dicom_series(found: Iterable[Found], copies: Mapping[str, int] | None = None) -> list[Series]:
    """Series of DICOM slices, by patient, then study, then number, then description; localisers last.

    Args:
        found: The slices.
        copies: By series UID, how many files were left out because they hold a slice for the second time.
    """
    by_uid: dict[str, list[Found]] = {}
    for item in found:
        by_uid.setdefault(item.ref.series_uid, []).append(item)
    keyed = []
    for uid, members in by_uid.items():
        stacks = stacks_of(members)
        said = _copies_note((copies or {}).get(uid, 0))
        for rank, stack in enumerate(stacks):
            series = _series(uid, stack, alone=len(stacks) == 1, said=said)
            first = stack.members[0].heading
            number = first.number if first.number is not None else 1 << 31
            study = (first.study_label, first.study_order, first.study_uid)
            title = first.description or first.modality
            keyed.append(((*study, stack.localiser, number, title, uid, rank), series))
    return [series for _, series in sorted(keyed, key=lambda pair: pair[0])]


def _copies_note(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count} {'copy of a slice' if count == 1 else 'copies of slices'} left out",)


def raster_series(found: Iterable[Found]) -> list[Series]:
    """One collection per folder of plain images, in natural order of paths."""
    by_folder: dict[Path, list[Found]] = {}
    for item in found:
        by_folder.setdefault(item.ref.path.parent, []).append(item)
    return [_collection(folder, by_folder[folder]) for folder in sorted(by_folder, key=path_key)]


def _collection(folder: Path, members: Sequence[Found]) -> Series:
    digest = hashlib.blake2b(os.fsencode(folder.absolute()), digest_size=8).hexdigest()
    uid = f"folder:{digest}"
    ordered = reading_order((m.ref for m in members), is_stack=False)
    notes = sorted({f"{shown_name(m.ref.path)}: {note}" for m in members for note in m.heading.notes})
    return Series(
        uid=uid,
        study_uid=uid,
        modality="",
        description=shown_name(folder.absolute()) or str(folder.absolute()),
        slices=tuple(replace(ref, series_uid=uid) for ref in ordered),
        is_stack=False,
        notes=tuple(notes),
    )


def _series(uid: str, stack: Stack, *, alone: bool, said: tuple[str, ...]) -> Series:
    own_uid = uid if alone else f"{uid}#{stack.suffix}"
    ordered, notes = _ordered([m.ref for m in stack.members])
    first = min(stack.members, key=lambda m: _rank(m.ref)).heading
    told = sorted({note for m in stack.members for note in m.heading.notes})
    title = first.description or first.modality or "series"
    return Series(
        uid=own_uid,
        study_uid=first.study_uid,
        modality=first.modality,
        description=title if alone else f"{title} · {stack.name}",
        slices=tuple(ordered if alone else (replace(ref, series_uid=own_uid) for ref in ordered)),
        is_stack=True,
        notes=(*(("localiser",) if stack.localiser else ()), *notes, *said, *told),
        study_label=first.study_label,
    )


def reading_order(slices: Iterable[SliceRef], *, is_stack: bool) -> tuple[SliceRef, ...]:
    """Slices of one series as they are read: the one rule of slice order.

    A stack goes along its normal, lowest first; where a position is missing, by instance number, and within a
    multi-frame file by its dimension indices. A collection goes by natural name and frame.
    """
    if is_stack:
        return tuple(_ordered(tuple(slices))[0])
    return tuple(sorted(slices, key=lambda ref: (natural_key(ref.path.name), ref.frame)))


def _ordered(slices: Sequence[SliceRef]) -> tuple[list[SliceRef], tuple[str, ...]]:
    by_number = _by_number(slices)
    along = along_normal(by_number)
    if along is None:
        return by_number, (_NO_POSITION,) if len(slices) > 1 else ()
    places = np.rint(along / SAME_PLACE_MM)
    order = np.argsort(places, kind="stable")  # ties stay in order of number
    ordered = [by_number[i] for i in order]
    return ordered, spacing_notes(ordered)


def _by_number(slices: Sequence[SliceRef]) -> list[SliceRef]:
    """By instance number, dimension index, frame; natural order of paths where those are the same."""
    ordered: list[SliceRef] = []
    for _, alike in groupby(sorted(slices, key=_rank), key=_rank):
        same = list(alike)  # nearly always one: keys of paths are dear
        ordered += same if len(same) == 1 else sorted(same, key=lambda ref: (path_key(ref.path), ref.key))
    return ordered


def _rank(ref: SliceRef) -> tuple[int, tuple[int, ...], int]:
    number = ref.instance_number
    return (number if number is not None else 1 << 31, ref.dimension, ref.frame)
