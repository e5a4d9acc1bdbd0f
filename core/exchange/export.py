"""Export: written beside the target, read back, compared, and only then moved into place."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import ExchangeError, InputError, OverreadError, VerificationFailed
from core.exchange.coco import write_coco
from core.exchange.labels import FORMATS, read_labels
from core.exchange.manifest import record_ident, write_manifest
from core.exchange.pixels import Scale, read_png, to_storable, write_png
from core.exchange.records import Item, hard_negative_boxes, pixel_boxes, placed_boxes
from core.exchange.voc import write_voc
from core.exchange.yolo import write_yolo
from core.jobs import CancelToken, Progress, no_progress
from core.model import Dataset, LabelledBox, LabelledSlice, LabelSchema, SliceRef

IMAGES = ("copy", "reference")
TOLERANCE = 1e-6  # pixels
_WRITERS = {"coco": write_coco, "yolo": write_yolo, "voc": write_voc}
_PICTURES = {"coco": "images", "yolo": "images", "voc": "JPEGImages"}

Load = Callable[[SliceRef], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and read back the same.

    Attributes:
        folder: Where.
        format: "coco", "yolo" or "voc".
        images: "copy" or "reference".
        slices: Slices written.
        negatives: Of them without a box.
        boxes: Boxes written.
        per_class: Boxes by class name.
        unread: Known slices left out because nobody has read them.
        max_error: Largest difference of a coordinate after reading back, in pixels.
        notes: What else to know.
    """

    folder: Path
    format: str
    images: str
    slices: int
    negatives: int
    boxes: int
    per_class: Mapping[str, int]
    unread: int
    max_error: float
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """The report for people."""
        classes = ", ".join(f"{name} {count}" for name, count in self.per_class.items() if count)
        pictures = "copies of the pixels" if self.images == "copy" else "references to the files"
        lines = [
            f"{self.folder}: {self.format.upper()}, with {pictures}.",
            f"{self.slices} slices, {self.negatives} of them without a finding; {self.boxes} boxes"
            + (f" ({classes})." if classes else "."),
            f"{self.unread} unread slices were left out.",
            f"Read back and compared: every box is the same (within {self.max_error:.1e} px).",
            *self.notes,
        ]
        return "\n".join(lines)


def export_dataset(
    dataset: Dataset,
    kind: str,
    out: Path,
    *,
    images: str,
    load: Load,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> ExportReport:
    """Write a dataset, read it back and compare.

    Everything is written into a folder beside `out` that takes its name at the very end: there is a whole,
    verified export or none.

    Args:
        dataset: What to write, as from `from_workspace`; slices without boxes are explicit negatives.
        kind: "coco", "yolo" or "voc".
        out: The folder to make; may exist if it is empty.
        images: "copy" writes the rescaled pixels as PNG, named by a hash; "reference" writes where the files
            are on this machine.
        load: Gives a slice's rescaled pixels, (rows, columns); used by "copy" only.
        progress: Counts slices.
        cancel: Stops it and leaves nothing behind.

    Raises:
        InputError: Unknown format, no slices, or `out` is in use.
        VerificationFailed: What was written does not read back as what was meant; nothing is left.
        ExchangeError: It cannot be written (disk full, no permission), or a class is not in the schema.
        UnreadableFile: A slice to copy cannot be read.
        Cancelled: The token was set.
    """
    if kind not in FORMATS:
        raise InputError(f"format {kind!r}: not one of {', '.join(FORMATS)}.")
    if images not in IMAGES:
        raise InputError(f"images {images!r}: not one of {', '.join(IMAGES)}.")
    if not dataset.slices:
        raise InputError(f"{dataset.name}: there is nothing to export, because no slice has been read.")
    out = out.absolute()
    _check_target(out)
    items, notes = _items(dataset, kind, images)
    partial = out.parent / f".{out.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        partial.mkdir(parents=True)
        scales = {}
        if images == "copy":
            scales = _copy_pixels(partial, items, load, progress, cancel or CancelToken())
        info = {"description": "Written by Overread", "images": images, "grouped_by": dataset.grouped_by}
        labels = _WRITERS[kind](partial, items, dataset.schema, info)
        unread = int(dataset.info.get("unread", "0"))
        facts = {"format": kind, "images": images, "unread": unread}
        write_manifest(partial, dataset, items, labels, scales, facts)
        max_error = _verify(partial, items, dataset.schema, kind, images)
        (cancel or CancelToken()).check()
        _flush(partial)
        _move(partial, out)
    except OSError as error:
        raise ExchangeError(
            f"{out}: not exported ({error.strerror or error}). Nothing was left there; free space or choose "
            "another folder, then try again."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    per_class = Counter(b.label_id for item in items for b in item.labelled.boxes)
    return ExportReport(
        folder=out,
        format=kind,
        images=images,
        slices=len(items),
        negatives=sum(not item.labelled.boxes for item in items),
        boxes=per_class.total(),
        per_class={c.name: per_class[c.id] for c in dataset.schema.classes},
        unread=unread,
        max_error=max_error,
        notes=(*dataset.notes, *notes),
    )


def _check_target(out: Path) -> None:
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out}: is in use already. Choose a folder that is new or empty.")
    except OSError as error:
        raise ExchangeError(f"{out}: cannot be looked into ({error.strerror}).") from error


def _items(dataset: Dataset, kind: str, images: str) -> tuple[tuple[Item, ...], list[str]]:
    """The slices as they will be written: named, boxes cut to the slice, classes checked."""
    items, cut, seen = [], 0, set()
    for labelled in dataset.slices:
        ref = labelled.ref
        if ref.key in seen:
            raise ExchangeError(
                f"{ref.path}: is in the dataset twice; the same slice was read under two names."
            )
        seen.add(ref.key)
        boxes = tuple(_inside(b, labelled, dataset.schema) for b in labelled.boxes)
        cut += sum(a.box != b.box for a, b in zip(boxes, labelled.boxes, strict=True))
        negatives = tuple(c for b in labelled.hard_negatives if (c := b.clipped(ref.columns, ref.rows)))
        stem = hashlib.blake2b(ref.key.encode(), digest_size=8).hexdigest()
        image = f"{_PICTURES[kind]}/{stem}.png" if images == "copy" else str(ref.path.absolute())
        whole = replace(labelled, boxes=boxes, hard_negatives=negatives)
        items.append(Item(whole, stem, image))
    return tuple(items), [f"{cut} boxes reached outside of their slice and were cut."] if cut else []


def _inside(box: LabelledBox, labelled: LabelledSlice, schema: LabelSchema) -> LabelledBox:
    ref = labelled.ref
    if schema.by_id(box.label_id) is None:
        raise ExchangeError(f"{ref.path}: a box has class {box.label_id}, which the label schema lacks.")
    clipped = box.box.clipped(ref.columns, ref.rows)
    if clipped is None:
        raise ExchangeError(
            f"{ref.path}: box {box.box.as_tuple()} lies outside of its slice; correct it first."
        )
    return replace(box, box=clipped)


def _copy_pixels(
    folder: Path, items: Sequence[Item], load: Load, progress: Progress, cancel: CancelToken
) -> dict[str, Scale]:
    """Write every slice as PNG, read it back, and say how its values relate to rescaled pixels."""
    scales = {}
    for done, item in enumerate(items):
        cancel.check()
        progress(done, len(items), "Copying pixels")
        ref = item.labelled.ref
        stored, scales[item.stem] = to_storable(load(ref), eight_bit=ref.key.startswith("raster:"))
        if stored.shape != (ref.rows, ref.columns):
            raise VerificationFailed(
                f"{ref.path}: has {stored.shape} pixels, not ({ref.rows}, {ref.columns})."
            )
        path = folder / item.image
        path.parent.mkdir(exist_ok=True)
        write_png(path, stored)
        if not np.array_equal(read_png(path), stored):
            raise VerificationFailed(f"{ref.path}: its copy does not read back the same. Check the disk.")
    progress(len(items), len(items), "Copying pixels")
    return scales


def _verify(folder: Path, items: Sequence[Item], schema: LabelSchema, kind: str, images: str) -> float:
    """Read the labels back as an import would; returns the largest error of a coordinate, in pixels."""
    try:
        labels, manifest = read_labels(folder, kind)
    except OverreadError as error:
        raise VerificationFailed(f"The {kind.upper()} labels do not read back: {error}") from error
    found = {record.ident: record for record in labels.records}
    if manifest is None or len(found) != len(items) or labels.notes:
        raise VerificationFailed(
            f"The {kind.upper()} labels do not read back: {len(found)} of {len(items)} slices. "
            + " ".join(labels.notes)
        )
    worst = 0.0
    for item in items:
        record, labelled = found.get(record_ident(item, kind, images)), item.labelled
        if record is None or record.key != labelled.ref.key:
            raise VerificationFailed(f"{labelled.ref.path}: its labels do not read back.")
        size = labelled.ref.columns, labelled.ref.rows
        back = pixel_boxes(record, *size)
        meant = [(b.box, schema.name_of(b.label_id)) for b in labelled.boxes]
        same = [name for _, name in back] == [name for _, name in meant]
        told = [raw.attributes for _, raw in placed_boxes(record, *size)]
        same = same and told == [b.attributes for b in labelled.boxes]
        same = same and hard_negative_boxes(record, *size) == labelled.hard_negatives
        pairs = zip(back, meant, strict=True) if same else ()
        errors = [
            abs(p - q) for (a, _), (b, _) in pairs for p, q in zip(a.as_tuple(), b.as_tuple(), strict=True)
        ]
        worst = max([worst, *errors])
        if not same or worst > TOLERANCE:
            raise VerificationFailed(
                f"{labelled.ref.path}: {len(meant)} boxes were written, and other ones read back "
                f"(largest error {worst:.3g} px). Nothing was exported."
            )
    return worst


def _flush(folder: Path) -> None:
    """Everything below a folder onto the disk, the folders last."""
    for path in sorted(folder.rglob("*"), key=lambda p: len(p.parts), reverse=True):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _move(partial: Path, out: Path) -> None:
    if out.exists():
        out.rmdir()  # fails, as it should, if something has come into it meanwhile
    partial.rename(out)
    _sync(out.parent)
