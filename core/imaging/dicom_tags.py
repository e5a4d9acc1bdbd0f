"""Reads the tags of a DICOM file for the eye: nested, private ones named, every value bounded, no pixels."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from pydicom.datadict import dictionary_description, private_dictionary_description
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import UID

from core.errors import UnreadableFile
from core.imaging.base import check_regular, file_boundary
from core.imaging.dicom_file import dicom_stream
from core.imaging.dicom_parse import read_header
from core.imaging.tags import MAX_TEXT, TagRow, TagTree, shown, understood
from core.model import SliceRef

MAX_ROWS = 20_000
_MAX_DEPTH = 24
_MAX_ITEMS = 200
_MAX_VALUES = 64
_MAX_BYTES = 24  # of binary values, in hexadecimal
_PER_FRAME = "PerFrameFunctionalGroupsSequence"

log = logging.getLogger(__name__)


def read_tags(ref: SliceRef) -> TagTree:
    """The tags of a slice's file. Of what a multi-frame file says frame by frame, only the slice's own item.

    Never raises for a bad file: the note says what is wrong, and what could be read is shown.
    """
    first = understood(ref)
    if not ref.key.startswith("dicom:"):
        return TagTree((first,), "This file is not DICOM: it has no tags.")
    try:
        check_regular(ref.path)
        with file_boundary(ref.path, "DICOM"), dicom_stream(ref.path) as stream:
            head = stream.read(132)
            stream.seek(0)
            dataset, skipped = read_header(ref.path, stream, bare=head[128:] != b"DICM")
            budget = _Budget(MAX_ROWS)
            meta = TagRow("", "", "File meta information", children=budget.rows(dataset.file_meta, ref.frame))
            rows = budget.rows(dataset, ref.frame)
    except UnreadableFile as error:
        return TagTree((first,), f"The tags cannot be read: {error.reason}.")
    notes = []
    if budget.spent:
        notes.append(f"Cut short after {MAX_ROWS} rows.")
    if skipped:
        notes.append("An element that cannot be parsed was left out.")
    return TagTree((first, *((meta,) if meta.children else ()), *rows), " ".join(notes))


class _Budget:
    """Makes rows until there are enough."""

    def __init__(self, rows: int) -> None:
        self._left = rows

    @property
    def spent(self) -> bool:
        """Whether something was left out for want of room."""
        return self._left <= 0

    def rows(self, dataset: Dataset, frame: int, depth: int = 0) -> tuple[TagRow, ...]:
        """The elements of a data set."""
        return tuple(self._elements(dataset, frame, depth))

    def _elements(self, dataset: Dataset, frame: int, depth: int) -> Iterator[TagRow]:
        for tag in sorted(dataset.keys()):
            if self.spent:
                return
            self._left -= 1
            text = f"{tag.group:04X},{tag.element:04X}"
            try:
                element = dataset[tag]
            except Exception as error:  # noqa: BLE001 - hostile values raise anything; the rest is shown
                log.debug("a value cannot be parsed: %s", type(error).__name__)
                raw = dataset.get_item(tag)
                vr = (raw.VR if isinstance(raw, RawDataElement) else "") or ""
                yield TagRow(text, vr, _name(dataset, tag), "(cannot be parsed)", tag.is_private)
                continue
            if element.VR == "SQ":
                yield self._sequence(text, element, dataset, frame, depth)
            else:
                yield TagRow(text, str(element.VR), _name(dataset, tag), _value(element), tag.is_private)

    def _sequence(self, text: str, element: DataElement, holder: Dataset, frame: int, depth: int) -> TagRow:
        name, private = _name(holder, element.tag), element.tag.is_private
        items: Sequence[Dataset] = list(element.value or ())
        count = len(items)
        value = f"{count} item{'' if count == 1 else 's'}"
        if depth >= _MAX_DEPTH:
            return TagRow(text, "SQ", name, f"{value}, nested too deeply to be shown", private)
        chosen = list(enumerate(items))
        if element.keyword == _PER_FRAME:
            chosen = chosen[frame : frame + 1]
            value = f"{value}; that of this slice is shown"
        elif count > _MAX_ITEMS:
            chosen = chosen[:_MAX_ITEMS]
            value = f"{value}; the first {_MAX_ITEMS} are shown"
        children = []
        for i, item in chosen:
            if self.spent:
                break
            self._left -= 1
            children.append(
                TagRow("", "", f"Item {i + 1} of {count}", "", children=self.rows(item, frame, depth + 1))
            )
        return TagRow(text, "SQ", name, value, private, tuple(children))


def _name(dataset: Dataset, where: BaseTag) -> str:
    if not where.is_private:
        try:
            return dictionary_description(where)
        except KeyError:
            return "Unknown"
    if where.is_private_creator:
        return "Private creator"
    creator = _creator(dataset, where.group, where.element >> 8)
    try:
        return f"{private_dictionary_description(where, creator)} ({creator})"
    except KeyError:
        return f"Private ({creator})" if creator else "Private"


def _creator(dataset: Dataset, group: int, block: int) -> str:
    try:
        return shown(str(dataset[group, block].value))[:64]
    except Exception:  # noqa: BLE001 - absent, or as broken as the rest
        return ""


def _value(element: DataElement) -> str:
    value = element.value
    if value is None or value == "":
        return ""
    if isinstance(value, bytes | bytearray):
        return _binary(bytes(value))
    if isinstance(value, MultiValue | list | tuple):
        words = [str(v) for v in value[:_MAX_VALUES]]
        more = f" … ({len(value)} values)" if len(value) > _MAX_VALUES else ""
        return shown(" \\ ".join(words)) + more
    if isinstance(value, UID):
        name = value.name
        return f"{shown(value)}  ({name})" if name != value else shown(value)
    return shown(str(value)[: 4 * MAX_TEXT])


def _binary(value: bytes) -> str:
    if not value:
        return ""
    start = value[:_MAX_BYTES]
    words = start.rstrip(b"\0 ")
    if words and words.isascii() and words.decode("ascii").isprintable() and len(value) <= MAX_TEXT:
        return shown(value.decode("latin-1").rstrip("\0 "))
    more = " …" if len(value) > _MAX_BYTES else ""
    return f"{len(value)} bytes: {start.hex(' ')}{more}"
