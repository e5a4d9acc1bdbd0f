"""What a person does at the desk, as functions over the session, the display and the engine. No widgets."""

from __future__ import annotations

from dataclasses import replace

from core.detection.operating_point import ShownDetection
from core.edits import accept, create, delete, reject, relabel
from core.model import HUMAN, Annotation, Box, Detection, Origin, new_id
from gui.box_actions import check_selected, go_to_unchecked, refuse_unchecked, reshape_box, warn_of_duplicates
from gui.desk import Desk as Desk  # noqa: PLC0414 - every action takes one
from gui.walking import detection_id as detection_id  # noqa: PLC0414 - as above
from gui.walking import is_walking, leave_edited
from gui.walking import step_prediction as step_prediction  # noqa: PLC0414 - as above


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
    """Accept the selected prediction (or the best one on the slice) and go to the next.

    The next is that of the walk where N led here, else that on this slice. With a computed box that nobody
    has looked at: state that it is right. With one that E made of a prediction: go on.
    """
    if leave_edited(desk) or check_selected(desk):
        return
    session = desk.session
    found = selected_detection(desk) or _best(desk)
    if found is None:
        _none_to(desk, "accept")
        return
    edit = accept(
        [found], session.current_slice_key, _model_of(desk), session.reader, desk.display.window_values
    )
    walking = is_walking(desk)
    if session.commit(edit):
        _go_on(desk, walking)


def edit_selected(desk: Desk) -> None:
    """Accept the selected prediction (or the best one on the slice) and stay with its box to correct it."""
    session = desk.session
    found = selected_detection(desk) or _best(desk)
    if found is None:
        _none_to(desk, "edit")
        return
    edit = accept(
        [found], session.current_slice_key, _model_of(desk), session.reader, desk.display.window_values
    )
    made = edit.changes[0].after
    if session.commit(edit) and isinstance(made, Annotation):
        session.select(made.id)
        desk.walk.edited = made.id
        session.said.emit(
            "info", "Accepted: drag its edges or use the arrows; Enter goes on, undo takes it back."
        )


def _go_on(desk: Desk, walking: bool) -> None:
    if walking:
        desk.session.select("")
        step_prediction(desk, 1)
    else:
        desk.session.select(_first_undecided(desk))


def reject_selected(desk: Desk, reason: str) -> None:
    """Reject the selected prediction (or the best one on the slice), with a reason."""
    session = desk.session
    found = selected_detection(desk) or _best(desk)
    if found is None:
        _none_to(desk, "reject")
        return
    edit = reject(found, session.current_slice_key, _model_of(desk), session.reader, reason)
    walking = is_walking(desk)
    if session.commit(edit):
        desk.walk.reason = reason
        _go_on(desk, walking)


def reject_again(desk: Desk) -> None:
    """Reject the selected prediction (or the best one on the slice) for the reason given last."""
    if desk.walk.reason:
        reject_selected(desk, desk.walk.reason)
    else:
        desk.session.said.emit("info", "No reason was given yet: X asks for one.")


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
        if not found.checked:
            go_to_unchecked(desk)  # as after keeping one


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
    """Sign off; held up once by what is undecided or not computed, and refused while computed boxes wait."""
    if refuse_unchecked(desk) or _held_up(desk, no_finding):
        return
    left = sum(len(desk.engine.undecided(key)) for key in desk.session.reading_keys)
    if desk.session.sign_off(no_finding=no_finding) and left:
        desk.session.said.emit("warning", f"Signed off with {left} predictions left undecided.")


def _held_up(desk: Desk, no_finding: bool) -> bool:
    """Say once what a sign-off would leave undecided: nothing is left so by accident.

    Whoever reads without predictions (the layer is off) is told afterwards only.
    """
    engine, keys = desk.engine, desk.session.reading_keys
    if not engine.ready or not engine.layers.predictions:
        return False
    left = {key: len(engine.undecided(key)) for key in keys}
    missing = sum(not engine.computed(key) for key in keys) if engine.ahead else 0
    count = sum(left.values())
    held_by = (keys, no_finding, count, engine.model)
    if not (count or missing) or desk.walk.warned == held_by:
        desk.walk.warned = ()
        return False
    desk.walk.warned = held_by
    told = []
    if count:
        slices = sum(bool(n) for n in left.values())
        told.append(f"{count} prediction{'s' * (count > 1)} undecided on {slices} slice{'s' * (slices > 1)}")
    if missing:
        told.append(f"{missing} slice{'s' * (missing > 1)} not computed")
    again = "Shift+R" if no_finding else "R"
    desk.session.said.emit(
        "warning",
        f"Not signed off yet: {' and '.join(told)}. N goes there; {again} again signs off as it is.",
    )
    return True


def _best(desk: Desk) -> Detection | None:
    shown = visible_predictions(desk)
    return shown[0].detection if shown else None


def _first_undecided(desk: Desk) -> str:
    shown = visible_predictions(desk)
    return detection_id(shown[0].row) if shown else ""


def _model_of(desk: Desk) -> str:
    return desk.engine.model


def toggle_layer(desk: Desk, layer: str) -> None:
    """Show or hide a layer: "predictions", "proposals" or "rejections"."""
    layers = desk.engine.layers
    desk.engine.set_layers(replace(layers, **{layer: not getattr(layers, layer)}))
