"""The tables of the page on the detector, from results; commands and files of results."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import detection, detection_yolo
from benchmarks.detection_report import (
    RESULTS,
    TABLES,
    filled,
    finetune_table,
    folds_table,
    learn_table,
    load_result,
    memory_table,
    patients_table,
    result_file,
    time_table,
    variant_table,
)
from benchmarks.tables import NOT_YET

MARKS = "".join(f"<!-- table: {name}, generated -->\nold\n<!-- end -->\n" for name in TABLES)
WHEN = {"command": "measure", "date": "2026-01-02T03:04:05", "cpu": "a processor", "threads": 2}
AP = {
    "slices": 9, "boxes": 10, "groups": 3, "ap50": 0.9, "ap50_95": 0.6,
    "ci95": {"ap50": [0.8, 0.95], "ap50_95": [0.5, 0.7]},
}  # fmt: skip
GAIN = {"difference": 0.05, "ci95": [-0.01, 0.11]}


def spread(value: float) -> dict[str, float]:
    return {"n": 3, "median": value, "q1": value, "q3": value, "min": value, "max": value}


def runs(**row: object) -> dict[str, Any]:
    return {"runs": {"so": {**WHEN, **row}}}


def test_what_is_not_measured_is_said() -> None:
    assert filled(MARKS, {}).count(NOT_YET) == len(TABLES)
    assert filled(filled(MARKS, {}), {}) == filled(MARKS, {})


def test_times_stand_beside_what_is_to_be_reached() -> None:
    at = {
        "ms": {"fast-rcnn": spread(20.0), "YOLO11n 640": spread(80.0)},
        "ratio": {"YOLO11n 640": spread(0.25)}, "own_ratio": {"YOLO11n 640": spread(0.26)},
    }  # fmt: skip
    of = {
        **WHEN,
        "slices": 20,
        "set": "btod/train",
        "side": 512,
        "rounds": 5,
        "model": "m@1",
        "peer": "random",
    }
    text = time_table({"time": {**of, "threads": {"1": at}}})
    assert "| 1 | fast-rcnn | 20.0 (20.0–20.0) |  |  |  |" in text
    assert "| 1 | YOLO11n 640 | 80.0 (80.0–80.0) | 0.25 (0.25–0.25) | 0.26 (0.26–0.26) | ≤ 0.2 |" in text


def test_memory_is_told_by_stage() -> None:
    stages = {s: {k: spread(500.0) for k in ("peak", "own", "files")} for s in ("imports", "one slice")}
    text = memory_table({"memory": {**WHEN, "processes": 3, "side": 512, "model": "m", "megabytes": stages}})
    assert "| one slice | 500 (500–500) | 500 (500–500) | 500 (500–500) | ≤ 700 |" in text
    assert "| imports | 500 (500–500) | 500 (500–500) | 500 (500–500) |  |" in text


def test_both_sides_of_learning() -> None:
    side = {
        "minutes": 55.0,
        "epochs": 40.0,
        "minutes_until_near": None,
        "curve": [[5.0, 0.7, None]],
        "test": AP,
    }
    row = {
        "train_slices": 700, "choosing_slices": 100, "test": "btod/valid",
        "sides": {"ours": side, "yolo": {**side, "test": None}}, "difference": GAIN,
    }  # fmt: skip
    text = learn_table({"learn": runs(**row)})
    assert "| ours | 40 | 55.0 | .900 (.800–.950) | .600 (.500–.700) | – |" in text
    assert "| YOLO11n | 40 | 55.0 | – | – | – |" in text
    assert "paired: +0.050 (-0.010 to +0.110)." in text
    assert "| ours | 5.0 | .700 | – |" in text


def test_folds_stand_below_what_they_make_together() -> None:
    text = folds_table({"folds": runs(pooled=AP, folds=[{**AP, "ci95": {}}])})
    assert "| all folds | 9 | 10 | 3 | .900 (.800–.950) | .600 (.500–.700) |" in text
    assert "| fold 1 | 9 | 10 | 3 | .900 | .600 |" in text


def test_lesions_by_both_counts() -> None:
    rates = ("0.125", "0.25", "0.5", "1", "2", "4", "8")
    by = {
        "lesions": 24, "series": 12, "slices": 288, "patients": 6,
        "sensitivity": {r: {"value": 0.9, "ci95": [0.8, 1.0]} for r in rates},
    }  # fmt: skip
    both = {"by_mask": by, "by_link": {**by, "lesions": 40}}
    patients = {"01": {"lesions": 2, "sensitivity_at_1": None}}
    text = patients_table({"patients": runs(tuned=both, start_alone=both, patients=patients)})
    assert "24 lesions, 40 by linking their boxes, in 12 series of 6 patients, 288 slices." in text
    assert text.count(".900 (.800–1.000)") == 4 * 7
    assert "| 01 | 2 | – |" in text


def test_gains_of_both_domains() -> None:
    of = {"before": AP, "after": {**AP, "ci95": {}}, "gain": GAIN}
    draw = {"learnt": {"boxes": 100, "patients": 22}, "minutes": 3.0, "domains": {"new": of, "old": of}}
    text = finetune_table({"finetune": runs(draws=[draw], gain={"new": spread(0.05), "old": spread(-0.01)})})
    assert "Median gain in AP50: new +0.050; old -0.010." in text
    assert (
        "| 1 (100 boxes, 22 patients) | old | .900 (.800–.950) | .900 | +0.050 (-0.010 to +0.110) | 3.0 |"
        in text
    )


def test_variants_are_told_beside_the_first() -> None:
    row = {**AP, "epochs": 12.0, "ms": spread(20.0)}
    rows = {"base": {**row, "any_class": {**AP, "ap50": 0.95}}, "other": {**row, "difference": GAIN}}
    text = variant_table({"ablation": runs(train="some: 9 slices", check="others", rows=rows)}, "ablation")
    assert "AP50 less that of “base”" in text
    assert (
        "| base | .900 (.800–.950) | .600 (.500–.700) | .950 (.800–.950) |  | 12 | 20.0 (20.0–20.0) |" in text
    )
    assert (
        "| other | .900 (.800–.950) | .600 (.500–.700) | .900 (.800–.950) | +0.050 (-0.010 to +0.110) |"
        in text
    )


def test_the_committed_results_fill_their_tables() -> None:
    found = load_result()
    assert "bundled" in found
    for name, made in TABLES.items():
        assert (made(found) == NOT_YET) is (name not in found), name


def options(*given: str) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = detection._parser()
    return parser, parser.parse_args(given)


def test_a_command_tells_what_differs_and_no_folder() -> None:
    given = ("--only", "learn", "--minutes", "9", "--without-test", "--start", "/some where/my m.safetensors")
    told = detection.command(
        *options(*given, "--config", "init_from=/home/a/b.safetensors", "--fresh"), "learn"
    )
    assert told == (
        "python -m benchmarks.detection --only learn --minutes 9.0 --config init_from=b.safetensors "
        "--without-test --start 'my m.safetensors'"
    )


def test_a_run_without_the_test_set_is_no_record() -> None:
    assert detection._folder(options("--without-test")[1], "learn") == detection.BUILD
    assert detection._folder(options()[1], "folds") == RESULTS
    assert detection._folder(options("--out", "here")[1], "folds") == Path("here")


def test_a_run_without_the_peer_is_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_yolo, "installed", lambda: False)
    assert detection._folder(options()[1], "time") == detection.BUILD
    assert detection._folder(options()[1], "memory") == RESULTS


def test_runs_stay_beside_one_another(tmp_path: Path) -> None:
    path = tmp_path / result_file("ablation")
    base = {"set": "btod", "minutes": 20.0, "rows": {"base": {"ap50": 0.8}}}
    detection.write_result(path, "ablation", base)
    detection.write_result(path, "ablation", {**base, "rows": {"other": {"ap50": 0.9}}})
    detection.write_result(path, "ablation", {**base, "seed": 3})
    written = json.loads(path.read_text())["runs"]
    assert written["btod, 20 min"]["rows"] == {"base": {"ap50": 0.8}, "other": {"ap50": 0.9}}
    assert list(written) == ["btod, 20 min", "btod, 20 min, seed 3"]


def test_runs_are_told_apart_by_what_was_asked_for() -> None:
    learn = {"classes": "all", "minutes": 55.0, "together": True, "config": ["width=0.5"]}
    assert detection.run_key("learn", learn) == "all classes, 55 min, both at once, width=0.5"
    finetune = {"start": "first", "minutes": 3.0, "boxes": 100}
    assert detection.run_key("finetune", finetune) == "first, 3 min, 100 boxes"


def test_a_quick_result_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / result_file("memory")
    for value in (1, 2):
        detection.write_result(path, "memory", {"value": value})
    assert json.loads(path.read_text()) == {"value": 2}


def test_a_part_that_cannot_be_measured_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detection.main(["--only", "patients", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "patients: --start: give a model file that was never trained on progression\n"
    )
    assert not list(tmp_path.iterdir())
