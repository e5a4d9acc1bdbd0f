"""Import: labels of a file onto slices that are open, as one edit that one undo takes back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from core.edits import AnnotationSet, Change, SetEdit
from core.errors import ExchangeError, UnreadableFile
from core.exchange.labels import read_labels
from core.exchange.records import LabelFile, Record, count_lost, placed_boxes
from core.imaging.reader import open_reader
from core.model import Annotation, Box, LabelClass, LabelSchema, Origin, OriginKind, SliceRef, new_id
from core.store.schemas import PALETTE

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A labelled image that no slice was found for."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import would do; nothing has been changed yet.

    Attributes:
        source: Name of the file or folder.
        format: "coco", "yolo" or "voc".
        annotations: New boxes by slice key, origin "imported"; their class ids are those of the schema and of
            `new_classes`.
        negatives: Slices that the file says hold nothing. Reading them remains the reader's.
        unmatched: Images without a slice.
        new_classes: Classes to add to the schema first, in this order, with the ids they will get.
        notes: What was odd.
    """

    source: str
    format: str
    annotations: Mapping[str, tuple[Annotation, ...]]
    negatives: tuple[str, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    new_classes: tuple[LabelClass, ...] = ()
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """The report for people."""
        boxes = sum(map(len, self.annotations.values()))
        lines = [
            f"{self.source}: {self.format.upper()}.",
            f"{boxes} boxes on {len(self.annotations)} slices; "
            f"{len(self.negatives)} slices without a finding.",
        ]
        if self.new_classes:
            lines.append("New classes: " + ", ".join(c.name for c in self.new_classes) + ".")
        if self.unmatched:
            lines.append(f"{len(self.unmatched)} images fit no slice that is known:")
            lines += [f"  {u.name}: {u.reason}" for u in self.unmatched[:_SHOWN]]
            if len(self.unmatched) > _SHOWN:
                lines.append(f"  … and {len(self.unmatched) - _SHOWN} more")
        return "\n".join([*lines, *self.notes])


def import_annotations(
    path: Path,
    kind: str | None,
    schema: LabelSchema,
    slices: Sequence[SliceRef],
    *,
    voc_convention: str = "exclusive0",
) -> ImportResult:
    """Read labels and find the slices they are for.

    With our manifest beside them, labels go to the slice with that key, wherever its file is now. Others go
    to the one slice whose file name (as many folders of it as the file gives) and size fit; where two fit,
    to none.

    Args:
        path: A COCO json, a YOLO tree, a folder of VOC files, or an export of ours.
        kind: "coco", "yolo", "voc", or None to find out.
        schema: The classes there are.
        slices: The slices that labels may go to.
        voc_convention: How foreign VOC files count pixels, see `read_voc`.

    Raises:
        InputError: Nothing of that format there.
        UnreadableFile: It cannot be understood.
    """
    labels, manifest = read_labels(path, kind, voc_convention=voc_convention)
    ids, new_classes = _class_ids(labels, schema)
    index = _Index(slices)
    found: dict[str, tuple[Annotation, ...]] = {}
    unmatched, negatives, notes = [], [], list(labels.notes)
    if labels.format == "voc" and manifest is None and voc_convention == "exclusive0":
        notes.append("VOC boxes were taken as 0-based with the right edge outside, as most tools write them.")
    for record in labels.records:
        ref = index.match(record)
        if isinstance(ref, str):
            unmatched.append(Unmatched(record.name, ref))
            continue
        if ref.key in found or ref.key in negatives:
            unmatched.append(Unmatched(record.name, "another entry of the file is for the same slice"))
            continue
        if lost := count_lost(record, ref.columns, ref.rows):
            notes.append(f"{record.name}: {lost} boxes lie outside of the slice and were left out.")
        made = _annotations(record, ref, ids, path.name)
        if made:
            found[ref.key] = made
        elif not record.boxes:
            negatives.append(ref.key)
    return ImportResult(
        source=path.name,
        format=labels.format,
        annotations=found,
        negatives=tuple(negatives),
        unmatched=tuple(unmatched),
        new_classes=new_classes,
        notes=tuple(notes),
    )


def import_edit(
    result: ImportResult, schema: LabelSchema, annotations: AnnotationSet, reader: str
) -> SetEdit | None:
    """The one edit that brings an import in; boxes that are there already are not doubled.

    Args:
        result: What `import_annotations` found.
        schema: The classes now, with the result's new ones added.
        annotations: What is there already.
        reader: Who imports.

    Returns:
        The edit, or None where every box is there already.

    Raises:
        ExchangeError: The schema lacks a class of the result.
    """
    ids = {}
    for new in result.new_classes:
        added = schema.by_name(new.name)
        if added is None:
            raise ExchangeError(f"class {new.name!r} must be added to the label schema before the import.")
        ids[new.id] = added.id
    changes = []
    for key, found in result.annotations.items():
        there = Counter(_same(a.box, a.label_id) for a in annotations.on(key).annotations)
        for annotation in found:
            label_id = ids.get(annotation.label_id, annotation.label_id)
            if schema.by_id(label_id) is None:
                raise ExchangeError(f"class {label_id} of the import is no longer in the label schema.")
            same = _same(annotation.box, label_id)
            if there[same] > 0:
                there[same] -= 1
            else:
                changes.append(Change(None, replace(annotation, label_id=label_id, author=reader)))
    return SetEdit("import", tuple(changes), f"from {result.source}") if changes else None


def _same(box: Box, label_id: int) -> tuple[float, ...]:
    """What two boxes have in common that are the same but for a format's rounding."""
    return (label_id, *(round(v, 5) for v in box.as_tuple()))


def _class_ids(labels: LabelFile, schema: LabelSchema) -> tuple[dict[str, int], tuple[LabelClass, ...]]:
    """Class ids by name, and the classes that the boxes use but the schema lacks."""
    used = {box.name for record in labels.records for box in record.boxes}
    grown = schema
    for c in labels.classes:
        if c.name in used and grown.by_name(c.name) is None:
            grown = grown.with_class(c.name, PALETTE[len(grown.classes) % len(PALETTE)])
    new = grown.classes[len(schema.classes) :]
    return {c.name: c.id for c in grown.classes}, new


def _annotations(
    record: Record, ref: SliceRef, ids: Mapping[str, int], source: str
) -> tuple[Annotation, ...]:
    origin = Origin(OriginKind.IMPORTED, source=source)
    return tuple(
        Annotation(new_id(), ref.key, box, ids[raw.name], origin, attributes=raw.attributes)
        for box, raw in placed_boxes(record, ref.columns, ref.rows)
    )


class _Index:
    """Slices by key and by file name."""

    def __init__(self, slices: Iterable[SliceRef]) -> None:
        self._by_key: dict[str, SliceRef] = {}
        self._by_name: dict[str, list[SliceRef]] = defaultdict(list)
        for ref in slices:
            if self._by_key.setdefault(ref.key, ref) is ref:
                self._by_name[ref.path.name].append(ref)
                self._by_name[ref.path.stem].append(ref)

    def match(self, record: Record) -> SliceRef | str:
        """The slice a record is for, or why there is none."""
        if record.key:
            found = self._by_key.get(record.key)
            return self._fitting(record, [found]) if found else "its slice is not open"
        name = PurePosixPath(record.name).name
        candidates = list({r.key: r for r in self._by_name.get(name, []) if r.frame == record.frame}.values())
        return self._fitting(record, candidates) if candidates else "no slice has that file name"

    def _fitting(self, record: Record, candidates: list[SliceRef]) -> SliceRef | str:
        width, height = _size(record)
        fit = [r for r in candidates if (width or r.columns, height or r.rows) == (r.columns, r.rows)]
        if not fit:
            sizes = " or ".join(sorted({f"{r.columns} × {r.rows}" for r in candidates}))
            return f"its labels are for {width} × {height} pixels, the slice has {sizes}"
        if len(fit) > 1:
            # The same names in two folders are the rule, not the exception: the folders decide.
            shared = [_shared_parts(record.name, r.path) for r in fit]
            fit = [r for r, n in zip(fit, shared, strict=True) if n == max(shared)]
        return fit[0] if len(fit) == 1 else f"{len(fit)} slices have that file name and size"


def _size(record: Record) -> tuple[int | None, int | None]:
    """(width, height) as the labels say, else of the image beside them."""
    if record.width is None and record.image is not None:
        try:
            first = open_reader(record.image).slices()[0]
        except UnreadableFile:
            return None, None
        return first.columns, first.rows
    return record.width, record.height


def _shared_parts(name: str, path: Path) -> int:
    """How many trailing parts of two paths agree."""
    ours, theirs = PurePosixPath(name).parts[::-1], path.parts[::-1]
    return next(
        (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b and i > 0), len(ours)
    )
