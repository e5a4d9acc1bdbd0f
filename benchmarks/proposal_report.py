"""The tables of docs/proposals.md, from the committed results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.tables import NOT_YET, Tables, figure, spread_text, table, when

RESULT = Path(__file__).parent / "results" / "proposals.json"
ABLATION = Path(__file__).parent / "results" / "proposal_ablation.json"

_BUDGETS = (20, 50, 100, 200, 400, 1000, "all")
_Row = Mapping[str, Any]


def load_result() -> _Row:
    """The committed results; what is not there yet is left out."""
    found = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    ablation = {"ablation": json.loads(ABLATION.read_text(encoding="utf-8"))} if ABLATION.is_file() else {}
    return {**found, **ablation}


def filled(page: str, result: _Row) -> str:
    """The page with what stands between `<!-- table: NAME … -->` and `<!-- end -->` written anew.

    Raises:
        KeyError: The page lacks the marks of a table.
    """
    return tables.filled(page, TABLES, result)


def triple(of: _Row, at: int) -> str:
    """Recall at IoU .5 and .7 and mean best IoU at one of the budgets."""
    return " / ".join(figure(of[measure][at]) for measure in ("recall50", "recall70", "best_iou"))


def headline_table(result: _Row) -> str:
    """Every method on every set with all its proposals, with intervals."""
    if "recall" not in result:
        return NOT_YET
    recall, parts = result["recall"], []
    last = recall["headline_budgets"].index("all")
    for name, measured in recall["sets"].items():
        rows = []
        for method, row in measured["methods"].items():
            overall = row["overall"]
            cells = [
                f"{figure(overall[m][-1])} ({'–'.join(map(figure, overall['ci95'][m][last]))})"
                for m in ("recall50", "recall70", "best_iou", "average_recall")
            ]
            rows.append([method, str(row["slices"]), f"{row['boxes_median']:.0f}", *cells])
        head = ["method", "slices", "proposals", "recall IoU ≥ .5", "≥ .7", "mean best IoU", "AR"]
        parts.append(f"**{_title(name, measured)}**\n\n{table(head, rows)}")
    return f"{when(recall)}\n\n" + "\n".join(parts)


def budget_table(result: _Row) -> str:
    """Recall of the first N proposals."""
    if "recall" not in result:
        return NOT_YET
    recall, parts = result["recall"], []
    for name, measured in recall["sets"].items():
        budgets = [b for b in _BUDGETS if b in recall["budgets"]]
        rows = []
        for method, row in measured["methods"].items():
            cells = [triple(row["overall"], recall["budgets"].index(b)) for b in budgets]
            rows.append([method, *cells])
        parts.append(f"**{name}**\n\n{table(['method', *_firsts(budgets)], rows)}")
    return "\n".join(parts)


def average_table(result: _Row) -> str:
    """Average recall of the first N proposals."""
    if "recall" not in result:
        return NOT_YET
    recall, rows = result["recall"], []
    budgets = [b for b in _BUDGETS if b in recall["budgets"]]
    places = [recall["budgets"].index(b) for b in budgets]
    for name, measured in recall["sets"].items():
        for method, row in measured["methods"].items():
            rows.append([name, method, *(figure(row["overall"]["average_recall"][k]) for k in places)])
    return table(["set", "method", *_firsts(budgets)], rows)


def part_table(result: _Row, kind: str) -> str:
    """Per plane or per size, with all proposals."""
    if "recall" not in result:
        return NOT_YET
    recall, parts = result["recall"], []
    last = recall["headline_budgets"].index("all")
    for name, measured in recall["sets"].items():
        methods = measured["methods"]
        found: _Row = next(iter(methods.values()))[kind]
        rows = [
            [method, *(_part_cell(row[kind], part, last) for part in found)]
            for method, row in methods.items()
        ]
        head = [f"{part} ({figures['lesions']})" for part, figures in found.items()]
        parts.append(f"**{name}**\n\n{table(['method', *head], rows)}")
    return "\n".join(parts)


def time_table(result: _Row) -> str:
    """Times and their ratios."""
    if "time" not in result:
        return NOT_YET
    measured = result["time"]
    peers = list(next(iter(measured["times_faster"].values())))
    rows = []
    for method, ms in measured["ms"].items():
        ratios = measured["times_faster"].get(method, {})
        rows.append(
            [method, spread_text(ms, 1), *(spread_text(ratios[p], 0) if ratios else "" for p in peers)]
        )
    side = measured["side"]
    lead = f"{when(measured)} {measured['slices']} slices of {measured['set']}, {side} × {side}."
    return f"{lead}\n\n" + table(["method", "ms a slice", *(f"times faster than {p}" for p in peers)], rows)


def limit_table(result: _Row) -> str:
    """Large slices, memory, the first call, thousands in a row."""
    if "limits" not in result:
        return NOT_YET
    measured = result["limits"]
    rows = [[method, *_limits(row)] for method, row in measured["methods"].items()]
    head = [
        "method",
        "2048²: ms",
        "times the 512² time",
        "extra memory at 2048², in images of 16 bit",
        "of 32 bit",
        "fresh process, first result: ms with all imports",
        "with libraries loaded",
        "second call",
        "resident MB after 512 slices",
        "after the last",
    ]
    return f"{when(measured)}\n\n" + table(head, rows)


def _limits(row: _Row) -> list[str]:
    memory, starts = row["memory_of_one_call"], row["fresh_process_ms"]
    in_a_row = row["memory_in_a_row"]["resident_mb_after"]
    first, last = next(iter(in_a_row)), next(reversed(in_a_row))
    return [
        spread_text(row["large"]["ms"]["2048"], 0),
        spread_text(row["large"]["times_slower"], 1),
        *(
            f"{memory[d]['extra_in_images']:.0f} ({memory[d]['extra_mb']:.0f} MB)"
            for d in ("uint16", "float32")
        ),
        spread_text(starts["fresh"]["imports_and_first_call"], 0),
        spread_text(starts["loaded"]["imports_and_first_call"], 0),
        spread_text(starts["fresh"]["second_call"], 0),
        f"{in_a_row[first]:.0f}",
        f"{in_a_row[last]:.0f} ({last})",
    ]


def ablation_table(result: _Row) -> str:
    """What is left of `fast` without each part, and what the neighbouring slices would add."""
    if "ablation" not in result:
        return NOT_YET
    ablation, parts = result["ablation"], []
    for data, measured in ablation["sets"].items():
        rows = [
            [
                variant,
                f"{row['proposals']:.0f}",
                f"{row['ms']:.1f}" if row["ms"] else "",
                *(triple(row["figures"], k) for k in range(3)),
            ]
            for variant, row in measured["rows"].items()
        ]
        head = ["variant", "proposals", "ms", "first 20", "first 100", "all, at most 400"]
        parts.append(f"**{data}, {measured['slices']} slices**\n\n{table(head, rows)}")
    rows = [[name, " / ".join(map(figure, row))] for name, row in ablation["neighbours"].items()]
    parts.append(f"**progression, with the neighbours**\n\n{table(['proposals of a slice', 'all'], rows)}")
    return f"{when(ablation)}\n\n" + "\n".join(parts)


TABLES: Tables = {
    "headline": headline_table,
    "budgets": budget_table,
    "average": average_table,
    "planes": lambda result: part_table(result, "plane"),
    "sizes": lambda result: part_table(result, "size"),
    "time": time_table,
    "limits": limit_table,
    "ablation": ablation_table,
}


def _part_cell(parts: _Row, part: str, at: int) -> str:
    if part not in parts:
        return "–"
    return triple(parts[part], at)


def _title(name: str, measured: _Row) -> str:
    groups = "" if measured["resampled_by"] == "slice" else f" ({measured['groups']})"
    return (
        f"{name}: {measured['lesions']} lesions on {measured['slices']} slices, "
        f"intervals by {measured['resampled_by']}{groups}"
    )


def _firsts(budgets: Sequence[int | str]) -> list[str]:
    return ["all" if b == "all" else f"first {b}" for b in budgets]
