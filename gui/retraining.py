"""Retraining on what was read: gathered here, trained in a niced child process, registered when whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.detection.child import TrainInChild
from core.detection.config import TrainResult
from core.detection.registry import ModelEntry
from core.errors import NotEnoughData, OverreadError
from core.exchange.datasets import from_workspace
from core.exchange.export import export_dataset
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken, Progress, no_progress
from core.model import Dataset
from core.settings import home
from gui.actions import Desk
from gui.runner import JobOutcome, JobProgress, JobRunner, Lane, error_text

KEY = "retrain"


@dataclass(frozen=True, slots=True)
class RetrainOptions:
    """What the reader chose.

    Attributes:
        name: Name of the model; empty: date and time.
        minutes: Time budget.
        classes: "all" or "one".
        go_on: Start from the model in use instead of from nothing.
        seed: Seed of the run.
    """

    name: str
    minutes: float
    classes: str
    go_on: bool
    seed: int


class Retraining(QObject):
    """One retraining at a time.

    Signals:
        counted: (text) What there is to train on.
        progressed: (done, total, text, metrics).
        ended: (ModelEntry or None, text) Once per run.
    """

    counted = Signal(str)
    progressed = Signal(float, float, str, dict)
    ended = Signal(object, str)

    def __init__(self, desk: Desk, runner: JobRunner, cache: PixelCache) -> None:
        super().__init__()
        self._desk = desk
        self._runner = runner
        self._cache = cache
        self._job_id = 0
        runner.progressed.connect(self._progressed)

    @property
    def running(self) -> bool:
        """Whether a run is on."""
        return self._job_id != 0

    def count(self) -> None:
        """Say what there is to train on."""
        workspace = self._desk.session.workspace

        def job(progress: Progress, cancel: CancelToken) -> Dataset:
            return from_workspace(workspace)

        def counted(outcome: JobOutcome[Dataset]) -> None:
            if outcome.error is not None:
                self.counted.emit(error_text(outcome.error))
            if outcome.result is not None:
                self.counted.emit(describe(outcome.result))

        self._runner.submit(job, key="retrain-count", lane=Lane.LONG, done=counted)

    def start(self, options: RetrainOptions) -> None:
        """Gather what was read and train on it."""
        workspace, cache = self._desk.session.workspace, self._cache
        try:
            current = self._desk.engine.registry.current() if options.go_on else None
        except OverreadError as error:
            self.ended.emit(None, str(error))
            return
        stamp = f"{datetime.now().astimezone():%Y-%m-%d-%H%M%S}"
        name = options.name or f"reading-{stamp}"
        folder = home() / "runs" / stamp

        def job(progress: Progress, cancel: CancelToken) -> TrainResult:
            dataset = from_workspace(workspace)
            if not any(s.boxes for s in dataset.slices):
                raise NotEnoughData(
                    f"{describe(dataset)} Read some slices with findings first, then retrain."
                )
            data = folder / "data"
            progress(0, 0, "Writing the training set …")
            export_dataset(
                dataset, "coco", data, images="reference", load=cache.get, progress=no_progress, cancel=cancel
            )
            child = TrainInChild(
                data,
                folder / "model",
                name=name,
                budget_minutes=options.minutes,
                classes=options.classes,
                seed=options.seed,
                init_from=current.path if current else None,
            )
            return child(progress, cancel)

        self._job_id = self._runner.submit(
            job, key=KEY, lane=Lane.LONG, title="Retraining", done=lambda outcome: self._done(name, outcome)
        )

    def cancel(self) -> None:
        """Stop the run; the model in use stays in use."""
        self._runner.cancel(KEY)

    def _progressed(self, report: JobProgress) -> None:
        if report.job_id == self._job_id:
            self.progressed.emit(report.done, report.total, report.text, report.metrics)

    def _done(self, name: str, outcome: JobOutcome[TrainResult]) -> None:
        self._job_id = 0
        if outcome.cancelled:
            self.ended.emit(None, "Cancelled. The model in use is as it was.")
        elif outcome.error is not None:
            self.ended.emit(None, error_text(outcome.error))
        elif outcome.result is not None:
            self._register(name, outcome.result.model_file)

    def _register(self, name: str, file: Path) -> None:
        try:
            entry: ModelEntry = self._desk.engine.registry.add(file, name)
        except (OverreadError, OSError) as error:
            self.ended.emit(None, f"Trained, but not registered: {error}")
            return
        figures = entry.card.figures
        ap = figures.get("valid_ap50") if isinstance(figures, dict) else None
        measured = f" AP50 on the slices held back: {ap:.2f}." if isinstance(ap, float) else ""
        self.ended.emit(
            entry, f"Done: {entry.name}.{measured} The model in use is as it was until you say so."
        )


def describe(dataset: Dataset) -> str:
    """What a data set holds, in a sentence."""
    boxes = sum(len(s.boxes) for s in dataset.slices)
    empty = sum(not s.boxes for s in dataset.slices)
    rejected = sum(len(s.hard_negatives) for s in dataset.slices)
    groups = len({s.group for s in dataset.slices})
    return (
        f"{len(dataset.slices)} read slices in {groups} groups (by {dataset.grouped_by}): {boxes} boxes, "
        f"{empty} slices without finding, {rejected} rejected predictions."
    )
