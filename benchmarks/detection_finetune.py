"""The everyday retraining: a model goes on with a hundred corrected boxes of another domain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.detection_data import as_class, btod, draw_boxes, numbered, parted_set
from benchmarks.detection_folds import Start
from benchmarks.detection_runs import Bench, Row, difference, figures, judge, trained
from benchmarks.proposal_time import spread
from core.errors import InputError
from core.exchange.evaluating import Run
from core.model import Dataset

MINUTES = 3.0
BOXES = 100
DRAWS = 3


def measure_finetuning(
    bench: Bench, start: Start, *, minutes: float = MINUTES, boxes: int = BOXES, draws: int = DRAWS,
    label: str = "glioma",
) -> Row:  # fmt: skip
    """Figures on the new domain and on the old one, before and after, any class.

    New: numbered images of btod/train, some patients to learn from, all others for the figures. Old: the
    held blocks of cheng/train.

    Args:
        bench: Where, with what.
        start: What to go on from; never trained on btod nor on the held blocks.
        minutes: Time budget.
        boxes: How many boxes of the new domain.
        draws: How many draws of patients, each with a training of its own.
        label: The class that the new boxes get, where the model has several: these tumours are gliomas.

    Raises:
        InputError: There are no draws, or too few boxes.
    """
    if draws < 1:
        raise InputError(f"--draws {draws}: must be at least 1")
    every = numbered(btod(bench.data, "train"))
    name = "tumour" if start.classes == "one" else label
    old = parted_set(bench.data, "cheng").check
    # With its own classes too, where it knows several: a class forgotten is a loss that any class hides.
    kinds = {"old": True} | ({} if start.classes == "one" else {"old, its classes": False})
    before = {name: _judged(old, start.file, bench, one_class=one) for name, one in kinds.items()}
    rows: list[Row] = []
    for seed in range(draws):
        few, new = draw_boxes(as_class(every, name), boxes, seed)
        config = bench.config(
            classes=start.classes,
            budget_minutes=minutes,
            seed=seed,
            init_from=start.file,
            name="btod-finetune",
        )
        done = trained("finetune", f"draw-{seed}", [few], config, bench)
        domains = {
            "new": before_after(_judged(new, start.file, bench), _judged(new, done.model, bench), bench)
        }
        for domain, one_class in kinds.items():
            after = _judged(old, done.model, bench, one_class=one_class)
            domains[domain] = before_after(before[domain], after, bench)
        rows.append({"learnt": _counts(few), **done.as_row(), "domains": domains})
        print(f"finetune: draw {seed}: {rows[-1]}", flush=True)
    return {
        "minutes": minutes, "boxes": boxes, "threads": bench.threads, "label": name,
        "start": start.name, "start_digest": start.digest,
        "gain": {domain: spread(gains(rows, domain)) for domain in rows[0]["domains"]}, "draws": rows,
    }  # fmt: skip


def before_after(before: Run, after: Run, bench: Bench) -> Row:
    """Figures of both, and the difference with its interval: positive where it became better."""
    return {
        "before": figures(before, bench.resamples),
        "after": figures(after, bench.resamples),
        "gain": difference(after, before, bench.resamples),
    }


def gains(rows: Sequence[Row], domain: str) -> list[float]:
    """AP50 after less AP50 before, of every draw."""
    return [row["domains"][domain]["gain"]["difference"] for row in rows]


def _counts(dataset: Dataset) -> dict[str, int]:
    return {
        "slices": len(dataset.slices),
        "boxes": sum(len(s.boxes) for s in dataset.slices),
        "patients": len({s.group for s in dataset.slices}),
    }


def _judged(dataset: Dataset, model: Path, bench: Bench, *, one_class: bool = True) -> Run:
    return judge(dataset, model, one_class=one_class, threads=bench.threads)[0]
