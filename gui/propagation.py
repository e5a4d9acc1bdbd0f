"""From one box to boxes of the same lesion on the neighbouring slices, and keeping them all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject

from core.boxes import iou
from core.detection.base import DetectResult
from core.detection.operating_point import AGREES
from core.edits import add, check
from core.imaging.pixels import PixelCache
from core.imaging.window import without_padding
from core.jobs import CancelToken, Progress
from core.model import Annotation, Box, Series
from core.review.propagate import End, Propagation, SliceView, propagate, propagated_annotation
from gui.box_actions import NO_BOX
from gui.desk import Desk
from gui.finding_actions import finding_of_selected, findings
from gui.runner import JobOutcome, JobRunner, Lane, error_text

REACH = 24
"""Slices on either side that are looked at; of so many the results are at hand."""
JOB = "propagate"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be found.

    Attributes:
        source: The reader's box.
        series: Its stack.
        start: Index of its slice.
        known: Boxes that its finding has on other slices.
        results: Of the slices near it that are computed, by index.
    """

    source: Annotation
    series: Series
    start: int
    known: Mapping[int, Box]
    results: Mapping[int, DetectResult]


class Propagator(QObject):
    """Finds the boxes in the background: the slices around may have to be decoded."""

    def __init__(self, desk: Desk, runner: JobRunner, cache: PixelCache) -> None:
        super().__init__()
        self._desk, self._runner, self._cache = desk, runner, cache

    def propagate(self) -> None:
        """Put unchecked boxes of the selected box's lesion on the slices around it."""
        session = self._desk.session
        source, series, place = session.selected_annotation, session.current_series, session.place
        if source is None or series is None or place is None:
            session.said.emit("info", NO_BOX)
            return
        if not series.is_stack:
            session.said.emit("info", "These are single pictures: none has neighbours to go on to.")
            return
        near = range(max(place.index - REACH, 0), min(place.index + REACH + 1, len(series.slices)))
        results = {i: r for i in near if (r := self._desk.engine.result(series.slices[i].key)) is not None}
        if place.index not in results:
            session.said.emit("warning", "This slice is not computed yet: D detects on it, Shift+D on all.")
            return
        asked = _Asked(source, series, place.index, self._known(series, place.index), results)
        cache = self._cache

        def job(progress: Progress, cancel: CancelToken) -> Propagation:
            def view(index: int) -> SliceView | None:
                cancel.check()
                result, ref = asked.results.get(index), asked.series.slices[index]
                if result is None:
                    return None
                return SliceView(result, without_padding(cache.get(ref), ref.padding))

            count = len(asked.series.slices)
            return propagate(asked.start, asked.source.box, count, view, asked.known)

        self._runner.submit(job, key=JOB, lane=Lane.QUICK, done=lambda outcome: self._found(asked, outcome))

    def _known(self, series: Series, start: int) -> dict[int, Box]:
        finding = finding_of_selected(self._desk, findings(self._desk))
        index = {ref.key: i for i, ref in enumerate(series.slices)}
        boxes = finding.annotations if finding is not None else ()
        return {index[a.slice_key]: a.box for a in boxes if index[a.slice_key] != start}

    def _found(self, asked: _Asked, outcome: JobOutcome[Propagation]) -> None:
        session = self._desk.session
        if outcome.error is not None:
            session.said.emit("error", error_text(outcome.error))
        if outcome.result is None:
            return
        if session.workspace.annotations.find(asked.source.id) != asked.source:
            session.said.emit("info", "The box was changed meanwhile: nothing was propagated.")
            return
        made = self._annotations(asked, outcome.result)
        ends = _ends(outcome.result)
        if not made:
            session.said.emit("info", f"No further box of this lesion: {ends}.")
        elif session.commit(add(made, "propagate")):
            several = f"{len(made)} boxes" if len(made) > 1 else "1 box"
            session.said.emit(
                "info",
                f"{several} on other slices, marked ≈; Shift+Enter keeps all, Enter one by one. {ends}.",
            )
            self._go_to_nearest(asked, made)

    def _annotations(self, asked: _Asked, found: Propagation) -> list[Annotation]:
        """The boxes, without those where a box stands by now."""
        made = []
        for one in found.boxes:
            key = asked.series.slices[one.slice].key
            standing = self._desk.session.workspace.annotations.on(key).annotations
            if all(iou(a.box, one.box) < AGREES for a in standing):
                result = asked.results[one.slice]
                reader = self._desk.session.reader
                made.append(propagated_annotation(one, result, key, asked.source, reader))
        return made

    def _go_to_nearest(self, asked: _Asked, made: list[Annotation]) -> None:
        """To the box beside the reader's, unless the reader has gone elsewhere."""
        session = self._desk.session
        if session.current_slice_key != asked.source.slice_key:
            return
        index = {ref.key: i for i, ref in enumerate(asked.series.slices)}
        nearest = min(made, key=lambda a: abs(index[a.slice_key] - asked.start))
        session.go_to(asked.series.uid, index[nearest.slice_key])
        session.select(nearest.id)


def _ends(found: Propagation) -> str:
    told = {End.LESION: "where the lesion ends", End.STACK: "at the end of the series"}
    where = [told.get(end, "before a slice that is not computed") for end in (found.before, found.after)]
    if where[0] == where[1]:
        return f"It stops on both sides {where[0]}"
    return f"It stops below {where[0]}, above {where[1]}"


def keep_all(desk: Desk) -> None:
    """State that all unchecked boxes made of the same box as the selected one (or of it) are right."""
    session = desk.session
    found = session.selected_annotation
    if found is None:
        session.said.emit("info", NO_BOX)
        return
    root = found.id if found.checked or not found.origin.source else found.origin.source
    keys = set(session.reading_keys)
    waiting = [
        a
        for a in session.workspace.annotations.annotations()
        if not a.checked and a.slice_key in keys and (a.origin.source == root or a.id == found.id)
    ]
    if not waiting:
        session.said.emit("info", "No unchecked box was made of this one.")
    elif session.commit(check(waiting, session.reader)):
        several = f"{len(waiting)} boxes" if len(waiting) > 1 else "1 box"
        session.said.emit("info", f"{several} kept; Ctrl+Z takes it back.")
