"""What label files of every format have in common once read, before it is known which slices they mean.

Boxes are in pixels of the file's image, corner convention (docs/adr/0001), or relative to its size (YOLO).
Classes are referred to by name: numbers mean different things in different files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UnreadableFile
from core.label_schema import Attributes, attributes_of
from core.model import Box, LabelClass, LabelledSlice
from core.store.schemas import PALETTE

_MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class RawBox:
    """A box as the file gives it; may lie outside, or be empty."""

    x1: float
    y1: float
    x2: float
    y2: float
    name: str = ""
    attributes: Attributes = ()
    outlines: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """The labels of one image; everything on it is known, no boxes is an explicit negative.

    Attributes:
        name: The image's name as the file gives it, with "/" between folders; YOLO gives no suffix.
        ident: What tells this record from the others of its label files; our manifest names it by that.
        boxes: The true boxes.
        width: Columns where the file says.
        height: Rows where the file says.
        frame: 0-based frame of the image file.
        relative: `boxes` are fractions of width and height.
        image: The image file, where it was found.
        key: Slice key, where the file says.
        group: What belongs together in a split, where the file says.
        grouped_by: What the group is.
        hard_negatives: Boxes that a reader rejected, in pixels.
    """

    name: str
    ident: str
    boxes: tuple[RawBox, ...]
    width: int | None = None
    height: int | None = None
    frame: int = 0
    relative: bool = False
    image: Path | None = None
    key: str = ""
    group: str = ""
    grouped_by: str = ""
    hard_negatives: tuple[RawBox, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One slice about to be written.

    Attributes:
        labelled: The slice, its boxes inside of it.
        stem: Its name in the export, from a hash of its key.
        image: Where its pixels will be: "images/<stem>.png", or an absolute path for a reference.
    """

    labelled: LabelledSlice
    stem: str
    image: str


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Label files of one format, read.

    Attributes:
        format: "coco", "yolo" or "voc".
        source: The file or folder, for messages.
        root: The folder that names in it start from, where our manifest would be.
        classes: As the file numbers them (COCO's category ids, YOLO's index + 1), names unique.
        records: One per image.
        notes: What was odd.
        terms: Origin and licence of the images, as the files state them, or "".
    """

    format: str
    source: Path
    root: Path
    classes: tuple[LabelClass, ...]
    records: tuple[Record, ...]
    notes: tuple[str, ...] = ()
    terms: str = ""


def pixel_boxes(record: Record, width: int, height: int) -> tuple[tuple[Box, str], ...]:
    """The record's boxes and class names on a slice of that size; what lies outside is cut off."""
    return tuple((box, raw.name) for box, raw in placed_boxes(record, width, height))


def placed_boxes(record: Record, width: int, height: int) -> tuple[tuple[Box, RawBox], ...]:
    """As `pixel_boxes`, each with all that the file says of it."""
    scale = (width, height) if record.relative else (1, 1)
    placed = ((_placed(raw, scale, width, height), raw) for raw in record.boxes)
    return tuple((box, raw) for box, raw in placed if box is not None)


def told_attributes(said: object) -> Attributes:
    """Attributes as a file gives them: yes and no, whole numbers and texts by name; others are left out."""
    if not isinstance(said, dict):
        return ()
    return attributes_of({str(k): v for k, v in said.items() if isinstance(v, bool | int | str)})


def hard_negative_boxes(record: Record, width: int, height: int) -> tuple[Box, ...]:
    """The record's rejected boxes, which are always in pixels, on a slice of that size."""
    placed = (_placed(raw, (1, 1), width, height) for raw in record.hard_negatives)
    return tuple(box for box in placed if box is not None)


def _placed(raw: RawBox, scale: tuple[int, int], width: int, height: int) -> Box | None:
    fx, fy = scale
    try:
        return Box(raw.x1 * fx, raw.y1 * fy, raw.x2 * fx, raw.y2 * fy).clipped(width, height)
    except ValueError:
        return None


def count_lost(record: Record, width: int, height: int) -> int:
    """How many of the record's boxes are empty or lie wholly outside a slice of that size."""
    return len(record.boxes) - len(pixel_boxes(record, width, height))


def read_bytes(path: Path, limit_mb: float = 16) -> bytes:
    """A small file.

    Raises:
        UnreadableFile: Missing, or too large to be what it claims.
    """
    try:
        size = path.stat().st_size
        if size > limit_mb * _MEGABYTE:
            raise UnreadableFile(path, f"{size / _MEGABYTE:.0f} MB is more than a label file holds")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error)) from error


def read_text(path: Path, limit_mb: float = 16) -> str:
    """A small text file.

    Raises:
        UnreadableFile: As `read_bytes`, or not UTF-8.
    """
    try:
        return read_bytes(path, limit_mb).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(path, "is not text (UTF-8)") from error


def read_json(path: Path, limit_mb: float = 512) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        UnreadableFile: As `read_text`, or not JSON, nested too deeply, or not an object.
    """
    try:
        tree = json.loads(read_text(path, limit_mb))
    except ValueError as error:
        raise UnreadableFile(path, f"is not JSON ({error})") from error
    except RecursionError as error:
        raise UnreadableFile(path, "is nested too deeply") from error
    if not isinstance(tree, dict):
        raise UnreadableFile(path, "holds no JSON object")
    return tree


def inside(root: Path, name: str) -> Path | None:
    """`root / name`, or None where the name is absolute or climbs out of `root`.

    Names come from files that anyone may have written. Only the name is judged: a link that the user
    placed in the folder may lead elsewhere.
    """
    parts = name.replace("\\", "/").split("/")
    depth = 0
    for part in parts:
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return None
    if not name or name.startswith(("/", "\\")) or ":" in parts[0]:
        return None
    return root.joinpath(*parts)


def unique_classes(pairs: list[tuple[int, str]]) -> tuple[tuple[LabelClass, ...], list[str]]:
    """Classes with ids ≥ 1 and unique names from what a file says, and notes on what had to give.

    Ids are kept where they all are ≥ 1 and unique; otherwise they are counted from 1 in the file's order.
    """
    notes = []
    names: dict[str, int] = {}
    for number, name in pairs:
        if name in names:
            notes.append(f"Class {name!r} is there twice and was taken as one.")
        names.setdefault(name, number)
    ids = list(names.values())
    if len(set(ids)) != len(ids) or any(i < 1 for i in ids):
        notes.append("Class ids were counted anew from 1: those of the file are not unique and ≥ 1.")
        names = {name: i + 1 for i, name in enumerate(names)}
    colors = (PALETTE[i % len(PALETTE)] for i in range(len(names)))
    return tuple(LabelClass(i, n, c) for (n, i), c in zip(names.items(), colors, strict=True)), notes
