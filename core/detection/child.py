"""Training in a niced child process: a crash or an out-of-memory there costs a message, not the application.

The child is this program's own command line; it streams progress as JSON lines. Imports no torch.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import core
from core.detection.card import read_card
from core.detection.config import TrainResult
from core.errors import Cancelled, ModelError, TrainingError
from core.jobs import CancelToken, Progress

_NICE = 10
_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 2.0
_LINES_KEPT = 30
_PREFIX = "overread: "
_MODEL_FILE = "model.safetensors"


@dataclass(frozen=True, slots=True)
class TrainInChild:
    """A job that trains on a data set on disk.

    Attributes:
        dataset: A COCO json, YOLO tree or workspace.
        out: Folder for the run.
        valid: Validation set; None holds out whole groups.
        classes: "all" or "one".
        architecture: "fast-rcnn" or "rcnn".
        budget_minutes: Wall time for everything.
        epochs: Stop after so many passes even if time is left.
        seed: Of split, weights, order and augmentation.
        init_from: Model file to go on from.
        name: Name of the model; "" for the folder's.
        resume: Go on with the run in `out`.
    """

    dataset: Path
    out: Path
    valid: Path | None = None
    classes: str = "all"
    architecture: str = "fast-rcnn"
    budget_minutes: float = 10.0
    epochs: int | None = None
    seed: int = 0
    init_from: Path | None = None
    name: str = ""
    resume: bool = False

    def __call__(self, progress: Progress, cancel: CancelToken) -> TrainResult:
        """Run the child to its end.

        Raises:
            Cancelled: The token was set; the child is gone and the previous model is still in place.
            TrainingError: The child failed; carries its message.
        """
        cancel.check()
        with _spawn(self.arguments()) as child:
            try:
                metrics, said = _follow(child, progress, cancel)
            finally:
                _end(child)
        if child.returncode != 0:
            raise TrainingError(_reason(said, child.returncode))
        model = self.out / _MODEL_FILE
        try:
            return TrainResult(model, read_card(model), metrics)
        except ModelError as error:
            raise TrainingError(f"training ended without a usable model: {error}") from error

    def arguments(self) -> list[str]:
        """The command line of the child, without the interpreter."""
        words = ["-m", "core.cli", "train", str(self.dataset), "--out", str(self.out), "--progress-json"]
        words += ["--classes", self.classes, "--architecture", self.architecture]
        words += ["--budget-minutes", f"{self.budget_minutes:g}", "--seed", str(self.seed)]
        words += ["--epochs", str(self.epochs)] if self.epochs is not None else []
        words += ["--valid", str(self.valid)] if self.valid is not None else []
        words += ["--init-from", str(self.init_from)] if self.init_from is not None else []
        words += ["--name", self.name] if self.name else []
        words += ["--resume"] if self.resume else []
        return words


def _spawn(arguments: list[str]) -> subprocess.Popen[str]:
    root = str(Path(core.__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
    flags = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
    try:
        child = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            creationflags=flags,
        )
    except OSError as error:
        raise TrainingError(f"the training process cannot be started: {error}") from error
    if hasattr(os, "setpriority"):
        # Set from outside: code between fork and exec is unsafe in a threaded parent.
        os.setpriority(os.PRIO_PROCESS, child.pid, os.getpriority(os.PRIO_PROCESS, 0) + _NICE)
    return child


def _follow(
    child: subprocess.Popen[str], progress: Progress, cancel: CancelToken
) -> tuple[dict[str, float], deque[str]]:
    """Forward progress until the child closes its output; its last metrics, and what it said on stderr."""
    assert child.stdout is not None
    assert child.stderr is not None
    said: deque[str] = deque(maxlen=_LINES_KEPT)
    listener = threading.Thread(target=_collect, args=(child.stderr, said), daemon=True)
    listener.start()
    metrics: dict[str, float] = {}
    for line in _lines(child.stdout, cancel):
        row = _parsed(line)
        if row is not None:
            metrics.update(row[3])
            progress(row[0], row[1], row[2], **row[3])
    while child.poll() is None:
        try:
            child.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            cancel.check()
    listener.join(_PATIENCE_SECONDS)
    return metrics, said


def _lines(stream: IO[str], cancel: CancelToken) -> Iterator[str]:
    """Lines as they come; looks at the token while there are none.

    Raises:
        Cancelled: The token was set.
    """
    waiting: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in stream:
            waiting.put(line)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        if cancel.cancelled:
            raise Cancelled
        try:
            line = waiting.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return
        yield line


def _parsed(line: str) -> tuple[float, float, str, dict[str, float]] | None:
    """One progress line; anything else a library may print is passed over."""
    try:
        row = json.loads(line)
        metrics = {str(k): float(v) for k, v in row["metrics"].items()}
        return float(row["done"]), float(row["total"]), str(row["text"]), metrics
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _collect(stream: IO[str], into: deque[str]) -> None:
    for line in stream:
        if line.strip():
            into.append(line.strip())


def _end(child: subprocess.Popen[str]) -> None:
    """Make sure the child is gone: asked first, then killed."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _reason(said: deque[str], status: int) -> str:
    lines = list(said)
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith(_PREFIX):
            return " ".join([lines[index].removeprefix(_PREFIX), *lines[index + 1 :]])
    if status < 0:
        return (
            f"the training process was ended by signal {-status}, perhaps for want of memory. Close other "
            "programs, or train with a smaller image size. The previous model is untouched."
        )
    last = lines[-1] if lines else "it gave no reason"
    return f"the training process failed (status {status}): {last}"
