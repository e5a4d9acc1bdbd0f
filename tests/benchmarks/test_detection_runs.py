"""Options, pooling and figures of measured detectors; times in pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection_learn import minutes_until_near
from benchmarks.detection_runs import (
    Bench,
    any_class,
    as_row,
    by_slice,
    changes,
    difference,
    figures,
    own_cache,
    pooled,
    run_of,
    told,
)
from benchmarks.detection_time import Times, paired_times, time_row
from benchmarks.detection_variants import ABLATION, ARCHITECTURES, Variant, chosen, variant_config
from core.detection.config import TrainConfig
from core.errors import InputError
from core.exchange.evaluating import ONE
from core.model import Box, Dataset, Detection, LabelClass, LabelledBox, LabelledSlice, LabelSchema, SliceRef

TWO = LabelSchema("two", (LabelClass(3, "glioma"), LabelClass(7, "meningioma")))
HERE, THERE = Box(0, 0, 10, 10), Box(30, 30, 50, 50)


def dataset(*labels: int, group: str = "") -> Dataset:
    """A slice for each label, with one box of it."""
    rows = [
        LabelledSlice(
            SliceRef(f"{group}{k}", Path(f"{group}{k}"), 0, 64, 64, ""),
            (LabelledBox(HERE, label),),
            group or str(k),
        )
        for k, label in enumerate(labels)
    ]
    return Dataset("some", TWO, tuple(rows), "patient")


def hit(label: int = 1, score: float = 0.9) -> Detection:
    return Detection(HERE, label, TWO.name_of(label), score)


def miss(label: int = 1, score: float = 0.9) -> Detection:
    return Detection(THERE, label, TWO.name_of(label), score)


def test_options_are_read_by_their_kind() -> None:
    found = changes(
        ["width=0.25", "depth=34", "precision=float32", "epochs=None", "repeat=(1, 2)", "init_from=a/b"]
    )
    assert found == {
        "width": 0.25, "depth": 34, "precision": "float32", "epochs": None, "repeat": (1, 2),
        "init_from": Path("a/b"),
    }  # fmt: skip
    assert TrainConfig(**found).width == 0.25


@pytest.mark.parametrize("text", ["width", "breadth=1"])
def test_options_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=f"--config {text}: give OPTION=VALUE, an option of architecture, "):
        changes([text])


def test_a_result_names_no_folder() -> None:
    assert told(["init_from=/home/someone/model.safetensors", "width=0.5"]) == [
        "init_from=model.safetensors", "width=0.5",
    ]  # fmt: skip


def test_what_was_asked_for_goes_over_what_a_part_wants() -> None:
    bench = Bench(Path(), Path(), threads=1, changes={"batch": 4, "threads": 2})
    config = bench.config(batch=8, budget_minutes=3.0)
    assert (config.batch, config.threads, config.budget_minutes) == (4, 2, 3.0)


def test_a_variant_changes_its_option_and_no_other() -> None:
    bench = Bench(Path(), Path(), changes={"batch": 4, "width": 1.0})
    config = variant_config(Variant("slim", {"width": 0.25}), bench, one_class=True, minutes=2.0, seed=5)
    assert (config.width, config.batch, config.classes, config.seed) == (0.25, 4, "one", 5)
    with pytest.raises(InputError, match="variant odd: TrainConfig has no breadth"):
        variant_config(Variant("odd", {"breadth": 1}), bench, one_class=True, minutes=2.0, seed=0)


@pytest.mark.parametrize("variant", [*ABLATION, *ARCHITECTURES], ids=lambda v: v.name)
def test_every_variant_can_be_trained(variant: Variant) -> None:
    bench = Bench(Path(), Path())
    changed = variant_config(variant, bench, one_class=False, minutes=2.0, seed=0)
    assert all(getattr(changed, name) == value for name, value in variant.changes.items())


def test_variants_are_compared_with_the_first() -> None:
    some = (Variant("base"), Variant("a"), Variant("b"))
    assert [v.name for v in chosen(some, ["b"])] == ["base", "b"]
    assert chosen(some, []) == some
    with pytest.raises(InputError, match="--variants c: is none of a; b; base"):
        chosen(some, ["c"])


def test_every_run_finds_its_own_proposals(tmp_path: Path) -> None:
    assert own_cache(TrainConfig(), tmp_path).cache == tmp_path / "proposals"
    given = TrainConfig(cache=tmp_path / "mine")
    assert own_cache(given, tmp_path) is given


def test_runs_are_pooled_slice_by_slice() -> None:
    first = run_of("a", dataset(3, 7, group="p"), [[hit()], [miss(score=0.95)]], one_class=True)
    second = run_of("b", dataset(3, group="q"), [[hit(score=0.8)]], one_class=True)
    both = pooled([first, second])
    assert both.groups == ["p", "p", "q"]
    assert both.model == "a, b"
    row = figures(both, 0)
    # Ranked miss, hit, hit of three boxes: precision 2/3 up to a recall of 2/3, 67 of 101 points.
    assert row["ap50"] == pytest.approx(67 / 101 * 2 / 3, abs=1e-3)
    assert (row["slices"], row["boxes"], row["groups"], row["resampled_by"]) == (3, 3, 2, "patient")


def test_classes_by_themselves_and_any_class() -> None:
    wrong_class = run_of("a", dataset(3, 7), [[hit(3)], [hit(3)]], one_class=False)
    row = figures(wrong_class, 0)
    assert row["ap50"] == pytest.approx(0.5)  # glioma found (the surest first), meningioma not
    assert row["per_class"]["meningioma"] == {"ap50": 0.0, "boxes": 1}
    joined = any_class(wrong_class)
    assert joined.schema is ONE
    assert figures(joined, 0)["ap50"] == 1.0


def test_slices_can_stand_for_themselves() -> None:
    run = by_slice(run_of("a", dataset(3, 7, group="p"), [[hit()], []], one_class=True))
    assert len(set(run.groups)) == 2
    assert run.grouped_by == "slice"
    low, high = figures(run, 200)["ci95"]["ap50"]
    assert low < high


def test_a_difference_is_of_the_same_slices() -> None:
    truth = dataset(3, 3, 3, 3)
    good = run_of("a", truth, [[hit()]] * 4, one_class=True)
    poor = run_of("b", truth, [[miss()]] * 4, one_class=True)
    found = difference(good, poor, 50)
    assert (found["difference"], found["ci95"]) == (1.0, [1.0, 1.0])


def test_what_is_no_number_is_null() -> None:
    assert as_row({"a": float("nan"), "b": [0.123456, (1, 2.0)], "c": {"d": "e"}}) == {
        "a": None, "b": [0.1235, [1, 2.0]], "c": {"d": "e"},
    }  # fmt: skip


def test_when_a_curve_is_near_its_best() -> None:
    curve = [(1.0, 0.5, 0.2), (2.0, 0.88, 0.4), (3.0, 0.86, 0.4), (4.0, 0.9, 0.5), (5.0, 0.89, 0.5)]
    assert minutes_until_near(curve) == 2.0
    assert minutes_until_near(curve, 0.01) == 4.0
    assert minutes_until_near([]) is None


class Clock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_times_are_paired_item_by_item() -> None:
    clock = Clock()
    order: list[tuple[str, int]] = []

    def call(name: str, factor: float) -> object:
        def run(item: int) -> float:
            order.append((name, item))
            clock.now += item * factor
            return item * factor * 900.0

        return run

    calls = {"ours": call("ours", 1.0), "peer": call("peer", 4.0)}
    times = paired_times(calls, [1, 2, 3], 5, np.random.default_rng(0), clock)  # type: ignore[arg-type]
    assert times.wall == {
        "ours": pytest.approx([1000.0, 2000.0, 3000.0]),
        "peer": pytest.approx([4000.0, 8000.0, 12000.0]),
    }
    assert times.own["peer"] == pytest.approx([3600.0, 7200.0, 10800.0])
    measured = order[2:]  # each call once before, to warm up
    assert len(measured) == 2 * 3 * 5
    assert {(name, item): measured.count((name, item)) for name, item in measured} == {
        (name, item): 5 for name in calls for item in (1, 2, 3)
    }
    # Both calls on an item follow one another, in an order by chance.
    pairs = [measured[k : k + 2] for k in range(0, len(measured), 2)]
    assert all(a[1] == b[1] for a, b in pairs)
    assert len({a[0] for a, _ in pairs}) == 2


def test_ratios_are_of_the_same_item() -> None:
    wall = {"ours": [10.0, 20.0, 40.0], "peer": [100.0, 100.0, 100.0]}
    row = time_row(Times(wall, wall), "ours")
    assert row["ratio"]["peer"] == {"n": 3, "median": 0.2, "q1": 0.15, "q3": 0.3, "min": 0.1, "max": 0.4}
    assert row["ms"]["peer"]["median"] == 100.0
