"""Whether predictions depend on the window: detection repeated under other grey levels, when idle."""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import QObject, Signal

from core.detection.operating_point import OperatingPoint
from core.detection.requests import make_request
from core.imaging.neighbours import ALONE, beside
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken, Progress
from core.model import LabelSchema, Series, SliceRef
from core.review.stability import Repeats, Stood, repeat, stability
from core.settings import Settings
from gui.engine import DETECT, Engine
from gui.runner import JobOutcome, JobRunner, Lane, error_text
from gui.session import Session

JOB = "window-check"
KEPT = 48
"""Slices; each keeps the results of all variants, half a megabyte."""

_At = tuple[str, str]  # model, slice
_Known = tuple[Repeats, OperatingPoint, LabelSchema, dict[int, Stood]]


class WindowCheck(QObject):
    """Checks the slice in view, then the others of its series that have predictions, nearest first.

    In the engine's thread, and only while the engine has nothing to do: it gives way at once. Off unless
    asked for, since it takes five detections a slice.

    Signals:
        changed: Another slice is checked, or the check was switched.
    """

    changed = Signal()

    def __init__(
        self, session: Session, engine: Engine, runner: JobRunner, cache: PixelCache, settings: Settings
    ) -> None:
        super().__init__()
        self._session, self._engine, self._runner, self._cache = session, engine, runner, cache
        self._settings = settings
        self.on = settings.flag("engine.window_check")
        self._repeats: OrderedDict[_At, Repeats] = OrderedDict()
        self._answers: dict[str, _Known] = {}
        self._failed: set[_At] = set()
        self._running = ""
        engine.work_changed.connect(self._engine_works)
        engine.point_changed.connect(self._look)
        session.place_changed.connect(self._moved)

    def set_on(self, on: bool) -> None:
        """Check from now on, or no more."""
        self.on = on
        try:
            self._settings.set("engine.window_check", on)
        except OSError:
            self._session.said.emit("warning", "The settings cannot be written; this holds until you quit.")
        if on:
            self._look()
        else:
            self._runner.cancel(JOB)
        self.changed.emit()

    def of(self, slice_key: str) -> dict[int, Stood]:
        """How the predictions of a slice fared at the operating point, by trace row; empty until checked."""
        repeats = self._repeats.get((self._engine.model, slice_key)) if self.on else None
        if repeats is None:
            return {}
        point, schema = self._engine.point, self._session.workspace.schema
        known = self._answers.get(slice_key)
        if known is None or known[0] is not repeats or known[1] != point or known[2] is not schema:
            rows = {s.shown.row: s for s in stability(repeats, point, schema).stood}
            known = (repeats, point, schema, rows)
            self._answers[slice_key] = known
        return known[3]

    def _engine_works(self, _done: int, total: int, _text: str) -> None:
        if total:
            self._runner.cancel(JOB)
        else:
            self._look()

    def _moved(self) -> None:
        key = self._session.current_slice_key
        if self._running and self._running != key and self._wants(key):
            self._runner.cancel(JOB)  # the slice in view first
        self._look()

    def _wants(self, slice_key: str) -> bool:
        at = (self._engine.model, slice_key)
        return at not in self._repeats and at not in self._failed and bool(self._engine.undecided(slice_key))

    def _look(self) -> None:
        """Begin with the next slice, unless the engine or this is at work."""
        series, place = self._session.current_series, self._session.place
        busy = self._runner.busy(JOB) or self._runner.busy(DETECT)
        if not self.on or busy or series is None or place is None or self._engine.detector is None:
            return
        order = sorted(range(len(series.slices)), key=lambda i: abs(i - place.index))[:KEPT]
        index = next((i for i in order if self._wants(series.slices[i].key)), None)
        if index is not None:
            self._check(series, index)

    def _check(self, series: Series, index: int) -> None:
        ref, detector, cache = series.slices[index], self._engine.detector, self._cache
        result = self._engine.result(ref.key)
        if detector is None or result is None:
            return
        around = beside(series, index) if detector.neighbours else ALONE
        self._running = ref.key

        def job(progress: Progress, cancel: CancelToken) -> Repeats:
            request = make_request(ref, cache.get, around)
            return repeat(request, result, lambda r, c: detector.detect(r, cancel=c), cancel=cancel)

        self._runner.submit(
            job, key=JOB, lane=Lane.ENGINE, done=lambda outcome: self._checked(ref, result.model, outcome)
        )

    def _checked(self, ref: SliceRef, model: str, outcome: JobOutcome[Repeats]) -> None:
        self._running = ""
        if outcome.result is not None:
            self._repeats[model, ref.key] = outcome.result
            while len(self._repeats) > KEPT:
                (_, old), _ = self._repeats.popitem(last=False)
                self._answers.pop(old, None)
        elif outcome.error is not None:
            self._failed.add((model, ref.key))  # not again and again
            self._session.said.emit("warning", f"The window was not checked: {error_text(outcome.error)}")
        self.changed.emit()
        self._look()
