"""Merging and splitting findings, as functions over the desk."""

from __future__ import annotations

from dataclasses import dataclass

from core.edits import assign
from core.model import Annotation, new_id
from core.review.lesions import ReadLesion, read_lesions
from gui.desk import Desk
from gui.panels.finding_rows import RowsBySlice, marked_boxes


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of the series in view that boxes count for.

    Attributes:
        number: As in the findings panel.
        read: Its boxes.
        annotations: Of them those that count, by slice.
    """

    number: int
    read: ReadLesion
    annotations: tuple[Annotation, ...]

    @property
    def span(self) -> str:
        """Its slices, in words."""
        first, last = self.read.lesion.first + 1, self.read.lesion.last + 1
        return f"slices {first}–{last}" if last > first else f"slice {first}"


def findings(desk: Desk) -> tuple[Finding, ...]:
    """The findings of the series in view, numbered as in the panel; those of predictions alone left out."""
    series = desk.session.current_series
    if series is None or not series.is_stack:
        return ()
    lesions = read_lesions(series.slices, marked_boxes(RowsBySlice(desk).rows(), len(series.slices)))
    on = desk.session.workspace.annotations.on
    found = []
    for number, read in enumerate(lesions, 1):
        entries = (on(series.slices[index].key).entries.get(box_id) for index, box_id in read.boxes)
        annotations = tuple(e for e in entries if isinstance(e, Annotation))
        if annotations:
            found.append(Finding(number, read, annotations))
    return tuple(found)


def finding_of_selected(desk: Desk, known: tuple[Finding, ...]) -> Finding | None:
    """The finding that the selected annotation belongs to, or None."""
    selected = desk.session.selected
    return next((f for f in known if any(a.id == selected for a in f.annotations)), None)


def merge_targets(desk: Desk) -> tuple[Finding, ...]:
    """The findings that that of the selected box can be merged with: no slice has a box of both."""
    known = findings(desk)
    mine = finding_of_selected(desk, known)
    if mine is None:
        return ()
    taken = {a.slice_key for a in mine.annotations}
    return tuple(f for f in known if f is not mine and not taken & {a.slice_key for a in f.annotations})


def merge(desk: Desk, other: Finding) -> None:
    """Make one finding of that of the selected box and another."""
    mine = finding_of_selected(desk, findings(desk))
    if mine is None:
        desk.session.said.emit("info", "No box of a finding is selected.")
        return
    both = (*mine.annotations, *other.annotations)
    name = next((a.finding for a in both if a.finding), "") or new_id()
    if desk.session.commit(assign(both, name, "merge")):
        desk.session.said.emit("info", f"Findings {mine.number} and {other.number} are one.")


def split(desk: Desk) -> None:
    """Make two findings of that of the selected box: what lies before the slice in view, and the rest."""
    session = desk.session
    mine, place = finding_of_selected(desk, findings(desk)), session.place
    series = session.current_series
    if mine is None or place is None or series is None:
        session.said.emit("info", "No box of a finding is selected.")
        return
    index = {ref.key: i for i, ref in enumerate(series.slices)}
    before = [a for a in mine.annotations if index[a.slice_key] < place.index]
    after = [a for a in mine.annotations if index[a.slice_key] >= place.index]
    if not before:
        session.said.emit(
            "info", f"Finding {mine.number} begins here: there is nothing before it to split off."
        )
        return
    first, second = assign(before, new_id(), "split"), assign(after, new_id(), "split")
    edit = type(first)("split", (*first.changes, *second.changes))
    if session.commit(edit):
        session.said.emit(
            "info", f"Finding {mine.number} is two now, the second from slice {place.index + 1}."
        )
