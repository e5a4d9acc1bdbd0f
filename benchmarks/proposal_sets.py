"""The slices that proposals are measured on: named, with their true boxes, and with the plane they show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.real_data import cheng, progression
from core.boxes import Boxes, to_array
from core.evaluation.parts import plane_of
from core.exchange.datasets import load_dataset
from core.model import Dataset, SliceRef

PLANES = Path(__file__).parent / "planes.json"
SETS = ("btod/valid", "cheng/valid", "progression")
TRAINING_SETS = ("btod/train", "cheng/train")
PLANE_NAMES = ("axial", "coronal", "sagittal")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrueSlice:
    """A slice that holds at least one lesion.

    Attributes:
        name: File name, within its set unique (with the folder's name where there are several folders).
        ref: Where its pixels are.
        boxes: (N, 4) true boxes, N ≥ 1, in pixels of the slice.
        group: What a resample draws whole: a block, a patient, or the slice.
    """

    name: str
    ref: SliceRef
    boxes: Boxes
    group: str


@dataclass(frozen=True, slots=True)
class TrueSet:
    """A named set of slices with lesions; `grouped_by` says what the groups are."""

    name: str
    slices: tuple[TrueSlice, ...]
    grouped_by: str


def load_set(data: Path, name: str, sample: int = 0) -> TrueSet:
    """The slices with a lesion of one of SETS or TRAINING_SETS.

    Args:
        data: Folder of the public data sets.
        name: "btod/valid", "progression", …
        sample: That many slices, evenly spaced in the order of names; 0 for all.
    """
    dataset = _dataset(data, name)
    found = [
        TrueSlice(_name(name, s.ref), s.ref, to_array(b.box for b in s.boxes), s.group)
        for s in dataset.slices
        if s.boxes
    ]
    found.sort(key=lambda s: s.name)
    return TrueSet(name, tuple(evenly(found, sample)), dataset.grouped_by)


def evenly(items: Sequence[_T], count: int) -> list[_T]:
    """`count` of the items, evenly spaced and in order; all where count is 0 or more than there are."""
    if not 0 < count < len(items):
        return list(items)
    return [items[int(i)] for i in (np.arange(count) + 0.5) * len(items) / count]


def planes_of(true_set: TrueSet) -> dict[str, str]:
    """The plane of each slice by its name; slices that the table lacks are left out.

    A slice with a position says it itself. The others follow the committed table, which was made by looking
    (docs/proposals.md).
    """
    table: Mapping[str, Mapping[str, str]] = json.loads(PLANES.read_text(encoding="utf-8"))
    seen = named_planes(table.get(true_set.name, {"name": ""}))
    placed = {s.name: plane_of(s.ref.geometry) for s in true_set.slices if s.ref.geometry is not None}
    return seen | placed


def named_planes(entry: Mapping[str, str]) -> dict[str, str]:
    """Planes by file name, from an entry of the table: {"name": "{:04}.jpg", "axial": "7 11-14", …}.

    Raises:
        ValueError: A file stands in two planes.
    """
    planes: dict[str, str] = {}
    for plane in PLANE_NAMES:
        for part in entry.get(plane, "").split():
            first, _, last = part.partition("-")
            for number in range(int(first), int(last or first) + 1):
                name = entry["name"].format(number)
                if name in planes:
                    raise ValueError(f"{name}: is {planes[name]} and {plane} in the table of planes")
                planes[name] = plane
    return planes


def _dataset(data: Path, name: str) -> Dataset:
    if name == "progression":
        return progression(data)
    family, part = name.split("/")
    return cheng(data, part) if family == "cheng" else load_dataset(data / family / part)


def _name(set_name: str, ref: SliceRef) -> str:
    return f"{ref.path.parent.name}/{ref.path.name}" if set_name == "progression" else ref.path.name
