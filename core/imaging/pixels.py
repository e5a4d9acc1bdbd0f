"""Decoded slices, kept within a bound of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableFile
from core.imaging.archive import file_status
from core.imaging.base import ColourReader, Pixels, Reader, check_regular, luma
from core.imaging.reader import open_reader
from core.model import SliceRef

_SliceId = tuple[str, str]
_OTHER_SHAPE = "the decoded pixels have another shape than the header says"
_OPEN_READERS = 8  # parsed headers kept, so that the frames of one file do not each parse it again


class PixelCache:
    """Least recently used slices by bytes. Any thread may ask; the same slice is decoded once.

    Args:
        max_bytes: Bound on what is kept. A slice larger than that is decoded and handed out, but not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._slices: OrderedDict[_SliceId, NDArray[Any]] = OrderedDict()
        self._readers: OrderedDict[tuple[str, int, int], Reader] = OrderedDict()
        self._decoding: dict[_SliceId, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def max_bytes(self) -> int:
        """Bound on what is kept."""
        return self._max_bytes

    @property
    def nbytes(self) -> int:
        """Bytes kept now."""
        return self._bytes

    def peek(self, ref: SliceRef) -> Pixels | None:
        """The slice's pixels if they are kept; decodes nothing."""
        key = _slice_id(ref)
        with self._lock:
            found = self._slices.get(key)
            if found is not None:
                self._slices.move_to_end(key)
            return found

    def get(self, ref: SliceRef) -> Pixels:
        """The slice's pixels, (rows, columns), read-only.

        Raises:
            UnreadableFile: The file is gone, has changed since it was opened, or cannot be decoded.
        """
        found = self.peek(ref)
        if found is not None:
            return found
        key = _slice_id(ref)
        with self._lock:
            gate = self._decoding.setdefault(key, threading.Lock())
        try:
            with gate:
                found = self.peek(ref)  # another thread may have decoded it meanwhile
                if found is None:
                    found = self._decode(ref)
                    found.flags.writeable = False
                    self._keep(key, found)
        finally:
            with self._lock:
                self._decoding.pop(key, None)
        return found

    def peek_colour(self, ref: SliceRef) -> NDArray[np.generic] | None:
        """The slice's colours if they are kept; decodes nothing. `get` keeps them beside the pixels."""
        key = _colour_id(ref)
        with self._lock:
            found = self._slices.get(key) if ref.colour else None
            if found is not None:
                self._slices.move_to_end(key)
            return found

    def colour(self, ref: SliceRef) -> NDArray[np.generic] | None:
        """The slice's colours, (rows, columns, 3), red first, read-only; None where it has none.

        Raises:
            UnreadableFile: As for `get`.
        """
        found = self.peek_colour(ref)
        return self._decode_colour(ref) if found is None and ref.colour else found

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._slices.clear()
            self._readers.clear()
            self._bytes = 0

    def _keep(self, key: _SliceId, pixels: NDArray[Any]) -> None:
        with self._lock:
            if pixels.nbytes > self._max_bytes or key in self._slices:
                return
            self._slices[key] = pixels
            self._bytes += pixels.nbytes
            while self._bytes > self._max_bytes:
                _, old = self._slices.popitem(last=False)
                self._bytes -= old.nbytes

    def _decode(self, ref: SliceRef) -> Pixels:
        colours = self._decode_colour(ref) if ref.colour else None
        if colours is not None:
            return luma(colours)
        pixels = self._checked_reader(ref).pixels(ref.frame)
        if pixels.shape != (ref.rows, ref.columns):
            raise UnreadableFile(ref.path, _OTHER_SHAPE)
        return pixels

    def _decode_colour(self, ref: SliceRef) -> NDArray[np.generic] | None:
        reader = self._checked_reader(ref)
        found = reader.colour(ref.frame) if isinstance(reader, ColourReader) else None
        if found is None:
            return None
        if found.shape != (ref.rows, ref.columns, 3):
            raise UnreadableFile(ref.path, _OTHER_SHAPE)
        found.flags.writeable = False
        self._keep(_colour_id(ref), found)
        return found

    def _checked_reader(self, ref: SliceRef) -> Reader:
        reader = self._reader(ref)
        slices = reader.slices()
        if ref.frame >= len(slices) or slices[ref.frame].key != ref.key:
            raise UnreadableFile(ref.path, "the file has changed since it was opened; open it again")
        return reader

    def _reader(self, ref: SliceRef) -> Reader:
        check_regular(ref.path)
        status = file_status(ref.path)
        key = (str(ref.path), status.mtime_ns, status.size)
        with self._lock:
            found = self._readers.get(key)
            if found is not None:
                self._readers.move_to_end(key)
                return found
        reader = open_reader(ref.path)
        with self._lock:
            self._readers[key] = reader
            while len(self._readers) > _OPEN_READERS:
                self._readers.popitem(last=False)
        return reader


def _slice_id(ref: SliceRef) -> _SliceId:
    # The path too: two files may claim the same SOP Instance UID and hold different pixels.
    return (ref.key, str(ref.path))


def _colour_id(ref: SliceRef) -> _SliceId:
    key, path = _slice_id(ref)
    return (f"{key} colour", path)
