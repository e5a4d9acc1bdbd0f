"""The detection engine at work: one slice at a time, nearest first, results to their own slice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, QTimer, Signal

from core.detection.base import Detector, DetectResult
from core.detection.operating_point import OperatingPoint, ShownDetection, detections_at, undecided
from core.detection.registry import ModelEntry, ModelRegistry
from core.detection.requests import make_request
from core.edits import EMPTY_RECORD, SliceRecord
from core.errors import ModelError, ModelMismatch, OverreadError
from core.imaging.neighbours import ALONE, Beside, beside
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken, Progress
from core.model import LabelSchema, SliceRef
from core.settings import Settings
from gui.runner import JobOutcome, JobRunner, Lane, error_text
from gui.session import Session

Question = tuple[DetectResult, OperatingPoint, SliceRecord, LabelSchema]
DETECT = "detect"
LOAD = "load-model"
SWEEP_SECONDS = 0.008
"""How long the main thread answers questions on slices out of view at a time."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Which layers are shown.

    Attributes:
        predictions: Predictions nobody has judged yet.
        proposals: Regions nobody has judged.
        rejections: Predictions judged wrong, dimmed.
        proposal_limit: How many proposals, best first.
    """

    predictions: bool = True
    proposals: bool = False
    rejections: bool = False
    proposal_limit: int = 50


class Engine(QObject):
    """Runs the detector in a worker thread and keeps its results.

    Signals:
        results_changed: (slice key) A result arrived, or the slice could not be computed.
        answers_changed: What is undecided is known anew for slices that are not in view.
        point_changed: The operating point or the shown layers changed.
        model_changed: Another model is in use, or is being loaded.
        work_changed: (slices done, slices wanted, text) For the status bar; wanted 0: idle.
    """

    results_changed = Signal(str)
    answers_changed = Signal()
    point_changed = Signal()
    model_changed = Signal()
    work_changed = Signal(int, int, str)

    def __init__(
        self,
        session: Session,
        runner: JobRunner,
        cache: PixelCache,
        registry: ModelRegistry,
        settings: Settings,
    ) -> None:
        super().__init__()
        self.registry = registry
        self.point = OperatingPoint(settings.number("engine.min_score"), settings.number("engine.nms_iou"))
        self.layers = Layers()
        self.ahead = settings.flag("engine.ahead")
        self._session = session
        self._runner = runner
        self._cache = cache
        self._settings = settings
        self._detector: Detector | None = None
        self._entry: ModelEntry | None = None
        self._results: dict[tuple[str, str], DetectResult] = {}
        self._answers: dict[str, tuple[Question, tuple[ShownDetection, ...]]] = {}
        self._stale: dict[str, None] = {}
        self._sweep = QTimer(self, singleShot=True, interval=0)
        self._sweep.timeout.connect(self._answer_some)
        self._failed: dict[str, str] = {}
        self._asked: dict[str, SliceRef] = {}
        self._ahead_of: dict[str, SliceRef] = {}
        self._total = 0
        self._running = ""
        self._series_ahead = ""
        self._stopped_in = ""
        session.place_changed.connect(self._look_ahead)
        session.catalog_changed.connect(self._look_ahead)

    # -- model ---------------------------------------------------------------------------------------

    @property
    def model_name(self) -> str:
        """Name of the model in use or being loaded, or ""."""
        return self._entry.name if self._entry else ""

    @property
    def ready(self) -> bool:
        """Whether a model is loaded."""
        return self._detector is not None

    def use_current_model(self) -> None:
        """Load the model that the registry names as current."""
        try:
            entry = self.registry.current()
        except OverreadError as error:
            self._session.said.emit("error", str(error))
            return
        if entry is None:
            self._session.said.emit("warning", "There is no model yet: train one, or add one with Models.")
            return
        self.use_model(entry)

    def use_model(self, entry: ModelEntry) -> None:
        """Load a model in the background; until it is there the old one stays in use."""

        def job(progress: Progress, cancel: CancelToken) -> Detector:
            from core.detection.detector import load_detector  # noqa: PLC0415 - torch only when needed

            return load_detector(entry.path, name=entry.name)

        def loaded(outcome: JobOutcome[Detector]) -> None:
            if outcome.error is not None:
                self._session.said.emit("error", error_text(outcome.error))
            if outcome.result is not None:
                self.install(entry, outcome.result)

        self._runner.submit(job, key=LOAD, lane=Lane.ENGINE, title=f"Loading {entry.name}", done=loaded)

    def install(self, entry: ModelEntry, detector: Detector) -> None:
        """Put a loaded model in use; one for other classes is refused and the old one stays."""
        try:
            detector.bind(self._session.workspace.schema)
        except ModelMismatch as error:
            self._session.said.emit("error", str(error))
            return
        self._drop_work()
        self._detector, self._entry = detector, entry
        self._failed.clear()
        self._stopped_in = ""
        if self._session.selected not in self._session.record.entries:
            self._session.select("")  # a prediction of the model before
        self.model_changed.emit()
        self._look_ahead()

    # -- results at the operating point ---------------------------------------------------------------

    def result(self, slice_key: str) -> DetectResult | None:
        """What the model in use says about a slice, or None while it has not been asked."""
        return self._results.get((self._detector.identity, slice_key)) if self._detector else None

    def failure(self, slice_key: str) -> str:
        """Why a slice could not be computed, or ""."""
        return self._failed.get(slice_key, "")

    def undecided(self, slice_key: str) -> tuple[ShownDetection, ...]:
        """Predictions on a slice at the operating point that nobody has judged yet, best first."""
        question = self._question(slice_key)
        if question is None:
            return ()
        known = self._answers.get(slice_key)
        if known is not None and _same(known[0], question):
            return known[1]
        result, point, record, schema = question
        answer = undecided(detections_at(result, point, schema), record, result.model)
        self._answers[slice_key] = (question, answer)
        return answer

    def undecided_on(self, slices: Sequence[SliceRef]) -> list[tuple[ShownDetection, ...]]:
        """As `undecided` for many slices at once; for those not in view it may be the answer before.

        Strip and table ask for every slice at each change. `answers_changed` tells when to ask again.
        """
        if self._detector is None:
            return [()] * len(slices)
        model, results, answers = self._detector.identity, self._results, self._answers
        records, schema = self._session.workspace.annotations.by_slice, self._session.workspace.schema
        in_view, point = self._session.current_slice_key, self.point
        shown: list[tuple[ShownDetection, ...]] = []
        for key in [s.key for s in slices]:
            result, known = results.get((model, key)), answers.get(key)
            if result is None:
                shown.append(())
            elif known is None or known[0][0] is not result or key == in_view:
                shown.append(self.undecided(key))
            else:
                _, then, record, classes = known[0]
                if then is not point or record is not records.get(key, EMPTY_RECORD) or classes is not schema:
                    self._stale[key] = None
                shown.append(known[1])
        if self._stale:
            self._sweep.start()
        return shown

    def _question(self, slice_key: str) -> Question | None:
        result = self.result(slice_key)
        if result is None:
            return None
        workspace = self._session.workspace
        return (result, self.point, workspace.annotations.on(slice_key), workspace.schema)

    def _answer_some(self) -> None:
        """Answer stale questions for a few milliseconds; the window must go on in between."""
        end = time.perf_counter() + SWEEP_SECONDS
        while self._stale and time.perf_counter() < end:
            self.undecided(self._stale.popitem()[0])
        if self._stale:
            self._sweep.start()
        else:
            self.answers_changed.emit()

    def set_point(self, *, min_score: float | None = None, nms_iou: float | None = None) -> None:
        """Move the operating point; acts on the results that are there."""
        if min_score is not None:
            self.point = replace(self.point, min_score=min_score)
        if nms_iou is not None:
            self.point = replace(self.point, nms_iou=nms_iou)
        self.point_changed.emit()

    def remember_point(self) -> None:
        """Keep the operating point for the next session."""
        self._settings.set("engine.min_score", self.point.min_score)
        self._settings.set("engine.nms_iou", self.point.nms_iou)

    def set_layers(self, layers: Layers) -> None:
        """Show or hide layers."""
        if layers != self.layers:
            self.layers = layers
            self.point_changed.emit()

    # -- work ----------------------------------------------------------------------------------------

    def detect_slice(self) -> None:
        """Run the model on the slice in view, again if it has been run."""
        ref = self._session.current_slice
        if ref is None or not self._has_model():
            return
        self._ask([ref])

    def detect_series(self) -> None:
        """Run the model on every slice of the series in view without a result, wherever the reader goes."""
        series = self._session.current_series
        if series is None or not self._has_model():
            return
        self._ask([ref for ref in series.slices if self.result(ref.key) is None])

    def _ask(self, refs: Sequence[SliceRef]) -> None:
        for ref in refs:
            self._failed.pop(ref.key, None)
            self._asked[ref.key] = ref
        self._next()

    def stop(self) -> None:
        """Stop computing; the slice at work is dropped within a second.

        Looking ahead rests until another series is in view or it is switched on again.
        """
        series = self._session.current_series
        self._stopped_in = series.uid if series else ""
        self._drop_work()

    def _drop_work(self) -> None:
        self._asked.clear()
        self._ahead_of.clear()
        self._total = 0
        self._runner.cancel(DETECT)
        self.work_changed.emit(0, 0, "")

    def set_ahead(self, ahead: bool) -> None:
        """Detect ahead of the reader, or only when asked."""
        self.ahead = ahead
        try:
            self._settings.set("engine.ahead", ahead)
        except OSError:
            self._session.said.emit("warning", "The settings cannot be written; this holds until you quit.")
        self._stopped_in = ""
        if ahead:
            self._look_ahead()
        else:
            self._drop_work()
        self.point_changed.emit()

    def _has_model(self) -> bool:
        if self._detector is None:
            waiting = self._runner.busy(LOAD)
            text = "The model is still being loaded." if waiting else "There is no model in use."
            self._session.said.emit("warning", text)
        return self._detector is not None

    def _look_ahead(self) -> None:
        series = self._session.current_series
        if not self.ahead or self._detector is None or series is None or series.uid == self._stopped_in:
            return
        if series.uid != self._series_ahead:
            self._series_ahead, self._stopped_in, self._total = series.uid, "", 0
        # Only the series in view: what the reader has left is not worth the wait, unless it was asked for.
        self._ahead_of = {
            s.key: s for s in series.slices if self.result(s.key) is None and s.key not in self._failed
        }
        self._next()

    def _nearest(self) -> SliceRef | None:
        """The wanted slice nearest to the one in view; then what was asked for in other series."""
        series, place = self._session.current_series, self._session.place
        wanted = self._asked.keys() | self._ahead_of.keys()
        if series is not None and place is not None:
            near = [(abs(i - place.index), i) for i, s in enumerate(series.slices) if s.key in wanted]
            if near:
                return series.slices[min(near)[1]]
        return next(iter(self._asked.values()), None)

    def _beside(self, ref: SliceRef) -> Beside:
        """Its neighbours in the series it belongs to, as far as that is known by now."""
        series = next((s for s in self._session.series if s.uid == ref.series_uid), None)
        keys = [s.key for s in series.slices] if series is not None else []
        return beside(series, keys.index(ref.key)) if series is not None and ref.key in keys else ALONE

    def _next(self) -> None:
        detector = self._detector
        if self._running or detector is None:
            return
        ref = self._nearest()
        if ref is None:
            self._total = 0
            self.work_changed.emit(0, 0, "")
            return
        left = len(self._asked.keys() | self._ahead_of.keys())
        self._total = max(self._total, left)
        self.work_changed.emit(self._total - left, self._total, "Detecting")
        self._running = ref.key
        cache, around = self._cache, self._beside(ref) if detector.neighbours else ALONE

        def job(progress: Progress, cancel: CancelToken) -> DetectResult:
            request = make_request(ref, cache.get, around)
            cancel.check()
            return detector.detect(request, cancel=cancel)

        self._runner.submit(
            job,
            key=DETECT,
            lane=Lane.ENGINE,
            done=lambda outcome: self._arrived(ref.key, detector.identity, outcome),
        )

    def _arrived(self, slice_key: str, model: str, outcome: JobOutcome[DetectResult]) -> None:
        self._running = ""
        if outcome.result is not None:
            # By the slice and model it is for, whatever is on screen or in use by now.
            self._results[model, slice_key] = outcome.result
        # What another model did to a slice says nothing about what this one has still to do.
        if self._detector is not None and model == self._detector.identity and not outcome.cancelled:
            self._asked.pop(slice_key, None)
            self._ahead_of.pop(slice_key, None)
            if outcome.error is not None:
                self._fail(slice_key, model, outcome.error)
        self.results_changed.emit(slice_key)
        self._next()

    def _fail(self, slice_key: str, model: str, error: Exception) -> None:
        self._failed[slice_key] = error_text(error)
        self._results.pop((model, slice_key), None)
        if isinstance(error, ModelError):
            self._session.said.emit("error", error_text(error))


def _same(known: Question, asked: Question) -> bool:
    return all(a is b for a, b in zip(known, asked, strict=True))
