"""Pascal VOC XML. The only place that knows its 1-based, inclusive pixels.

True VOC: xmin = floor(x1) + 1, xmax = ceil(x2): whole pixels, rounded outward. Most tools write something
else and no file says what, so ours carry a note in `<source><annotation>`, and each object our exact box
beside the rounded one; it is used as long as the two agree, that is until another program edits the box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from core.errors import InputError, UnreadableFile
from core.exchange.records import Item, LabelFile, RawBox, Record, inside, read_bytes, unique_classes
from core.model import Box, LabelSchema

NOTE = "Overread; 1-based inclusive pixels, rounded outward"
CONVENTIONS = ("exclusive0", "inclusive1")
_FOLDER = "Annotations"
_IMAGES = "JPEGImages"


def write_voc(folder: Path, items: Sequence[Item], schema: LabelSchema, info: dict[str, str]) -> list[Path]:
    """Write `Annotations/` and `ImageSets/Main/default.txt`; returns the label files."""
    labels = folder / _FOLDER
    labels.mkdir()
    written = []
    for item in items:
        path = labels / f"{item.stem}.xml"
        root = _document(item, schema, info["images"])
        indent(root)
        path.write_bytes(tostring(root, encoding="utf-8", xml_declaration=True))
        written.append(path)
    listing = folder / "ImageSets" / "Main" / "default.txt"
    listing.parent.mkdir(parents=True)
    listing.write_text("".join(f"{item.stem}\n" for item in items), encoding="utf-8")
    return [*written, listing]


def rounded(box: Box) -> tuple[int, int, int, int]:
    """The box in VOC's 1-based inclusive pixels; it covers ours and less than a pixel more on each side."""
    return math.floor(box.x1) + 1, math.floor(box.y1) + 1, math.ceil(box.x2), math.ceil(box.y2)


def read_voc(path: Path, convention: str = "exclusive0") -> LabelFile:
    """Read a folder of VOC files (or its `Annotations` folder, or one file).

    Args:
        path: Where.
        convention: How files that are not ours count: "exclusive0" (0-based, the right edge outside, as most
            tools write it) or "inclusive1" (true VOC).

    Raises:
        InputError: No VOC files there, or an unknown convention.
    """
    if convention not in CONVENTIONS:
        raise InputError(f"VOC convention {convention!r}: not one of {', '.join(CONVENTIONS)}.")
    folder = path.parent if path.is_file() else path / _FOLDER if (path / _FOLDER).is_dir() else path
    files = [path] if path.is_file() else sorted(folder.glob("*.xml"))
    if not files:
        raise InputError(f"{path}: there are no VOC files (*.xml) here.")
    root = folder.parent if folder.name == _FOLDER else folder
    records, notes, names, zeros = [], [], set(), 0
    for file in files:
        try:
            record, zero = _record(file, root, convention)
        except UnreadableFile as error:
            notes.append(f"{file.name} was left out: {error.reason}.")
            continue
        records.append(record)
        names |= {b.name for b in record.boxes}
        zeros += zero
    if zeros and convention == "inclusive1":
        notes.append(f"{zeros} files hold an xmin or ymin of 0: they are not 1-based as was chosen.")
    classes, _ = unique_classes([(i + 1, name) for i, name in enumerate(sorted(names))])
    return LabelFile("voc", path, root, classes, tuple(records), tuple(notes))


def _document(item: Item, schema: LabelSchema, images: str) -> Element:
    ref = item.labelled.ref
    root = Element("annotation")
    _text(root, "folder", _IMAGES if images == "copy" else "")
    _text(root, "filename", Path(item.image).name)
    if images == "reference":
        _text(root, "path", item.image)
        _text(root, "frame", str(ref.frame))
    source = SubElement(root, "source")
    _text(source, "database", "Overread")
    _text(source, "annotation", NOTE)
    size = SubElement(root, "size")
    for name, number in (("width", ref.columns), ("height", ref.rows), ("depth", 1)):
        _text(size, name, str(number))
    _text(root, "segmented", "0")
    for labelled in item.labelled.boxes:
        thing = SubElement(root, "object")
        _text(thing, "name", schema.name_of(labelled.label_id))
        for name, value in (("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
            _text(thing, name, value)
        frame = SubElement(thing, "bndbox")
        for name, edge in zip(("xmin", "ymin", "xmax", "ymax"), rounded(labelled.box), strict=True):
            _text(frame, name, str(edge))
        exact = dict(zip(("x1", "y1", "x2", "y2"), map(repr, labelled.box.as_tuple()), strict=True))
        SubElement(thing, "overread", exact)
    return root


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text


def _record(path: Path, root: Path, convention: str) -> tuple[Record, bool]:
    """One file's record, and whether an edge of 0 shows that it is not 1-based."""
    try:
        tree: Element = ElementTree.fromstring(read_bytes(path), forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise UnreadableFile(path, f"is not XML that is safe to read ({type(error).__name__})") from error
    if tree.tag != "annotation":
        raise UnreadableFile(path, f"is not VOC: it begins with <{tree.tag}>")
    inclusive = convention == "inclusive1" or _is_ours(tree)
    objects = [_object(path, n, thing) for n, thing in enumerate(tree.findall("object"), 1)]
    shift = 1.0 if inclusive else 0.0
    boxes = [
        (_exact(thing, edges) if _is_ours(tree) else None)
        or RawBox(edges.x1 - shift, edges.y1 - shift, edges.x2, edges.y2, edges.name)
        for thing, edges in zip(tree.findall("object"), objects, strict=True)
    ]
    filename = (tree.findtext("filename") or "").replace("\\", "/") or path.stem
    picture = inside(root / _IMAGES, filename)
    record = Record(
        name=filename,
        ident=path.relative_to(root).with_suffix("").as_posix(),
        boxes=tuple(boxes),
        width=_size(tree, "width"),
        height=_size(tree, "height"),
        image=picture if picture is not None and picture.is_file() else None,
    )
    return record, any(min(o.x1, o.y1) == 0 for o in objects)


def _is_ours(tree: Element) -> bool:
    return tree.findtext("source/annotation") == NOTE


def _object(path: Path, number: int, thing: Element) -> RawBox:
    """An object's edges as they stand in the file."""
    try:
        edges = [float(thing.findtext(f"bndbox/{n}") or "") for n in ("xmin", "ymin", "xmax", "ymax")]
    except ValueError as error:
        raise UnreadableFile(path, f"object {number} has no bndbox of four numbers") from error
    name = (thing.findtext("name") or "").strip()
    if not name or not all(map(math.isfinite, edges)):
        raise UnreadableFile(path, f"object {number} has no name or no finite bndbox")
    return RawBox(edges[0], edges[1], edges[2], edges[3], name)


def _exact(thing: Element, edges: RawBox) -> RawBox | None:
    """Our own unrounded box, or None where it is not there or another program has moved the rounded one."""
    found = thing.find("overread")
    if found is None:
        return None
    try:
        box = Box(*(float(found.attrib[name]) for name in ("x1", "y1", "x2", "y2")))
    except (KeyError, ValueError):
        return None
    same = rounded(box) == (edges.x1, edges.y1, edges.x2, edges.y2)
    return RawBox(*box.as_tuple(), edges.name) if same else None


def _size(tree: Element, name: str) -> int | None:
    try:
        return int(tree.findtext(f"size/{name}") or "") or None
    except ValueError:
        return None
