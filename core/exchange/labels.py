"""Reads label files of any format; says which format a path is."""

from __future__ import annotations

from pathlib import Path

from core.errors import InputError
from core.exchange.coco import LABELS, read_coco
from core.exchange.manifest import Manifest, read_manifest, with_manifest
from core.exchange.records import LabelFile
from core.exchange.voc import read_voc
from core.exchange.yolo import find_data_yaml, read_yolo

FORMATS = ("coco", "yolo", "voc")


def format_of(path: Path) -> str:
    """The format of label files at a path: what our manifest says, else what the files look like.

    Raises:
        InputError: There is nothing of a known format.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder.")
    manifest = read_manifest(path) if path.is_dir() else None
    if manifest is not None and manifest.format in FORMATS:
        return manifest.format
    if path.suffix.lower() == ".json" or (path / LABELS).is_file():
        return "coco"
    if find_data_yaml(path) is not None:
        return "yolo"
    folders = [path, path / "Annotations"] if path.is_dir() else []
    if path.suffix.lower() == ".xml" or any(next(f.glob("*.xml"), None) for f in folders):
        return "voc"
    raise InputError(
        f"{path}: no labels here. Expected annotations.json (COCO), data.yaml (YOLO) or *.xml (VOC)."
    )


def read_labels(
    path: Path, kind: str | None = None, *, split: str = "all", voc_convention: str = "exclusive0"
) -> tuple[LabelFile, Manifest | None]:
    """Read label files, with what our manifest beside them adds.

    Args:
        path: The file or folder.
        kind: "coco", "yolo" or "voc"; found out where None.
        split: Of a YOLO tree.
        voc_convention: See `read_voc`.

    Raises:
        InputError: Nothing of that format there.
        UnreadableFile: It cannot be understood.
    """
    kind = kind or format_of(path)
    if kind == "coco":
        labels = read_coco(path / LABELS if path.is_dir() else path)
    elif kind == "yolo":
        labels = read_yolo(path, split)
    elif kind == "voc":
        labels = read_voc(path, voc_convention)
    else:
        raise InputError(f"format {kind!r}: not one of {', '.join(FORMATS)}.")
    return with_manifest(labels)
