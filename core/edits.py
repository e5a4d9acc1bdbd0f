"""Reversible edits of the annotations; undo, audit trail, store and command line share them.

An edit is a list of changes, each the complete value before and after. That makes the inverse exact
(swap the two), the audit trail complete, and a stale edit detectable (the value before must match).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

from core.errors import EditConflict
from core.label_schema import Attributes
from core.model import (
    Annotation,
    Box,
    Detection,
    Origin,
    OriginKind,
    ReadingMark,
    ReadState,
    Rejection,
    SchemaBook,
    new_id,
)

Entry = Annotation | Rejection | ReadingMark | SchemaBook


def entry_key(entry: Entry) -> str:
    """Identity of an entry within its slice; a slice has at most one reading mark, a workspace one book."""
    if isinstance(entry, ReadingMark):
        return "reading"
    return "schemas" if isinstance(entry, SchemaBook) else entry.id


@dataclass(frozen=True, slots=True)
class SliceRecord:
    """What readers have said about one slice, in the order they said it."""

    entries: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """The boxes that count."""
        return tuple(e for e in self.entries.values() if isinstance(e, Annotation))

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """The predictions judged wrong."""
        return tuple(e for e in self.entries.values() if isinstance(e, Rejection))

    @property
    def reading(self) -> ReadingMark | None:
        """The explicit reading state, or None where the slice is unread."""
        mark = self.entries.get("reading")
        return mark if isinstance(mark, ReadingMark) else None


EMPTY_RECORD = SliceRecord()


@dataclass(frozen=True, slots=True)
class AnnotationSet:
    """All that readers have said, by slice key. Immutable; edits make new ones."""

    by_slice: Mapping[str, SliceRecord] = field(default_factory=lambda: MappingProxyType({}))

    def on(self, slice_key: str) -> SliceRecord:
        """The record of a slice; empty where nothing has been said."""
        return self.by_slice.get(slice_key, EMPTY_RECORD)

    def annotations(self) -> Iterator[Annotation]:
        """Every annotation on every slice."""
        for record in self.by_slice.values():
            yield from record.annotations

    @property
    def schemas(self) -> SchemaBook | None:
        """The label schemas as they were last changed; None where they are as the workspace began."""
        found = self.on("").entries.get("schemas")
        return found if isinstance(found, SchemaBook) else None

    def find(self, annotation_id: str) -> Annotation | None:
        """The annotation of that id, or None."""
        for record in self.by_slice.values():
            entry = record.entries.get(annotation_id)
            if isinstance(entry, Annotation):
                return entry
        return None


@dataclass(frozen=True, slots=True)
class Change:
    """One entry before and after: None before is an addition, None after a removal.

    Raises:
        ValueError: Both are None, or they are not the same entry on the same slice.
    """

    before: Entry | None
    after: Entry | None

    def __post_init__(self) -> None:
        given = [e for e in (self.before, self.after) if e is not None]
        if not given:
            raise ValueError("a change needs a value before or after")
        if len({(entry_key(e), e.slice_key, type(e)) for e in given}) != 1:
            raise ValueError("a change keeps the entry's identity and its slice")

    @property
    def entry(self) -> Entry:
        """The value after, or before where there is none after."""
        value = self.after if self.after is not None else self.before
        assert value is not None
        return value

    @property
    def slice_key(self) -> str:
        """The slice concerned."""
        return self.entry.slice_key

    def inverse(self) -> Change:
        """The change that takes this one back."""
        return Change(self.after, self.before)


class Edit(Protocol):
    """A reversible edit.

    Law: for `new, inverse = edit.apply(old)`, `inverse.apply(new)[0] == old`.
    """

    def apply(self, annotations: AnnotationSet) -> tuple[AnnotationSet, Edit]:
        """The new set and the inverse edit.

        Raises:
            EditConflict: The set does not hold what the edit expects.
        """


@dataclass(frozen=True, slots=True)
class SetEdit:
    """The one concrete edit: what to do in a word, and the changes.

    Attributes:
        action: create, move, resize, relabel, delete, accept, reject, read, unread, import; copy,
            interpolate, project, propagate, check, attribute, lock, unlock, merge, split, schema.
        changes: Applied in order, all or none.
        reason: Why, where the reader said so.
    """

    action: str
    changes: tuple[Change, ...]
    reason: str = ""

    @property
    def slice_keys(self) -> tuple[str, ...]:
        """The slices concerned, each once, in order."""
        return tuple(dict.fromkeys(c.slice_key for c in self.changes))

    def apply(self, annotations: AnnotationSet) -> tuple[AnnotationSet, SetEdit]:
        """The new set and the inverse edit.

        Raises:
            EditConflict: A value before is not what the set holds.
        """
        touched: dict[str, dict[str, Entry]] = {}
        for change in self.changes:
            key = change.slice_key
            entries = touched.setdefault(key, dict(annotations.on(key).entries))
            _apply_change(change, entries)
        by_slice = dict(annotations.by_slice)
        for key, entries in touched.items():
            if entries:
                by_slice[key] = SliceRecord(MappingProxyType(entries))
            else:
                by_slice.pop(key, None)
        return AnnotationSet(MappingProxyType(by_slice)), self.inverse()

    def inverse(self) -> SetEdit:
        """The edit that takes this one back."""
        return SetEdit(self.action, tuple(c.inverse() for c in reversed(self.changes)), self.reason)


def fold(edits: Iterable[SetEdit]) -> AnnotationSet:
    """The set that a run of edits makes of an empty one: as `apply` one by one, without a copy for each.

    Raises:
        EditConflict: A value before is not what the edits so far have made.
    """
    by_slice: dict[str, dict[str, Entry]] = {}
    for edit in edits:
        for change in edit.changes:
            _apply_change(change, by_slice.setdefault(change.slice_key, {}))
        for key in edit.slice_keys:
            if not by_slice[key]:
                del by_slice[key]
    records = {key: SliceRecord(MappingProxyType(entries)) for key, entries in by_slice.items()}
    return AnnotationSet(MappingProxyType(records))


def _apply_change(change: Change, entries: dict[str, Entry]) -> None:
    name = entry_key(change.entry)
    if entries.get(name) != change.before:
        raise EditConflict(
            f"{type(change.entry).__name__} {name[:8]} is not as this edit expects; "
            "it was changed meanwhile. Nothing was changed now."
        )
    if change.after is None:
        del entries[name]
    else:
        entries[name] = change.after


def create(annotation: Annotation) -> SetEdit:
    """Add a box."""
    return SetEdit("create", (Change(None, annotation),))


def add(annotations: Iterable[Annotation], action: str) -> SetEdit:
    """Add boxes that were made of others: action "copy", "interpolate", "project" or "propagate"."""
    return SetEdit(action, tuple(Change(None, a) for a in annotations))


def delete(annotations: Iterable[Annotation], reason: str = "") -> SetEdit:
    """Remove boxes.

    Raises:
        EditConflict: One of them is locked.
    """
    gone = tuple(annotations)
    for annotation in gone:
        _refuse_locked(annotation, "deleted")
    return SetEdit("delete", tuple(Change(a, None) for a in gone), reason)


def _refuse_locked(annotation: Annotation, verb: str) -> None:
    if annotation.locked:
        raise EditConflict(f"This box is locked and was not {verb}. Unlock it first.")


def reshape(annotation: Annotation, box: Box, author: str) -> SetEdit:
    """Move or resize a box; which of the two is read off the sizes. Who does it has looked at it.

    Raises:
        EditConflict: It is locked.
    """
    _refuse_locked(annotation, "changed")
    same_size = (
        abs(box.width - annotation.box.width) < 1e-9 and abs(box.height - annotation.box.height) < 1e-9
    )
    after = replace(annotation, box=box, author=author, checked=True)
    return SetEdit("move" if same_size else "resize", (Change(annotation, after),))


def relabel(annotation: Annotation, label_id: int, author: str) -> SetEdit:
    """Give a box another class."""
    after = replace(annotation, label_id=label_id, author=author)
    return SetEdit("relabel", (Change(annotation, after),))


def set_attributes(annotation: Annotation, attributes: Attributes, author: str) -> SetEdit:
    """Say something of a box beside its class."""
    after = replace(annotation, attributes=attributes, author=author)
    return SetEdit("attribute", (Change(annotation, after),))


def set_locked(annotation: Annotation, locked: bool, author: str) -> SetEdit:
    """Lock a box against moving, resizing and deleting, or unlock it."""
    after = replace(annotation, locked=locked, author=author)
    return SetEdit("lock" if locked else "unlock", (Change(annotation, after),))


def check(annotations: Iterable[Annotation], author: str) -> SetEdit:
    """State that a reader has looked at computed boxes and stands for them."""
    return SetEdit("check", tuple(Change(a, replace(a, checked=True, author=author)) for a in annotations))


def assign(annotations: Iterable[Annotation], finding: str, action: str) -> SetEdit:
    """Put boxes into one finding: action "merge" or "split". The reader named in them stays."""
    changes = (Change(a, replace(a, finding=finding)) for a in annotations if a.finding != finding)
    return SetEdit(action, tuple(changes))


def change_schemas(before: SchemaBook | None, after: SchemaBook, what: str) -> SetEdit:
    """Change the label schemas; `what` says how, for the history."""
    return SetEdit("schema", (Change(before, after),), what)


def accept(
    detections: Iterable[Detection],
    slice_key: str,
    model: str,
    author: str,
    window: tuple[float, float] | None = None,
) -> SetEdit:
    """Make annotations of predictions; each keeps what the model said."""
    made = [
        Annotation(
            id=new_id(),
            slice_key=slice_key,
            box=d.box,
            label_id=d.label_id,
            origin=Origin(OriginKind.MODEL, model, d.score, d.proposal, d.box),
            author=author,
            window=window,
        )
        for d in detections
    ]
    return SetEdit("accept", tuple(Change(None, a) for a in made))


def reject(detection: Detection, slice_key: str, model: str, author: str, reason: str = "") -> SetEdit:
    """Judge a prediction wrong, with a reason."""
    rejection = Rejection(
        id=new_id(),
        slice_key=slice_key,
        box=detection.box,
        label_id=detection.label_id,
        model=model,
        score=detection.score,
        reason=reason,
        author=author,
    )
    return SetEdit("reject", (Change(None, rejection),), reason)


def mark_read(annotations: AnnotationSet, slice_keys: Iterable[str], reader: str) -> SetEdit | None:
    """State that slices have been read; each with findings or without is read off its boxes.

    Returns:
        The edit, or None where every slice already carries that very state.
    """
    changes = []
    for key in slice_keys:
        record = annotations.on(key)
        state = ReadState.FINDINGS if record.annotations else ReadState.NO_FINDING
        mark = ReadingMark(key, state, reader)
        if record.reading is None or record.reading.state != state:
            changes.append(Change(record.reading, mark))
    return SetEdit("read", tuple(changes)) if changes else None


def mark_unread(annotations: AnnotationSet, slice_keys: Iterable[str]) -> SetEdit | None:
    """Take reading marks back, or None where there are none."""
    marks = [m for key in slice_keys if (m := annotations.on(key).reading) is not None]
    return SetEdit("unread", tuple(Change(m, None) for m in marks)) if marks else None


def with_reading_states(edit: SetEdit, annotations: AnnotationSet, reader: str) -> SetEdit:
    """The edit, and where it gives a read slice its first box or takes its last, the mark that follows.

    Keeps the law that a slice read with "no finding" has no boxes and one read with "findings" has some.

    Raises:
        EditConflict: The edit does not fit `annotations`.
    """
    after, _ = edit.apply(annotations)
    changes = []
    for key in edit.slice_keys:
        record = after.on(key)
        state = ReadState.FINDINGS if record.annotations else ReadState.NO_FINDING
        if record.reading is not None and record.reading.state != state:
            changes.append(Change(record.reading, ReadingMark(key, state, reader)))
    return replace(edit, changes=(*edit.changes, *changes)) if changes else edit
