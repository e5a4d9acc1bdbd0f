"""The loop: steps, averaged weights, validation, checkpoints, all by the clock."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from core.detection.batches import make_batch, shown_as
from core.detection.checkpoint import (
    Checkpoint,
    pack_optimizer,
    read_checkpoint,
    remove_checkpoint,
    under_prefix,
    unpack_optimizer,
    with_prefix,
    write_checkpoint,
)
from core.detection.config import TrainConfig
from core.detection.device import choose_device, processor
from core.detection.gradients import PARTS, Batch, Gradients
from core.detection.loss import batch_loss
from core.detection.network import Network, NetworkSpec, build_network
from core.detection.samples import Sample
from core.detection.transplant import Transplants
from core.detection.validate import validate
from core.detection.weights import load_weights
from core.errors import DeviceFailed, InputError, TrainingDiverged, TrainingError
from core.jobs import CancelToken, Progress

_WARM_UP_STEPS = 150
_WARM_UP_SHARE = 0.05
_LOWEST_RATE = 0.01
_AVERAGE = 0.998
_CHECKPOINT_SECONDS = 60.0
_REPORT_STEPS = 10
# Validation may take about this share of the time.
_VALIDATION_SHARE = 0.1
_LARGEST_GRADIENT = 5.0
# A model that goes on: with smaller steps, and most of what it was stays in what it becomes, so that it keeps
# what the new slices do not show (weights averaged as by Wortsman et al. 2022). With a hundred boxes of btod,
# AP50 there and on held-out blocks of cheng: .70 and .80 before; .78 and .78 with .85 kept, .84 and .76 with
# .75, .86 and .66 with .5, .91 and .46 with nothing kept.
_FINE_RATE = 0.3
_KEPT = 0.8
# A run ends early where so much of it has passed without a better check.
_PATIENCE = 0.35
# A short run on many held-out slices may come to its first check late: nothing has failed to improve by then.
_LEAST_CHECKS = 3


@dataclass(slots=True)
class _Position:
    """Where a run is; with the seed it determines what comes next."""

    step: int = 0
    epoch: int = 0
    offset: int = 0
    seconds: float = 0.0
    prepared_at: float = 0.0
    best_ap50: float = -1.0
    best_fraction: float = 0.0
    worse_checks: int = 0
    last_loss: float = math.nan
    validated_at: float = 0.0
    validation_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Means:
    """What a run's steps are made with."""

    transplants: Transplants
    gradients: Gradients


def start_network(spec: NetworkSpec, config: TrainConfig, classes: Sequence[str]) -> Network:
    """A network with first weights: random by the seed, ImageNet's in the trunk, or those of a model of ours.

    Raises:
        InputError: The given weights do not fit.
        ModelError: `init_from` is not a sound model.
    """
    torch.set_num_threads(max(1, (config.threads or os.cpu_count() or 1) // PARTS))
    torch.manual_seed(config.seed)
    network = build_network(spec)
    if config.pretrained is not None:
        try:
            weights = load_file(config.pretrained)
        except Exception as error:
            raise InputError(f"{config.pretrained}: cannot be read as safetensors ({error}).") from error
        network.trunk.load_imagenet(weights)
    if config.init_from is not None:
        load_weights(network, config.init_from, classes, partly=True)
    return network.to(memory_format=torch.channels_last)


class Trainer:
    """One run.

    Args:
        config: Options.
        network: With its first weights.
        folder: Where checkpoints go.
        before: Of a model that goes on: the weights of which most stays.
    """

    def __init__(
        self, config: TrainConfig, network: Network, folder: Path, before: Mapping[str, Tensor] | None = None
    ) -> None:
        self._config = config
        self._network = network
        self._average = copy.deepcopy(network)
        self._average.eval().requires_grad_(False)
        self._optimizer = _optimizer(network, config)
        self._folder = folder
        self._device = choose_device(config.precision, config.device)
        self._computed_on = self._device.kind
        self._at = _Position()
        self._best: dict[str, Tensor] = {}
        self._before = self._before_here = dict(before or {})
        self._rate = config.learning_rate * (_FINE_RATE if self._before else 1.0)
        self._best_figures: dict[str, float] = {}
        self._started = time.monotonic()
        self._saved = time.monotonic()

    def resume(self) -> bool:
        """Go on from the checkpoint; False where there is none.

        Raises:
            InputError: The checkpoint is damaged or belongs to other options.
        """
        found = read_checkpoint(self._folder)
        if found is None:
            return False
        if found.state["config"] != _essentials(self._config):
            raise InputError(
                f"{self._folder}: the checkpoint was made with other options. Use the same ones, or start "
                "without --resume."
            )
        self._take_up(found)
        self._started = time.monotonic() - self._at.seconds
        return True

    def _take_up(self, found: Checkpoint) -> None:
        self._network.load_state_dict(under_prefix("network", found.tensors))
        self._average.load_state_dict(under_prefix("average", found.tensors))
        self._best = under_prefix("best", found.tensors)
        unpack_optimizer(self._optimizer, under_prefix("optimizer", found.tensors))
        self._at = _Position(**found.state["position"])
        self._best_figures = dict(found.state["figures"])

    def fit(
        self,
        samples: Sequence[Sample],
        held: Sequence[Sample],
        metrics: Path,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        """Train until the budget or the epochs are used up, then check once more.

        Where a graphics processor fails, the run goes on with the processor from its last checkpoint: what a
        device says that fails is not trusted.

        Raises:
            TrainingDiverged: The loss is no longer finite.
            TrainingError: The budget was used up before the first step.
            Cancelled: The token was set.
        """
        self._at.prepared_at = self._at.prepared_at or self._elapsed()
        if self._at.validation_seconds == 0.0:
            self._at.validation_seconds = 0.08 * len(held)
        transplants = Transplants(samples, self._config.transplants)
        with metrics.open("a", encoding="utf-8") as log:
            try:
                self._run(samples, held, transplants, log, progress, cancel)
            except DeviceFailed as failure:
                log.write(json.dumps({"message": str(failure)}) + "\n")
                budget = self._config.budget_minutes * 60.0
                progress(min(self._elapsed(), budget), budget, str(failure))
                self._fall()
                self._run(samples, held, transplants, log, progress, cancel)

    def _run(
        self,
        samples: Sequence[Sample],
        held: Sequence[Sample],
        transplants: Transplants,
        log: TextIO,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        with self._device.guarded():
            if not self._device.is_processor:
                self._checkpoint()  # to come back to
                self._move()
            with Gradients(self._network, self._loss, self._device) as gradients:
                means = _Means(transplants, gradients)
                while not self._finished(len(samples)):
                    self._epoch(samples, means, log, progress, cancel)
                    if not self._finished(len(samples)) and self._validation_is_due():
                        self._validate(held, len(samples), log, progress, cancel)
            if self._at.step == 0:
                raise TrainingError(
                    f"the budget of {self._config.budget_minutes:g} minutes was used up by reading slices "
                    "and finding proposals. These are cached now: run again, or give more minutes."
                )
            self._validate(held, len(samples), log, progress, cancel)

    def _move(self) -> None:
        """Everything onto the device; the optimiser's state follows the weights."""
        for network in (self._network, self._average):
            network.to(self._device.torch)
        self._before = {name: value.to(self._device.torch) for name, value in self._before.items()}
        unpack_optimizer(self._optimizer, pack_optimizer(self._optimizer))

    def _fall(self) -> None:
        """Back to the processor and to the last checkpoint, without asking the device for anything."""
        self._device = processor(self._config.precision)
        self._computed_on += f", then {self._device.kind}"
        for network in (self._network, self._average):
            network.to_empty(device=self._device.torch)
        self._before = dict(self._before_here)
        found = read_checkpoint(self._folder)
        assert found is not None  # written before the device was used
        self._take_up(found)

    def best_weights(self) -> dict[str, Tensor]:
        """The averaged weights that did best on the held-out slices."""
        return self._best or {k: v.cpu() for k, v in self._becoming().state_dict().items()}

    @property
    def computed_on(self) -> str:
        """What computed the run: "cpu", "cuda", "mps", or "cuda, then cpu" where it failed."""
        return self._computed_on

    def figures(self) -> dict[str, float]:
        """Figures of the best weights, and how long it all took."""
        return {
            **self._best_figures,
            "loss": self._at.last_loss,
            "epochs": float(self._at.epoch),
            "steps": float(self._at.step),
            "minutes": self._elapsed() / 60.0,
        }

    def forget_checkpoint(self) -> None:
        """Remove the checkpoint: the run is done."""
        remove_checkpoint(self._folder)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _validation_is_due(self) -> bool:
        # With epochs given, the clock must not choose which weights are compared.
        due = self._at.validation_seconds / _VALIDATION_SHARE
        return self._config.epochs is not None or self._elapsed() - self._at.validated_at > due

    def _fraction(self, samples: int) -> float:
        """How much of the run is over, 0 … 1, by the clock or by epochs, whichever is further."""
        # For the last check, and for the calibration, which goes over the held-out slices once more.
        reserve = 2.3 * self._at.validation_seconds + 5.0
        whole = self._config.budget_minutes * 60.0 - reserve - self._at.prepared_at
        by_clock = (self._elapsed() - self._at.prepared_at) / whole if whole > 0.0 else 1.0
        if self._config.epochs is None:
            return by_clock
        steps = self._config.epochs * _steps(samples, self._config.batch)
        done = self._at.step / max(1, steps)
        # With epochs given, the clock only ends the run: else the same seed would not give the same model.
        return 1.0 if by_clock >= 1.0 else done

    def _finished(self, samples: int) -> bool:
        done = self._fraction(samples)
        stuck = done - self._at.best_fraction > _PATIENCE and self._at.worse_checks >= _LEAST_CHECKS
        return done >= 1.0 or stuck

    def _epoch(
        self, samples: Sequence[Sample], means: _Means, log: TextIO, progress: Progress, cancel: CancelToken
    ) -> None:
        order = np.random.default_rng([self._config.seed, self._at.epoch]).permutation(len(samples))
        steps = _steps(len(samples), self._config.batch)
        while self._at.offset < steps and not self._finished(len(samples)):
            cancel.check()
            batch = order[self._at.offset :: steps]
            row = self._step([samples[i] for i in batch], means, len(samples))
            if self._at.step % _REPORT_STEPS == 0:
                self._report({"loss": self._at.last_loss, **row}, log, progress)
            if time.monotonic() - self._saved > _CHECKPOINT_SECONDS:
                self._checkpoint()
        if self._at.offset >= steps:
            self._at.epoch += 1
            self._at.offset = 0

    def _step(self, samples: Sequence[Sample], means: _Means, total: int) -> dict[str, float]:
        at, config = self._at, self._config
        rng = np.random.default_rng([config.seed, 1, at.epoch, at.offset])
        rate = self._rate * _rate_factor(at.step, self._fraction(total))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        inputs = self._network.spec.inputs
        shown = [shown_as(sample, inputs, means.transplants, rng) for sample in samples]
        batch = make_batch(shown, config.regions, rng, inputs)
        parts = means.gradients.compute(batch, int(rng.integers(1 << 62)))
        value = sum(parts)
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"the loss became {value} at step {at.step}. Lower the learning rate (now {rate:.2g}) or "
                "check the boxes; the previous model is untouched."
            )
        nn.utils.clip_grad_norm_(self._network.parameters(), _LARGEST_GRADIENT)
        self._optimizer.step()
        at.step += 1
        at.offset += 1
        at.last_loss = value if math.isnan(at.last_loss) else 0.98 * at.last_loss + 0.02 * value
        _update_average(self._average, self._network, min(_AVERAGE, (1 + at.step) / (10 + at.step)))
        return {**dict(zip(("class", "box", "lesions"), parts, strict=True)), "rate": rate}

    def _loss(self, network: Network, batch: Batch) -> tuple[Tensor, ...]:
        images, regions, truths = batch
        with self._device.mixed():
            return batch_loss(network, images.to(self._device.torch), regions, truths)

    def _validate(
        self, held: Sequence[Sample], total: int, log: TextIO, progress: Progress, cancel: CancelToken
    ) -> None:
        start = time.monotonic()
        network = self._becoming()
        evaluation = validate(network, held, cancel)
        self._at.validation_seconds = time.monotonic() - start
        self._at.validated_at = self._elapsed()
        ap50 = evaluation.ap50
        # Without true boxes to check on, the last weights are the best known.
        if math.isnan(ap50) or ap50 >= self._at.best_ap50:
            self._at.best_ap50 = -1.0 if math.isnan(ap50) else ap50
            self._at.best_fraction = self._fraction(total)
            self._at.worse_checks = 0
            self._best = {k: v.to("cpu", copy=True) for k, v in network.state_dict().items()}
            figures = {"ap50": ap50, "ap50_95": evaluation.ap50_95}
            self._best_figures = {k: v for k, v in figures.items() if not math.isnan(v)}
        else:
            self._at.worse_checks += 1
        row = {"valid_ap50": ap50, "valid_ap50_95": evaluation.ap50_95, "loss": self._at.last_loss}
        self._report({k: v for k, v in row.items() if not math.isnan(v)}, log, progress)
        self._checkpoint()

    def _becoming(self) -> Network:
        """The averaged weights; of a model that goes on, part of the way to them from what it was."""
        if not self._before:
            return self._average
        made = copy.deepcopy(self._average)
        for name, value in made.state_dict().items():
            if name in self._before:
                value.lerp_(self._before[name], _KEPT)
        return made

    def _report(self, row: dict[str, float], log: TextIO, progress: Progress) -> None:
        elapsed = self._elapsed()
        full = {"step": self._at.step, "epoch": self._at.epoch, "minutes": round(elapsed / 60, 3), **row}
        log.write(json.dumps(full) + "\n")
        log.flush()
        budget = self._config.budget_minutes * 60.0
        progress(min(elapsed, budget), budget, f"Training, epoch {self._at.epoch + 1}", **row)

    def _checkpoint(self) -> None:
        self._at.seconds = self._elapsed()
        tensors = {
            **with_prefix("network", self._network.state_dict()),
            **with_prefix("average", self._average.state_dict()),
            **with_prefix("best", self._best),
            **with_prefix("optimizer", pack_optimizer(self._optimizer)),
        }
        state = {
            "step": self._at.step,
            "position": asdict(self._at),
            "config": _essentials(self._config),
            "figures": self._best_figures,
        }
        write_checkpoint(self._folder, tensors, state)
        self._saved = time.monotonic()


def _optimizer(network: Network, config: TrainConfig) -> torch.optim.AdamW:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=config.learning_rate,
    )


def _steps(samples: int, batch: int) -> int:
    return max(1, samples // batch)


def _rate_factor(step: int, fraction: float) -> float:
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, max(0.0, fraction))))
    warm = min(1.0, max((step + 1) / _WARM_UP_STEPS, fraction / _WARM_UP_SHARE))
    return warm * (_LOWEST_RATE + (1.0 - _LOWEST_RATE) * cosine)


@torch.no_grad()
def _update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, 1.0 - decay)
        else:
            mean.copy_(now)


def _essentials(config: TrainConfig) -> dict[str, object]:
    """The options a checkpoint depends on; a longer budget or other threads may take it up."""
    free = {"budget_minutes", "threads", "cache", "name", "precision", "device"}
    return {k: v for k, v in config.as_dict().items() if k not in free}
