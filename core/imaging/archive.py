"""Zip archives as if they were folders: members are read in place, within bounds, and nothing is extracted.

A member has a path like any file's: the archive's, then the member's name (`study.zip/DICOM/IM0001`). It is
read in place because pixels stay where they are: a copy in a cache would be patients' data in a second place,
to be cleaned up after a crash and stale when the archive changes. Members are inflated only as far as they
are read, so that looking through an archive costs headers, not pixels.
"""

from __future__ import annotations

import io
import stat
import struct
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from core.errors import UnreadableFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
MAX_ENTRIES = 100_000
MAX_MEMBER = 1 << 30
MAX_TOTAL = 32 << 30
_MAX_DIRECTORY = 32 << 20
_RATIO, _RATIO_FREE = 250, 64 << 20  # a member may be this many times its packed size, or this large
_STEP = 1 << 14  # read and inflated at once: a header is seldom longer
_KEPT_BYTES, _KEPT_FROM = 256 << 20, 4 << 20  # of inflated members that are worth keeping
_KEPT_ARCHIVES = 4
_HIDDEN = ("__MACOSX",)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive.

    Attributes:
        name: Its name, parts separated by "/".
        offset: Where its local header starts.
        packed: Bytes in the archive.
        size: Bytes when inflated, as announced; more are never inflated.
        crc: CRC-32 of the inflated bytes.
        deflated: Deflated, or else stored as it is.
    """

    name: str
    offset: int
    packed: int
    size: int
    crc: int
    deflated: bool


@dataclass(frozen=True, slots=True)
class Archive:
    """The directory of a zip archive.

    Attributes:
        path: The archive.
        members: What can be read, by name.
        refused: (name, reason) of what cannot.
    """

    path: Path
    members: Mapping[str, Member]
    refused: tuple[tuple[str, str], ...]

    def open(self, name: str) -> BinaryIO:
        """A member as a binary stream that can be sought.

        Raises:
            UnreadableFile: There is no such member.
            OSError: The archive is gone.
        """
        member = self.members.get(name)
        if member is None:
            raise UnreadableFile(self.path / name, "is not in the archive (any more)")
        return cast("BinaryIO", io.BufferedReader(_MemberStream(self.path, member)))


def archive_place(path: Path) -> tuple[Path, str] | None:
    """The archive and the member's name, where a path leads into a file rather than a folder."""
    for parent in path.parents:
        if parent.is_file():
            return parent, path.relative_to(parent).as_posix()
        if parent.is_dir():
            return None
    return None


def open_binary(path: Path) -> BinaryIO:
    """A file, or a member of an archive, as a binary stream that can be sought.

    Raises:
        OSError: It cannot be opened.
        UnreadableFile: The archive is refused, or has no such member.
    """
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        place = archive_place(path)
        if place is None:
            raise
        return read_archive(place[0]).open(place[1])


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What identifies a file's present content without reading it.

    Attributes:
        mode: Its type and permissions; an archive's for its members.
        size: In bytes.
        mtime_ns: When it was last changed; an archive's for its members.
    """

    mode: int
    size: int
    mtime_ns: int


def file_status(path: Path) -> FileStatus:
    """Status of a file, or of a member of an archive.

    Raises:
        OSError: There is no such file.
        UnreadableFile: The archive is refused, or has no such member.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        place = archive_place(path)
        if place is None:
            raise
        member = read_archive(place[0]).members.get(place[1])
        if member is None:
            raise UnreadableFile(path, "is not in the archive (any more)") from None
        whole = place[0].stat()
        return FileStatus(whole.st_mode, member.size, whole.st_mtime_ns)
    return FileStatus(found.st_mode, found.st_size, found.st_mtime_ns)


_lock = threading.Lock()
_archives: OrderedDict[tuple[str, int, int], Archive] = OrderedDict()
_kept: OrderedDict[tuple[str, int, int, str], bytes] = OrderedDict()


def read_archive(path: Path) -> Archive:
    """The directory of an archive; the last few are kept while the file does not change.

    Raises:
        UnreadableFile: Damaged, or announcing more entries or bytes than the bounds allow.
        OSError: The file cannot be opened.
    """
    key = _stamp(path)
    with _lock:
        known = _archives.get(key)
        if known is not None:
            _archives.move_to_end(key)
            return known
    try:
        archive = _read_directory(path)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        raise UnreadableFile(path, "damaged zip archive: its directory cannot be read") from error
    with _lock:
        _archives[key] = archive
        while len(_archives) > _KEPT_ARCHIVES:
            _archives.popitem(last=False)
    return archive


def _stamp(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path), status.st_mtime_ns, status.st_size


def _read_directory(path: Path) -> Archive:
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        _check_directory(path, file, size)
        with zipfile.ZipFile(file) as listed:
            infos = listed.infolist()
    if len(infos) > MAX_ENTRIES:
        raise UnreadableFile(path, f"zip archive of {len(infos)} entries: more than {MAX_ENTRIES}")
    members: dict[str, Member] = {}
    refused: dict[str, str] = {}
    for info in infos:
        if info.is_dir():
            continue
        reason = _why_not(info, members)
        if reason is None:
            deflated = info.compress_type == zipfile.ZIP_DEFLATED
            members[info.filename] = Member(
                info.filename, info.header_offset, info.compress_size, info.file_size, info.CRC, deflated
            )
        else:
            refused[_shown(info.filename)] = reason
    total = sum(m.size for m in members.values())
    if total > MAX_TOTAL:
        raise UnreadableFile(
            path, f"zip archive that inflates to {total >> 30} GiB: more than {MAX_TOTAL >> 30}"
        )
    if sum(m.packed for m in members.values()) > size:  # the mark of a bomb: one member's bytes used by many
        raise UnreadableFile(path, "damaged zip archive: its members overlap")
    return Archive(path, members, tuple(refused.items()))


def _check_directory(path: Path, file: BinaryIO, size: int) -> None:
    """Refuse a directory too large to be read, before it is read (APPNOTE 4.3.14 to 4.3.16)."""
    tail_size = min(size, (1 << 16) + 22 + 20)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise UnreadableFile(path, "truncated zip archive: its directory, at the end of the file, is missing")
    count, directory = struct.unpack_from("<HI", tail, at + 10)
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        file.seek(struct.unpack_from("<Q", tail, at - 12)[0])
        record = file.read(56)
        if record[:4] == b"PK\x06\x06":
            count, directory = struct.unpack_from("<QQ", record, 32)
    if count > MAX_ENTRIES or directory > _MAX_DIRECTORY:
        raise UnreadableFile(
            path, f"zip archive of {count} entries: more than {MAX_ENTRIES}, or names too long"
        )


def _why_not(info: zipfile.ZipInfo, members: Mapping[str, Member]) -> str | None:
    """Why a member is not read, or None."""
    name = info.filename
    parts = name.split("/")
    mode = info.external_attr >> 16
    checks = (
        (_unsafe(name, parts), "unsafe name in a zip archive"),
        (name in members, "a second member of the same name"),
        (any(p.startswith(".") or p in _HIDDEN for p in parts), "hidden file"),
        (stat.S_ISLNK(mode), "a link in a zip archive"),
        (bool(info.flag_bits & 0x1), "protected by a password: unpack the archive first"),
        (
            info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
            "packed by a method that is not supported: unpack the archive first",
        ),
        (info.file_size > MAX_MEMBER, f"inflates to more than {MAX_MEMBER >> 30} GiB"),
        (
            info.file_size > max(_RATIO_FREE, _RATIO * info.compress_size),
            f"inflates to more than {_RATIO} times its size",
        ),
    )
    return next((reason for wrong, reason in checks if wrong), None)


def _unsafe(name: str, parts: list[str]) -> bool:
    """Whether a name leads out of the archive, is absolute, or is no plain text."""
    odd = "\\" in name or ":" in parts[0] or not name.isprintable()
    return odd or any(p in ("", ".", "..") for p in parts)


def _shown(name: str) -> str:
    """A name that is safe to join to a path and to show."""
    plain = "".join(c if c.isprintable() and c not in "\\:" else "_" for c in name)
    parts = [p for p in PurePosixPath(plain).parts if p not in ("/", "..")]
    return "/".join(parts) or "unnamed"


class _MemberStream(io.RawIOBase):
    """A member's bytes, inflated no further than they are asked for and never beyond the announced size."""

    def __init__(self, path: Path, member: Member) -> None:
        self._path, self._member = path, member
        self._file = path.open("rb")
        self._at = 0
        self._key = (*_stamp(path), member.name)
        with _lock:
            kept = _kept.get(self._key)
        self._ready: bytes | bytearray = kept if kept is not None else bytearray()
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._packed_left = member.packed
        try:
            self._start = self._data_offset()
        except BaseException:
            self._file.close()
            raise
        self._next = self._start

    @property
    def name(self) -> str:
        """What a file's stream has, and pydicom asks for."""
        return str(self._shown)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._member.size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._member.size - self._at))
        if count:
            view[:count] = self._bytes(self._at, count)
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()

    def _data_offset(self) -> int:
        self._file.seek(self._member.offset)
        header = self._file.read(30)
        if len(header) < 30 or header[:4] != MAGICS[0]:
            raise UnreadableFile(self._shown, "damaged zip archive: a member's header is missing")
        name, extra = struct.unpack_from("<HH", header, 26)
        return self._member.offset + 30 + int(name) + int(extra)

    @property
    def _shown(self) -> Path:
        return self._path / self._member.name

    def _bytes(self, at: int, count: int) -> bytes | bytearray:
        if not self._member.deflated:
            self._file.seek(self._start + at)
            found = self._file.read(min(count, self._member.packed - at))
            if len(found) < count:
                raise UnreadableFile(self._shown, "truncated zip archive: a member ends too early")
            return found
        if isinstance(self._ready, bytearray):
            self._inflate(at + count)
        return self._ready[at : at + count]

    def _inflate(self, until: int) -> None:
        assert isinstance(self._ready, bytearray)
        self._file.seek(self._next)
        while len(self._ready) < until:
            packed = self._inflater.unconsumed_tail or self._file.read(min(_STEP, self._packed_left))
            if not self._inflater.unconsumed_tail:
                self._packed_left -= len(packed)
            try:
                wanted = max(until - len(self._ready), _STEP)
                left = self._member.size - len(self._ready)
                more = self._inflater.decompress(packed, min(wanted, left))
            except zlib.error as error:
                raise UnreadableFile(
                    self._shown, "damaged zip archive: a member cannot be inflated"
                ) from error
            self._ready += more
            if not more and (not packed or self._inflater.eof):
                raise UnreadableFile(self._shown, "truncated zip archive: a member ends too early")
        self._next = self._file.tell()
        if len(self._ready) == self._member.size:
            self._finish()

    def _finish(self) -> None:
        """All is inflated: check it, and keep it where inflating again would be felt."""
        whole = bytes(self._ready)
        if zlib.crc32(whole) != self._member.crc:
            raise UnreadableFile(self._shown, "damaged zip archive: a member's checksum is wrong")
        self._ready = whole
        if not _KEPT_FROM <= len(whole) <= _KEPT_BYTES:
            return
        with _lock:
            _kept[self._key] = whole
            while sum(map(len, _kept.values())) > _KEPT_BYTES:
                _kept.popitem(last=False)
