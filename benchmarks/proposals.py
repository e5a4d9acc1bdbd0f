"""Proposals: what they find, how long they take, and where they might break a promise (docs/proposals.md).

python -m benchmarks.proposals [--only recall|time|limits|plots ...]        the record; `make docs` after it
python -m benchmarks.proposals --part train [--sample 200] [--methods fast]   for tuning: build/proposals.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.proposal_limits import IN_A_ROW, LARGE_SLICES, STARTS, measure_limits
from benchmarks.proposal_metrics import ALL, BUDGETS, HEADLINES, OVERLAPS
from benchmarks.proposal_plots import draw
from benchmarks.proposal_presets import fill_all
from benchmarks.proposal_recall import RESAMPLES, Row, measure_set
from benchmarks.proposal_report import RESULT, triple
from benchmarks.proposal_sets import SETS, TRAINING_SETS, load_set
from benchmarks.proposal_time import measure_time
from benchmarks.real_data import arguments, machine
from benchmarks.tables import as_json
from core.evaluation.parts import NORMAL_SIDE
from core.proposals.registry import PROPOSERS, make_proposer

UNRECORDED = Path(__file__).resolve().parents[1] / "build" / "proposals.json"
PARTS = ("recall", "time", "limits", "plots")
_TOLD = (20, 100, 400, 1000, ALL)
# What a command is worth being told with, where it is not the default.
_TELLING = ("sets", "sample", "methods", "slices", "large", "starts", "in_a_row")


def recall(options: argparse.Namespace) -> Row:
    """Recall of every method on every set."""
    sets: Row = {}
    for name in options.sets:
        true_set = load_set(options.data, name, options.sample)
        print(f"{name}: {len(true_set.slices)} slices with a lesion", flush=True)
        if options.search:
            fill_all(true_set)
        sets[name] = measure_set(true_set, [make_proposer(m) for m in options.methods], _tell)
    return {
        "budgets": [_budget(n) for n in BUDGETS],
        "headline_budgets": [_budget(n) for n in HEADLINES],
        "average_over_iou": OVERLAPS.round(2).tolist(),
        "sizes": f"sqrt(area) < 32, 32 to 96, > 96 px of a slice of {NORMAL_SIDE:.0f} px",
        "resamples": RESAMPLES,
        "sets": sets,
    }


def times(options: argparse.Namespace) -> Row:
    """Paired times."""
    return measure_time(options.data, options.slices, options.methods)


def limits(options: argparse.Namespace) -> Row:
    """Large slices, memory, first call."""
    counts = {"large": options.large, "starts": options.starts, "in_a_row": options.in_a_row}
    ours = [m for m in options.methods if not m.startswith("opencv-")]
    return {"methods": measure_limits(options.data, ours, **counts)}


_MEASURED: dict[str, Callable[[argparse.Namespace], Row]] = {
    "recall": recall, "time": times, "limits": limits,
}  # fmt: skip


def main(given: Sequence[str] | None = None) -> int:
    """Measure and write the result, one part after another.

    Returns:
        Exit status.
    """
    parser = _parser()
    options = parser.parse_args(given)
    _complete(options)
    out: Path = options.out
    result: Row = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    for part in options.only:
        if part == "plots":
            draw(result)
            continue
        result[part] = {"command": _command(parser, options, part), **machine(), **_MEASURED[part](options)}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(as_json(result), encoding="utf-8")
        if part != "recall":
            print(as_json(result[part]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = arguments("Measure proposals.")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="parts to measure; default: all")
    parser.add_argument("--part", choices=("valid", "train"), default="valid", help="of the data sets")
    parser.add_argument("--sets", nargs="+", choices=(*SETS, *TRAINING_SETS), help="default: those of --part")
    parser.add_argument("--sample", type=int, default=0, help="so many slices of each set, evenly spaced")
    parser.add_argument("--methods", nargs="+", choices=PROPOSERS, default=list(PROPOSERS))
    parser.add_argument("--slices", type=int, default=20, help="slices that are timed")
    parser.add_argument("--large", type=int, default=LARGE_SLICES, help="large slices that are timed")
    parser.add_argument("--starts", type=int, default=STARTS, help="fresh processes of each kind")
    parser.add_argument("--in-a-row", type=int, default=IN_A_ROW, help="slices one process does in a row")
    parser.add_argument(
        "--search", action=argparse.BooleanOptionalAction,
        help="search with OpenCV's presets what is not in their cache (an hour); default: for the record",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="result file; default: the record, if all is measured")
    return parser


def _complete(options: argparse.Namespace) -> None:
    """Fill in what depends on other options: a run of a part of the slices or methods is no record."""
    whole = options.part == "valid" and not options.sets and not options.sample
    record = whole and options.methods == list(PROPOSERS)
    options.out = options.out or (RESULT if record else UNRECORDED)
    options.only = options.only or (list(PARTS) if record else ["recall"])
    options.search = record if options.search is None else options.search
    options.sets = options.sets or list(SETS if options.part == "valid" else TRAINING_SETS)


def _command(parser: argparse.ArgumentParser, options: argparse.Namespace, part: str) -> str:
    words = ["python -m benchmarks.proposals --only", part]
    given = {name: getattr(options, name) for name in _TELLING}
    given["sets"] = None if options.sets == list(SETS) else options.sets
    for name, value in given.items():
        if value != parser.get_default(name):
            words.append(f"--{name.replace('_', '-')}")
            words += [str(v) for v in value] if isinstance(value, list) else [str(value)]
    return " ".join(words)


def _tell(name: str, row: Row) -> None:
    at = [f"{_budget(n)}: {triple(row['overall'], BUDGETS.index(n))}" for n in _TOLD]
    print(
        f"  {name}: {row['boxes_median']:.0f} boxes, {row['ms_median']:.1f} ms; {'; '.join(at)}", flush=True
    )


def _budget(budget: int) -> int | str:
    return "all" if budget == ALL else budget


if __name__ == "__main__":
    sys.exit(main())
