"""What is open and selected; the only writer to the store; says what changed. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.edits import SetEdit, SliceRecord, entry_key, mark_read, mark_unread, with_reading_states
from core.errors import EditConflict, InputError, StoreError
from core.imaging.catalog import scan
from core.imaging.index import Index
from core.jobs import CancelToken, Progress
from core.model import Annotation, Catalog, DicomObject, SchemaBook, Series, Skipped, SliceRef
from core.review.readings import next_unread
from core.store.journal import JournalEntry
from core.store.workspace import Workspace
from gui.opened import Opened, opened_text
from gui.runner import JobOutcome, JobRunner, Lane, error_text

REMEMBERED_AT_ONCE = 200
"""Slices noted in the workspace in one transaction."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the reader is: a series and a slice of it."""

    series_uid: str
    index: int


class Session(QObject):
    """What is open, where the reader is, what is selected.

    Signals:
        catalog_changed: Series were added or more is known of them.
        place_changed: Another slice or series is in view.
        selection_changed: Another box is selected.
        annotations_changed: (slice keys) The journal moved on.
        schema_changed: A class was added.
        said: (level, text) Something to tell the reader; level "info", "warning" or "error".
    """

    catalog_changed = Signal()
    place_changed = Signal()
    selection_changed = Signal()
    annotations_changed = Signal(object)
    schema_changed = Signal()
    said = Signal(str, str)

    def __init__(
        self, workspace: Workspace, runner: JobRunner, reader: str, index: Index | None = None
    ) -> None:
        super().__init__()
        self._index = index
        self.workspace = workspace
        self.reader = reader
        self._runner = runner
        self._opened_paths = Opened()
        self._kept: dict[str, Series] = {}
        self._place: Place | None = None
        self._selected = ""
        self._pinned = False
        self._noted: set[str] = set()
        self.current_label = next((c.id for c in workspace.schema.classes), 0)

    # -- opening -------------------------------------------------------------------------------------

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Read what lies under the paths in the background; the first slice shows while the rest is read."""
        key = "open:" + "|".join(str(p) for p in paths)

        def arrived(catalog: Catalog) -> None:
            self._found(key, catalog)

        found, index = self._runner.channel(arrived), self._index

        def job(progress: Progress, cancel: CancelToken) -> Catalog:
            return scan(paths, progress=progress, cancel=cancel, found=found, index=index)

        self._runner.submit(
            job,
            key=key,
            lane=Lane.LONG,
            title="Opening",
            done=lambda outcome: self._scanned(key, paths, outcome),
        )

    def _scanned(self, key: str, paths: Sequence[Path], outcome: JobOutcome[Catalog]) -> None:
        catalog = outcome.result
        if catalog is None:
            catalog = self._opened_paths.cut_short(key)
            self._show_found()
            if outcome.error is not None:
                self.said.emit("error", error_text(outcome.error))
            else:
                self.said.emit("warning", "Opening was cancelled; what had been read by then stays open.")
        else:
            self._opened_paths.finish(key, catalog)
            self._show_found()
            self.said.emit(*opened_text(paths, catalog))
        self._remember(catalog)

    def _remember(self, catalog: Catalog) -> None:
        """Note where the slices are, a few at a time: an edit that comes meanwhile must not wait long."""
        workspace = self.workspace

        def job(progress: Progress, cancel: CancelToken) -> None:
            for series in catalog.series:
                for start in range(0, len(series.slices), REMEMBERED_AT_ONCE):
                    cancel.check()
                    workspace.remember(series.slices[start : start + REMEMBERED_AT_ONCE], series)

        def done(outcome: JobOutcome[None]) -> None:
            if outcome.error is not None:
                self.said.emit("error", error_text(outcome.error))
            elif not outcome.cancelled:
                self._noted.update(s.key for series in catalog.series for s in series.slices)

        self._runner.submit(job, key=f"remember:{id(catalog)}", lane=Lane.LONG, done=done)

    def _note(self, slice_keys: Sequence[str]) -> None:
        """Note slices before something is said of them, so that an export can always find them.

        Raises:
            StoreError: It is not on disk.
        """
        unknown = set(slice_keys) - self._noted
        for series in self._kept.values() if unknown else ():
            refs = [s for s in series.slices if s.key in unknown]
            if refs:
                self.workspace.remember(refs, series)
                self._noted.update(s.key for s in refs)

    def _found(self, key: str, catalog: Catalog) -> None:
        self._opened_paths.grow(key, catalog)
        self._show_found()

    def _show_found(self) -> None:
        in_view = self.current_slice_key
        self._kept = self._opened_paths.series()
        self._place = self._place_of(in_view)
        if self.current_slice_key != in_view:
            self._selected = ""
            self.place_changed.emit()
            self.selection_changed.emit()
        self.catalog_changed.emit()

    def _place_of(self, in_view: str) -> Place | None:
        """Where to be now that more is known: the first slice, or with a reader who has moved or marked."""
        place = self._place
        first = next(iter(self._kept.values()), None)
        if place is not None and first is not None and not self._pinned and place.series_uid in self._kept:
            # Files come in any order: once all are read, begin where the worklist begins.
            return replace(place, index=0) if self.growing else Place(first.uid, 0)
        # The same picture may lie in a folder twice: stay where it still is before looking for it.
        if place is not None and self.current_slice_key == in_view:
            return place
        if place is not None and (found := self._find_slice(in_view, place.series_uid)) is not None:
            return found
        return Place(first.uid, 0) if first is not None else None

    @property
    def growing(self) -> bool:
        """Whether more slices may still be found."""
        return self._opened_paths.growing

    @property
    def series(self) -> tuple[Series, ...]:
        """Every open series."""
        return tuple(self._kept.values())

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Every file left out, and why."""
        return self._opened_paths.skipped()

    @property
    def objects(self) -> tuple[DicomObject, ...]:
        """Reports, segmentations and other DICOM that is not an image."""
        return self._opened_paths.objects()

    # -- place ---------------------------------------------------------------------------------------

    @property
    def place(self) -> Place | None:
        """Where the reader is, or None while nothing is open."""
        return self._place

    @property
    def current_series(self) -> Series | None:
        """The series in view."""
        return self._kept.get(self._place.series_uid) if self._place else None

    @property
    def current_slice(self) -> SliceRef | None:
        """The slice in view."""
        series = self.current_series
        if series is None or self._place is None or self._place.index >= len(series.slices):
            return None
        return series.slices[self._place.index]

    @property
    def current_slice_key(self) -> str:
        """Key of the slice in view, or ""."""
        ref = self.current_slice
        return ref.key if ref else ""

    def go_to(self, series_uid: str, index: int) -> None:
        """Show a slice; an index beyond the ends is taken to the end."""
        series = self._kept.get(series_uid)
        if series is None or not series.slices:
            return
        place = Place(series_uid, max(0, min(index, len(series.slices) - 1)))
        if place != self._place:
            self._pinned = True
            self._place = place
            let_go, self._selected = self._selected, ""
            self.place_changed.emit()
            if let_go:
                self.selection_changed.emit()

    def step(self, slices: int) -> None:
        """Scroll by a number of slices."""
        if self._place:
            self.go_to(self._place.series_uid, self._place.index + slices)

    def step_series(self, by: int) -> None:
        """Go to the next or previous series, at its first slice."""
        if self._place:
            uids = list(self._kept)
            at = uids.index(self._place.series_uid) + by
            if 0 <= at < len(uids):
                self.go_to(uids[at], 0)

    def find_slice(self, slice_key: str) -> Place | None:
        """Where a slice is among what is open; the series in view is looked at first."""
        return self._find_slice(slice_key, self._place.series_uid if self._place else "")

    def _find_slice(self, slice_key: str, first_uid: str) -> Place | None:
        here = self._kept.get(first_uid)
        for series in (*([here] if here else []), *self._kept.values()):
            for index, ref in enumerate(series.slices):
                if ref.key == slice_key:
                    return Place(series.uid, index)
        return None

    # -- selection -----------------------------------------------------------------------------------

    @property
    def selected(self) -> str:
        """Id of the selected box: an annotation's id, "d<row>" of a prediction, a rejection's id, or ""."""
        return self._selected

    def stay(self) -> None:
        """The reader has laid hands on the slice in view: files still being opened no longer move it away."""
        self._pinned = True

    def select(self, box_id: str) -> None:
        """Select a box on the slice in view; "" for none."""
        if box_id != self._selected:
            self._pinned = True
            self._selected = box_id
            self.selection_changed.emit()

    @property
    def record(self) -> SliceRecord:
        """What readers have said about the slice in view."""
        return self.workspace.annotations.on(self.current_slice_key)

    @property
    def selected_annotation(self) -> Annotation | None:
        """The selected annotation, or None."""
        return next((a for a in self.record.annotations if a.id == self._selected), None)

    # -- edits ---------------------------------------------------------------------------------------

    def commit(self, edit: SetEdit) -> bool:
        """Write an edit to the journal; only then is it on screen.

        Returns:
            Whether it is on disk. Where not, the reader has been told and nothing has changed.
        """
        try:
            self._note(edit.slice_keys)
            entry = self.workspace.commit(with_reading_states(edit, self.workspace.annotations, self.reader))
        except (StoreError, EditConflict) as error:
            self.said.emit("error", str(error))
            return False
        self._pinned = True
        self._tell_of(entry)
        return True

    def _tell_of(self, entry: JournalEntry) -> None:
        if self._selected and self._is_gone(entry):
            self.select("")
        if "" in entry.slice_keys:
            self._follow_schemas()
        self.annotations_changed.emit(entry.slice_keys)

    def _follow_schemas(self) -> None:
        """New boxes get a class that there is; also after undo and redo."""
        schema = self.workspace.schema
        if not schema.offers(self.current_label) and schema.classes:
            self.current_label = schema.classes[0].id
        self.schema_changed.emit()

    def _is_gone(self, entry: JournalEntry) -> bool:
        """Whether the selected box is one that the entry took away."""
        removed = {
            entry_key(c.before) for c in entry.edit.changes if c.before is not None and c.after is None
        }
        return self._selected in removed and self._selected not in self.record.entries

    def undo(self) -> None:
        """Take the last edit back, wherever it was made, and show where."""
        self._travel(self.workspace.undo, "Undid")

    def redo(self) -> None:
        """Do the last undone edit again, and show where."""
        self._travel(self.workspace.redo, "Redid")

    def jump_to(self, seq: int) -> None:
        """Go back in the history, or forth, until an entry is the last one that stands; one undo for each.

        Args:
            seq: An entry that stands or that redo can do again; 0 for before the first.
        """
        workspace = self.workspace
        while workspace.can_undo and seq < max(workspace.standing) and seq not in workspace.undone:
            if not self._travel(workspace.undo, "Undid"):
                return
        while seq in workspace.undone:
            if not self._travel(workspace.redo, "Redid"):
                return

    def _travel(self, move: Callable[[], JournalEntry | None], word: str) -> bool:
        try:
            entry = move()
        except (StoreError, EditConflict) as error:
            self.said.emit("error", str(error))
            return False
        if entry is None:
            self.said.emit("info", f"Nothing to {'undo' if word == 'Undid' else 'redo'}.")
            return False
        if entry.slice_keys and self.current_slice_key not in entry.slice_keys:
            place = self.find_slice(entry.slice_keys[0])
            if place is not None:
                self.go_to(place.series_uid, place.index)
        self._tell_of(entry)
        self.said.emit("info", f"{word}: {entry.text.partition(': ')[2]}")
        return True

    # -- reading -------------------------------------------------------------------------------------

    @property
    def reading_keys(self) -> tuple[str, ...]:
        """The slices that are signed off together: the whole stack, or the one independent slice."""
        series = self.current_series
        if series is None:
            return ()
        return tuple(s.key for s in series.slices) if series.is_stack else (self.current_slice_key,)

    def sign_off(self, *, no_finding: bool = False) -> bool:
        """State that the series (or independent slice) in view has been read, and go on to the next unread.

        Args:
            no_finding: The reader states that there is nothing; refused where boxes stand.

        Returns:
            Whether the statement is on disk.
        """
        keys = self.reading_keys
        if not keys:
            return False
        boxes = sum(len(self.workspace.annotations.on(k).annotations) for k in keys)
        if no_finding and boxes:
            self.said.emit(
                "warning", f"{boxes} boxes stand here: delete them first, or sign off with findings (R)."
            )
            return False
        edit = mark_read(self.workspace.annotations, keys, self.reader)
        if edit is not None and not self.commit(edit):
            return False
        outcome = f"read, {boxes} boxes" if boxes else "read, no finding"
        self.said.emit("info", f"Signed off: {outcome}.")
        self.go_to_next_unread()
        return True

    def take_back_reading(self) -> None:
        """Make the series (or independent slice) in view unread again."""
        edit = mark_unread(self.workspace.annotations, self.reading_keys)
        if edit is not None:
            self.commit(edit)

    def go_to_next_unread(self) -> None:
        """Show the next case that has not been read; stay where none is left."""
        if self._place is None:
            return
        found = next_unread(
            self.series, self.workspace.annotations, self._place.series_uid, self._place.index
        )
        if found is None:
            self.said.emit("info", "Everything that is open has been read.")
            return
        self.go_to(found[0], found[1])

    # -- label schema --------------------------------------------------------------------------------

    def set_current_label(self, label_id: int) -> None:
        """Choose the class that the next drawn box gets."""
        if self.workspace.schema.offers(label_id):
            self.current_label = label_id
            self.schema_changed.emit()

    def add_class(self, name: str) -> bool:
        """Add a class to the label schema; ids of the others stay."""
        return self._change_schemas(lambda: self.workspace.add_class(name.strip()))

    def change_schemas(self, book: SchemaBook, what: str) -> bool:
        """Put other label schemas in force, see `Workspace.change_schemas`."""
        return self._change_schemas(lambda: self.workspace.change_schemas(book, what))

    def _change_schemas(self, change: Callable[[], object]) -> bool:
        try:
            change()
        except (StoreError, EditConflict, InputError, ValueError) as error:
            self.said.emit("error", str(error))
            return False
        self._follow_schemas()
        self.annotations_changed.emit(())
        return True
