"""Parses a DICOM header up to its pixels, with a way round what pydicom cannot read."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag

from core.errors import UnreadableFile

PIXEL_TAGS = {0x7FE00010: "PixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00008: "FloatPixelData"}
UNDEFINED = 0xFFFFFFFF
_ITEM = b"\xfe\xff\x00\xe0"  # tags of items, little endian
_ITEM_END = b"\xfe\xff\x0d\xe0"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0"
_MAX_NESTING = 64
_MOST_ELEMENTS = 50_000


def read_header(path: Path, stream: BinaryIO, bare: bool) -> tuple[Dataset, bool]:
    """The data set up to its pixels, and whether an element of it was skipped.

    An element of unknown kind (UN) and undefined length holds a sequence in implicit little endian whatever
    the transfer syntax (PS3.5 6.2.2). In a big-endian file pydicom takes it for big endian, and reads on to
    the file's end. Such elements are stepped over, and reading begins again behind them.
    """
    try:
        return read_partial(stream, stop_when=_Stop(path), force=bare), False
    except (OSError, EOFError):
        stream.seek(0)
        dataset: Dataset = read_partial(stream, stop_when=_Stop(path, at_unknown=True), force=bare)
        if dataset.original_encoding != (False, False):
            raise
    while _skip_unknown(path, stream):
        dataset.update(read_dataset(stream, False, False, stop_when=_Stop(path, at_unknown=True)))
    return dataset, True


def _skip_unknown(path: Path, stream: BinaryIO) -> bool:
    """Step over an element of unknown kind and undefined length, if the (big-endian) stream is at one."""
    at = stream.tell()
    head = stream.read(12)
    if head[4:] != b"UN\0\0\xff\xff\xff\xff":
        stream.seek(at)
        return False
    _skip_items(path, stream, _MAX_NESTING)
    return True


def _skip_items(path: Path, stream: BinaryIO, depth: int) -> None:
    """Step over the items of a sequence of undefined length in implicit little endian, and over its end."""
    while True:
        tag, length = _tag_and_length(path, stream)
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM or depth == 0:
            raise UnreadableFile(path, "damaged DICOM: a sequence without an end")
        if length != UNDEFINED:
            stream.seek(length, io.SEEK_CUR)
            continue
        while (element := _tag_and_length(path, stream))[0] != _ITEM_END:
            if element[1] == UNDEFINED:
                _skip_items(path, stream, depth - 1)
            else:
                stream.seek(element[1], io.SEEK_CUR)


def _tag_and_length(path: Path, stream: BinaryIO) -> tuple[bytes, int]:
    head = stream.read(8)
    if len(head) < 8:
        raise UnreadableFile(path, "truncated DICOM: the file ends within a sequence")
    return head[:4], struct.unpack("<I", head[4:])[0]


class _Stop:
    """Tells pydicom where to stop: at the pixels, perhaps at elements of unknown kind and undefined length.

    Raises:
        UnreadableFile: There are more elements than any header has; reading on would take minutes.
    """

    def __init__(self, path: Path, *, at_unknown: bool = False) -> None:
        self._path = path
        self._at_unknown = at_unknown
        self._seen = 0

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        self._seen += 1
        if self._seen > _MOST_ELEMENTS:
            raise UnreadableFile(self._path, f"damaged DICOM: more than {_MOST_ELEMENTS:,} elements")
        return tag in PIXEL_TAGS or (self._at_unknown and vr == "UN" and length == UNDEFINED)
