"""The walk over the undecided predictions of a series: to the next, the one before, on after a decision."""

from __future__ import annotations

from core.detection.operating_point import ShownDetection
from core.model import Annotation, Rejection, Series
from gui.desk import Desk
from gui.walk import Order, Stop


def detection_id(row: int) -> str:
    """Id on screen of the prediction of that trace row."""
    return f"d{row}"


def step_prediction(desk: Desk, by: int) -> None:
    """Go to the next (+1) or previous (-1) undecided prediction of the series, over slices."""
    session, series = desk.session, desk.session.current_series
    if series is None or session.place is None:
        return
    if not desk.engine.layers.predictions:
        session.said.emit("info", "Predictions are hidden (Shift+P).")
        return
    stops = _stops(desk, series)
    if stops:
        _go_to(desk, series, stops, _neighbour(stops, _here(desk, series, stops, by), by))
    else:
        session.said.emit("info", _none_left(desk, series))


def is_walking(desk: Desk) -> bool:
    """Whether what is selected is what N led to: then a decision leads on."""
    at, series, place = desk.walk.at, desk.session.current_series, desk.session.place
    if at is None or series is None or place is None or not desk.walk.goes_on:
        return False
    return at[0] == series.uid and (at[1].index, at[1].box_id) == (place.index, desk.session.selected)


def leave_edited(desk: Desk) -> bool:
    """Enter on a box that E made of a prediction: it is right now, and the walk goes on.

    Returns:
        Whether there was one.
    """
    edited, desk.walk.edited = desk.walk.edited, ""
    if not edited or edited != desk.session.selected:
        return False
    step_prediction(desk, 1)
    return True


def toggle_order(desk: Desk) -> None:
    """Walk by certainty, or by place."""
    desk.walk.at = None
    by_place = desk.walk.order is Order.CERTAINTY
    desk.walk.order = Order.PLACE if by_place else Order.CERTAINTY
    told = "by place, slice after slice" if by_place else "by certainty, the most certain first"
    desk.session.said.emit("info", f"N goes {told}.")


def progress_text(desk: Desk, series: Series, left: int) -> str:
    """How much of the series has been decided, of what this model predicts."""
    judged = _judged(desk, series)
    missing = sum(not desk.engine.computed(s.key) for s in series.slices)
    waiting = f"; {missing} slices are not computed yet" if missing else ""
    return f"{judged} of {judged + left} predictions decided{waiting}"


def _stops(desk: Desk, series: Series) -> list[Stop]:
    found = (
        _stop(desk.walk.order, index, shown)
        for index, ref in enumerate(series.slices)
        for shown in desk.engine.undecided(ref.key)
    )
    return sorted(found)


def _stop(order: Order, index: int, shown: ShownDetection) -> Stop:
    key: tuple[float, ...] = (index, -shown.detection.score, shown.row)
    if order is Order.CERTAINTY:
        key = (-shown.detection.score, index, shown.row)
    return Stop(key, index, detection_id(shown.row))


def _here(desk: Desk, series: Series, stops: list[Stop], by: int) -> tuple[float, ...]:
    """Where the reader is in the order: at what is selected, else where N led, else at the slice in view."""
    place, selected, at = desk.session.place, desk.session.selected, desk.walk.at
    assert place is not None
    found = next((s for s in stops if (s.index, s.box_id) == (place.index, selected)), None)
    if found is not None:
        return found.key
    if at is not None and at[0] == series.uid and at[1].index == place.index:
        return at[1].key
    if desk.walk.order is Order.PLACE:
        return (place.index, -2.0) if by > 0 else (place.index, 2.0)
    return (-2.0,) if by > 0 else (2.0,)


def _neighbour(stops: list[Stop], here: tuple[float, ...], by: int) -> Stop:
    if by > 0:
        return next((s for s in stops if s.key > here), stops[0])
    return next((s for s in reversed(stops) if s.key < here), stops[-1])


def _go_to(desk: Desk, series: Series, stops: list[Stop], stop: Stop) -> None:
    desk.session.go_to(series.uid, stop.index)
    desk.session.select(stop.box_id)
    desk.walk.at = (series.uid, stop)
    desk.session.said.emit(
        "info",
        f"Undecided {stops.index(stop) + 1} of {len(stops)}; {progress_text(desk, series, len(stops))}.",
    )


def _none_left(desk: Desk, series: Series) -> str:
    if _judged(desk, series):
        return f"Nothing is left to decide: {progress_text(desk, series, 0)}."
    return "No undecided prediction in this series so far."


def _judged(desk: Desk, series: Series) -> int:
    on, model = desk.session.workspace.annotations.on, desk.engine.model
    entries = [e for s in series.slices for e in on(s.key).entries.values()]
    accepted = sum(isinstance(e, Annotation) and e.origin.model == model for e in entries)
    return accepted + sum(isinstance(e, Rejection) and e.model == model for e in entries)
