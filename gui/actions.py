"""What a person does at the desk, as functions over the session, the display and the engine. No widgets."""

from __future__ import annotations

from dataclasses import replace

from core.detection.operating_point import ShownDetection
from core.edits import accept, create, delete, reject, relabel
from core.model import HUMAN, Annotation, Box, Detection, Origin, Series, new_id
from gui.box_actions import check_selected, refuse_unchecked, reshape_box, warn_of_duplicates
from gui.desk import Desk as Desk  # noqa: PLC0414 - every action takes one


def detection_id(row: int) -> str:
    """Id on screen of the prediction of that trace row."""
    return f"d{row}"


def visible_predictions(desk: Desk) -> tuple[ShownDetection, ...]:
    """The undecided predictions on screen; nothing is accepted or rejected that the reader does not see."""
    if not desk.engine.layers.predictions or desk.display.pixels is None:
        return ()
    return desk.engine.undecided(desk.session.current_slice_key)


def _none_to(desk: Desk, verb: str) -> None:
    text = f"No prediction to {verb} on this slice."
    if not desk.engine.layers.predictions:
        text += " Predictions are hidden (Shift+P)."
    elif desk.display.pixels is None:
        text = "This slice is not on screen yet."
    desk.session.said.emit("info", text)


def selected_detection(desk: Desk) -> Detection | None:
    """The selected prediction on the slice in view, if it is still undecided."""
    shown = visible_predictions(desk)
    return next((s.detection for s in shown if detection_id(s.row) == desk.session.selected), None)


def draw(desk: Desk, box: Box, origin: Origin = HUMAN) -> None:
    """Make an annotation of a drawn or snapped box, of the current class, and select it."""
    session = desk.session
    ref = session.current_slice
    clipped = box.clipped(ref.columns, ref.rows) if ref else None
    if ref is None or clipped is None:
        return
    if not session.workspace.schema.offers(session.current_label):
        session.said.emit("warning", "The label schema has no class to draw in: add one (Label schemas…).")
        return
    made = Annotation(
        new_id(), ref.key, clipped, session.current_label, origin, session.reader, desk.display.window_values
    )
    if session.commit(create(made)):
        session.select(made.id)
        warn_of_duplicates(desk)


def change_box(desk: Desk, annotation_id: str, box: Box) -> None:
    """Move or resize an annotation; one gesture is one edit."""
    reshape_box(desk, annotation_id, box)


def accept_selected(desk: Desk) -> None:
    """Accept the selected prediction (or the best one on the slice) and go to the next on this slice.

    With a computed box that nobody has looked at: state that it is right.
    """
    if check_selected(desk):
        return
    session = desk.session
    found = selected_detection(desk) or _best(desk)
    if found is None:
        _none_to(desk, "accept")
        return
    edit = accept(
        [found], session.current_slice_key, _model_of(desk), session.reader, desk.display.window_values
    )
    if session.commit(edit):
        session.select(_first_undecided(desk))


def reject_selected(desk: Desk, reason: str) -> None:
    """Reject the selected prediction (or the best one on the slice), with a reason."""
    session = desk.session
    found = selected_detection(desk) or _best(desk)
    if found is None:
        _none_to(desk, "reject")
        return
    edit = reject(found, session.current_slice_key, _model_of(desk), session.reader, reason)
    if session.commit(edit):
        session.select(_first_undecided(desk))


def has_prediction(desk: Desk) -> bool:
    """Whether there is an undecided prediction on the slice in view."""
    return bool(visible_predictions(desk))


def delete_selected(desk: Desk) -> None:
    """Delete the selected annotation."""
    found = desk.session.selected_annotation
    if found is None:
        desk.session.said.emit("info", "No box is selected. A prediction is rejected with X.")
    elif desk.attempt(lambda: delete([found])):
        desk.session.select("")


def classify(desk: Desk, label_id: int) -> None:
    """Give the selected annotation a class; without one, the next drawn box gets it."""
    session = desk.session
    if not session.workspace.schema.offers(label_id):
        session.said.emit("info", f"The label schema has no class {label_id}.")
        return
    found = session.selected_annotation
    if found is None:
        session.set_current_label(label_id)
        session.said.emit("info", f"New boxes: {session.workspace.schema.name_of(label_id)}.")
    elif found.label_id != label_id:
        session.commit(relabel(found, label_id, session.reader))


def classify_by_key(desk: Desk, key: int) -> None:
    """Choose the class that the label schema gives a class key."""
    found = desk.session.workspace.schema.by_key(key)
    if found is None:
        desk.session.said.emit("info", f"No class of the label schema has the key {key}.")
    else:
        classify(desk, found.id)


def select_next_box(desk: Desk) -> None:
    """Select the next box on the slice: annotations first, then undecided predictions."""
    session = desk.session
    ids = [a.id for a in session.record.annotations]
    ids += [detection_id(s.row) for s in visible_predictions(desk)]
    if ids:
        at = ids.index(session.selected) + 1 if session.selected in ids else 0
        session.select(ids[at % len(ids)])


def sign_off(desk: Desk, *, no_finding: bool = False) -> None:
    """Sign off, and say how many predictions were left undecided; refused while computed boxes wait."""
    if refuse_unchecked(desk):
        return
    left = sum(len(desk.engine.undecided(key)) for key in desk.session.reading_keys)
    if desk.session.sign_off(no_finding=no_finding) and left:
        desk.session.said.emit("warning", f"Signed off with {left} predictions left undecided.")


def step_prediction(desk: Desk, by: int) -> None:
    """Go to the next (+1) or previous (-1) undecided prediction of the series, over slices."""
    session = desk.session
    series, place = session.current_series, session.place
    if series is None or place is None:
        return
    if not desk.engine.layers.predictions:
        session.said.emit("info", "Predictions are hidden (Shift+P).")
        return
    stops = _prediction_stops(desk, series)
    if not stops:
        session.said.emit("info", "No undecided prediction in this series so far.")
        return
    target = _neighbour(stops, (place.index, session.selected), by)
    session.go_to(series.uid, target[0])
    session.select(target[1])


def _prediction_stops(desk: Desk, series: Series) -> list[tuple[int, str]]:
    return [
        (index, detection_id(s.row))
        for index, ref in enumerate(series.slices)
        for s in desk.engine.undecided(ref.key)
    ]


def _neighbour(stops: list[tuple[int, str]], here: tuple[int, str], by: int) -> tuple[int, str]:
    if here in stops:
        return stops[(stops.index(here) + by) % len(stops)]
    if by > 0:
        return next((s for s in stops if s[0] >= here[0]), stops[0])
    return next((s for s in reversed(stops) if s[0] <= here[0]), stops[-1])


def _best(desk: Desk) -> Detection | None:
    shown = visible_predictions(desk)
    return shown[0].detection if shown else None


def _first_undecided(desk: Desk) -> str:
    shown = visible_predictions(desk)
    return detection_id(shown[0].row) if shown else ""


def _model_of(desk: Desk) -> str:
    result = desk.engine.result(desk.session.current_slice_key)
    return result.model if result else ""


def toggle_layer(desk: Desk, layer: str) -> None:
    """Show or hide a layer: "predictions", "proposals" or "rejections"."""
    layers = desk.engine.layers
    desk.engine.set_layers(replace(layers, **{layer: not getattr(layers, layer)}))
