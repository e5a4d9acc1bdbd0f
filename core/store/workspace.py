"""The workspace: one SQLite file that remembers everything readers have said.

The truth is the journal, an append-only list of edits; the annotations in memory are its projection.
`commit` returns only after the edit is on disk, and leaves everything as it was if it cannot get there.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.edits import AnnotationSet, SetEdit, change_schemas, fold
from core.errors import EditConflict, InputError, JournalWriteFailed, WorkspaceDamaged
from core.model import LabelClass, LabelSchema, SchemaBook, Series, SliceRef
from core.store import tables
from core.store.codec import canonical, decode_edit, encode_edit
from core.store.database import WAY_OUT, Database, Row, open_error
from core.store.journal import (
    JournalEntry,
    UndoStacks,
    VerifyReport,
    describe,
    entry_hash,
    genesis,
    read_entry,
)
from core.store.schemas import default_schema, next_color
from core.store.slices import KnownSlice, known_slice, read_slice, slice_row

SUFFIX = ".overread"


def workspace_file(path: Path) -> Path:
    """The workspace file meant by a path: the file itself, or `workspace.overread` in a folder.

    A path that does not exist yet is a file where it ends in ".overread" and a folder otherwise.
    """
    if path.suffix == SUFFIX and not path.is_dir():
        return path
    return path if path.is_file() else path / f"workspace{SUFFIX}"


class Workspace:
    """An open workspace. Made by `Workspace.open`; one process at a time; safe to call from any thread.

    Nothing in memory changes before the disk has it: a failed call leaves annotations, undo and schema as
    they were, and the next call may succeed.
    """

    def __init__(self, database: Database, reader: str) -> None:
        self._database = database
        self._reader = reader
        self._mutex = threading.RLock()
        self._annotations = AnnotationSet()
        self._first_schemas = SchemaBook((LabelSchema("", ()),), "")
        self._schemas = self._first_schemas
        self._schema = self._schemas.schema
        self._known: dict[str, KnownSlice] = {}
        self._stacks = UndoStacks()
        self._seqs_of: dict[str, list[int]] = {}
        self._head = ""
        self._count = 0

    @classmethod
    def open(
        cls, path: Path, *, reader: str, create: bool = True, schema: LabelSchema | None = None
    ) -> Workspace:
        """Open a workspace, or make it where there is none.

        Args:
            path: The file, or the folder that holds `workspace.overread`.
            reader: Name for the journal.
            create: Make it, and folders above it, where it does not exist.
            schema: Classes of a new workspace; an existing one keeps its own.

        Raises:
            InputError: There is none and `create` is off.
            WorkspaceLocked: Another process has it open.
            WorkspaceTooNew: A later Overread wrote it; not a byte was touched.
            WorkspaceDamaged: Not a workspace, or its journal does not verify.
            StoreError: It cannot be opened for writing.
        """
        classes = schema or default_schema()
        file = workspace_file(path).absolute()
        database = Database.open(file, create=create, fill=lambda connection: _fill(connection, classes))
        workspace = cls(database, reader)
        try:
            workspace._load()
        except DBAPIError as error:
            database.close()
            raise open_error(database.path, error) from error
        except BaseException:
            database.close()
            raise
        return workspace

    def close(self) -> None:
        """Let go of the file. Nothing needs to be written."""
        with self._mutex:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    @property
    def reader(self) -> str:
        """The name that goes into the journal."""
        return self._reader

    @property
    def annotations(self) -> AnnotationSet:
        """All that is on disk."""
        return self._annotations

    @property
    def schema(self) -> LabelSchema:
        """The active label schema: the classes a new box can have, and those that boxes may have besides."""
        return self._schema

    @property
    def schemas(self) -> SchemaBook:
        """All label schemas of the workspace."""
        return self._schemas

    def commit(self, edit: SetEdit) -> JournalEntry:
        """Apply an edit and put it on disk; returns once it is there.

        Raises:
            EditConflict: It does not fit the annotations, or changes nothing.
            JournalWriteFailed: It is not on disk. Nothing has changed; it can be tried again.
        """
        with self._mutex:
            return self._append(edit, edit.action, describe(edit, self._schema))

    def undo(self) -> JournalEntry | None:
        """Take back the last edit that stands, in this session or an earlier one; None if there is none.

        Raises:
            JournalWriteFailed: As `commit`.
        """
        with self._mutex:
            if not self._stacks.undo:
                return None
            done = self._entry(self._stacks.undo[-1])
            return self._append(done.edit.inverse(), "undo", f"undo: {done.text}", undoes=done.seq)

    def redo(self) -> JournalEntry | None:
        """Do again what was undone last; None if there is nothing, as after a new edit.

        Raises:
            JournalWriteFailed: As `commit`.
        """
        with self._mutex:
            if not self._stacks.redo:
                return None
            done = self._entry(self._stacks.redo[-1])
            return self._append(done.edit, "redo", f"redo: {done.text}", redoes=done.seq)

    @property
    def standing(self) -> frozenset[int]:
        """Numbers of the entries whose effect stands: those that undo can take back."""
        return frozenset(self._stacks.undo)

    @property
    def undone(self) -> tuple[int, ...]:
        """Numbers of the entries that redo can do again, the next one last."""
        return tuple(self._stacks.redo)

    @property
    def can_undo(self) -> bool:
        """Whether an edit stands that can be taken back."""
        return bool(self._stacks.undo)

    @property
    def can_redo(self) -> bool:
        """Whether an edit was taken back and nothing new came after."""
        return bool(self._stacks.redo)

    @property
    def undo_text(self) -> str:
        """What undo would take back ("resize glioma box"), or ""."""
        return self._text_of(self._stacks.undo)

    @property
    def redo_text(self) -> str:
        """What redo would do again, or ""."""
        return self._text_of(self._stacks.redo)

    def history(self, slice_key: str | None = None, limit: int = 200) -> Sequence[JournalEntry]:
        """The newest entries, newest first; of one slice where given."""
        with self._mutex:
            query = sa.select(tables.journal).order_by(tables.journal.c.seq.desc()).limit(limit)
            if slice_key is not None:
                newest = self._seqs_of.get(slice_key, [])[-limit:] if limit > 0 else []
                query = query.where(tables.journal.c.seq.in_(newest))
            return tuple(read_entry(row) for row in self._database.rows(query))

    def add_class(self, name: str, color: str = "") -> LabelClass:
        """Add a class under the next free id, or bring a removed one back; existing ids never change.

        Args:
            name: Its name, new in the schema.
            color: "#rrggbb"; the palette's next one where empty.

        Raises:
            InputError: The name is empty or taken.
            JournalWriteFailed: It is not on disk; the schema has not changed.
        """
        with self._mutex:
            name = name.strip()
            if not name or self._schema.by_name(name) is not None:
                raise InputError(f"class {name!r}: a class needs a name that no other class has.")
            book = self._schemas.with_class(name, color or next_color(self._schema))
            self.change_schemas(book, f"add class {name}")
            made = self._schema.by_name(name)
            assert made is not None
            return made

    def change_schemas(self, book: SchemaBook, what: str) -> JournalEntry:
        """Put other label schemas in force; one entry of the journal, taken back like any edit.

        Args:
            book: The schemas.
            what: How they differ, for the history.

        Raises:
            EditConflict: They do not differ.
            InputError: A class that was there is neither among the classes nor among the retired ones.
            JournalWriteFailed: As `commit`.
        """
        with self._mutex:
            if book == self._schemas:
                raise EditConflict("The label schemas are as they were.")
            lost = _ids_of(self._schemas) - _ids_of(book)
            if lost:
                raise InputError(f"class {min(lost)}: a class that was once there is retired, not forgotten.")
            return self.commit(change_schemas(self._annotations.schemas, book, what))

    def remember(self, slices: Series | Iterable[SliceRef], series: Series | Iterable[Series] = ()) -> None:
        """Note where slices are, so that export and training can work from the workspace alone.

        Args:
            slices: A whole series, or slices; one known under another path is found under the new one.
            series: The series that single slices belong to, for descriptions and groups.

        Raises:
            StoreError: It is not on disk.
        """
        if isinstance(slices, Series):
            series = slices
        refs = slices.slices if isinstance(slices, Series) else slices
        by_uid = {s.uid: s for s in ([series] if isinstance(series, Series) else series)}
        with self._mutex:
            news: dict[str, KnownSlice] = {}
            for ref in refs:
                found = replace(ref, path=ref.path.absolute())
                known = known_slice(found, by_uid.get(ref.series_uid), self._known.get(ref.key))
                if self._known.get(ref.key) != known:
                    news[ref.key] = known
            if not news:
                return
            added = [slice_row(k) for key, k in news.items() if key not in self._known]
            moved = [{**slice_row(k), "old_key": key} for key, k in news.items() if key in self._known]
            with self._database.writing("the slices were not noted") as connection:
                if added:
                    connection.execute(tables.slices.insert(), added)
                if moved:
                    here = tables.slices.c.key == sa.bindparam("old_key")
                    connection.execute(tables.slices.update().where(here), moved)
            self._known.update(news)

    def known_slices(self) -> Sequence[KnownSlice]:
        """Every slice that was ever opened with this workspace, in the order they came."""
        with self._mutex:
            return tuple(self._known.values())

    def verify(self) -> VerifyReport:
        """Check the file on disk: its pages, the hash chain, and that a replay gives what is in memory."""
        with self._mutex:
            check = Workspace(self._database, self._reader)
            try:
                check._load()
            except (WorkspaceDamaged, DBAPIError) as error:
                return VerifyReport(self._count, self._head, (str(error),))
            problems = []
            if check._annotations != self._annotations or check._head != self._head:
                problems.append(f"{self.path}: the journal on disk is not what this session wrote.")
            return VerifyReport(check._count, check._head, tuple(problems))

    def _append(
        self, edit: SetEdit, action: str, text: str, undoes: int | None = None, redoes: int | None = None
    ) -> JournalEntry:
        if not edit.changes:
            raise EditConflict("This edit changes nothing.")
        try:
            body = canonical(encode_edit(edit))
        except (TypeError, ValueError) as error:
            raise EditConflict(f"This edit cannot be written down: {error}.") from error
        # What goes into memory is what the disk will give back, not what came in.
        new, _ = decode_edit(json.loads(body)).apply(self._annotations)
        row: dict[str, Any] = {
            "seq": self._count + 1,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "reader": self._reader,
            "action": action,
            "text": text,
            "reason": edit.reason,
            "undoes": undoes,
            "redoes": redoes,
            "edit": body,
        }
        row["hash"] = entry_hash(row, self._head)
        with self._database.writing("the edit was not recorded", JournalWriteFailed) as connection:
            connection.execute(tables.journal.insert(), row)
        self._annotations = new
        self._show_schemas()
        entry = read_entry(row)
        self._note(entry)
        return entry

    def _show_schemas(self) -> None:
        book = self._annotations.schemas or self._first_schemas
        if book is not self._schemas:
            self._schemas, self._schema = book, book.schema

    def _note(self, entry: JournalEntry) -> None:
        self._stacks.record(entry.seq, entry.undoes, entry.redoes)
        for key in entry.slice_keys:
            self._seqs_of.setdefault(key, []).append(entry.seq)
        self._count, self._head = entry.seq, entry.hash

    def _entry(self, seq: int) -> JournalEntry:
        return read_entry(
            self._database.rows(sa.select(tables.journal).where(tables.journal.c.seq == seq))[0]
        )

    def _text_of(self, stack: list[int]) -> str:
        with self._mutex:
            if not stack:
                return ""
            query = sa.select(tables.journal.c.text).where(tables.journal.c.seq == stack[-1])
            return str(self._database.rows(query)[0]["text"])

    def _load(self) -> None:
        """Project the file into memory."""
        facts = {r["name"]: r["value"] for r in self._database.rows(sa.select(tables.meta))}
        classes = self._database.rows(sa.select(tables.classes).order_by(tables.classes.c.id))
        first = LabelSchema(
            facts.get("schema", ""), tuple(LabelClass(r["id"], r["name"], r["color"]) for r in classes)
        )
        self._first_schemas = SchemaBook((first,), first.name)
        known = self._database.rows(sa.select(tables.slices).order_by(tables.slices.c.number))
        self._known = {r["key"]: read_slice(r) for r in known}
        self._head = genesis(facts.get("id", ""))
        self._replay()
        self._show_schemas()

    def _replay(self) -> None:
        rows = self._database.rows(sa.select(tables.journal).order_by(tables.journal.c.seq))
        try:
            self._annotations = fold(self._checked(rows))
        except (ValueError, KeyError, TypeError, EditConflict) as error:
            raise WorkspaceDamaged(
                f"{self.path}: the journal does not verify after entry {self._count} ({error}). {WAY_OUT}"
            ) from error

    def _checked(self, rows: Iterable[Row]) -> Iterator[SetEdit]:
        """The edits of the journal's rows, each once the chain up to it holds."""
        for row in rows:
            if row["seq"] != self._count + 1:
                raise ValueError(f"entry {self._count + 1} is missing")
            if row["hash"] != entry_hash(row, self._head):
                raise ValueError(f"the hash of entry {row['seq']} does not match")
            entry = read_entry(row)
            yield entry.edit
            self._note(entry)


def _fill(connection: sa.Connection, schema: LabelSchema) -> None:
    """Make the tables of a new workspace, inside the running transaction."""
    tables.create_tables(connection)
    facts = {"id": uuid.uuid4().hex, "schema": schema.name}
    connection.execute(tables.meta.insert(), [{"name": k, "value": v} for k, v in facts.items()])
    if schema.classes:
        connection.execute(tables.classes.insert(), [_class_row(c) for c in schema.classes])


def _ids_of(book: SchemaBook) -> set[int]:
    return {c.id for s in book.schemas for c in (*s.classes, *s.retired)}


def _class_row(row: LabelClass) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "color": row.color}
