"""What `info`, `propose` and `detect` write: one JSON object, described in docs/formats.md."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.detection.findings import link
from core.errors import ExchangeError, UnreadableFile
from core.model import Catalog, Detection, Proposals, Series, Skipped, SliceRef

Pixels = NDArray[np.float32]
Json = dict[str, object]


def image_row(
    series: Series,
    index: int,
    *,
    milliseconds: float,
    proposals: Proposals | None = None,
    detections: Sequence[Detection] | None = None,
) -> Json:
    """One slice of a `propose` or `detect` result; `ms` is the engine's own time, without decoding."""
    ref = series.slices[index]
    row: Json = {
        "path": str(ref.path),
        "series_uid": series.uid if series.is_stack else None,
        "slice": index,
        "frame": ref.frame,
        "width": ref.columns,
        "height": ref.rows,
        "ms": round(milliseconds, 3),
    }
    if proposals is not None:
        pairs = zip(proposals.boxes, proposals.scores, strict=True)
        row["proposals"] = [[*box.as_tuple(), score] for box, score in pairs]
    if detections is not None:
        row["detections"] = [
            {"box": list(d.box.as_tuple()), "label": d.label, "score": d.score} for d in detections
        ]
    return row


def finding_rows(series: Series, detections: Mapping[int, Sequence[Detection]]) -> list[Json]:
    """The detections of one series linked into findings, best score first.

    On a stack slices are linked; in a collection each picture has its own, and `path` says which.

    Args:
        series: The series.
        detections: By slice index, as they stand in the slices' rows; slices may be missing.
    """
    if series.is_stack:
        return _finding_rows(series, range(len(series.slices)), detections)
    return [row for index in sorted(detections) for row in _finding_rows(series, [index], detections)]


def _finding_rows(
    series: Series, indices: Sequence[int], detections: Mapping[int, Sequence[Detection]]
) -> list[Json]:
    lesions = link([detections.get(i, ()) for i in indices], [series.slices[i] for i in indices])
    return [
        {
            "series_uid": series.uid if series.is_stack else None,
            "path": None if series.is_stack else str(series.slices[indices[0]].path),
            "slices": [[indices[m.slice], m.index] for m in lesion.members],
            "label": lesion.label,
            "score": lesion.score,
            "extent_mm": list(lesion.extent_mm) if lesion.extent_mm else None,
            "volume_ml_estimate": lesion.volume_ml,
        }
        for lesion in lesions
    ]


def catalog_report(catalog: Catalog, load: Callable[[SliceRef], Pixels] | None = None) -> Json:
    """What was found, in reading order, and what was left out and why (other DICOM objects by kind as well).

    Args:
        catalog: The catalogue.
        load: Where given, pixels are read: least and greatest value, and the SHA-256 of the rescaled pixels
            as little-endian float32, row by row. One that cannot be read is left out.
    """
    skipped = list(catalog.skipped)
    series = [
        {
            "uid": one.uid,
            "modality": one.modality,
            "description": one.description,
            "slices": _slice_reports(one, load, skipped),
        }
        for one in catalog.series
    ]
    objects = [
        {"path": str(o.path), "kind": o.kind, "sop_class": o.sop_class, "refers_to": list(o.refers_to)}
        for o in catalog.objects
    ]
    return {
        "skipped": [{"path": str(s.path), "reason": s.reason} for s in skipped],
        "objects": objects,
        "series": series,
    }


def _slice_reports(
    series: Series, load: Callable[[SliceRef], Pixels] | None, skipped: list[Skipped]
) -> list[Json]:
    rows: list[Json] = []
    for ref in series.slices:
        try:
            rows.append(_slice_report(ref, load))
        except UnreadableFile as error:
            skipped.append(Skipped(ref.path, error.reason))
    return rows


def _slice_report(ref: SliceRef, load: Callable[[SliceRef], Pixels] | None) -> Json:
    row: Json = {
        "path": str(ref.path),
        "frame": ref.frame,
        "rows": ref.rows,
        "columns": ref.columns,
        "position_mm": list(ref.geometry.position) if ref.geometry else None,
        "min": None,
        "max": None,
        "sha256": None,
    }
    if load is not None:
        pixels = np.ascontiguousarray(load(ref), dtype="<f4")
        row["min"], row["max"] = float(np.nanmin(pixels)), float(np.nanmax(pixels))
        row["sha256"] = hashlib.sha256(pixels.tobytes()).hexdigest()
    return row


def write_json(value: Mapping[str, object], path: Path) -> None:
    """Write a JSON file at once or not at all.

    Raises:
        ExchangeError: It cannot be written; an older file of that name is as it was.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=1, allow_nan=False)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise ExchangeError(f"{path}: cannot be written ({error.strerror}).") from error
