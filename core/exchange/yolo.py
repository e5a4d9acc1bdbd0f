"""YOLO detection labels: one text file per image, `class cx cy w h` as fractions of the image's size.

Written with 17 decimals and all four corners inside the image: six decimals put edges at 1.0000005, which
validators refuse. A class is an index into `names` of `data.yaml`, so the schema's id stands in our manifest
and classes are matched by name. An empty file says "nothing here"; no file says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import InputError, UnreadableFile
from core.exchange.data_yaml import DataYaml, read_data_yaml, write_data_yaml
from core.exchange.records import Item, LabelFile, RawBox, Record, inside, read_text, unique_classes
from core.model import Box, LabelSchema

DATA = "data.yaml"
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", "")


def write_yolo(folder: Path, items: Sequence[Item], schema: LabelSchema, info: dict[str, str]) -> list[Path]:
    """Write `data.yaml` and `labels/`; returns the label files."""
    index = {c.id: i for i, c in enumerate(schema.classes)}
    comment = (
        f"Written by Overread. Images: {info['images']}; manifest.json names the file and frame of every "
        "label file.\n# There is no val: split by the groups in manifest.json, no patient on both sides."
    )
    data = folder / DATA
    data.write_text(write_data_yaml([c.name for c in schema.classes], comment), encoding="utf-8")
    labels = folder / "labels"
    labels.mkdir()
    written = [data]
    for item in items:
        ref = item.labelled.ref
        lines = [
            f"{index[b.label_id]} {' '.join(relative(b.box, ref.columns, ref.rows))}\n"
            for b in item.labelled.boxes
        ]
        path = labels / f"{item.stem}.txt"
        path.write_text("".join(lines), encoding="ascii")
        written.append(path)
    return written


def relative(box: Box, width: int, height: int) -> tuple[str, str, str, str]:
    """Centre and size as fractions of the image, as text; read back, every corner is in [0, 1]."""
    cx, w = _axis(box.x1, box.x2, width)
    cy, h = _axis(box.y1, box.y2, height)
    return cx, cy, w, h


def _axis(low: float, high: float, size: int) -> tuple[str, str]:
    a, b = max(low, 0.0) / size, min(high, float(size)) / size
    centre, extent = (a + b) / 2, b - a
    # Rounding may leave an edge 1e-17 outside; a sliver off the extent brings it back.
    while extent > 0 and (centre - extent / 2 < 0 or centre + extent / 2 > 1):
        extent -= 2.0**-52
    return f"{centre:.17f}", f"{max(extent, 0.0):.17f}"


def find_data_yaml(path: Path) -> Path | None:
    """The `data.yaml` a path means: itself, in the folder, or up to two folders above a split's folder."""
    if path.is_file():
        return path if path.suffix.lower() in (".yaml", ".yml") else None
    folders = [path]
    if path.name in ("labels", "images"):
        folders += [path.parent, path.parent.parent]
    elif path.parent.name in ("labels", "images"):
        folders.append(path.parent.parent)
    elif (path / "labels").is_dir():
        folders.append(path.parent)
    return next((f / DATA for f in folders if (f / DATA).is_file()), None)


def splits_of(path: Path) -> tuple[str, ...]:
    """The splits a YOLO tree has, of "train", "val", "test"; none where the path is one of them.

    Raises:
        UnreadableFile: Its data.yaml cannot be understood.
    """
    data = find_data_yaml(path)
    whole = data is not None and (path.is_file() or data.parent == path)
    return tuple(read_data_yaml(data).splits) if data and whole else ()


def read_yolo(path: Path, split: str = "all") -> LabelFile:
    """Read the label files of a YOLO tree.

    Args:
        path: The folder with `data.yaml`, the file itself, or the folder of one split below it.
        split: "train", "val", "test" or "all".

    Raises:
        InputError: There is no data.yaml, or it has no such split.
        UnreadableFile: It cannot be understood, or leads out of its folder.
    """
    data = find_data_yaml(path)
    if data is None:
        raise InputError(f"{path}: YOLO labels mean nothing without their data.yaml (names: [...]).")
    said = read_data_yaml(data)
    classes, notes = unique_classes([(i + 1, name) for i, name in enumerate(said.names)])
    records: list[Record] = []
    for images, labels in _folders(data, said, path, split):
        if not labels.is_dir():
            notes.append(f"{labels.relative_to(data.parent)}: there is no such folder of labels.")
            continue
        pictures = _pictures(images)
        files = sorted(p for p in labels.rglob("*.txt") if p.name != "classes.txt")
        for file in files:
            stem = file.relative_to(labels).with_suffix("").as_posix()
            ident = file.relative_to(data.parent).with_suffix("").as_posix()
            try:
                boxes = tuple(_lines(file, said.names))
            except UnreadableFile as error:
                notes.append(f"{ident}.txt was left out: {error.reason}.")
                continue
            records.append(Record(stem, ident, boxes, relative=True, image=pictures.get(stem)))
        unlabelled = set(pictures) - {f.relative_to(labels).with_suffix("").as_posix() for f in files}
        if unlabelled:
            notes.append(f"{len(unlabelled)} images have no label file: they count as unread.")
    return LabelFile("yolo", path, data.parent, classes, tuple(records), tuple(notes), terms=said.terms)


def _folders(data: Path, said: DataYaml, path: Path, split: str) -> Iterator[tuple[Path, Path]]:
    """(images, labels) folders of the split, or those under `path` where that is a part of the tree."""
    part = path.absolute()
    if not path.is_file() and part != data.parent.absolute():
        part = part.parent if part.name in ("labels", "images") else part
        if part.parent.name in ("labels", "images"):
            top, name = part.parent.parent, part.name
            yield top / "images" / name, top / "labels" / name
        else:
            yield part / "images", part / "labels"
        return
    if split != "all" and split not in said.splits:
        has = ", ".join(said.splits) or "none"
        raise InputError(f"{data}: has no split {split!r} (it has: {has}).")
    names = said.splits.values() if split == "all" else [said.splits[split]]
    seen = set()
    for name in (n for group in names for n in group):
        images = _images_folder(data, said.root, name)
        if images not in seen:
            seen.add(images)
            yield images, _labels_folder(images)


def _images_folder(data: Path, root: str, name: str) -> Path:
    """A split's folder of images. Roboflow writes `../train/images` and means `train/images`."""
    if name.lower().endswith(".txt"):
        raise UnreadableFile(data, f"{name}: lists of images are not read; name their folder")
    inner = name.removeprefix("../")
    roots = [r for r in (inside(data.parent, root) if root else None, data.parent) if r is not None]
    places = [p for r in roots if (p := inside(r, inner)) is not None]
    if not places:
        raise UnreadableFile(data, f"{name}: leads out of the dataset's folder")
    return next((p for p in places if p.is_dir() or _labels_folder(p).is_dir()), places[-1])


def _labels_folder(images: Path) -> Path:
    """Where the labels of a folder of images are: its last "images" replaced by "labels"."""
    parts = list(images.parts)
    for i in range(len(parts) - 1, 0, -1):
        if parts[i] == "images":
            return Path(*parts[:i], "labels", *parts[i + 1 :])
    return images


def _pictures(folder: Path) -> dict[str, Path]:
    """Image files by name without suffix."""
    if not folder.is_dir():
        return {}
    files = (p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _IMAGE_SUFFIXES and p.is_file())
    return {p.relative_to(folder).with_suffix("").as_posix(): p for p in files}


def _lines(path: Path, names: Sequence[str]) -> Iterator[RawBox]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            first, *rest = line.split()
            name = names[_index(first, len(names))]
            yield _box([float(v) for v in rest], name)
        except ValueError as error:
            raise UnreadableFile(path, f"line {number}: {error}") from error


def _index(text: str, count: int) -> int:
    index = int(text)
    if not 0 <= index < count:
        raise ValueError(f"class {index} is not among the {count} of data.yaml")
    return index


def _box(numbers: list[float], name: str) -> RawBox:
    if len(numbers) == 4:
        cx, cy, w, h = numbers
        # Never "not (w > 0)" alone: nan must not pass either.
        if not (0 < w <= 1.001 and 0 < h <= 1.001 and -0.001 <= cx <= 1.001 and -0.001 <= cy <= 1.001):
            raise ValueError("a box must be centre and size as fractions of the image")
        return RawBox(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, name)
    if len(numbers) >= 6 and len(numbers) % 2 == 0:  # an outline: its bounding box
        xs, ys = numbers[0::2], numbers[1::2]
        return RawBox(min(xs), min(ys), max(xs), max(ys), name)
    raise ValueError(f"{len(numbers) + 1} numbers are neither a box (5) nor an outline; a 6th is a score")
