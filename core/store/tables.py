"""The workspace's tables and the SQLite connection that keeps its promises.

Durability: rollback journal (`journal_mode=DELETE`), `synchronous=EXTRA`, one process at a time
(`locking_mode=EXCLUSIVE`). WAL is not used: see docs/adr/0002.

The version stands in the file's header (`application_id`, `user_version`), where it can be read without
opening the database and therefore without touching a file that a later Overread wrote.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

APPLICATION_ID = 0x4F565244  # "OVRD"
# 1: the first. 2: boxes with attributes, locks and findings, label schemas in the journal. The tables are the
# same, and an entry of format 1 is one of format 2; but an older Overread would lose what it does not know.
VERSION = 2

metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
)

classes = sa.Table(
    "classes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("color", sa.String, nullable=False),
)

slices = sa.Table(
    "slices",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("key", sa.String, nullable=False, unique=True),
    sa.Column("ref", sa.String, nullable=False),
    sa.Column("series_uid", sa.String, nullable=False),
    sa.Column("series_description", sa.String, nullable=False),
    sa.Column("group_key", sa.String, nullable=False),
    sa.Column("grouped_by", sa.String, nullable=False),
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("reader", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("undoes", sa.Integer),
    sa.Column("redoes", sa.Integer),
    sa.Column("edit", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
)

_APPEND_ONLY = ("journal", "classes")


def engine_for(path: Path) -> sa.Engine:
    """An engine for one long-lived connection to `path`; errors come as SQLAlchemy's."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        # Waiting longer than a moment for another process would look like a hang.
        connect_args={"timeout": 0.25, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _connect(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None  # SQLAlchemy says BEGIN, the sqlite3 module says nothing
        for pragma in (
            "locking_mode=EXCLUSIVE",
            "journal_mode=DELETE",
            "synchronous=EXTRA",
            "trusted_schema=OFF",
            "mmap_size=0",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")

    return engine


def create_tables(connection: sa.Connection) -> None:
    """Make an empty workspace inside the running transaction: all of it or nothing."""
    metadata.create_all(connection)
    for table in _APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")


def upgrade(connection: sa.Connection) -> None:
    """Mark a workspace of an earlier format as one of this, inside the running transaction."""
    if int(connection.exec_driver_sql("PRAGMA user_version").scalar_one()) < VERSION:
        connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")


def header_version(path: Path) -> int | None:
    """The workspace version in the file's header, read without SQLite; None for an empty file.

    Raises:
        ValueError: The file is not a workspace.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        return None
    if len(header) < 100 or not header.startswith(b"SQLite format 3\x00"):
        raise ValueError("it is not a database")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise ValueError("it is a database of another program")
    return int.from_bytes(header[60:64], "big")


def reason(error: BaseException) -> str:
    """What SQLite's error means, in plain words."""
    original: Any = getattr(error, "orig", error)
    name = str(getattr(original, "sqlite_errorname", ""))
    for prefix, text in _REASONS:
        if name.startswith(prefix):
            return text
    return f"{name or type(original).__name__}: {original}"


_REASONS = (
    ("SQLITE_FULL", "the disk is full"),
    ("SQLITE_BUSY", "another process has it open"),
    ("SQLITE_LOCKED", "another process has it open"),
    ("SQLITE_READONLY", "the file or its folder is read-only"),
    ("SQLITE_CANTOPEN", "a file cannot be made beside it"),
    ("SQLITE_IOERR", "the disk refused to read or write"),
    ("SQLITE_CORRUPT", "its contents are damaged"),
    ("SQLITE_NOTADB", "it is not a database"),
)
