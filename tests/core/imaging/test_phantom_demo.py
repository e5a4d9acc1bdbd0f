"""The demo: two dates of one patient, made once and whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.imaging import phantom_demo
from core.imaging.catalog import scan
from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import PhantomSpec
from core.imaging.phantom_demo import make_demo

SMALL = PhantomSpec(size=64, slices=6, lesions=1), PhantomSpec(size=64, slices=6, lesions=1, growth=1.25)


def test_two_dates_of_one_patient_the_first_first(tmp_path: Path) -> None:
    found = scan([make_demo(tmp_path, *SMALL)]).series
    assert [len(s.slices) for s in found] == [6, 6]
    assert [s.slices[0].path.parent.name for s in found] == ["first", "half a year later"]
    assert len({s.study_uid for s in found}) == 2
    assert len({s.slices[0].patient for s in found}) == 1


def test_made_once_and_with_the_same_instances(tmp_path: Path) -> None:
    one = make_demo(tmp_path / "a", *SMALL)
    before = {p: p.stat().st_mtime_ns for p in one.rglob("*.dcm")}
    assert make_demo(tmp_path / "a", *SMALL) == one
    assert {p: p.stat().st_mtime_ns for p in one.rglob("*.dcm")} == before
    keys = [
        [r.key for s in scan([make_demo(tmp_path / name, *SMALL)]).series for r in s.slices] for name in "ab"
    ]
    assert keys[0] == keys[1]


def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = write_phantom_dicom
    calls = []

    def fail_at_the_second(*args: object, **more: object) -> object:
        calls.append(args)
        if len(calls) == 2:
            raise OSError("no space left on the disk")
        return write(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(phantom_demo, "write_phantom_dicom", fail_at_the_second)
    with pytest.raises(OSError, match="no space"):
        make_demo(tmp_path, *SMALL)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(phantom_demo, "write_phantom_dicom", write)
    assert len(scan([make_demo(tmp_path, *SMALL)]).series) == 2
