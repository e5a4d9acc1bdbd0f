"""Ours and YOLO11n from scratch for the same minutes on the same cores, on btod's official split.

Neither chooses its best weights on btod/valid: whole groups of btod/train are held out for that, the same
for both, and both curves are measured there. btod/valid is looked at once, at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import detection_yolo as yolo
from benchmarks.detection_data import btod
from benchmarks.detection_learn_child import OURS, PEER, Spec, write_spec
from benchmarks.detection_runs import (
    Bench,
    Row,
    any_class,
    as_row,
    by_slice,
    difference,
    figures,
    judge,
    read_trained,
    run_of,
    told,
)
from core.errors import TrainingError
from core.evaluation.coco import evaluate_boxes
from core.exchange.evaluating import ONE, Run
from core.model import Dataset

SIDES = ("ours", "yolo", "both")
MINUTES = 55.0
SHARE = 0.15
NEAR = 0.03  # of AP50; so near the end a curve counts as there
CURVE_POINTS = 12
_PART = "learn"
_ROOT = Path(__file__).resolve().parents[1]
_LOG_LINES = 15

Curve = Sequence[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Learning:
    """What is asked for.

    Attributes:
        minutes: Time budget of each side.
        sides: Which to train: OURS, PEER.
        together: Both at once with one thread each; else one after the other with all threads.
        classes: "one" or "all".
        seed: Of weights and order.
        config: Options of TrainConfig, "name=value".
        test: Look at btod/valid at the end.
    """

    minutes: float = MINUTES
    sides: tuple[str, ...] = (OURS, PEER)
    together: bool = False
    classes: str = "one"
    seed: int = 0
    config: tuple[str, ...] = ()
    test: bool = True

    def spec(self, side: str, bench: Bench) -> Spec:
        """What one side's process is to do."""
        return Spec(
            side=side,
            data=str(bench.data.resolve()),
            work=str((bench.work / _PART).resolve()),
            minutes=self.minutes,
            threads=1 if self.together else bench.threads,
            core=_core(side) if self.together else None,
            classes=self.classes,
            share=SHARE,
            seed=self.seed,
            config=self.config,
        )


def measure_learning(asked: Learning, bench: Bench) -> Row:
    """Train what is not trained yet, then measure every side that is.

    Raises:
        TrainingError: A side's process failed (the message ends with what it said last), or there is none.
    """
    specs = {side: asked.spec(side, bench) for side in (OURS, PEER)}
    _train([specs[side] for side in asked.sides], together=asked.together, fresh=bench.fresh)
    one_class = asked.classes == "one"
    chosen, held = specs[OURS].parts()
    test = btod(bench.data, "valid") if asked.test else None
    row: Row = {
        "minutes": asked.minutes, "threads": specs[OURS].threads, "together": asked.together,
        "classes": asked.classes, "seed": asked.seed, "config": told(asked.config),
        "train_slices": len(chosen.slices), "choosing_slices": len(held.slices),
        "choosing_by": held.grouped_by, "test": test.name if test else None, "sides": {},
    }  # fmt: skip
    runs: dict[str, Run] = {}
    if specs[OURS].done:
        row["sides"][OURS], ours = _ours(specs[OURS].folder, test, bench, one_class=one_class)
        runs |= {OURS: ours} if ours else {}
    if specs[PEER].done and yolo.installed():
        row["sides"][PEER], peer = _peer(specs[PEER], held, test, bench, one_class=one_class)
        runs |= {PEER: peer} if peer else {}
    if not row["sides"]:
        raise TrainingError("neither side has been trained, so there is nothing to tell")
    if len(runs) == 2:
        row["difference"] = difference(by_slice(runs[OURS]), by_slice(runs[PEER]), bench.resamples)
    return row


def minutes_until_near(curve: Curve, margin: float = NEAR) -> float | None:
    """The minutes after which AP50 was first within `margin` of the best of the curve; None without one."""
    if not curve:
        return None
    best = max(ap50 for _, ap50, _ in curve)
    return next(minutes for minutes, ap50, _ in curve if ap50 >= best - margin)


def _core(side: str) -> int | None:
    """A core for each side, the last two of those there are; None where there is no choice."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return cores[-1 if side == OURS else -2] if len(cores) >= 2 else None


def _train(specs: Sequence[Spec], *, together: bool, fresh: bool) -> None:
    running: list[tuple[Spec, subprocess.Popen[bytes]]] = []
    for spec in specs:
        if spec.side == PEER and not yolo.installed():
            print(yolo.HOW, flush=True)
            continue
        if fresh:
            shutil.rmtree(spec.folder, ignore_errors=True)
        if spec.done:
            continue
        running.append((spec, _started(spec)))
        if not together:
            _wait(*running[-1])
    for spec, process in running:
        _wait(spec, process)


def _started(spec: Spec) -> subprocess.Popen[bytes]:
    path = write_spec(spec)
    log = spec.folder / "log.txt"
    print(
        f"{spec.side}: {spec.minutes:g} minutes, {spec.threads} thread(s); {log} says how it goes", flush=True
    )
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.detection_learn_child", str(path)],
            cwd=_ROOT, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": str(spec.threads)},
        )  # fmt: skip


def _wait(spec: Spec, process: subprocess.Popen[bytes]) -> None:
    if process.wait() != 0:
        lines = (spec.folder / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()
        raise TrainingError(f"{spec.side} failed:\n" + "\n".join(lines[-_LOG_LINES:]))


def _ours(folder: Path, test: Dataset | None, bench: Bench, *, one_class: bool) -> tuple[Row, Run | None]:
    done = read_trained(folder)
    row = {**done.as_row(), **_curve_row(done.curve)}
    if test is None:
        return row, None
    found, _ = judge(test, done.model, one_class=one_class, threads=bench.threads)
    return row | _test_rows(found, bench.resamples), found


def _peer(
    spec: Spec, held: Dataset, test: Dataset | None, bench: Bench, *, one_class: bool
) -> tuple[Row, Run | None]:
    epochs = yolo.read_epochs(spec.folder)
    last, best = epochs[-1], max(epochs, key=lambda e: e.fitness)
    size = spec.train_config().image_size

    def judged(dataset: Dataset, weights: Path) -> Run:
        schema = ONE if one_class else dataset.schema
        peer = yolo.Peer(bench.work, schema, weights, bench.threads)
        return run_of(yolo.NAME, dataset, yolo.predict_all(peer, dataset, size), one_class=one_class)

    curve = []
    for epoch in yolo.sampled(epochs, CURVE_POINTS):
        found = judged(held, epoch.weights)
        scored = evaluate_boxes(found.truth, found.found, found.schema)
        curve.append((epoch.minutes, scored.ap50, scored.ap50_95))
    row: Row = {
        "minutes": round(last.minutes, 2), "epochs": len(epochs), "best_epoch": epochs.index(best) + 1,
        **_curve_row(curve),
    }  # fmt: skip
    if test is None:
        return row, None
    found = judged(test, best.weights)
    row |= _test_rows(found, bench.resamples)
    row["test_last"] = figures(by_slice(judged(test, last.weights)), bench.resamples)
    return row, found


def _curve_row(curve: Curve) -> Row:
    return as_row({"curve": list(curve), "minutes_until_near": minutes_until_near(curve)})


def _test_rows(found: Run, resamples: int) -> Row:
    """Figures on the test set; with several classes, those of any class beside them."""
    rows: Row = {"test": figures(by_slice(found), resamples)}
    if not found.one_class:
        rows["test_any_class"] = figures(by_slice(any_class(found)), resamples)
    return rows
