"""What a person does with one box, as functions over the desk: nudge, copy, interpolate, lock, describe."""

from __future__ import annotations

from collections.abc import Sequence

from core.edits import add, check, reshape, set_attributes, set_locked
from core.errors import InputError
from core.label_schema import AttributeValue, attributes_of
from core.model import HUMAN, Annotation, Box, OriginKind, Series, new_id
from core.review.carry import can_project, carried, find_gap, interpolated, projected
from core.review.checks import duplicates, unchecked
from gui.desk import Desk

NO_BOX = "No box is selected. Click one, or pick one with Tab."


def _selected(desk: Desk) -> Annotation | None:
    found = desk.session.selected_annotation
    if found is None:
        desk.session.said.emit("info", NO_BOX)
    return found


def reshape_box(desk: Desk, annotation_id: str, box: Box) -> None:
    """Move or resize an annotation to what of the box is on the slice; a locked one stays and says so."""
    session, ref = desk.session, desk.session.current_slice
    found = next((a for a in session.record.annotations if a.id == annotation_id), None)
    clipped = box.clipped(ref.columns, ref.rows) if ref else None
    if found is None or clipped is None or clipped == found.box:
        return
    if desk.attempt(lambda: reshape(found, clipped, session.reader)):
        warn_of_duplicates(desk)


def copy_box(desk: Desk, annotation_id: str, box: Box) -> None:
    """Put a copy of an annotation elsewhere on its slice: drawn by hand, so nobody need check it."""
    session = desk.session
    source = next((a for a in session.record.annotations if a.id == annotation_id), None)
    ref = session.current_slice
    clipped = box.clipped(ref.columns, ref.rows) if ref else None
    if source is None or ref is None or clipped is None:
        return
    made = Annotation(
        id=new_id(),
        slice_key=ref.key,
        box=clipped,
        label_id=source.label_id,
        origin=HUMAN,
        author=session.reader,
        window=desk.display.window_values,
    )
    if session.commit(add([made], "copy")):
        session.select(made.id)
        warn_of_duplicates(desk)


def copy_to_slice(desk: Desk, by: int) -> None:
    """Copy the selected box to the next (+1) or previous (-1) slice, go there and select it."""
    session, found = desk.session, _selected(desk)
    series, place = session.current_series, session.place
    if found is None or series is None or place is None:
        return
    at = place.index + by
    if not series.is_stack or not 0 <= at < len(series.slices):
        session.said.emit("info", "There is no slice beside this one to copy to.")
        return
    ref = series.slices[at]
    box = found.box.clipped(ref.columns, ref.rows)
    if box is None:
        session.said.emit("info", "This box lies outside of the slice beside it.")
        return
    made = carried(found, ref.key, box, OriginKind.COPIED, session.reader)
    if session.commit(add([made], "copy")):
        session.go_to(series.uid, at)
        session.select(made.id)
        warn_of_duplicates(desk)


def interpolate(desk: Desk) -> None:
    """Fill the slices between the selected box and the nearest other box of its lesion."""
    session, found = desk.session, _selected(desk)
    series = session.current_series
    if found is None or series is None:
        return
    gap = find_gap(series.slices, session.workspace.annotations, found) if series.is_stack else None
    if gap is None:
        session.said.emit(
            "info",
            "Nothing to interpolate: there is no other box of this class at this place with slices between.",
        )
        return
    made = interpolated(gap, series.slices, session.reader)
    if session.commit(add(made, "interpolate")):
        session.said.emit(
            "info",
            f"{len(made)} boxes between slices {gap.first + 1} and {gap.last + 1}, marked ≈ until "
            "checked (Enter).",
        )


def projection_targets(desk: Desk) -> tuple[Series, ...]:
    """The open series that boxes of the slice in view can be projected to."""
    session = desk.session
    here, ref = session.current_series, session.current_slice
    if here is None or ref is None:
        return ()
    return tuple(s for s in session.series if s.uid != here.uid and can_project(ref, s))


def project(desk: Desk, series: Series) -> None:
    """Put the selected box on another series, through millimetres, and go there."""
    session, found, ref = desk.session, _selected(desk), desk.session.current_slice
    if found is None or ref is None:
        return
    try:
        target, box = projected(found.box, ref, series)
    except InputError as error:
        session.said.emit("warning", str(error))
        return
    made = carried(found, target.key, box, OriginKind.PROJECTED, session.reader)
    if session.commit(add([made], "project")):
        session.go_to(series.uid, series.slices.index(target))
        session.select(made.id)
        warn_of_duplicates(desk)


def check_selected(desk: Desk) -> bool:
    """State that the selected computed box is right, and go to the next one of the series.

    Returns:
        Whether a box that waited for it was selected.
    """
    session = desk.session
    found = session.selected_annotation
    if found is None or found.checked:
        return False
    if session.commit(check([found], session.reader)):
        go_to_unchecked(desk)
    return True


def refuse_unchecked(desk: Desk) -> bool:
    """Before signing off: say how many computed boxes nobody has looked at, and show the first.

    Returns:
        Whether there are any.
    """
    left = unchecked(desk.session.workspace.annotations, desk.session.reading_keys)
    if left:
        go_to_unchecked(desk)
        several = f"{len(left)} boxes are" if len(left) > 1 else "1 box is"
        desk.session.said.emit(
            "warning",
            f"Not signed off: {several} computed and not checked. Enter keeps one, Delete removes it.",
        )
    return bool(left)


def go_to_unchecked(desk: Desk) -> None:
    """Go to the next computed box that nobody has looked at, and select it; nowhere if there is none."""
    session = desk.session
    series, place = session.current_series, session.place
    if series is None or place is None:
        return
    keys = session.reading_keys
    left = unchecked(session.workspace.annotations, keys)
    index = {ref.key: i for i, ref in enumerate(series.slices)}
    following = [a for a in left if index[a.slice_key] >= place.index] or list(left)
    if following:
        session.go_to(series.uid, index[following[0].slice_key])
        session.select(following[0].id)


def toggle_lock(desk: Desk) -> None:
    """Lock the selected box against moving, resizing and deleting, or unlock it."""
    found = _selected(desk)
    if found is not None:
        desk.session.commit(set_locked(found, not found.locked, desk.session.reader))


def is_locked(desk: Desk) -> bool:
    """Whether the selected box is locked."""
    found = desk.session.selected_annotation
    return found is not None and found.locked


def set_attribute(desk: Desk, field_id: str, value: AttributeValue | None) -> None:
    """Say something of the selected box; None takes it back."""
    found = _selected(desk)
    if found is None or found.attribute(field_id) == value:
        return
    values: dict[str, AttributeValue | None] = {**dict(found.attributes), field_id: value}
    attributes = attributes_of(values)
    if attributes != found.attributes:
        desk.session.commit(set_attributes(found, attributes, desk.session.reader))


def set_numbers(desk: Desk, box: Sequence[float]) -> None:
    """Give the selected box exact edges (x1, y1, x2, y2); what is no box inside the slice is refused."""
    session, found, ref = desk.session, _selected(desk), desk.session.current_slice
    if found is None or ref is None:
        return
    x1, y1, x2, y2 = box
    if not (0 <= x1 < x2 <= ref.columns and 0 <= y1 < y2 <= ref.rows):
        session.said.emit(
            "warning",
            f"({x1:g}, {y1:g}, {x2:g}, {y2:g}) is no box on this slice: left < right ≤ {ref.columns}, "
            f"top < bottom ≤ {ref.rows}.",
        )
        return
    reshape_box(desk, found.id, Box(x1, y1, x2, y2))


def warn_of_duplicates(desk: Desk) -> None:
    """Say so where the selected box covers another of its class."""
    session = desk.session
    pairs = duplicates(session.record.annotations)
    if any(session.selected in {a.id, b.id} for a, b in pairs):
        label = session.workspace.schema.name_of(pairs[0][0].label_id)
        session.said.emit("warning", f"This box covers another {label} box almost wholly: is it there twice?")
