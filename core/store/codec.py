"""Edits as JSON and back, exactly: `decode_edit(encode_edit(edit)) == edit`.

Numbers are written with Python's shortest round-trip form, so a float64 comes back bit for bit.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.edits import Change, Entry, SetEdit
from core.label_schema import attributes_of
from core.model import (
    Annotation,
    Box,
    Geometry,
    Origin,
    OriginKind,
    ReadingMark,
    ReadState,
    Rejection,
    SchemaBook,
    SliceRef,
    ValueMap,
    VoiTable,
    Window,
)
from core.store.schemas import decode_book, encode_book

Json = dict[str, Any]

_MAX_TABLE = 2 * 65536  # bytes


def canonical(value: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces. What the journal hashes.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def encode_edit(edit: SetEdit) -> Json:
    """An edit as JSON values."""
    changes = [{"before": _entry(c.before), "after": _entry(c.after)} for c in edit.changes]
    return {"action": edit.action, "reason": edit.reason, "changes": changes}


def decode_edit(tree: Json) -> SetEdit:
    """The edit that `encode_edit` wrote.

    Raises:
        KeyError, TypeError, ValueError: The tree is not an edit.
    """
    changes = tuple(Change(_read_entry(c["before"]), _read_entry(c["after"])) for c in tree["changes"])
    return SetEdit(tree["action"], changes, tree["reason"])


def encode_slice(ref: SliceRef) -> Json:
    """A slice reference as JSON values; the path as it is (make it absolute first)."""
    return {
        "key": ref.key,
        "path": _path(ref.path),
        "frame": int(ref.frame),
        "rows": int(ref.rows),
        "columns": int(ref.columns),
        "series_uid": ref.series_uid,
        "geometry": None if ref.geometry is None else _geometry(ref.geometry),
        "spacing": None if ref.spacing is None else _floats(ref.spacing),
        "windows": [_window(w) for w in ref.windows],
        "inverted": bool(ref.inverted),
        "patient": ref.patient,
        "frame_of_reference": ref.frame_of_reference,
        "instance_number": None if ref.instance_number is None else int(ref.instance_number),
        "padding": None if ref.padding is None else _floats(ref.padding),
        "dimension": [int(v) for v in ref.dimension],
        "aspect": float(ref.aspect),
        "colour": bool(ref.colour),
        "value_maps": [
            [*_floats((m.low, m.high, m.slope, m.intercept)), m.unit, m.label, _floats(m.table)]
            for m in ref.value_maps
        ],
    }


def decode_slice(tree: Json) -> SliceRef:
    """The reference that `encode_slice` wrote.

    Raises:
        KeyError, TypeError, ValueError: The tree is not a slice reference.
    """
    spacing = tree["spacing"]
    padding = tree.get("padding")  # workspaces made before it was kept lack it
    return SliceRef(
        key=tree["key"],
        path=_read_path(tree["path"]),
        frame=tree["frame"],
        rows=tree["rows"],
        columns=tree["columns"],
        series_uid=tree["series_uid"],
        geometry=None if tree["geometry"] is None else _read_geometry(tree["geometry"]),
        spacing=None if spacing is None else (spacing[0], spacing[1]),
        windows=tuple(_read_window(row) for row in tree["windows"]),
        inverted=tree["inverted"],
        patient=tree["patient"],
        frame_of_reference=tree["frame_of_reference"],
        instance_number=tree["instance_number"],
        padding=None if padding is None else (padding[0], padding[1]),
        dimension=tuple(tree.get("dimension", ())),
        aspect=tree.get("aspect", 1.0),
        colour=tree.get("colour", False),
        value_maps=tuple(_read_map(row) for row in tree.get("value_maps", ())),
    )


def _window(window: Window) -> list[Any]:
    """A window as JSON values; a VOI table follows it, packed: it may have 65,536 entries."""
    plain: list[Any] = [float(window.center), float(window.width), window.name, window.function]
    if window.table is None:
        return plain
    packed = base64.b64encode(zlib.compress(window.table.levels, 9)).decode()
    return [*plain, packed, int(window.table.top)]


def _read_window(row: list[Any]) -> Window:
    center, width, name, function, *table = row
    if not table:
        return Window(center, width, name, function)
    levels = zlib.decompressobj().decompress(base64.b64decode(table[0]), _MAX_TABLE)
    return Window(center, width, name, function, VoiTable(levels, table[1]))


def _read_map(row: list[Any]) -> ValueMap:
    low, high, slope, intercept, unit, label, table = row
    return ValueMap(low, high, slope, intercept, unit, label, tuple(table))


def _path(path: Path) -> str | list[int]:
    """The path as text; as bytes where its name is no text in any encoding (old discs, other systems)."""
    text = str(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return list(os.fsencode(text))
    return text


def _read_path(tree: str | list[int]) -> Path:
    return Path(tree if isinstance(tree, str) else os.fsdecode(bytes(tree)))


def _geometry(geometry: Geometry) -> Json:
    return {
        "position": _floats(geometry.position),
        "row_cosine": _floats(geometry.row_cosine),
        "column_cosine": _floats(geometry.column_cosine),
        "row_spacing": float(geometry.row_spacing),
        "column_spacing": float(geometry.column_spacing),
    }


def _read_geometry(tree: Json) -> Geometry:
    x, y, z = tree["position"]
    rx, ry, rz = tree["row_cosine"]
    cx, cy, cz = tree["column_cosine"]
    return Geometry((x, y, z), (rx, ry, rz), (cx, cy, cz), tree["row_spacing"], tree["column_spacing"])


def _entry(entry: Entry | None) -> Json | None:
    if entry is None:
        return None
    if isinstance(entry, SchemaBook):
        return {"kind": "schemas", **encode_book(entry)}
    if isinstance(entry, ReadingMark):
        return {"kind": "reading", "slice": entry.slice_key, "state": entry.state, "reader": entry.reader}
    common = {
        "id": entry.id,
        "slice": entry.slice_key,
        "box": _box(entry.box),
        "label": int(entry.label_id),
        "author": entry.author,
    }
    if isinstance(entry, Rejection):
        return {
            "kind": "rejection",
            **common,
            "model": entry.model,
            "score": float(entry.score),
            "reason": entry.reason,
        }
    window = None if entry.window is None else _floats(entry.window)
    plain = {"kind": "annotation", **common, "origin": _origin(entry.origin), "window": window}
    return {**plain, **_said(entry)}


def _said(annotation: Annotation) -> Json:
    """What most boxes lack, and the first format did not know."""
    said: Json = {}
    if annotation.attributes:
        said["attributes"] = dict(annotation.attributes)
    if annotation.locked:
        said["locked"] = True
    if not annotation.checked:
        said["checked"] = False
    if annotation.finding:
        said["finding"] = annotation.finding
    return said


def _read_entry(tree: Json | None) -> Entry | None:
    if tree is None:
        return None
    kind = tree["kind"]
    if kind == "schemas":
        return decode_book(tree)
    key = tree["slice"]
    if kind == "reading":
        return ReadingMark(key, ReadState(tree["state"]), tree["reader"])
    box, label = Box(*tree["box"]), tree["label"]
    if kind == "rejection":
        return Rejection(
            tree["id"], key, box, label, tree["model"], tree["score"], tree["reason"], tree["author"]
        )
    if kind != "annotation":
        raise ValueError(f"unknown kind of entry {kind!r}")
    window = None if tree["window"] is None else (tree["window"][0], tree["window"][1])
    return Annotation(
        tree["id"],
        key,
        box,
        label,
        _read_origin(tree["origin"]),
        tree["author"],
        window,
        attributes_of(tree.get("attributes", {})),
        tree.get("locked", False),
        tree.get("checked", True),
        tree.get("finding", ""),
    )


def _origin(origin: Origin) -> Json:
    return {
        "kind": origin.kind,
        "model": origin.model,
        "score": None if origin.score is None else float(origin.score),
        "proposal": None if origin.proposal is None else _box(origin.proposal),
        "predicted": None if origin.predicted is None else _box(origin.predicted),
        "source": origin.source,
    }


def _read_origin(tree: Json) -> Origin:
    proposal, predicted = tree["proposal"], tree["predicted"]
    return Origin(
        OriginKind(tree["kind"]),
        tree["model"],
        tree["score"],
        None if proposal is None else Box(*proposal),
        None if predicted is None else Box(*predicted),
        tree["source"],
    )


def _box(box: Box) -> list[float]:
    return _floats(box.as_tuple())


# float() turns numpy scalars into numbers that JSON knows.
def _floats(values: Sequence[float]) -> list[float]:
    return [float(v) for v in values]
