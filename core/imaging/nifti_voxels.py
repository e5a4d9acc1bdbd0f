"""Voxels of a volume by plane: from the file itself, or from a copy inflated once."""

from __future__ import annotations

import gzip
import io
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableFile
from core.imaging.archive import FileStatus, open_binary

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1 << 20
MAX_INFLATED = 4 << 30
_IN_MEMORY = 128 << 20  # of one inflated file; larger ones go to an unnamed temporary file
_KEPT_BYTES = 192 << 20  # in memory
_KEPT_FILES = 8


class Voxels:
    """A seekable stream of voxels, to be used in a `with` statement."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __enter__(self) -> Voxels:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def plane(
        self, start: int, shape: tuple[int, int, int], voxel_bytes: int, axis: int, at: int
    ) -> NDArray[np.uint8]:
        """One plane across an axis, as bytes.

        Args:
            start: Where the volume starts in the stream.
            shape: Voxels along i, j, k; i runs fastest.
            voxel_bytes: Bytes of a voxel.
            axis: The axis (0 i, 1 j, 2 k) the plane is across.
            at: Which plane.

        Returns:
            (later axis, earlier axis, voxel_bytes) of the two axes that are left.

        Raises:
            EOFError: The stream ends before.
        """
        i, j, k = shape
        row = i * voxel_bytes
        if axis == 2:
            return self._read(start + at * j * row, j * row).reshape(j, i, voxel_bytes)
        # A plane across another axis is spread over the volume: no more than a slab is held at once.
        out = np.empty((k, i if axis == 1 else j, voxel_bytes), dtype=np.uint8)
        for z in range(k):
            if axis == 1:
                out[z] = self._read(start + (z * j + at) * row, row).reshape(i, voxel_bytes)
            else:
                out[z] = self._read(start + z * j * row, j * row).reshape(j, i, voxel_bytes)[:, at]
        return out

    def _read(self, at: int, count: int) -> NDArray[np.uint8]:
        self._stream.seek(at)
        data = self._stream.read(count)
        if len(data) < count:
            raise EOFError
        return np.frombuffer(data, dtype=np.uint8)


class _Spilled:
    """Voxels in an unnamed temporary file: gone with its last user, and however the application ends."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="overread-")  # noqa: SIM115 - closed with its last user
        self.lock = threading.Lock()

    def __del__(self) -> None:
        self.file.close()


class _View(io.RawIOBase):
    """A reading place of one's own in a shared temporary file."""

    def __init__(self, spilled: _Spilled) -> None:
        self._spilled, self._at = spilled, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("seeks from the start only")
        self._at = offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        with self._spilled.lock:
            self._spilled.file.seek(self._at)
            found = self._spilled.file.read(len(view))
        view[: len(found)] = found
        self._at += len(found)
        return len(found)


_lock = threading.Lock()
_inflated: OrderedDict[tuple[Path, FileStatus], bytes | _Spilled] = OrderedDict()


def inflated(path: Path, status: FileStatus, needed: int) -> Voxels:
    """The first bytes of a gzipped file, inflated once and kept while there is room.

    Args:
        path: The file.
        status: Its status, so that another file of that name is not taken for it.
        needed: Bytes to inflate; never more.

    Raises:
        EOFError: There are not as many.
        UnreadableFile: The disk of temporary files is full.
        OSError: The file is damaged.
    """
    with _lock:
        data = _inflated.get((path, status))
    if data is None:
        data = _inflate(path, needed)
    with _lock:
        _inflated[path, status] = data
        _inflated.move_to_end((path, status))
        _drop_old()
    if isinstance(data, bytes):
        return Voxels(io.BytesIO(data))
    return Voxels(cast("BinaryIO", io.BufferedReader(_View(data))))


def _inflate(path: Path, needed: int) -> bytes | _Spilled:
    with open_binary(path) as packed, gzip.GzipFile(fileobj=packed) as stream:
        if needed > _IN_MEMORY:
            return _spill(path, stream, needed)
        data = stream.read(needed)
        if len(data) < needed:
            raise EOFError
        stream.read(1)  # at the end of the file, this compares the checksum
        return data


def _spill(path: Path, stream: gzip.GzipFile, needed: int) -> _Spilled:
    spilled = _Spilled()
    left = needed
    while left:
        chunk = stream.read(min(CHUNK, left))
        if not chunk:
            raise EOFError
        try:
            spilled.file.write(chunk)
        except OSError as error:
            where = tempfile.gettempdir()
            reason = f"inflates to {needed >> 20} MiB, for which {where} has no room; unpack the file first"
            raise UnreadableFile(path, reason) from error
        left -= len(chunk)
    return spilled


def _drop_old() -> None:
    while len(_inflated) > 1 and (
        len(_inflated) > _KEPT_FILES
        or sum(len(data) for data in _inflated.values() if isinstance(data, bytes)) > _KEPT_BYTES
    ):
        _inflated.popitem(last=False)
