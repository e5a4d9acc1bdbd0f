"""A second model beside the one in use, asked about the slice in view only; each keeps its own layer."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from core.detection.base import Detector
from core.detection.registry import ModelEntry
from core.errors import ModelMismatch
from core.imaging.pixels import PixelCache
from core.review.differences import Balance, Difference, balance, differences
from gui.asking import Answered, Asking, loading
from gui.engine import Engine
from gui.faults import fault_text
from gui.runner import JobOutcome, JobRunner, Lane
from gui.session import Session

LOAD_SECOND = "load-second"
ASK_SECOND = "ask-second"


class Second(QObject):
    """Compares two models on the slice in view, each at its own operating point.

    Args:
        session: Where the reader is.
        runner: Runs the work, in the engine's thread.
        cache: Gives pixels.
        engine: The model in use, and the results of both.

    Signals:
        changed: Another model is compared, or more is known of the slice in view.
    """

    changed = Signal()

    def __init__(self, session: Session, runner: JobRunner, cache: PixelCache, engine: Engine) -> None:
        super().__init__()
        self._session = session
        self._runner = runner
        self._cache = cache
        self._engine = engine
        self._detector: Detector | None = None
        self._entry: ModelEntry | None = None
        for signal in (session.place_changed, engine.model_changed):
            signal.connect(self._ask)
        for signal in (engine.point_changed, engine.results_changed, session.annotations_changed):
            signal.connect(self._tell)

    @property
    def name(self) -> str:
        """Name of the second model, or ""."""
        return self._entry.name if self._entry else ""

    def choices(self) -> tuple[ModelEntry, ...]:
        """The models that the one in use can be compared with."""
        return tuple(e for e in self._engine.registry.list() if e.name != self._engine.model_name)

    def compare_with(self, entry: ModelEntry | None) -> None:
        """Compare with a model, once it is loaded; None compares with none."""
        self._runner.cancel(LOAD_SECOND)
        self._runner.cancel(ASK_SECOND)
        self._detector, self._entry = None, entry
        self.changed.emit()
        if entry is None:
            return

        def loaded(outcome: JobOutcome[Detector]) -> None:
            if outcome.error is not None:
                self._entry = None
                self._session.said.emit("error", fault_text(outcome.error))
                self.changed.emit()
            elif outcome.result is not None:
                self.install(entry, outcome.result)

        self._runner.submit(
            loading(entry), key=LOAD_SECOND, lane=Lane.ENGINE, title=f"Loading {entry.name}", done=loaded
        )

    def install(self, entry: ModelEntry, detector: Detector) -> None:
        """Take a loaded model as the second; one for other classes is refused."""
        try:
            detector.bind(self._session.workspace.schema)
        except ModelMismatch as error:
            self._entry = None
            self._session.said.emit("error", str(error))
        else:
            self._detector, self._entry = detector, entry
            self._ask()
        self.changed.emit()

    def found(self) -> tuple[Difference, ...] | None:
        """From the model in use to the second: what is lost, gained, moved; None while it is not known."""
        key, engine = self._session.current_slice_key, self._engine
        if self._detector is None:
            return None
        first, second = engine.short(key), engine.results.short(self._detector.identity, key)
        if first is None or second is None:
            return None
        schema = self._session.workspace.schema
        return differences(
            first.shown_at(engine.point, schema), second.shown_at(engine.point_of(second.model), schema)
        )

    def balance(self, found: tuple[Difference, ...]) -> Balance | None:
        """The differences against what readers drew on the slice in view; None where nothing is drawn."""
        annotations = self._session.record.annotations
        return balance(found, annotations) if annotations else None

    def state(self) -> str:
        """What there is to say while there is no list."""
        key = self._session.current_slice_key
        if self._detector is None:
            return f"Loading {self.name}…" if self._entry else ""
        failure = self._engine.results.failure(self._detector.identity, key)
        if failure:
            return f"{self.name} could not compute this slice: {failure}"
        return "Computing this slice…" if key else ""

    def _tell(self) -> None:
        if self._detector is not None:
            self.changed.emit()

    def _ask(self) -> None:
        detector, ref, results = self._detector, self._session.current_slice, self._engine.results
        if detector is None:
            return
        self.changed.emit()
        if ref is None or results.short(detector.identity, ref.key) or self._same_as_in_use(detector):
            return
        around = self._engine.beside(ref, detector)
        asking = Asking(ref, detector, self._session.workspace.schema, beside=around)

        def arrived(outcome: JobOutcome[Answered]) -> None:
            if outcome.result is not None:
                results.put(outcome.result.result, outcome.result.content)
            elif outcome.error is not None:
                results.fail(detector.identity, ref.key, fault_text(outcome.error))
            self.changed.emit()

        self._runner.submit(
            asking.job(self._cache, results.disk), key=ASK_SECOND, lane=Lane.ENGINE, done=arrived
        )

    def _same_as_in_use(self, detector: Detector) -> bool:
        return detector.identity == self._engine.model
