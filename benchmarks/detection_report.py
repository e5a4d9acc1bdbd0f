"""The tables of docs/detection.md, from the committed results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.tables import NOT_YET, Tables, figure, spread_text, table, when

RESULTS = Path(__file__).parent / "results"
PARTS = (
    "time", "series", "memory", "learn", "folds", "patients", "finetune", "architectures", "ablation",
)  # fmt: skip
BUNDLED = RESULTS / "first_model.json"
# What the figures are to reach.
NEEDED_RATIO = {"YOLO11n 640": 0.2, "YOLO11n 256": 0.9}
NEEDED_BATCH = 1.5
NEEDED_MEMORY = 700.0
_SIDES = {"ours": "ours", "yolo": "YOLO11n"}
_RATES = ("0.125", "0.25", "0.5", "1", "2", "4", "8")
_Row = Mapping[str, Any]


def result_file(part: str) -> str:
    """Name of a part's result."""
    return f"detection_{part}.json"


def load_result(folder: Path = RESULTS) -> _Row:
    """The committed results by part; what is not there yet is left out."""
    files = {part: folder / result_file(part) for part in PARTS} | {"bundled": folder / BUNDLED.name}
    return {part: json.loads(f.read_text(encoding="utf-8")) for part, f in files.items() if f.is_file()}


def filled(page: str, result: _Row) -> str:
    """The page with its tables written anew.

    Raises:
        KeyError: The page lacks the marks of a table.
    """
    return tables.filled(page, TABLES, result)


def time_table(result: _Row) -> str:
    """Milliseconds and ratios, with one thread and with two."""
    if "time" not in result:
        return NOT_YET
    of, rows = result["time"], []
    for threads, at in of["threads"].items():
        for name, ms in at["ms"].items():
            ratio, own = at["ratio"].get(name), at["own_ratio"].get(name)
            rows.append(
                [
                    threads,
                    name,
                    spread_text(ms, 1),
                    spread_text(ratio, 2) if ratio else "",
                    spread_text(own, 2) if own else "",
                    f"≤ {NEEDED_RATIO[name]:g}" if name in NEEDED_RATIO else "",
                ]
            )
    head = ["threads", "detector", "ms a slice", "ours ÷ it", "by their own counts", "to reach"]
    lead = (
        f"{when(of)} {of['slices']} slices of {of['set']}, {_square(of)}, {of['rounds']} rounds. "
        f"Ours: {of['model']}. YOLO11n: {of['peer']}."
    )
    return f"{lead}\n\n{table(head, rows)}"


def series_table(result: _Row) -> str:
    """Slices a second, one by one and as a batch."""
    if "series" not in result:
        return NOT_YET
    of = result["series"]
    rates = of["slices_per_second"]
    lead = (
        f"{when(of)} {of['slices']} slices of {of['rows']} × {of['columns']}, {of['threads']} threads, "
        f"n = {of['ratio']['n']}. {of['model']}."
    )
    cells = [
        spread_text(rates["single"], 1),
        spread_text(rates["batch"], 1),
        spread_text(of["ratio"], 2),
        f"≥ {NEEDED_BATCH}",
    ]
    head = ["one by one, slices/s", "batch, slices/s", "batch ÷ one by one", "to reach"]
    return f"{lead}\n\n{table(head, [cells])}"


def memory_table(result: _Row) -> str:
    """Resident megabytes by stage."""
    if "memory" not in result:
        return NOT_YET
    of, rows = result["memory"], []
    for stage, kinds in of["megabytes"].items():
        needed = f"≤ {NEEDED_MEMORY:.0f}" if stage == "one slice" else ""
        rows.append([stage, *(spread_text(kinds[k], 0) for k in ("peak", "own", "files")), needed])
    lead = f"{when(of)} {of['processes']} fresh processes, one slice of {_square(of)}. {of['model']}."
    head = ["up to", "peak MB", "own", "files (libraries)", "to reach"]
    return f"{lead}\n\n{table(head, rows)}"


def learn_table(result: _Row) -> str:
    """Ours and YOLO11n from scratch: test figures, and the curves."""
    parts = []
    for key, run in _runs(result, "learn"):
        rows = [
            [
                _SIDES[side],
                f"{of['epochs']:.0f}",
                f"{of['minutes']:.1f}",
                *_ap(of.get("test")),
                _minutes(of["minutes_until_near"]),
            ]
            for side, of in run["sides"].items()
        ]
        head = ["", "epochs", "minutes", "AP50", "AP50-95", "minutes until within .03 of its best AP50"]
        text = f"**{key}**\n\n{_lead(run)} {_learn_words(run)}\n\n{table(head, rows)}"
        if "difference" in run:
            text += f"\nAP50 of ours less YOLO11n's, paired: {_gain(run['difference'])}.\n"
        parts.append(f"{text}\n{_curves(run)}")
    return _joined(parts)


def folds_table(result: _Row) -> str:
    """Folds of btod by patient."""
    parts = []
    for key, run in _runs(result, "folds"):
        pooled = {"all folds": run["pooled"], "all folds, any class": run.get("pooled_any_class")}
        rows = [[name, *_counts(of), *_ap(of)] for name, of in pooled.items() if of]
        rows += [[f"fold {k}", *_counts(of), *_ap(of)] for k, of in enumerate(run["folds"], 1)]
        head = ["", "slices", "boxes", "patients", "AP50", "AP50-95"]
        parts.append(f"**{key} a fold**\n\n{_lead(run)}\n\n{table(head, rows)}")
    return _joined(parts)


def patients_table(result: _Row) -> str:
    """Progression by lesion."""
    parts = []
    for key, run in _runs(result, "patients"):
        rows = [
            [f"{name}, {how}", *(_interval(run[of][by]["sensitivity"][r]) for r in _RATES)]
            for name, of in (("fine-tuned on the others", "tuned"), ("as it was", "start_alone"))
            for how, by in (("lesions of the masks", "by_mask"), ("linked boxes", "by_link"))
        ]
        by_patient = [
            [p, str(of["lesions"]), _figure(of["sensitivity_at_1"])] for p, of in run["patients"].items()
        ]
        of, joined = run["tuned"]["by_mask"], run["tuned"]["by_link"]
        words = f"{of['lesions']} lesions, {joined['lesions']} by linking their boxes, "
        words += f"in {of['series']} series of {of['patients']} patients, {of['slices']} slices"
        by_rate = table(["boxes of false lesions a slice", *_RATES], rows)
        parts.append(
            f"**{key}**\n\n{_lead(run)} {words}.\n\n{by_rate}\n"
            + table(["patient", "lesions", "sensitivity at 1"], by_patient)
        )
    return _joined(parts)


def finetune_table(result: _Row) -> str:
    """AP50 before and after on both domains."""
    parts = []
    for key, run in _runs(result, "finetune"):
        rows = []
        for k, draw in enumerate(run["draws"], 1):
            learnt = f"{k} ({draw['learnt']['boxes']} boxes, {draw['learnt']['patients']} patients)"
            for domain, of in draw["domains"].items():
                cells = [_ap(of["before"])[0], _ap(of["after"])[0], _gain(of["gain"])]
                rows.append([learnt, domain, *cells, f"{draw['minutes']:.1f}"])
        head = ["draw", "domain", "AP50 before", "after", "gain", "minutes"]
        gains = "; ".join(f"{name} {of['median']:+.3f}" for name, of in run["gain"].items())
        parts.append(f"**{key}**\n\n{_lead(run)} Median gain in AP50: {gains}.\n\n{table(head, rows)}")
    return _joined(parts)


def variant_table(result: _Row, part: str) -> str:
    """AP50, time and size of variants."""
    parts = []
    for key, run in _runs(result, part):
        rows = []
        for name, of in run["rows"].items():
            any_class = _ap(of["any_class"])[0] if "any_class" in of else _ap(of)[0]
            gain = _gain(of["difference"]) if "difference" in of else ""
            rows.append([name, *_ap(of), any_class, gain, f"{of['epochs']:.0f}", spread_text(of["ms"], 1)])
        first = next(iter(run["rows"]))
        head = [
            "",
            "AP50",
            "AP50-95",
            "any class AP50",
            f"AP50 less that of “{first}”",
            "epochs",
            "ms a slice",
        ]
        words = f"Trained on {run['train']}; judged on {run['check']}."
        parts.append(f"**{key}**\n\n{_lead(run)} {words}\n\n{table(head, rows)}")
    return _joined(parts)


def bundled_table(result: _Row) -> str:
    """The bundled model on cheng/valid."""
    if "bundled" not in result:
        return NOT_YET
    of, rows = result["bundled"], []
    for name, row in of.items():
        if isinstance(row, Mapping) and "ap50" in row:
            rows.append([name, str(row["n_images"]), *_ap(row)])
            several = row["per_class"] if len(row["per_class"]) > 1 else {}
            rows += [[f"– {c}", "", *_ap({**r, "ci95": r.get("ci95", {})})] for c, r in several.items()]
    return f"{when(of)} {of['model']}.\n\n{table(['', 'slices', 'AP50', 'AP50-95'], rows)}"


TABLES: Tables = {
    "time": time_table,
    "series": series_table,
    "memory": memory_table,
    "learn": learn_table,
    "folds": folds_table,
    "bundled": bundled_table,
    "patients": patients_table,
    "finetune": finetune_table,
    "architectures": lambda result: variant_table(result, "architectures"),
    "ablation": lambda result: variant_table(result, "ablation"),
}


def _runs(result: _Row, part: str) -> Iterator[tuple[str, _Row]]:
    yield from result.get(part, {}).get("runs", {}).items()


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(parts) or NOT_YET


def _lead(run: _Row) -> str:
    return f"{when(run)} {run['threads']} thread(s)."


def _learn_words(run: _Row) -> str:
    test = f"judged on {run['test']}" if run["test"] else "not judged on a test set"
    return (
        f"Trained on {run['train_slices']} slices of btod/train, best weights chosen on "
        f"{run['choosing_slices']} others of it, {test}; intervals by slice."
    )


def _curves(run: _Row) -> str:
    """Both curves on the slices that weights are chosen on."""
    rows = [
        [_SIDES[side], f"{minutes:.1f}", _figure(ap50), _figure(ap50_95)]
        for side, of in run["sides"].items()
        for minutes, ap50, ap50_95 in of["curve"]
    ]
    return table(["on the held-out groups", "minutes", "AP50", "AP50-95"], rows)


def _counts(of: _Row) -> list[str]:
    return [str(of["slices"]), str(of["boxes"]), str(of["groups"])]


def _ap(of: _Row | None) -> list[str]:
    """AP50 and AP50-95 with their intervals where there are any."""
    if of is None:
        return ["–", "–"]
    return [
        _interval({"value": of.get(name), "ci95": of.get("ci95", {}).get(name)})
        for name in ("ap50", "ap50_95")
    ]


def _interval(of: _Row) -> str:
    text = _figure(of["value"])
    bounds = of.get("ci95")
    if not bounds or None in bounds:
        return text
    return f"{text} ({'–'.join(map(figure, bounds))})"


def _gain(of: _Row) -> str:
    if of["difference"] is None:
        return "–"
    low, high = of["ci95"]
    bounds = f" ({low:+.3f} to {high:+.3f})" if None not in (low, high) else ""
    return f"{of['difference']:+.3f}{bounds}"


def _minutes(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _square(of: _Row) -> str:
    return f"{of['side']} × {of['side']}"


def _figure(value: float | None) -> str:
    return "–" if value is None else figure(value)
