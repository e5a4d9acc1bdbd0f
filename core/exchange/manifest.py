"""`manifest.json`: what an export of ours holds, beside the label files of whichever format.

It is what makes a round trip exact: slice keys, frames, groups, rejected boxes, the schema's stable ids, the
mapping from copied pictures back to rescaled pixels, and the hashes of the label files.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import UnreadableFile
from core.exchange.coco import ident as coco_ident
from core.exchange.pixels import Scale
from core.exchange.records import Item, LabelFile, RawBox, Record, inside, read_json, told_attributes
from core.model import Dataset, LabelClass
from core.store.schemas import encode_schema

NAME = "manifest.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, read.

    Attributes:
        format: "coco", "yolo" or "voc".
        classes: The schema's classes with their stable ids.
        images: "copy" or "reference".
        grouped_by: What groups are.
        slices: One entry per slice by the record's ident.
        changed: Label files that are not as they were written.
    """

    format: str
    classes: tuple[LabelClass, ...]
    images: str
    grouped_by: str
    slices: Mapping[str, Mapping[str, Any]]
    changed: tuple[str, ...]


def write_manifest(
    folder: Path,
    dataset: Dataset,
    items: Sequence[Item],
    labels: Sequence[Path],
    scales: Mapping[str, Scale],
    facts: Mapping[str, Any],
) -> Path:
    """Write the manifest of an export.

    Args:
        folder: The export.
        dataset: What was exported.
        items: Its slices as they were written.
        labels: The label files.
        scales: How copied pictures relate to rescaled pixels, by stem.
        facts: format, images, unread.
    """
    per_class = Counter(b.label_id for i in items for b in i.labelled.boxes)
    tree = {
        "overread": VERSION,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": dataset.name,
        "format": facts["format"],
        "images": facts["images"],
        "boxes": "pixels of the slice, (0, 0) its outer top-left corner, width = x2 - x1",
        "schema": encode_schema(dataset.schema),
        "grouped_by": dataset.grouped_by,
        "counts": {
            "slices": len(items),
            "boxes": sum(per_class.values()),
            "negatives": sum(not i.labelled.boxes for i in items),
            "unread_left_out": facts["unread"],
            "per_class": {c.name: per_class[c.id] for c in dataset.schema.classes},
        },
        "files": {p.relative_to(folder).as_posix(): sha256(p) for p in labels},
        "slices": [_slice(i, str(facts["format"]), str(facts["images"]), scales.get(i.stem)) for i in items],
        "notes": list(dataset.notes),
    }
    path = folder / NAME
    path.write_text(json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    return path


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an export of ours, or None where there is none (other programs use the name too).

    Raises:
        UnreadableFile: It is damaged, or of a later version.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    tree = read_json(path)
    if "overread" not in tree:
        return None
    try:
        if tree["overread"] > VERSION:
            raise UnreadableFile(path, f"was written by a later Overread (version {tree['overread']})")
        classes = tuple(
            LabelClass(int(c["id"]), str(c["name"]), str(c["color"])) for c in tree["schema"]["classes"]
        )
        slices = {str(s["record"]): dict(s) for s in tree["slices"]}
        for one in slices.values():
            int(one["frame"]), int(one["width"]), int(one["height"]), str(one["image"]), str(one["key"])
        files: dict[str, str] = dict(tree["files"])
        kind, images, grouped_by = (str(tree[k]) for k in ("format", "images", "grouped_by"))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(path, f"is damaged ({type(error).__name__}: {error})") from error
    changed = tuple(n for n, h in files.items() if (folder / n).is_file() and sha256(folder / n) != h)
    return Manifest(kind, classes, images, grouped_by, slices, changed)


def with_manifest(labels: LabelFile) -> tuple[LabelFile, Manifest | None]:
    """The label file with what our manifest adds to its records, and the manifest where there is one."""
    manifest = read_manifest(labels.root)
    if manifest is None or manifest.format != labels.format:
        return labels, None
    notes = list(labels.notes)
    if manifest.changed:
        notes.append(f"{len(manifest.changed)} label files were changed after the export.")
    records = tuple(
        _told(r, manifest.slices[r.ident], labels.root, manifest) if r.ident in manifest.slices else r
        for r in labels.records
    )
    known = {c.name for c in manifest.classes}
    strange = tuple(c for c in labels.classes if c.name not in known)
    free = max((c.id for c in manifest.classes), default=0)
    classes = manifest.classes + tuple(replace(c, id=free + i) for i, c in enumerate(strange, 1))
    return replace(labels, records=records, classes=classes, notes=tuple(notes)), manifest


def sha256(path: Path) -> str:
    """The hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record_ident(item: Item, kind: str, images: str) -> str:
    """How the reader of a format will call the item's record."""
    if kind == "coco":
        return coco_ident(item.image, 0 if images == "copy" else item.labelled.ref.frame)
    return f"{'labels' if kind == 'yolo' else 'Annotations'}/{item.stem}"


def _slice(item: Item, kind: str, images: str, scale: Scale | None) -> dict[str, Any]:
    ref = item.labelled.ref
    return {
        "record": record_ident(item, kind, images),
        "key": ref.key,
        "image": item.image,
        "frame": 0 if images == "copy" else ref.frame,
        "width": ref.columns,
        "height": ref.rows,
        "group": item.labelled.group,
        "inverted": ref.inverted,
        "windows": [
            {"center": w.center, "width": w.width, "name": w.name, "function": w.function}
            for w in ref.windows
        ],
        # rescaled pixel = slope × stored pixel + intercept
        "pixels": None if scale is None else {"slope": scale.slope, "intercept": scale.intercept},
        "boxes": len(item.labelled.boxes),
        "rejected": [list(b.as_tuple()) for b in item.labelled.hard_negatives],
        **_attributes(item),
    }


def _attributes(item: Item) -> dict[str, Any]:
    """What was said of the slice's boxes, in their order; YOLO and VOC have no place for it."""
    said = [dict(b.attributes) for b in item.labelled.boxes]
    return {"attributes": said} if any(said) else {}


def _told(record: Record, said: Mapping[str, Any], root: Path, manifest: Manifest) -> Record:
    name = str(said["image"])
    # Only where we wrote references do names lead out of the folder.
    image = root / name if manifest.images == "reference" else inside(root, name)
    rejected = [[float(v) for v in box] for box in said.get("rejected", ())]
    told = said.get("attributes")
    boxes = record.boxes
    if isinstance(told, list) and len(told) == len(boxes):
        boxes = tuple(replace(b, attributes=told_attributes(t)) for b, t in zip(boxes, told, strict=True))
    return replace(
        record,
        boxes=boxes,
        width=int(said["width"]),
        height=int(said["height"]),
        frame=int(said["frame"]),
        image=image if image is not None and image.is_file() else None,
        key=str(said["key"]),
        group=str(said.get("group", "")),
        grouped_by=manifest.grouped_by,
        hard_negatives=tuple(RawBox(b[0], b[1], b[2], b[3]) for b in rejected if len(b) == 4),
    )
