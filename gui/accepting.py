"""Accepting more than one prediction at once: a whole finding, or all from a score. One edit, one undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.detection.operating_point import ShownDetection
from core.edits import Change, SetEdit, accept
from core.model import Annotation
from core.review.lesions import read_lesions
from gui.actions import detection_id, visible_predictions
from gui.desk import Desk
from gui.panels.finding_rows import UNDECIDED, RowsBySlice, marked_boxes
from gui.walking import is_walking, step_prediction


def accept_finding(desk: Desk) -> None:
    """Accept every undecided prediction of the finding that the selected (or best) one belongs to."""
    session, series, place = desk.session, desk.session.current_series, desk.session.place
    shown = visible_predictions(desk)
    if series is None or place is None or not shown:
        session.said.emit("info", "No prediction to accept on this slice.")
        return
    ids = [detection_id(s.row) for s in shown]
    chosen = session.selected if session.selected in ids else ids[0]
    boxes, name = [(place.index, chosen)], ""
    if series.is_stack:
        rows = RowsBySlice(desk).rows()
        marked = marked_boxes(rows, len(series.slices))
        lesions = read_lesions(series.slices, marked)
        lesion = next(le for le in lesions if (place.index, chosen) in le.boxes)
        states = {row.key: row for row in rows}
        boxes = [key for key in lesion.boxes if states[key].state == UNDECIDED]
        name = next((states[key].finding for key in lesion.boxes if states[key].finding), "")
    walking = is_walking(desk)
    picked = _picked(desk, boxes)
    if session.commit(_accepted(desk, picked, name)):
        session.said.emit("info", _told(len(boxes), {index for index, _ in boxes}))
        if walking:
            step_prediction(desk, 1)


def from_score(desk: Desk, score: float) -> list[tuple[str, ShownDetection]]:
    """The undecided predictions of the series in view from a score on, each with its slice."""
    series = desk.session.current_series
    if series is None or not desk.engine.layers.predictions:
        return []
    return [
        (s.key, shown)
        for s in series.slices
        for shown in desk.engine.undecided(s.key)
        if shown.detection.score >= score
    ]


def accept_from(desk: Desk, score: float) -> bool:
    """Accept every undecided prediction of the series in view from a score on.

    Returns:
        Whether they are on disk.
    """
    picked = from_score(desk, score)
    if not picked:
        desk.session.said.emit("info", f"No undecided prediction has a score of {score:.2f} or more.")
        return False
    if not desk.session.commit(_accepted(desk, picked, "")):
        return False
    slices = len({key for key, _ in picked})
    desk.session.said.emit(
        "info",
        f"Accepted {len(picked)} predictions on {slices} slices, from {score:.2f}. Undo takes all back.",
    )
    return True


def _picked(desk: Desk, boxes: Sequence[tuple[int, str]]) -> list[tuple[str, ShownDetection]]:
    series = desk.session.current_series
    assert series is not None
    by_id = {
        (index, detection_id(shown.row)): (series.slices[index].key, shown)
        for index in {i for i, _ in boxes}
        for shown in desk.engine.undecided(series.slices[index].key)
    }
    return [by_id[box] for box in boxes if box in by_id]


def _accepted(desk: Desk, picked: Sequence[tuple[str, ShownDetection]], finding: str) -> SetEdit:
    """One edit; boxes on slices that are not in view carry no window, since nobody saw them in one."""
    session, changes = desk.session, list[Change]()
    for key, shown in picked:
        window = desk.display.window_values if key == session.current_slice_key else None
        for change in accept([shown.detection], key, desk.engine.model, session.reader, window).changes:
            assert isinstance(change.after, Annotation)
            changes.append(Change(None, replace(change.after, finding=finding)))
    return SetEdit("accept", tuple(changes))


def _told(boxes: int, slices: set[int]) -> str:
    first, last = min(slices) + 1, max(slices) + 1
    where = f"slices {first} to {last}" if last > first else f"slice {first}"
    return f"Accepted {boxes} {'boxes' if boxes > 1 else 'box'} of one finding, {where}. Undo takes all back."
