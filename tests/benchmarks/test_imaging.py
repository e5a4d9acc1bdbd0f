"""The measurements of imaging measure what they say, on a small scale."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import imaging


def test_a_folder_is_opened_twice_and_the_second_time_from_the_index() -> None:
    found = imaging.index(230)
    assert found["files"] == 230
    assert found["second_s"]["n"] == imaging.SECOND_OPENINGS
    assert found["second_s"]["median"] < found["first_s"]


def test_a_turned_phantom_tells_a_wrong_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert imaging._turned_phantom(tmp_path / "right", 4)
    monkeypatch.setattr("core.imaging.grouping.along_normal", lambda slices: None)
    assert not imaging._turned_phantom(tmp_path / "wrong", 4), "by number it is shuffled"


def test_what_is_not_measured_again_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imaging, "RESULT", tmp_path / "imaging.json")
    imaging.RESULT.write_text('{"order": {"kept": true}}')
    monkeypatch.setattr(imaging, "SECOND_OPENINGS", 2)
    assert imaging.main(["--only", "index", "--files", "5"]) == 0
    result = json.loads(imaging.RESULT.read_text())
    assert result["order"] == {"kept": True}
    assert {"command", "date", "cpu", "cores", "load_before", "files"} <= set(result["index"])
