"""The index of files beside a workspace: what opened files hold, so that they need not be opened again.

It is a file of its own, not a table of the workspace (docs/adr/0008): it can be made anew from the files at
any time, so it needs none of the workspace's promises, and writing thousands of rows must not keep an edit
waiting. It never fails: what cannot be read or written is as if it had never been there.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from core.imaging.archive import FileStatus
from core.imaging.index import Indexed
from core.imaging.records import Contents, decode, encode, stamp

log = logging.getLogger(__name__)

SUFFIX = ".index"
_APPLICATION_ID = 0x4F564958  # "OVIX"
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (stamp TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    folder BLOB NOT NULL, name BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    crc INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (folder, name)
) WITHOUT ROWID;
"""
_Place = tuple[bytes, bytes]


def index_file(workspace: Path) -> Path:
    """Where the index of a workspace lies."""
    return workspace.with_name(workspace.name + SUFFIX)


class FileIndex:
    """An index on disk. Any thread may use it. See `core.imaging.index.Index`.

    Args:
        path: The file; made where there is none, and made anew where it is damaged or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        with self._harmless():
            self._connection = _opened(path)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def known(self, files: Sequence[tuple[Path, FileStatus]]) -> Mapping[Path, Contents]:
        """What is known of those files that have the same size and time of change as then."""
        by_folder: dict[bytes, dict[bytes, tuple[Path, FileStatus]]] = {}
        for path, status in files:
            folder, name = _place(path)
            by_folder.setdefault(folder, {})[name] = (path, status)
        found: dict[Path, Contents] = {}
        for folder, wanted in by_folder.items():
            for name, size, mtime_ns, crc, record in self._rows(folder):
                if name not in wanted:
                    continue
                path, status = wanted[name]
                if (size, mtime_ns) != (status.size, status.mtime_ns):
                    continue
                contents = _read(record, crc, path)
                if contents is not None:
                    found[path] = contents
        return found

    def add(self, rows: Sequence[Indexed]) -> None:
        """Remember."""
        values = []
        for row in rows:
            text = encode(row.contents)
            crc = zlib.crc32(text.encode("ascii"))
            values.append((*_place(row.path), row.status.size, row.status.mtime_ns, crc, text))
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", values)

    def forget_missing(self, folders: Sequence[Path], there: Sequence[Path]) -> None:
        """Forget the files below the folders that are not there any more."""
        kept = {_place(path) for path in there}
        gone: list[_Place] = []
        for root in folders:
            if not root.is_dir():  # a disk that is not in at the moment keeps its rows
                continue
            prefix = os.fsencode(root.absolute())
            gone += [p for p in self._below(prefix) if p not in kept and not os.path.lexists(b"/".join(p))]
        if gone:
            with self._writing() as connection:
                connection.executemany("DELETE FROM files WHERE folder = ? AND name = ?", gone)

    def _rows(self, folder: bytes) -> Sequence[tuple[bytes, int, int, int, str]]:
        query = "SELECT name, size, mtime_ns, crc, record FROM files WHERE folder = ?"
        with self._lock, self._harmless():
            if self._connection is not None:
                return self._connection.execute(query, (folder,)).fetchall()
        return []

    def _below(self, prefix: bytes) -> Sequence[_Place]:
        # "0" comes after "/": every folder that begins with prefix and a separator.
        inside = (prefix.rstrip(b"/") + b"/", prefix.rstrip(b"/") + b"0", prefix)
        query = "SELECT folder, name FROM files WHERE (folder >= ? AND folder < ?) OR folder = ?"
        with self._lock, self._harmless():
            if self._connection is not None:
                return self._connection.execute(query, inside).fetchall()
        return []

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._harmless():
            connection = self._connection or sqlite3.connect(":memory:")
            with connection:  # commits, or takes back
                yield connection

    @contextlib.contextmanager
    def _harmless(self) -> Iterator[None]:
        """An index that fails is put away; the application goes on without it."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            log.warning("the index of files is not used: %s", type(error).__name__)
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                with contextlib.suppress(OSError):
                    self.path.unlink(missing_ok=True)  # damaged: the next start makes it anew


def _opened(path: Path) -> sqlite3.Connection:
    """A connection to an index of this version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # descriptions and patient numbers are in it: for its owner only
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # another process has it, the disk is full, …
            raise
        path.unlink()
        path.touch(mode=0o600)
        return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0.25, check_same_thread=False)
    try:
        # No promise about power cuts: rows carry a checksum, and everything can be found out again.
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.executescript(_TABLES)
        row = connection.execute("SELECT stamp FROM meta").fetchone()
        if row is None or row[0] != stamp():
            with connection:
                connection.execute("DELETE FROM meta")
                connection.execute("DELETE FROM files")
                connection.execute("INSERT INTO meta VALUES (?)", (stamp(),))
    except BaseException:
        connection.close()
        raise
    return connection


def _place(path: Path) -> _Place:
    # Bytes: a name need not be text in any encoding.
    whole = os.fsencode(path if path.is_absolute() else path.absolute())
    folder, _, name = whole.rpartition(os.sep.encode())
    return folder, name


def _read(record: str, crc: int, path: Path) -> Contents | None:
    try:
        if zlib.crc32(record.encode("ascii")) != crc:
            return None
        return decode(record).at(path)
    except (ValueError, UnicodeEncodeError):
        return None
