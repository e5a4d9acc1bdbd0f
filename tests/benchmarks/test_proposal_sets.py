"""Which slices are measured, which plane they show, and the cache of what OpenCV's presets found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import proposal_presets
from benchmarks.proposal_presets import as_grey, cached, found_by, shrunk
from benchmarks.proposal_sets import PLANES, TrueSet, TrueSlice, evenly, named_planes, planes_of
from core.model import Geometry, SliceRef


def a_slice(name: str, side: int, geometry: Geometry | None = None) -> TrueSlice:
    ref = SliceRef(name, Path(name), 0, side, side, "", geometry)
    return TrueSlice(name, ref, np.array([[1.0, 1.0, 5.0, 5.0]]), name)


def test_a_sample_is_evenly_spaced() -> None:
    assert evenly(list(range(10)), 5) == [1, 3, 5, 7, 9]
    assert evenly([1, 2], 5) == evenly([1, 2], 0) == [1, 2]


def test_planes_are_named_by_ranges_of_numbers() -> None:
    found = named_planes({"name": "{:03}.jpg", "axial": "7 9-10", "sagittal": "8"})
    assert found == {"007.jpg": "axial", "009.jpg": "axial", "010.jpg": "axial", "008.jpg": "sagittal"}


def test_a_slice_in_two_planes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"8\.jpg: is axial and coronal"):
        named_planes({"name": "{}.jpg", "axial": "7-8", "coronal": "8"})


def test_the_committed_table_names_every_slice_once() -> None:
    table = json.loads(PLANES.read_text(encoding="utf-8"))
    assert set(named_planes(table["btod/valid"])) == {f"val_1 ({n}).jpg" for n in range(1, 224)}
    assert len(named_planes(table["cheng/valid"])) == 400


@pytest.mark.parametrize(
    ("row", "column", "plane"),
    [
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), "axial"),
        ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), "coronal"),
        ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), "sagittal"),
        ((1.0, 0.0, 0.0), (0.0, 0.9, -0.436), "axial"),
    ],
)
def test_a_slice_with_a_position_says_its_plane(
    row: tuple[float, float, float], column: tuple[float, float, float], plane: str
) -> None:
    item = a_slice("a", 64, Geometry((0.0, 0.0, 0.0), row, column, 1.0, 1.0))
    assert planes_of(TrueSet("some", (item,), "patient")) == {"a": plane}


def test_pictures_of_8_bits_stay_as_they_are_and_others_are_normalised() -> None:
    grey = np.arange(256, dtype=np.float32).reshape(16, 16)
    np.testing.assert_array_equal(as_grey(grey), grey)
    assert as_grey(grey * 16).max() == 255
    assert as_grey(grey - 5).dtype == np.uint8


def test_slices_are_shrunk_but_never_enlarged() -> None:
    assert shrunk(np.zeros((100, 50), np.uint8), 20).shape == (20, 10)
    assert shrunk(np.zeros((100, 50), np.uint8), 200).shape == (100, 50)


def test_the_cache_outlives_a_line_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposal_presets, "CACHE", tmp_path)
    (tmp_path / "some-set").mkdir()
    whole = '{"name":"a","ms":1.5,"boxes":[[0,0,4,4]]}'
    (tmp_path / "some-set" / "fast-512.jsonl").write_text(f'{whole}\n{{"name":"b","ms":2.0,"bo')
    found = cached("some/set", "fast", 512)
    assert list(found) == ["a"]
    assert found["a"].boxes.tolist() == [[0.0, 0.0, 4.0, 4.0]]
    assert cached("some/set", "quality", 512) == {}


def test_a_small_slice_was_searched_once_for_all_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal_presets, "CACHE", tmp_path)
    (tmp_path / "some").mkdir()
    lines = [f'{{"name":"{name}","ms":1,"boxes":[]}}\n' for name in ("small", "wide", "other")]
    (tmp_path / "some" / "fast-512.jsonl").write_text("".join(lines))
    both = TrueSet("some", (a_slice("small", 256), a_slice("wide", 512)), "file")
    assert set(found_by(both, "fast", 512)) == {"small", "wide"}
    assert set(found_by(both, "fast", 256)) == {"small"}
