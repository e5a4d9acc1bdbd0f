"""What the commands of core.cli share: opening paths, progress bars, models by name or file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from core.detection.base import Detector, own_schema
from core.detection.card import file_hash, verify_model
from core.detection.registry import ModelEntry, ModelRegistry
from core.errors import InputError, ModelNotFound
from core.imaging.catalog import scan
from core.jobs import Progress
from core.model import Catalog, Dataset, Series, Skipped
from core.settings import home

NAMED = 5
"""Files left out for one reason that are told by name; of more, the number."""

errors = Console(stderr=True, highlight=False, soft_wrap=True)


def tell(text: str) -> None:
    """A line for the person, on stderr; stdout and files are for data."""
    errors.print(text, markup=False)


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A progress bar on stderr; where that is not a terminal, silent."""
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[note]}"),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    ) as bars:
        task = bars.add_task(title, total=1, note="")

        def report(done: float, total: float, text: str = "", **metrics: float) -> None:
            numbers = "  ".join(f"{k} {v:.4g}" for k, v in metrics.items())
            bars.update(task, completed=done, total=total or None, note=f"{text} {numbers}".strip())

        yield report


def json_lines(done: float, total: float, text: str = "", **metrics: float) -> None:
    """Progress as one JSON object a line on stdout, for a parent process."""
    row = {"done": done, "total": total, "text": text, "metrics": metrics}
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def open_all(paths: Sequence[Path]) -> Catalog:
    """Everything under the paths; what was left out is told on stderr.

    Raises:
        InputError: Nothing that can be shown is there.
    """
    with progress_bar("Opening") as progress:
        catalog = scan(paths, progress=progress)
    _tell_skipped(catalog.skipped)
    if not catalog.series:
        where = ", ".join(str(p) for p in paths)
        raise InputError(f"{where}: no slice that can be opened was found there.")
    return catalog


def _tell_skipped(skipped: Sequence[Skipped]) -> None:
    """What was left out, by reason; the first few by name (`info --json` lists them all)."""
    by_reason: dict[str, list[Path]] = {}
    for row in skipped:
        by_reason.setdefault(row.reason, []).append(row.path)
    for reason, paths in by_reason.items():
        named = paths if len(paths) <= NAMED + 1 else paths[:NAMED]
        for path in named:
            tell(f"left out: {path}: {reason}")
        if len(named) < len(paths):
            tell(f"left out: {len(paths) - len(named)} more: {reason}")


def registry() -> ModelRegistry:
    """The registered models of this user."""
    return ModelRegistry(home() / "models")


def find_model(name: str | None) -> ModelEntry:
    """A registered model by name, a model file by path, or the current model.

    Raises:
        ModelError: There is none of that name, or the file is not a model.
    """
    models = registry()
    if name is None:
        current = models.current()
        if current is None:
            raise ModelNotFound(
                "There is no model yet: `overread train` makes one, `overread models add` adds one."
            )
        return current
    if name.endswith(".safetensors"):
        path = Path(name)
        return ModelEntry(path.stem, path, file_hash(path), verify_model(path), bundled=False, current=False)
    return models.get(name)


def load(entry: ModelEntry) -> Detector:
    """Load a model and bind it to its own classes.

    Raises:
        ModelError: The file is damaged.
    """
    from core.detection.detector import load_detector  # noqa: PLC0415 - torch only when needed

    detector = load_detector(entry.path, name=entry.name)
    detector.bind(own_schema(detector))
    return detector


def tell_notes(dataset: Dataset) -> None:
    """What the loader found worth saying."""
    for note in dataset.notes:
        tell(f"{dataset.name}: {note}")


def slice_count(series: Sequence[Series]) -> int:
    """How many slices there are in all."""
    return sum(len(s.slices) for s in series)
