"""COCO detection JSON. `bbox` is [x, y, width, height] from the outer corner: our convention, other form.

Written with category ids = the schema's stable ids, annotation ids from 1 (0 counts as "no match" in COCO's
own evaluation), and on every image `frame` and `group` beside what the format knows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.errors import UnreadableFile
from core.exchange.records import (
    Item,
    LabelFile,
    RawBox,
    Record,
    inside,
    read_json,
    told_attributes,
    unique_classes,
)
from core.exchange.terms import coco_terms
from core.model import LabelSchema

LABELS = "annotations.json"


def write_coco(folder: Path, items: Sequence[Item], schema: LabelSchema, info: dict[str, str]) -> list[Path]:
    """Write `annotations.json`; returns the label files."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(items, 1):
        ref = item.labelled.ref
        images.append(
            {
                "id": number,
                "file_name": item.image,
                "width": ref.columns,
                "height": ref.rows,
                # A copied picture holds one frame, whichever it was.
                "frame": 0 if info["images"] == "copy" else ref.frame,
                "group": item.labelled.group,
            }
        )
        for labelled in item.labelled.boxes:
            box = labelled.box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": labelled.label_id,
                    "bbox": [box.x1, box.y1, box.width, box.height],
                    "area": box.area,
                    "iscrowd": 0,
                    **({"attributes": dict(labelled.attributes)} if labelled.attributes else {}),
                }
            )
    tree = {
        "info": info,
        "categories": [{"id": c.id, "name": c.name} for c in schema.classes],
        "images": images,
        "annotations": annotations,
    }
    path = folder / LABELS
    path.write_text(json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    return [path]


def read_coco(path: Path) -> LabelFile:
    """Read a COCO file.

    An image some of whose annotations cannot be understood is left out whole: what is on it is not known.
    Names that lead out of the folder are followed only where the file says that its images are references.

    Raises:
        UnreadableFile: Not JSON, or not COCO.
    """
    tree = read_json(path)
    images, annotations, categories = (_rows(path, tree, k) for k in ("images", "annotations", "categories"))
    try:
        names = {int(c["id"]): str(c["name"]) for c in categories}
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(path, f"a category lacks its id or name ({error})") from error
    classes, notes = unique_classes(list(names.items()))
    boxes, bad = _boxes(annotations, names)
    finder = _Finder(path, tree)
    records = []
    for image in images:
        number = str(image.get("id"))
        record = _record(image, boxes.get(number, ()), finder)
        reason = bad.get(number, "it lacks file_name, width or height" if record is None else "")
        if reason or record is None:
            notes.append(f"Image {number} was left out: {reason}.")
        else:
            records.append(record)
    strays = (set(boxes) | set(bad)) - {str(i.get("id")) for i in images}
    if strays:
        notes.append(f"{len(strays)} images that are not listed have annotations; these were left out.")
    notes += finder.notes()
    return LabelFile("coco", path, path.parent, classes, tuple(records), tuple(notes), terms=coco_terms(tree))


def ident(file_name: str, frame: int) -> str:
    """What tells an image of a COCO file from the others."""
    return f"{file_name}#{frame}"


def _rows(path: Path, tree: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = tree.get(key)
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise UnreadableFile(path, f"is not COCO: it has no list {key!r}")
    return rows


def _boxes(
    annotations: Iterable[dict[str, Any]], names: dict[int, str]
) -> tuple[dict[str, tuple[RawBox, ...]], dict[str, str]]:
    """Boxes by image id, and for images with an annotation that is not understood, why."""
    boxes: dict[str, tuple[RawBox, ...]] = {}
    bad: dict[str, str] = {}
    for row in annotations:
        number = str(row.get("image_id"))
        if row.get("iscrowd"):
            bad[number] = "it holds a crowd region"
            continue
        try:
            x, y, w, h = (float(v) for v in row["bbox"])
            name = names[int(row["category_id"])]
        except (KeyError, TypeError, ValueError):
            bad[number] = f"annotation {row.get('id')} lacks a bbox or a listed category"
            continue
        if not all(math.isfinite(v) for v in (x, y, w, h)) or w <= 0 or h <= 0:
            bad[number] = f"annotation {row.get('id')} has a bbox without area"
            continue
        boxes[number] = (
            *boxes.get(number, ()),
            RawBox(
                x,
                y,
                x + w,
                y + h,
                name,
                told_attributes(row.get("attributes")),
                _outlines(row.get("segmentation")),
            ),
        )
    return boxes, bad


def _outlines(told: object) -> tuple[tuple[float, ...], ...]:
    """COCO's polygons; run-length masks and what is no polygon are passed over: the box stands without."""
    polygons = []
    for line in told if isinstance(told, list) else ():
        if not isinstance(line, list) or len(line) < 6 or len(line) % 2:
            continue
        if all(isinstance(v, int | float) and math.isfinite(v) for v in line):
            polygons.append(tuple(float(v) for v in line))
    return tuple(polygons)


def _record(image: dict[str, Any], boxes: tuple[RawBox, ...], finder: _Finder) -> Record | None:
    try:
        name = str(image["file_name"])
        width, height, frame = int(image["width"]), int(image["height"]), int(image.get("frame", 0))
    except (KeyError, TypeError, ValueError):
        return None
    block, group = image.get("block"), image.get("group")
    return Record(
        name=name.replace("\\", "/"),
        ident=ident(name, frame),
        boxes=boxes,
        width=width,
        height=height,
        frame=frame,
        image=finder.find(name),
        group=str(group) if group is not None else "" if block is None else f"block {block}",
        grouped_by=finder.grouped_by if group is not None else "" if block is None else "block",
    )


class _Finder:
    """Finds images: in `images/` beside the COCO file, beside it, or beside its `annotations/` folder."""

    def __init__(self, path: Path, tree: dict[str, Any]) -> None:
        info = tree.get("info")
        info = info if isinstance(info, dict) else {}
        self.grouped_by = str(info.get("grouped_by", "file"))
        self._references = info.get("images") == "reference"
        folder = path.parent
        self._roots = [folder / "images", folder]
        if folder.name == "annotations":
            self._roots += [folder.parent / "images", folder.parent]
            self._roots.append(folder.parent / path.stem.removeprefix("instances_"))
        self._refused = 0

    def find(self, name: str) -> Path | None:
        if self._references:
            here = self._roots[1] / name  # an absolute name stays what it is
            return here if here.is_file() else None
        places = [inside(root, name) for root in self._roots]
        self._refused += places[0] is None
        return next((p for p in places if p is not None and p.is_file()), None)

    def notes(self) -> list[str]:
        if not self._refused:
            return []
        return [
            f"{self._refused} image names lead out of the dataset's folder and were not followed. "
            'If they are meant, the file must say so: "info": {"images": "reference"}.'
        ]
