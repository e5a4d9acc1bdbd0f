"""Training: one path for both architectures, within a time budget, resumable after a kill."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.detection.atomic import write_whole
from core.detection.calibrate import calibrated
from core.detection.card import ModelCard, verify_model
from core.detection.checkpoint import has_checkpoint, remove_checkpoint
from core.detection.config import Load, TrainConfig, TrainResult
from core.detection.duplicates import set_apart
from core.detection.export import export_model
from core.detection.network import NetworkSpec
from core.detection.regions import ProposalCache, SliceSource, judged_proposer
from core.detection.samples import Plan, make_plan, prepare_samples
from core.detection.trainer import Trainer, start_network
from core.detection.weights import lasting
from core.errors import InputError, TrainingError
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken, Progress, no_progress
from core.model import Dataset
from core.settings import home

METRICS_FILE = "metrics.jsonl"
CHECKPOINT_FOLDER = "checkpoint"
_DATA_FILE = "data.json"


def train(
    datasets: Sequence[Dataset],
    config: TrainConfig,
    out: Path,
    *,
    valid: Dataset | None = None,
    load: Load | None = None,
    resume: bool = False,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> TrainResult:
    """Train a detector and write it, with its card, to `out`.

    `out` receives model.safetensors and card.md at the end, metrics.jsonl as it goes, and checkpoint/ until
    it is done. Proposals are cached outside it. An existing model in `out` stays until the new one is whole.

    Args:
        datasets: Labelled slices; classes are merged by name.
        config: Options.
        out: Folder for the results, made where missing.
        valid: Slices to check on; None holds out whole groups.
        load: How pixels are read; None for Overread's own readers.
        resume: Go on from the checkpoint in `out`, if there is one.
        progress: Reports seconds done of the budget, with "loss" and "valid_ap50" among others.
        cancel: Stops the run; the last checkpoint stays.

    Raises:
        NotEnoughData: Too few slices, boxes or groups, with the counts.
        TrainingDiverged: The loss is no longer finite.
        TrainingError: The budget was used up before the first step.
        InputError: The checkpoint is of other data or options, or the given weights cannot be used.
        ModelError: The model to go on from is not sound.
        Cancelled: The token was set.
        OSError: `out` cannot be written.
    """
    token = cancel or CancelToken()
    start = verify_model(config.init_from) if config.init_from is not None else None
    plan = make_plan(datasets, valid, config, start.classes if start is not None else ())
    spec = _spec(config, start, len(plan.classes))
    out.mkdir(parents=True, exist_ok=True)
    _settle_data(out / CHECKPOINT_FOLDER, plan, resume)
    network = start_network(spec, config, plan.classes)
    before = lasting(network, same_classes=plan.classes == start.classes) if start is not None else None
    trainer = Trainer(config, network, out / CHECKPOINT_FOLDER, before)
    if resume:
        trainer.resume()
    preparing = _within_budget(config.budget_minutes, progress)
    sources = [*datasets, *([valid] if valid is not None else [])]
    cache = ProposalCache(config.cache or home() / "cache" / "proposals", judged_proposer(config.proposer))
    source = SliceSource(load or PixelCache(max_bytes=64 << 20).get, cache, spec.image_size, spec.inputs)
    samples, unread = prepare_samples(plan.train, sources, plan.classes, source, preparing, token)
    held, held_unread = prepare_samples(plan.valid, sources, plan.classes, source, preparing, token)
    samples, alike = set_apart(samples, held)
    left_out = len(unread) + len(held_unread)
    said = f"{left_out} unreadable slices left out" if left_out else ""
    plan = replace(plan, split="; ".join(filter(None, (plan.split, alike, said))))
    repeats = [*config.repeat, *([1] * len(sources))]
    repeated = [s for s in samples for _ in range(repeats[s.source])]
    trainer.fit(repeated, held, out / METRICS_FILE, progress, token)
    weights = trainer.best_weights()
    scores = calibrated(weights, spec, held, token)
    result = export_model(weights, spec, config, plan, trainer.figures(), scores, out, trainer.computed_on)
    trainer.forget_checkpoint()
    progress(1, 1, "Model written", **result.metrics)
    return result


def _spec(config: TrainConfig, start: ModelCard | None, classes: int) -> NetworkSpec:
    """The network: that of the options, or of the model that goes on."""
    inputs = 2 * config.neighbours + 1
    if start is not None:
        inputs = max(inputs, int(start.network.get("inputs", 1)))
        return NetworkSpec(**{**start.network, "classes": classes, "inputs": inputs})
    return NetworkSpec(
        architecture=config.architecture,
        depth=config.depth,
        width=config.width,
        classes=classes,
        image_size=config.image_size,
        inputs=inputs,
    )


def _settle_data(folder: Path, plan: Plan, resume: bool) -> None:
    """Note the data of a run, or compare it with the data of the checkpoint.

    With other data the split is another one: what the checkpoint has learnt would be checked on.

    Raises:
        InputError: The checkpoint is of other data.
    """
    noted = folder / _DATA_FILE
    said = json.dumps([plan.classes, [[u.role, u.digest] for u in plan.used]])
    if resume and has_checkpoint(folder):
        if noted.exists() and noted.read_text(encoding="utf-8") != said:
            raise InputError(
                f"{folder}: the checkpoint was made with other slices or boxes. Use the same data, or start "
                "without --resume."
            )
        return
    remove_checkpoint(folder)  # an older run's, which a later --resume must not take up
    folder.mkdir(parents=True)
    write_whole(noted, said.encode())


def _within_budget(minutes: float, progress: Progress) -> Progress:
    """A progress sink for the time before the first step, which ends the run once the budget is used up."""
    end = time.monotonic() + minutes * 60.0

    def report(done: float, total: float, text: str = "", **metrics: float) -> None:
        progress(done, total, text, **metrics)
        if time.monotonic() > end:
            raise TrainingError(
                f"the budget of {minutes:g} minutes was used up by reading slices and finding proposals "
                f"({done:.0f} of {total:.0f}). These are cached now: run again, or give more minutes."
            )

    return report
