"""Training a detector for a measurement, once, and running it over a data set."""

from __future__ import annotations

import ast
import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_type_hints

from core.detection.base import Detector, DetectRequest, DetectResult
from core.detection.card import file_hash, read_card
from core.detection.checkpoint import has_checkpoint
from core.detection.config import TrainConfig
from core.detection.detector import load_detector
from core.detection.export import MODEL_FILE
from core.detection.train import CHECKPOINT_FOLDER, METRICS_FILE, train
from core.errors import InputError
from core.evaluation.bootstrap import pair
from core.evaluation.coco import evaluate_boxes
from core.evaluation.compare import compare
from core.exchange.evaluating import ONE, Run, as_one_class, run_models
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Dataset, Detection, LabelSchema

Row = dict[str, Any]  # a result as it goes into the JSON file
PIXEL_BYTES = 256 << 20
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Bench:
    """What all parts that train share.

    Attributes:
        data: Folder of the public data sets.
        work: Where trained models stay, so that a run goes on where it was stopped.
        threads: For torch.
        changes: Options of TrainConfig that differ from what a part asks for.
        resamples: Of the bootstrap.
        fresh: Train anew what has been trained already.
    """

    data: Path
    work: Path
    threads: int = 2
    changes: Mapping[str, Any] = field(default_factory=dict)
    resamples: int = 1000
    fresh: bool = False

    def config(self, **wanted: Any) -> TrainConfig:  # noqa: ANN401 - options of TrainConfig
        """Training options: a part's, with the threads and the changes asked for."""
        return TrainConfig(**{**wanted, "threads": self.threads, **self.changes})


@dataclass(frozen=True, slots=True)
class Trained:
    """A model trained for a measurement.

    Attributes:
        model: Its file.
        minutes: What it took.
        epochs: How many.
        curve: (minutes, AP50, AP50-95) on the groups held out of training, as training went.
    """

    model: Path
    minutes: float
    epochs: float
    curve: tuple[tuple[float, float, float], ...]

    def as_row(self) -> Row:
        """For the result; the curve apart."""
        return {"minutes": round(self.minutes, 2), "epochs": self.epochs, "model": file_hash(self.model)[:12]}


def changes(given: Sequence[str]) -> dict[str, Any]:
    """Options of TrainConfig from texts like "width=0.25".

    Raises:
        InputError: Not of that form, or no option of that name.
    """
    kinds = get_type_hints(TrainConfig)
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in kinds:
            raise InputError(f"--config {text}: give OPTION=VALUE, an option of {', '.join(kinds)}")
        try:
            plain = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            plain = value
        found[name] = Path(plain) if isinstance(plain, str) and "Path" in str(kinds[name]) else plain
    return found


def told(given: Sequence[str]) -> list[str]:
    """The same texts for a result: of a file its name only."""
    return [f"{name}={Path(value).name}" for name, _, value in (text.partition("=") for text in given)]


def trained(
    part: str, name: str, datasets: Sequence[Dataset], config: TrainConfig, bench: Bench, *,
    valid: Dataset | None = None,
) -> Trained:  # fmt: skip
    """A model trained with these options on these slices: now, or by an earlier run.

    Args:
        part: Of the measurement; the folder below the bench's.
        name: Of the model; letters, digits, dashes.
        datasets: To train on.
        config: Options.
        bench: Where, and whether anew.
        valid: To choose the best weights on; None holds out whole groups of the data sets.
    """
    digest = _digest(datasets, valid, config)
    folder = bench.work / part / f"{name}-{digest}"
    if bench.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if not finished(folder):
        print(f"{part}: training {name} for {config.budget_minutes:g} minutes", flush=True)
        train(datasets, own_cache(config, folder), folder, valid=valid, resume=True, progress=tell)
    return read_trained(folder)


def own_cache(config: TrainConfig, folder: Path) -> TrainConfig:
    """The options with a cache of proposals in the run's own folder.

    Every run pays for its proposals within its minutes, whatever was trained before it.
    """
    return config if config.cache is not None else replace(config, cache=folder / "proposals")


def finished(folder: Path) -> bool:
    """Whether a training run in that folder came to its end."""
    return (folder / MODEL_FILE).is_file() and not has_checkpoint(folder / CHECKPOINT_FOLDER)


def read_trained(folder: Path) -> Trained:
    """What a finished training run left in its folder."""
    card = read_card(folder / MODEL_FILE)
    rows = [json.loads(line) for line in (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()]
    curve = sorted(
        (float(r["minutes"]), float(r["valid_ap50"]), float(r["valid_ap50_95"]))
        for r in rows
        if "valid_ap50" in r
    )
    return Trained(
        folder / MODEL_FILE, card.minutes, float(card.figures.get("epochs", math.nan)), tuple(curve)
    )


def tell(done: float, total: float, text: str = "", **metrics: float) -> None:
    """Say how each validation went."""
    if "valid_ap50" in metrics:
        told = " ".join(f"{k} {v:.3f}" for k, v in metrics.items())
        print(f"  {done:.0f} of {total:.0f} s, {text}: {told}", flush=True)


class Timed:
    """A detector that keeps the engine's own time of every slice."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.milliseconds: list[float] = []

    @property
    def identity(self) -> str:
        """The detector's."""
        return self._detector.identity

    @property
    def class_names(self) -> tuple[str, ...]:
        """The detector's."""
        return self._detector.class_names

    @property
    def neighbours(self) -> int:
        """The detector's."""
        return self._detector.neighbours

    def bind(self, schema: LabelSchema) -> None:
        """Bind the detector."""
        self._detector.bind(schema)

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        """Detect, and keep the time."""
        found = self._detector.detect(request, cancel=cancel)
        self.milliseconds.append(found.milliseconds)
        return found

    def detect_many(
        self, requests: Iterable[DetectRequest], *, cancel: CancelToken
    ) -> Iterator[DetectResult]:
        """Detect, and keep the times."""
        for found in self._detector.detect_many(requests, cancel=cancel):
            self.milliseconds.append(found.milliseconds)
            yield found


def judge(dataset: Dataset, model: Path, *, one_class: bool, threads: int) -> tuple[Run, list[float]]:
    """Run a model over a data set; the run, and the milliseconds of each slice."""
    timed = Timed(load_detector(model, name=model.parent.name, threads=threads))
    cache = PixelCache(PIXEL_BYTES)
    first = dataset.slices[0].ref
    timed.detect(DetectRequest(first.key, cache.get(first)), cancel=CancelToken())
    timed.milliseconds.clear()  # the first call warms up
    (run,) = run_models(dataset, [timed], cache.get, one_class=one_class)
    return run, timed.milliseconds


def run_of(name: str, dataset: Dataset, found: Sequence[Sequence[Detection]], *, one_class: bool) -> Run:
    """What a peer found on a data set, as if it were a run of ours.

    Args:
        name: The peer's.
        dataset: The truth.
        found: Per slice; class ids are the data set's, or 1 with one class.
        one_class: Every class was taken for the same one.
    """
    return Run(
        model=name,
        dataset=dataset.name,
        grouped_by=dataset.grouped_by,
        schema=ONE if one_class else dataset.schema,
        one_class=one_class,
        slices=dataset.slices,
        truth=tuple([(b.box, 1 if one_class else b.label_id) for b in s.boxes] for s in dataset.slices),
        found=tuple(tuple(row) for row in found),
        unread=0,
    )


def pooled(runs: Sequence[Run]) -> Run:
    """Several runs over different slices as one."""
    return replace(
        runs[0],
        model=", ".join(dict.fromkeys(r.model for r in runs)),
        slices=tuple(s for r in runs for s in r.slices),
        truth=tuple(t for r in runs for t in r.truth),
        found=tuple(f for r in runs for f in r.found),
        unread=sum(r.unread for r in runs),
    )


def any_class(run: Run) -> Run:
    """The run with every class taken for the same one."""
    return replace(
        run,
        schema=ONE,
        one_class=True,
        truth=tuple([(box, 1) for box, _ in boxes] for boxes in run.truth),
        found=tuple(as_one_class(row) for row in run.found),
    )


def by_slice(run: Run) -> Run:
    """The run with every slice a group of its own, where nothing is known of patients."""
    alone = tuple(replace(s, group=str(k)) for k, s in enumerate(run.slices))
    return replace(run, slices=alone, grouped_by="slice")


def figures(run: Run, resamples: int) -> Row:
    """AP50, AP50-95 and sensitivity at one false positive a slice; 95 % intervals by resampled groups."""
    found = evaluate_boxes(run.truth, run.found, run.schema, groups=run.groups, resamples=resamples)
    row: Row = {
        "slices": found.n_images,
        "boxes": found.n_boxes,
        "resampled_by": run.grouped_by,
        "groups": len(set(run.groups)),
        "ap50": found.ap50,
        "ap50_95": found.ap50_95,
        "sensitivity_at_1": found.froc[1.0],
        "ci95": {name: pair(interval) for name, interval in found.ci95.items()},
    }
    if len(found.per_class) > 1:
        row["per_class"] = {
            name: {"ap50": of.ap50, "boxes": of.boxes} for name, of in found.per_class.items()
        }
    return as_row(row)


def difference(first: Run, second: Run, resamples: int) -> Row:
    """AP50 of the first less that of the second on the same slices, with its interval."""
    return as_row(compare(first.pairs, second.pairs, resamples=resamples).ap50.as_dict())


def as_row(values: Mapping[str, object]) -> Row:
    """Values for the result: numbers at four decimals, and null for what is not a number."""
    return {name: _rounded(value) for name, value in values.items()}


def _rounded(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _rounded(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, _DIGITS)
    return value


def _digest(datasets: Sequence[Dataset], valid: Dataset | None, config: TrainConfig) -> str:
    """Eight digits that stand for data and options; where it was started from counts by its content."""
    sets = [*datasets, *([valid] if valid is not None else [])]
    slices = [
        [(s.ref.key, s.group, [(b.label_id, b.box.as_tuple()) for b in s.boxes]) for s in d.slices]
        for d in sets
    ]
    start = file_hash(config.init_from) if config.init_from else ""
    said = json.dumps([config.as_dict(), start, valid is not None, slices], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:8]
