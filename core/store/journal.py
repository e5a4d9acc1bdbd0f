"""Journal entries, the hash chain that ties them together, and what can be undone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.edits import SetEdit
from core.model import Annotation, LabelSchema
from core.store.codec import canonical, decode_edit


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One acknowledged edit.

    Attributes:
        seq: Position in the journal, from 1.
        at: When, UTC, ISO 8601.
        reader: Who.
        action: What in a word: the edit's action, or "undo" or "redo".
        text: What in a phrase, for menus and the history.
        reason: Why, where the reader said so.
        slice_keys: The slices concerned.
        edit: The edit itself, values before and after.
        undoes: The entry this one takes back, or None.
        redoes: The entry this one does again, or None.
        hash: SHA-256 of this entry and the hash before it, hexadecimal.
    """

    seq: int
    at: str
    reader: str
    action: str
    text: str
    reason: str
    slice_keys: tuple[str, ...]
    edit: SetEdit
    undoes: int | None
    redoes: int | None
    hash: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What checking a workspace found.

    Attributes:
        entries: How many journal entries were checked.
        head: The last entry's hash; whoever notes it down can tell later whether entries were cut off.
        problems: What is wrong, empty where nothing is.
    """

    entries: int
    head: str
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything checks out."""
        return not self.problems


def genesis(workspace_id: str) -> str:
    """The hash before the first entry; it ties the journal to its workspace."""
    return hashlib.sha256(f"overread workspace {workspace_id}".encode()).hexdigest()


_HASHED = ("seq", "at", "reader", "action", "text", "reason", "undoes", "redoes", "edit")


def entry_hash(row: Mapping[str, Any], previous: str) -> str:
    """SHA-256 over the canonical JSON of an entry's columns and the previous entry's hash.

    Args:
        row: The columns of the journal table; `edit` is the edit's canonical JSON text.
        previous: The hash of the entry before, or `genesis`.
    """
    body = {name: row[name] for name in _HASHED}
    return hashlib.sha256(canonical({**body, "previous": previous}).encode()).hexdigest()


def read_entry(row: Mapping[str, Any]) -> JournalEntry:
    """The entry in a row of the journal table.

    Raises:
        KeyError, TypeError, ValueError: Its edit cannot be read.
    """
    edit = decode_edit(json.loads(row["edit"]))
    names = ("seq", "at", "reader", "action", "text", "reason", "undoes", "redoes", "hash")
    return JournalEntry(**{name: row[name] for name in names}, slice_keys=edit.slice_keys, edit=edit)


@dataclass(slots=True)
class UndoStacks:
    """What can be undone and redone, derived from the journal, so it outlives the session.

    Attributes:
        undo: Numbers of entries whose effect stands, oldest first.
        redo: Numbers of entries whose effect was taken back, the next to redo last.
    """

    undo: list[int] = field(default_factory=list)
    redo: list[int] = field(default_factory=list)

    def record(self, seq: int, undoes: int | None, redoes: int | None) -> None:
        """Take note of an entry.

        Raises:
            ValueError: It undoes or redoes something other than what is next in turn.
        """
        if undoes is not None:
            self._move(undoes, self.undo, self.redo, "undoes")
        elif redoes is not None:
            self._move(redoes, self.redo, self.undo, "redoes")
        else:
            self.undo.append(seq)
            self.redo.clear()

    @staticmethod
    def _move(seq: int, source: list[int], target: list[int], verb: str) -> None:
        if not source or source[-1] != seq:
            raise ValueError(f"it {verb} entry {seq} out of turn")
        target.append(source.pop())


def describe(edit: SetEdit, schema: LabelSchema) -> str:
    """An edit as a short phrase: "resize glioma box", "accept 3 predictions", "mark 24 slices read"."""
    count = len(edit.changes)
    entry = edit.changes[0].entry if edit.changes else None
    label = schema.name_of(entry.label_id) if isinstance(entry, Annotation) else ""
    count = sum(isinstance(c.entry, Annotation) for c in edit.changes) or count
    boxes = f"{label} box".strip() if count == 1 else f"{count} boxes"
    predictions = "prediction" if count == 1 else f"{count} predictions"
    slices = "slice" if count == 1 else f"{count} slices"
    phrases = {
        "create": f"draw {boxes}",
        "move": f"move {boxes}",
        "resize": f"resize {boxes}",
        "delete": f"delete {boxes}",
        "relabel": f"change class to {label}",
        "accept": f"accept {predictions}",
        "reject": f"reject {predictions}",
        "read": f"mark {slices} read",
        "unread": f"mark {slices} unread",
        "import": f"import {boxes}",
        "copy": f"copy {boxes}",
        "interpolate": f"interpolate {boxes}",
        "project": f"project {boxes}",
        "propagate": f"propagate {boxes}",
        "check": f"check {boxes}",
        "attribute": f"describe {boxes}",
        "lock": f"lock {boxes}",
        "unlock": f"unlock {boxes}",
        "merge": "merge findings",
        "split": "split a finding",
        "schema": edit.reason or "change the label schemas",
    }
    return phrases.get(edit.action, edit.action)
