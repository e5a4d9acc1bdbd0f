"""The detection engine at work: one slice at a time, nearest first, results to their own slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, QTimer, Signal

from core.detection.base import Detector, DetectResult
from core.detection.operating_point import OperatingPoint, ShownDetection
from core.detection.registry import ModelEntry, ModelRegistry
from core.errors import ModelMismatch, OverreadError
from core.imaging.neighbours import ALONE, Beside, beside
from core.imaging.pixels import PixelCache
from core.model import SliceRef
from core.review.ahead import STRIDE, direction, nearest
from core.review.point_book import PointBook
from core.review.readings import next_unread
from core.review.result_cache import ResultCache
from core.review.shortlist import Shortlist
from core.settings import Settings
from gui import faults
from gui.answers import Answers
from gui.asking import Answered, Asking, loading
from gui.results import Results
from gui.runner import JobOutcome, JobRunner, Lane, error_text
from gui.session import Place, Session

DETECT = "detect"
LOAD = "load-model"
REMEMBER_MS = 1000


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

    Args:
        session: Where the reader is.
        runner: Runs the work.
        cache: Gives pixels.
        registry: The models.
        settings: The reader's.
        disk: Where results are kept.
        points: The operating point last used with each model.

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
        disk: ResultCache,
        points: PointBook,
    ) -> None:
        super().__init__()
        self.registry = registry
        self.point = _first_point(settings)
        self.layers = Layers()
        self.ahead = settings.flag("engine.ahead")
        self.results = Results(disk)
        self._points = points
        self._session = session
        self._runner = runner
        self._cache = cache
        self._settings = settings
        self._detector: Detector | None = None
        self._entry: ModelEntry | None = None
        self._answers = Answers(session, self._short, lambda: self.point)
        self._answers.changed.connect(self.answers_changed)
        self._asked: dict[str, SliceRef] = {}
        self._anew: set[str] = set()
        self._ahead_of: dict[str, SliceRef] = {}
        self._later: dict[str, SliceRef] | None = None
        self._total = 0
        self._running = ""
        self._called_off = False
        self._faults = 0
        self._short_of_memory = False
        self._series_ahead = ""
        self._stopped_in = ""
        self._was: Place | None = None
        self._travel = 0
        self._remember = QTimer(self, singleShot=True, interval=REMEMBER_MS)
        self._remember.timeout.connect(self._write_points)
        session.place_changed.connect(self._moved)
        session.catalog_changed.connect(self._look_ahead)

    # -- model ---------------------------------------------------------------------------------------

    @property
    def model_name(self) -> str:
        """Name of the model in use or being loaded, or ""."""
        return self._entry.name if self._entry else ""

    @property
    def entry(self) -> ModelEntry | None:
        """The model in use."""
        return self._entry

    @property
    def model(self) -> str:
        """The model in use, "name@hash", or ""."""
        return self._detector.identity if self._detector else ""

    @property
    def detector(self) -> Detector | None:
        """The model in use, to ask in the engine's thread only."""
        return self._detector

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

        def loaded(outcome: JobOutcome[Detector]) -> None:
            if outcome.error is not None:
                kept = f" {self.model_name} stays in use." if self._detector is not None else ""
                self._session.said.emit("error", faults.fault_text(outcome.error) + kept)
            if outcome.result is not None:
                self.install(entry, outcome.result)

        self._runner.submit(
            loading(entry), key=LOAD, lane=Lane.ENGINE, title=f"Loading {entry.name}", done=loaded
        )

    def install(self, entry: ModelEntry, detector: Detector) -> None:
        """Put a loaded model in use; one for other classes is refused and the old one stays.

        What the old one said stays too, and is there again when it comes back into use.
        """
        try:
            detector.bind(self._session.workspace.schema)
        except ModelMismatch as error:
            self._session.said.emit("error", str(error))
            return
        self._drop_work()
        known = self._detector is not None
        self._detector, self._entry = detector, entry
        self.results.forgive(detector.identity)
        self._stopped_in, self._faults = "", 0
        # The first model takes over what the reader has set while it was being loaded.
        unused = _first_point(self._settings) if known else self.point
        self.point = self._points.get(detector.identity) or unused
        if self._session.selected not in self._session.record.entries:
            self._session.select("")  # a prediction of the model before
        self.model_changed.emit()
        self._look_ahead()

    # -- results at the operating point ---------------------------------------------------------------

    def result(self, slice_key: str) -> DetectResult | None:
        """All that the model in use says about a slice, or None while it has not been asked."""
        return self.results.whole(self.model, slice_key)

    def short(self, slice_key: str) -> Shortlist | None:
        """What the model in use judged on a slice, or None while it has not been asked."""
        return self._short(slice_key)

    def computed(self, slice_key: str) -> bool:
        """Whether there is a result of the model in use; quicker than asking for it."""
        return self._short(slice_key) is not None

    def keep(self, result: DetectResult) -> None:
        """Take a result from elsewhere as that of its slice and model."""
        self.results.put(result)
        self.results_changed.emit(result.slice_key)

    def failure(self, slice_key: str) -> str:
        """Why a slice could not be computed, or ""."""
        return self.results.failure(self.model, slice_key)

    def undecided(self, slice_key: str) -> tuple[ShownDetection, ...]:
        """Predictions on a slice at the operating point that nobody has judged yet, best first."""
        return self._answers.on(slice_key)

    def undecided_on(self, slices: Sequence[SliceRef]) -> list[tuple[ShownDetection, ...]]:
        """As `undecided` for many slices at once; for those not in view it may be the answer before.

        Strip and table ask for every slice at each change. `answers_changed` tells when to ask again.
        """
        return self._answers.on_each(slices)

    def _short(self, slice_key: str) -> Shortlist | None:
        return self.results.short(self.model, slice_key)

    def set_point(self, *, min_score: float | None = None, nms_iou: float | None = None) -> None:
        """Move the operating point; acts on the results that are there, and is the model's from now on."""
        if min_score is not None:
            self.point = replace(self.point, min_score=min_score)
        if nms_iou is not None:
            self.point = replace(self.point, nms_iou=nms_iou)
        if self.model:
            self._points.put(self.model, self.point)
            self._remember.start()
        self.point_changed.emit()

    def point_of(self, model: str) -> OperatingPoint:
        """The operating point last used with a model, or where its scores begin to count."""
        return self._points.get(model) or _first_point(self._settings)

    def remember_point(self) -> None:
        """Keep the operating point for the next session.

        Raises:
            OSError: It cannot be written.
        """
        self._remember.stop()
        if not self.model:
            self._settings.set("engine.min_score", self.point.min_score)
            self._settings.set("engine.nms_iou", self.point.nms_iou)
        self._points.write()

    def _write_points(self) -> None:
        try:
            self._points.write()
        except OSError:
            self._session.said.emit(
                "warning", "The operating point cannot be written; it holds until you quit."
            )

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
        self._anew.add(ref.key)
        self._ask([ref])

    def detect_series(self) -> None:
        """Run the model on every slice of the series in view without a result, wherever the reader goes."""
        series = self._session.current_series
        if series is None or not self._has_model():
            return
        self._ask([ref for ref in series.slices if not self.computed(ref.key)])

    def _ask(self, refs: Sequence[SliceRef]) -> None:
        self._faults = 0
        for ref in refs:
            self.results.forgive(self.model, ref.key)
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
        self._anew.clear()
        self._ahead_of.clear()
        self._later = {}
        self._total = 0
        self._call_off()
        self.work_changed.emit(0, 0, "")

    def _call_off(self) -> None:
        """Ask the slice at work to stop; it stays wanted where it is."""
        if self._running:
            self._called_off = True
            self._runner.cancel(DETECT)

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

    def _moved(self) -> None:
        """The reader is elsewhere: what comes next is decided anew, and what is far away makes room."""
        place, was = self._session.place, self._was
        self._was = place
        if place is not None and was is not None:
            same = place.series_uid == was.series_uid
            self._travel = direction(was.index, place.index, self._travel) if same else 0
        self._look_ahead()
        if self._running and self._makes_room():
            self._call_off()

    def _makes_room(self) -> bool:
        """Whether the slice at work keeps the one in view waiting and is not about to be seen itself."""
        series, place, here = self._session.current_series, self._session.place, self._session.current_slice
        if series is None or place is None or here is None or self._running == here.key:
            return False
        if here.key not in self._asked and here.key not in self._ahead_of:
            return False
        near = series.slices[max(0, place.index - STRIDE) : place.index + STRIDE + 1]
        return self._running not in {s.key for s in near}

    def _look_ahead(self) -> None:
        series = self._session.current_series
        if not self.ahead or self._detector is None or series is None or series.uid == self._stopped_in:
            return
        if series.uid != self._series_ahead:
            self._series_ahead, self._stopped_in, self._total = series.uid, "", 0
        # What the reader has left is not worth the wait, unless it was asked for.
        self._ahead_of = {s.key: s for s in series.slices if self._is_open(s)}
        self._later = None
        self._next()

    def _is_open(self, ref: SliceRef) -> bool:
        return not self.computed(ref.key) and not self.failure(ref.key)

    def _wanted(self) -> SliceRef | None:
        """The slice to compute next: near the reader, then asked for elsewhere, then of the next case."""
        series, place = self._session.current_series, self._session.place
        wanted = self._asked.keys() | self._ahead_of.keys()
        if series is not None and place is not None and wanted:
            index = nearest(
                (i for i, s in enumerate(series.slices) if s.key in wanted), place.index, self._travel
            )
            if index is not None:
                return series.slices[index]
        if self._asked:
            return next(iter(self._asked.values()))
        if self._later is None:
            self._later = self._next_case()
        return next(iter(self._later.values()), None)

    def _next_case(self) -> dict[str, SliceRef]:
        """What is open of the case that the reader goes on to, from where it is entered."""
        session, place = self._session, self._session.place
        if not self.ahead or place is None or self._stopped_in == place.series_uid:
            return {}
        annotations = session.workspace.annotations
        found = next_unread(session.series, annotations, place.series_uid, place.index)
        if found is None or found[0] == place.series_uid:
            return {}
        slices = next(s.slices for s in session.series if s.uid == found[0])
        return {s.key: s for s in (*slices[found[1] :], *slices[: found[1]]) if self._is_open(s)}

    def beside(self, ref: SliceRef, detector: Detector) -> Beside:
        """Its neighbours in its series as far as these are known by now, for a model that sees them."""
        if not detector.neighbours:
            return ALONE
        series = next((s for s in self._session.series if s.uid == ref.series_uid), None)
        keys = [s.key for s in series.slices] if series is not None else []
        return beside(series, keys.index(ref.key)) if series is not None and ref.key in keys else ALONE

    def _next(self) -> None:
        detector = self._detector
        if self._running or detector is None:
            return
        ref = self._wanted()
        if ref is None:
            self._total = 0
            self.work_changed.emit(0, 0, "")
            return
        self._say_how_far()
        self._running, self._called_off = ref.key, False
        around = self.beside(ref, detector)
        asking = Asking(ref, detector, self._session.workspace.schema, ref.key in self._anew, around)
        self._runner.submit(
            asking.job(self._cache, self.results.disk),
            key=DETECT,
            lane=Lane.ENGINE,
            done=lambda outcome: self._arrived(ref, detector.identity, outcome),
        )

    def _say_how_far(self) -> None:
        left = len(self._asked.keys() | self._ahead_of.keys()) or len(self._later or ())
        self._total = max(self._total, left)
        near = self._asked or self._ahead_of
        self.work_changed.emit(self._total - left, self._total, "Detecting" if near else "Next case")

    def _arrived(self, ref: SliceRef, model: str, outcome: JobOutcome[Answered]) -> None:
        self._running = ""
        error = outcome.error
        if outcome.cancelled and not self._called_off:
            error = RuntimeError(faults.WORKER_STOPPED)  # nobody asked it to
        if outcome.result is not None:
            # By the slice and model it is for, whatever is on screen or in use by now.
            self.results.put(outcome.result.result, outcome.result.content)
            self._faults, self._short_of_memory = 0, False
        # What another model did to a slice says nothing about what this one has still to do.
        ended = error is not None or outcome.result is not None
        if model == self.model and ended and not self._tries_again(error):
            for waiting in (self._asked, self._ahead_of, self._later or {}):
                waiting.pop(ref.key, None)
            self._anew.discard(ref.key)
            if error is not None:
                self._fail(ref, model, error)
        self.results_changed.emit(ref.key)
        self._next()

    def _tries_again(self, error: Exception | None) -> bool:
        """Out of memory: give back what there is to give and try once more."""
        if error is None or not faults.is_out_of_memory(error) or self._short_of_memory:
            return False
        self._short_of_memory = True
        self.results.spare()
        self._cache.clear()
        return True

    def _fail(self, ref: SliceRef, model: str, error: Exception) -> None:
        self.results.fail(model, ref.key, faults.fault_text(error))
        self._short_of_memory = False
        if faults.is_of_the_slice(error):
            return
        self._faults += 1
        if faults.is_of_the_model(error):
            self._session.said.emit("error", error_text(error))
        if self._faults >= faults.IN_A_ROW:
            self.stop()
            self._faults = 0
            self._session.said.emit(
                "warning",
                f"Detection rests: {faults.IN_A_ROW} slices in a row could not be computed. "
                f"{faults.fault_text(error)} D tries this slice again, Shift+D all of them.",
            )


def _first_point(settings: Settings) -> OperatingPoint:
    """The point of a model that was not used before."""
    return OperatingPoint(settings.number("engine.min_score"), settings.number("engine.nms_iou"))
