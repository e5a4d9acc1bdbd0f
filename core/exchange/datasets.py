"""Labelled slices to train on and to evaluate with, from files or from a workspace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from core.edits import SliceRecord
from core.errors import InputError, UnreadableFile
from core.exchange.coco import LABELS
from core.exchange.labels import read_labels
from core.exchange.records import LabelFile, Record, count_lost, hard_negative_boxes, placed_boxes
from core.exchange.terms import joined_terms
from core.exchange.yolo import DATA, splits_of
from core.imaging.reader import open_reader
from core.model import Dataset, LabelledBox, LabelledSlice, LabelSchema, ReadState, SliceRef
from core.store.slices import patient_of_name
from core.store.workspace import SUFFIX, Workspace, workspace_file

_SPLIT_FOLDERS = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}


def load_dataset(path: Path, *, split: str = "train") -> Dataset:
    """Load labelled slices: their boxes, and where their pixels are.

    A slice that cannot be opened, or is not of the size its labels are for, costs a note. Groups are what
    the file says (`block`, or those of our export), else the patient of a DICOM file, else the patient
    number that names of the form NNNNN_SSS begin with, else every file stands alone. `info["terms"]` is what
    a COCO file (`info`, `licenses`) or a data.yaml (`license`, `terms`) states of origin and licence.

    Args:
        path: A COCO json or the folder with `annotations.json`; a YOLO tree (folder with `data.yaml`), or
            the folder of one of its splits; an export of ours; a workspace.
        split: "train", "val", "test" or "all": which part of a YOLO tree, or which folder (train, valid, …)
            of a folder of COCO sets. A workspace and a single COCO set have but one part.

    Raises:
        InputError: Nothing of a known format there, or no such split.
        UnreadableFile: The label file cannot be understood.
        StoreError: The workspace cannot be opened.
    """
    if _is_workspace(path):
        with Workspace.open(path, reader="", create=False) as workspace:
            return from_workspace(workspace)
    folders = _split_folders(path)
    if folders:
        wanted = list(folders) if split == "all" else [split]
        if missing := [s for s in wanted if s not in folders]:
            raise InputError(f"{path}: has no split {missing[0]!r} (it has: {', '.join(folders)}).")
        return merged(path.name, [load_dataset(folders[s]) for s in wanted])
    labels, _ = read_labels(path, split=split if splits_of(path) else "all")
    return _dataset(labels)


def dataset_splits(path: Path) -> tuple[str, ...]:
    """The parts a dataset comes in, of "train", "val", "test"; empty where it has but one.

    Raises:
        UnreadableFile: Its data.yaml cannot be understood.
    """
    return tuple(_split_folders(path)) or splits_of(path)


def from_workspace(workspace: Workspace) -> Dataset:
    """The read slices of a workspace; rejected predictions come along as hard negatives.

    `info["unread"]` says how many slices it knows that nobody has read; they are left out, whatever is on
    them.
    """
    annotations, known = workspace.annotations, workspace.known_slices()
    records = {k.ref.key: annotations.on(k.ref.key) for k in known}
    marked_read = [k for k in known if records[k.ref.key].reading is not None]
    # A box that nobody has looked at is no truth, and without it the slice is not as it was read.
    read = [k for k in marked_read if all(a.checked for a in records[k.ref.key].annotations)]
    slices = tuple(_labelled(k.ref, records[k.ref.key], k.group) for k in read)
    notes = _reading_notes(records.values())
    if len(read) < len(marked_read):
        waiting = len(marked_read) - len(read)
        notes.append(f"{waiting} slices were left out: they hold computed boxes that nobody has checked.")
    marked = sum(record.reading is not None for record in annotations.by_slice.values())
    if marked > len(marked_read):
        notes.append(
            f"{marked - len(marked_read)} read slices were left out: where their files are is not known."
        )
    grouped_by, group_notes = _grouping(k.grouped_by for k in read)
    return Dataset(
        name=workspace.path.stem,
        schema=workspace.schema.covering(b.label_id for s in slices for b in s.boxes),
        slices=slices,
        grouped_by=grouped_by,
        notes=(*notes, *group_notes),
        info={"source": "workspace", "unread": str(len(known) - len(read))},
    )


def merged(name: str, datasets: Sequence[Dataset]) -> Dataset:
    """Several parts of one dataset as one.

    Raises:
        InputError: Their classes differ.
    """
    if len({d.schema.classes for d in datasets}) > 1:
        raise InputError(f"{name}: its parts do not have the same classes.")
    kinds = list(dict.fromkeys(d.grouped_by for d in datasets))
    return Dataset(
        name=name if len(datasets) > 1 else f"{name}/{datasets[0].name}",
        schema=datasets[0].schema,
        slices=tuple(s for d in datasets for s in d.slices),
        grouped_by=kinds[0] if len(kinds) == 1 else " or ".join(kinds),
        notes=tuple(n for d in datasets for n in d.notes),
        info={**datasets[0].info, **_stated(joined_terms([d.info.get("terms", "") for d in datasets]))},
    )


def _is_workspace(path: Path) -> bool:
    """A workspace file, or a folder that holds one and no labels of its own."""
    if not path.is_dir():
        return path.suffix == SUFFIX
    labelled = (path / LABELS).is_file() or (path / DATA).is_file()
    return workspace_file(path).is_file() and not labelled


def _split_folders(path: Path) -> dict[str, Path]:
    """Folders of a folder of COCO sets, by split."""
    if not path.is_dir() or (path / LABELS).is_file():
        return {}
    return {
        split: path / name
        for split, names in _SPLIT_FOLDERS.items()
        for name in names
        if (path / name / LABELS).is_file()
    }


def _labelled(ref: SliceRef, record: SliceRecord, group: str) -> LabelledSlice:
    boxes = tuple(LabelledBox(a.box, a.label_id, a.attributes) for a in record.annotations)
    return LabelledSlice(ref, boxes, group, tuple(r.box for r in record.rejections))


def _reading_notes(records: Iterable[SliceRecord]) -> list[str]:
    unread = contradicting = 0
    for record in records:
        if record.reading is None:
            unread += len(record.annotations)
        elif record.reading.state is ReadState.NO_FINDING and record.annotations:
            contradicting += 1
    notes = []
    if unread:
        notes.append(f"{unread} boxes were left out: their slices are not marked as read.")
    if contradicting:
        notes.append(f"{contradicting} slices were read as 'no finding' but hold boxes; the boxes count.")
    return notes


def _grouping(kinds: Iterable[str]) -> tuple[str, list[str]]:
    """What the groups are in one word, and where they are mixed, a note on the others."""
    counts = Counter(kinds)
    order = [k for k in ("block", "patient", "study", "file") if counts[k]]
    if not order:
        return "file", []
    others = [f"{counts[k]} of {counts.total()} slices are grouped by {k}" for k in order[1:]]
    return order[0], [f"{', '.join(others)}, not by {order[0]}."] if others else []


def _dataset(labels: LabelFile) -> Dataset:
    schema = LabelSchema(labels.root.name, labels.classes)
    opener = _Opener()
    slices, kinds, notes = [], [], list(labels.notes)
    for record in labels.records:
        try:
            ref = opener.open(record)
        except UnreadableFile as error:
            notes.append(f"{record.name} was left out: {error.reason}.")
            continue
        if lost := count_lost(record, ref.columns, ref.rows):
            notes.append(f"{record.name}: {lost} boxes lie outside of the slice and were left out.")
        group, kind = _group(record, ref, labels)
        kinds.append(kind)
        found = placed_boxes(record, ref.columns, ref.rows)
        boxes = tuple(
            LabelledBox(box, _id(schema, raw.name), raw.attributes, raw.outlines) for box, raw in found
        )
        negatives = hard_negative_boxes(record, ref.columns, ref.rows)
        slices.append(LabelledSlice(ref, boxes, group, negatives))
    grouped_by, group_notes = _grouping(kinds)
    return Dataset(
        name=labels.root.name,
        schema=schema,
        slices=tuple(slices),
        grouped_by=grouped_by,
        notes=(*notes, *group_notes),
        info={"source": labels.format, **_stated(labels.terms)},
    )


def _stated(terms: str) -> dict[str, str]:
    """Origin and licence for a model's card, where anything is known of them."""
    return {"terms": terms} if terms else {}


def _id(schema: LabelSchema, name: str) -> int:
    found = schema.by_name(name)
    assert found is not None  # every reader lists the classes of its boxes
    return found.id


def _group(record: Record, ref: SliceRef, labels: LabelFile) -> tuple[str, str]:
    if record.group:
        # Blocks are numbered in every dataset anew; patients are not.
        own = record.grouped_by == "block"
        return (f"{labels.root.name}: {record.group}" if own else record.group), record.grouped_by or "file"
    patient = ref.patient or patient_of_name(record.name.rsplit("/", 1)[-1])
    return (patient, "patient") if patient else (ref.key.rsplit("#", 1)[0], "file")


class _Opener:
    """Opens the slice of a record; the frames of one file are parsed once."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._slices: Sequence[SliceRef] = ()

    def open(self, record: Record) -> SliceRef:
        """The slice.

        Raises:
            UnreadableFile: No file, not an image, no such frame, or not of the size its labels are for.
        """
        if record.image is None:
            raise UnreadableFile(record.name, "its image was not found")
        path = record.image.absolute()
        if path != self._path:
            self._slices = open_reader(path).slices()
            self._path = path
        ref = next((s for s in self._slices if s.frame == record.frame), None)
        if ref is None:
            raise UnreadableFile(record.name, f"its image has no frame {record.frame}")
        if (record.width or ref.columns, record.height or ref.rows) != (ref.columns, ref.rows):
            raise UnreadableFile(
                record.name,
                f"its labels are for {record.width} × {record.height} pixels, "
                f"the image has {ref.columns} × {ref.rows}",
            )
        return ref
