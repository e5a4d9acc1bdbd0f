"""The workspace's SQLite file: opening it with care, transactions, and errors in plain words."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from core.errors import InputError, StoreError, WorkspaceDamaged, WorkspaceLocked, WorkspaceTooNew
from core.store import tables

WAY_OUT = "The file was left as it is; restore a copy of it, or start a new workspace."

Row = Mapping[str, Any]


class Database:
    """One connection to one workspace file, held for as long as the workspace is open."""

    def __init__(self, path: Path, connection: sa.Connection) -> None:
        self.path = path
        self.connection = connection

    @classmethod
    def open(cls, path: Path, *, create: bool, fill: Callable[[sa.Connection], None]) -> Database:
        """Open the file, take it for this process, and check its pages.

        Args:
            path: The file.
            create: Make it where it does not exist.
            fill: Makes the tables of an empty file.

        Raises:
            InputError: There is none and `create` is off.
            WorkspaceLocked, WorkspaceTooNew, WorkspaceDamaged, StoreError: See `Workspace.open`.
        """
        _look_before(path, create)
        connection: sa.Connection | None = None
        try:
            connection = tables.engine_for(path).connect()
            # One transaction: the first one writes a header into an empty file, and a header without tables,
            # left by a crash before the second, would look like another program's file.
            with connection.begin():
                verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
                if verdict != "ok":
                    detail = " ".join(str(verdict).split())
                    raise WorkspaceDamaged(f"{path}: its contents are damaged ({detail}). {WAY_OUT}")
                if not sa.inspect(connection).get_table_names():
                    fill(connection)
                tables.upgrade(connection)
        except DBAPIError as error:
            _close(connection)
            raise open_error(path, error) from error
        except BaseException:
            _close(connection)
            raise
        return cls(path, connection)

    def close(self) -> None:
        """Let go of the file."""
        _close(self.connection)

    @contextmanager
    def writing(self, failed: str, kind: type[StoreError] = StoreError) -> Iterator[sa.Connection]:
        """A transaction that is on disk at its end, or an error of `kind` that says what `failed`."""
        self._check_open()
        try:
            with self.connection.begin():
                yield self.connection
        except IntegrityError as error:
            raise kind(
                f"{self.path}: {failed}; the file holds something else than this session wrote. "
                "Close it and open it again."
            ) from error
        except DBAPIError as error:
            raise kind(
                f"{self.path}: {failed}, because {tables.reason(error)}. Everything before it is safe. "
                "Free space or restore access, then try again."
            ) from error

    def rows(self, query: sa.Select[Any]) -> Sequence[Row]:
        """All rows of a query.

        Raises:
            StoreError: The file cannot be read.
        """
        self._check_open()
        try:
            with self.connection.begin():
                return cast("Sequence[Row]", self.connection.execute(query).mappings().all())
        except DBAPIError as error:
            raise open_error(self.path, error) from error

    def _check_open(self) -> None:
        if self.connection.closed:
            raise StoreError(f"{self.path}: this workspace was closed; open it again.")


def _look_before(file: Path, create: bool) -> None:
    """Look at the file without SQLite, so that one which is not ours stays untouched."""
    try:
        exists = file.exists() and file.stat().st_size > 0
        if not exists and not create:
            raise InputError(f"{file}: there is no workspace here.")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            return
        version = tables.header_version(file)
        # The permission bits are asked as well because root may write anything.
        anyone = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
        writable = os.access(file, os.W_OK) and file.stat().st_mode & anyone
    except ValueError as error:
        raise WorkspaceDamaged(
            f"{file}: not an Overread workspace ({error}). Choose another file."
        ) from error
    except OSError as error:
        raise StoreError(f"{file}: cannot be opened ({error.strerror}).") from error
    if version is not None and version > tables.VERSION:
        raise WorkspaceTooNew(
            f"{file}: written by a later Overread (format {version}, this one knows {tables.VERSION}). "
            "It was not touched; update Overread to open it."
        )
    if not writable:
        raise StoreError(f"{file}: is read-only. Allow writing to it, or open a copy of it.")


def open_error(file: Path, error: DBAPIError) -> StoreError:
    """What went wrong while opening or reading, as one of ours."""
    name = str(getattr(error.orig, "sqlite_errorname", ""))
    text = tables.reason(error)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return WorkspaceLocked(f"{file}: another process has it open. Close it there, then try again.")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "no such" in str(error.orig):
        return WorkspaceDamaged(f"{file}: {text}. {WAY_OUT}")
    return StoreError(f"{file}: cannot be opened, because {text}.")


def _close(connection: sa.Connection | None) -> None:
    if connection is not None:
        connection.close()
        connection.engine.dispose()
