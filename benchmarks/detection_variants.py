"""What each choice brings: the same data and minutes, one option changed at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.detection_data import Parted, parted_set
from benchmarks.detection_runs import Bench, Row, any_class, difference, figures, judge, trained
from benchmarks.proposal_time import spread
from core.detection.config import TrainConfig
from core.errors import InputError
from core.exchange.evaluating import Run

MINUTES = 20.0


@dataclass(frozen=True, slots=True)
class Variant:
    """A choice.

    Attributes:
        name: In the table.
        changes: Options of TrainConfig that differ from the bench's.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)


BASE = Variant("as it is")
ARCHITECTURES = (
    Variant("fast-rcnn", {"architecture": "fast-rcnn"}),
    Variant("rcnn", {"architecture": "rcnn"}),
)
ABLATION = (
    BASE,
    Variant("width .25", {"width": 0.25}),
    Variant("width .75", {"width": 0.75}),
    Variant("depth 34", {"depth": 34}),
    Variant("192 px", {"image_size": 192}),
    Variant("320 px", {"image_size": 320}),
    Variant("batch 4", {"batch": 4}),
    Variant("batch 16", {"batch": 16}),
    Variant("32 regions", {"regions": 32}),
    Variant("128 regions", {"regions": 128}),
    Variant("rate .0005", {"learning_rate": 5e-4}),
    Variant("rate .002", {"learning_rate": 2e-3}),
    Variant("weight decay .05", {"weight_decay": 0.05}),
    Variant("neighbours", {"neighbours": 1}),
    Variant("proposals of quality", {"proposer": "quality"}),
    Variant("R-CNN, every region by itself", {"architecture": "rcnn"}),
)


def chosen(variants: Sequence[Variant], names: Sequence[str]) -> tuple[Variant, ...]:
    """The first variant and those of these names, in their own order; all where none is named.

    Raises:
        InputError: There is none of that name.
    """
    known = {v.name for v in variants}
    if missing := [n for n in names if n not in known]:
        raise InputError(f"--variants {missing[0]}: is none of {'; '.join(sorted(known))}")
    return tuple(v for k, v in enumerate(variants) if k == 0 or not names or v.name in names)


def measure_variants(
    part: str,
    variants: Sequence[Variant],
    bench: Bench,
    *,
    set_name: str,
    minutes: float = MINUTES,
    seed: int = 0,
) -> Row:
    """Train every variant on the same slices for the same minutes, and judge the same held slices.

    The best weights are chosen on groups that training holds out of its own slices, so the figures are of
    slices that nothing was chosen on. A variant that has been trained is not trained again.

    Args:
        part: Folder of the work.
        variants: The first is what the others are compared with.
        bench: Where, with what.
        set_name: One of detection_data.SETS.
        minutes: Time budget of each.
        seed: Of the training.
    """
    parted = parted_set(bench.data, set_name)
    rows: dict[str, Row] = {}
    base: Run | None = None
    for variant in variants:
        config = variant_config(variant, bench, one_class=parted.one_class, minutes=minutes, seed=seed)
        done = trained(part, f"{set_name}-{_slug(variant.name)}", [parted.train], config, bench)
        run, times = judge(parted.check, done.model, one_class=parted.one_class, threads=bench.threads)
        row = {**done.as_row(), "ms": spread(times), **figures(run, bench.resamples)}
        if not parted.one_class:
            row["any_class"] = figures(any_class(run), bench.resamples)
        if base is None:
            base = run
        else:
            row["difference"] = difference(run, base, bench.resamples)
        rows[variant.name] = row
        print(f"{part}: {variant.name}: AP50 {row['ap50']}, {row['ms']['median']} ms", flush=True)
    return {
        "set": set_name, "train": _words(parted), "check": parted.check.name, "minutes": minutes,
        "threads": bench.threads, "seed": seed, "rows": rows,
    }  # fmt: skip


def variant_config(
    variant: Variant, bench: Bench, *, one_class: bool, minutes: float, seed: int
) -> TrainConfig:
    """The options of a variant; what it changes goes before the bench's changes.

    Raises:
        InputError: It names an option that TrainConfig does not have.
    """
    unknown = set(variant.changes) - set(TrainConfig.__dataclass_fields__)
    if unknown:
        raise InputError(f"variant {variant.name}: TrainConfig has no {', '.join(sorted(unknown))}")
    wanted = {"classes": "one" if one_class else "all", "budget_minutes": minutes, "seed": seed}
    return TrainConfig(**{**wanted, "threads": bench.threads, **bench.changes, **variant.changes})


def _words(parted: Parted) -> str:
    return f"{parted.train.name}: {len(parted.train.slices)} slices"


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower())
