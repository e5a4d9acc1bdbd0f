"""The detector: time, memory, accuracy and training, beside its peers (docs/detection.md).

python -m benchmarks.detection [--only time series memory]    minutes; `make docs` after it
python -m benchmarks.detection --only learn|folds|patients|finetune|architectures|ablation ...    hours

Every part has a result of its own, benchmarks/results/detection_PART.json. What trains keeps its models in
build/detection and goes on where it was stopped. `--without-test --out build` for tuning.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import detection_yolo as yolo
from benchmarks.detection_data import FOLDS, SETS
from benchmarks.detection_finetune import BOXES, DRAWS, measure_finetuning
from benchmarks.detection_finetune import MINUTES as FINETUNE_MINUTES
from benchmarks.detection_folds import FOLD_MINUTES, PATIENT_MINUTES, Start, measure_folds, measure_patients
from benchmarks.detection_learn import MINUTES as LEARN_MINUTES
from benchmarks.detection_learn import SIDES, Learning, measure_learning
from benchmarks.detection_learn_child import OURS, PEER
from benchmarks.detection_memory import STARTS, measure_memory
from benchmarks.detection_report import RESULTS, result_file
from benchmarks.detection_runs import Bench, Row, changes, told
from benchmarks.detection_time import (
    ROUNDS,
    SERIES_ROUNDS,
    SERIES_SLICES,
    SLICES,
    measure_series,
    measure_time,
)
from benchmarks.detection_variants import ABLATION, ARCHITECTURES, chosen, measure_variants
from benchmarks.detection_variants import MINUTES as VARIANT_MINUTES
from benchmarks.real_data import arguments, machine
from benchmarks.tables import as_json
from core.detection.registry import ModelRegistry
from core.errors import InputError, OverreadError
from core.settings import home

BUILD = Path(__file__).resolve().parents[1] / "build"
QUICK = ("time", "series", "memory")
_CLASSES = {"one": "one class", "all": "all classes"}
# Not told in a command: they do not change what is measured, or are folders of one machine.
_UNTOLD = {"data", "work", "out", "only", "fresh"}


def time_part(options: argparse.Namespace) -> Row:
    """A slice's time beside YOLO11n."""
    if not yolo.installed():
        print(yolo.HOW, flush=True)
    return measure_time(
        options.data, _model(options), options.work, slices=options.slices, rounds=options.rounds,
        weights=options.peer_weights,
    )  # fmt: skip


def series_part(options: argparse.Namespace) -> Row:
    """A series as a batch."""
    return measure_series(
        options.data, _model(options), threads=options.threads, slices=options.series_slices,
        rounds=options.series_rounds,
    )  # fmt: skip


def memory_part(options: argparse.Namespace) -> Row:
    """Peak memory."""
    return measure_memory(options.data, _model(options), starts=options.starts)


def learn_part(options: argparse.Namespace) -> Row:
    """Training from scratch beside YOLO11n."""
    asked = Learning(
        minutes=options.minutes or LEARN_MINUTES,
        sides=(OURS, PEER) if options.side == "both" else (options.side,),
        together=options.together,
        classes=options.classes,
        seed=options.seed,
        config=tuple(options.config),
        test=not options.without_test,
    )
    return measure_learning(asked, _bench(options))


def folds_part(options: argparse.Namespace) -> Row:
    """Folds of btod by patient."""
    return measure_folds(
        _bench(options), minutes=options.minutes or FOLD_MINUTES, classes=options.classes,
        folds=options.folds, seed=options.seed,
    )  # fmt: skip


def patients_part(options: argparse.Namespace) -> Row:
    """Progression by lesion, one patient left out at a time."""
    return measure_patients(
        _bench(options), Start.read(options.start, never="progression"),
        minutes=options.minutes or PATIENT_MINUTES, seed=options.seed, link_from=options.link_from,
    )  # fmt: skip


def finetune_part(options: argparse.Namespace) -> Row:
    """A hundred boxes of another domain."""
    return measure_finetuning(
        _bench(options), Start.read(options.start, never="btod"),
        minutes=options.minutes or FINETUNE_MINUTES, boxes=options.boxes, draws=options.draws,
        label=options.label,
    )  # fmt: skip


def architectures_part(options: argparse.Namespace) -> Row:
    """One shared map, or every region by itself."""
    return measure_variants(
        "architectures", ARCHITECTURES, _bench(options), set_name=options.set,
        minutes=options.minutes or VARIANT_MINUTES, seed=options.seed,
    )  # fmt: skip


def ablation_part(options: argparse.Namespace) -> Row:
    """One option changed at a time."""
    return measure_variants(
        "ablation", chosen(ABLATION, options.variants), _bench(options), set_name=options.set,
        minutes=options.minutes or VARIANT_MINUTES, seed=options.seed,
    )  # fmt: skip


PARTS: dict[str, Callable[[argparse.Namespace], Row]] = {
    "time": time_part, "series": series_part, "memory": memory_part, "learn": learn_part,
    "folds": folds_part, "patients": patients_part, "finetune": finetune_part,
    "architectures": architectures_part, "ablation": ablation_part,
}  # fmt: skip


def main(given: Sequence[str] | None = None) -> int:
    """Measure and write the results, one part after another.

    Returns:
        Exit status: 1 where a part could not be measured.
    """
    parser = _parser()
    options = parser.parse_args(given)
    options.work = options.work.resolve()
    failed = 0
    for part in options.only:
        try:
            row = {"command": command(parser, options, part), **machine(), **PARTS[part](options)}
        except OverreadError as error:
            print(f"{part}: {error}", file=sys.stderr, flush=True)
            failed = 1
            continue
        out = _folder(options, part)
        write_result(out / result_file(part), part, row)
        print(as_json(row), flush=True)
    return failed


def write_result(path: Path, part: str, row: Row) -> None:
    """Put a part's result into its file; runs with other options stay beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if part in QUICK:
        path.write_text(as_json(row), encoding="utf-8")
        return
    runs: Row = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.is_file() else {}
    key = run_key(part, row)
    if "rows" in row and key in runs:  # variants come one after another
        row = {**row, "rows": {**runs[key]["rows"], **row["rows"]}}
    path.write_text(as_json({"runs": {**runs, key: row}}), encoding="utf-8")


def run_key(part: str, row: Row) -> str:
    """What tells the runs of a part from one another."""
    words = [str(row[name]) for name in ("set", "start") if name in row]
    words += [_CLASSES[row["classes"]]] if "classes" in row else []
    words.append(f"{row['minutes']:g} min")
    if part == "finetune":
        words.append(f"{row['boxes']} boxes")
    if row.get("together"):
        words.append("both at once")
    if row.get("seed"):
        words.append(f"seed {row['seed']}")
    return ", ".join([*words, *row.get("config", [])])


def command(parser: argparse.ArgumentParser, options: argparse.Namespace, part: str) -> str:
    """The command that measures a part so: what differs from the defaults; files by name only."""
    words = ["python -m benchmarks.detection --only", part]
    for name, value in vars(options).items():
        if name in _UNTOLD or value == parser.get_default(name):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            listed = told(value) if name == "config" else value if isinstance(value, list) else [value]
            words += [shlex.quote(v.name if isinstance(v, Path) else str(v)) for v in listed]
    return " ".join(words)


def _folder(options: argparse.Namespace, part: str) -> Path:
    """Where a result goes: not over the record where the peer or the test set is missing."""
    if options.out is not None:
        return Path(options.out)
    lacking = part in {"time", "learn"} and not yolo.installed()
    return BUILD if lacking or (part == "learn" and options.without_test) else RESULTS


def _bench(options: argparse.Namespace) -> Bench:
    return Bench(
        data=options.data, work=options.work, threads=options.threads, changes=changes(options.config),
        resamples=options.resamples, fresh=options.fresh,
    )  # fmt: skip


def _model(options: argparse.Namespace) -> Path:
    if options.model is not None:
        return Path(options.model)
    current = ModelRegistry(home() / "models").current()
    if current is None:
        raise InputError("there is no model in use: give one with --model")
    return current.path


def _parser() -> argparse.ArgumentParser:
    parser = arguments("Measure the detector.")
    add = parser.add_argument
    add("--only", nargs="+", choices=tuple(PARTS), default=list(QUICK), help="default: %(default)s")
    add("--out", type=Path, help="folder of the results; default: the record, if all of it is measured")
    add("--work", type=Path, default=BUILD / "detection", help="folder of the models that are trained")
    add("--threads", type=int, default=2, help="for torch; `time` measures with one and two")
    add("--resamples", type=int, default=1000, help="of the bootstrap")
    few = parser.add_argument_group("time, series, memory")
    few.add_argument("--model", type=Path, help="model file; default: the model in use")
    few.add_argument("--slices", type=int, default=SLICES, help="slices that are timed")
    few.add_argument("--rounds", type=int, default=ROUNDS, help="how often each of them")
    few.add_argument(
        "--peer-weights", type=Path, help="of a trained YOLO11n (epoch-NNN.safetensors of learn)"
    )
    few.add_argument("--series-slices", type=int, default=SERIES_SLICES)
    few.add_argument("--series-rounds", type=int, default=SERIES_ROUNDS)
    few.add_argument("--starts", type=int, default=STARTS, help="fresh processes")
    _add_training(parser.add_argument_group("what trains"))
    return parser


def _add_training(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--minutes", type=float, help="time budget of each training; default: by part")
    add("--seed", type=int, default=0)
    add("--config", nargs="+", default=[], metavar="OPTION=VALUE", help="options of TrainConfig")
    add("--fresh", action="store_true", help="train anew what has been trained already")
    add("--classes", choices=("one", "all"), default="one", help="learn, folds")
    add("--side", choices=SIDES, default="both", help="learn: what to train")
    add("--together", action="store_true", help="learn: both at once, one thread and core each")
    add("--without-test", action="store_true", help="learn: held-out groups only, not btod/valid")
    add("--folds", type=int, default=FOLDS, help="folds: how many")
    add("--start", type=Path, help="patients, finetune: the model to go on from")
    add("--link-from", type=float, default=0.0, help="patients: least score of what is linked")
    add("--boxes", type=int, default=BOXES, help="finetune: how many")
    add("--draws", type=int, default=DRAWS, help="finetune: how often, with other patients")
    add("--label", default="glioma", help="finetune: class of the new boxes where there are several")
    add("--set", choices=SETS, default=SETS[0], help="architectures, ablation")
    add("--variants", nargs="+", default=[], help="ablation: names; default: all")


if __name__ == "__main__":
    sys.exit(main())
