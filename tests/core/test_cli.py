"""The command line as others script against it: what is written, exit status, messages that name the file."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.cli import main
from core.detection.base import DetectRequest, DetectResult
from core.detection.card import ModelCard, read_card
from core.detection.config import TrainResult
from core.detection.detector import RcnnDetector
from core.detection.registry import ModelRegistry
from core.edits import create, mark_read
from core.imaging.catalog import scan
from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import Phantom, PhantomSpec, make_phantom, write_phantom_png
from core.jobs import CancelToken
from core.model import Annotation, Box, ReadState, new_id
from core.settings import SETTINGS_FILE, Settings, home
from core.store.workspace import Workspace
from tests.core.imaging.test_dicom_objects import write_object

SPEC = PhantomSpec(size=128, slices=12, lesions=5, seed=5)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(SPEC)


@pytest.fixture(scope="module")
def series(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    write_phantom_dicom(phantom, folder)
    return folder


@pytest.fixture(scope="module")
def pictures(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_phantom_png(phantom, folder)
    return folder


@pytest.fixture(scope="module")
def model(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained for a moment: real weights, poor predictions."""
    out = tmp_path_factory.mktemp("run")
    words = ["train", str(pictures), "--out", str(out), "--budget-minutes", "0.5", "--epochs", "1"]
    assert main([*words, "--width", "0.25", "--name", "tiny"]) == 0
    return out / "model.safetensors"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def workspace_with_a_reading(series: Path, path: Path) -> Path:
    """Two slices read: one with a box, one without a finding."""
    found = scan([series]).series[0]
    with Workspace.open(path, reader="r") as workspace:
        workspace.remember(found)
        first = found.slices[0].key
        workspace.commit(create(Annotation(new_id(), first, Box(10, 20, 40.5, 60), 2)))
        edit = mark_read(workspace.annotations, [first, found.slices[1].key], "r")
        assert edit is not None
        workspace.commit(edit)
    return path


def test_info_writes_slices_in_reading_order_with_hashes(
    series: Path, phantom: Phantom, tmp_path: Path
) -> None:
    (series / "note.txt").write_text("not a slice")
    out = tmp_path / "info.json"
    assert main(["info", str(series), "--json", str(out), "--pixels"]) == 0
    report = read(out)
    assert [Path(s["path"]).name for s in report["skipped"]] == ["note.txt"]
    (found,) = report["series"]
    assert found["modality"] == "MR"
    heights = [s["position_mm"][2] for s in found["slices"]]
    assert heights == sorted(heights)
    truth = [hashlib.sha256(np.ascontiguousarray(v, "<f4").tobytes()).hexdigest() for v in phantom.volume]
    assert [s["sha256"] for s in found["slices"]] == truth
    assert found["slices"][0]["max"] == float(phantom.volume[0].max())


def test_info_looks_into_an_archive_and_names_other_objects(series: Path, tmp_path: Path) -> None:
    packed = tmp_path / "study.zip"
    report = write_object(tmp_path / "report.dcm", "1.2.840.10008.5.1.4.1.1.88.34")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in (*series.glob("*.dcm"), report):
            archive.write(path, path.name)
    assert main(["info", str(packed), "--json", str(tmp_path / "i.json"), "--pixels"]) == 0
    assert main(["info", str(series), "--json", str(tmp_path / "j.json"), "--pixels"]) == 0
    inside, outside = (read(tmp_path / name) for name in ("i.json", "j.json"))
    hashes = [[s["sha256"] for s in one["series"][0]["slices"]] for one in (inside, outside)]
    assert hashes[0] == hashes[1]
    assert inside["series"][0]["slices"][0]["path"].startswith(str(packed))
    assert [o["kind"] for o in inside["objects"]] == ["structured report"]
    assert [s["reason"] for s in inside["skipped"]] == ["DICOM structured report, not an image"]


def test_info_leaves_out_a_slice_whose_pixels_are_damaged(pictures: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "info.json"
    shutil.copytree(pictures / "images", folder)
    broken = sorted(folder.iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:3000])
    assert main(["info", str(folder), "--json", str(out), "--pixels"]) == 0
    report = read(out)
    assert [s["path"] for s in report["skipped"]] == [str(broken)]
    assert len(report["series"][0]["slices"]) == SPEC.slices - 1


def test_propose_writes_boxes_inside_the_slice_best_first(series: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.json"
    assert main(["propose", str(series), "--out", str(out), "--limit", "7"]) == 0
    report = read(out)
    assert report["model"] is None
    assert [i["slice"] for i in report["images"]] == list(range(SPEC.slices))
    for image in report["images"]:
        assert (image["width"], image["height"]) == (SPEC.size, SPEC.size)
        assert len(image["proposals"]) <= 7
        scores = [p[4] for p in image["proposals"]]
        assert scores == sorted(scores, reverse=True)
        for x1, y1, x2, y2, _ in image["proposals"]:
            assert 0 <= x1 < x2 <= SPEC.size
            assert 0 <= y1 < y2 <= SPEC.size


def test_detect_writes_what_the_contract_says(series: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.json"
    assert main(["detect", str(series), "--out", str(out), "--model", str(model), "--proposals-too"]) == 0
    report = read(out)
    assert report["model"]["classes"] == ["glioma", "meningioma"]
    assert report["model"]["identity"].split("@")[1]
    assert len(report["images"]) == SPEC.slices
    for image in report["images"]:
        assert image["ms"] > 0
        assert "proposals" in image
        for found in image["detections"]:
            assert found["label"] in report["model"]["classes"]
            assert 0 <= found["score"] <= 1


def test_min_score_leaves_weaker_ones_out(series: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.json"
    words = ["detect", str(series), "--out", str(out), "--model", str(model), "--min-score", "0.9999"]
    assert main(words) == 0
    assert all(d["score"] >= 0.9999 for i in read(out)["images"] for d in i["detections"])


def detections_of(report: Any) -> dict[tuple[int, int], Any]:
    return {(i["slice"], k): d for i in report["images"] for k, d in enumerate(i["detections"])}


def test_detect_links_what_the_bundled_model_finds_in_a_series(series: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.json"
    assert main(["detect", str(series), "--out", str(out), "--min-score", "0.3"]) == 0
    report = read(out)
    found, findings = detections_of(report), report["findings"]
    assert found, "the bundled model finds the phantom's lesions"
    places = [tuple(place) for finding in findings for place in finding["slices"]]
    assert len(set(places)) == len(places)
    assert set(places) <= set(found)
    assert len(findings) < len(found), "some lesion is on several slices"
    for finding in findings:
        slices = [place[0] for place in finding["slices"]]
        assert slices == sorted(set(slices))
        assert finding["score"] == max(found[tuple(place)]["score"] for place in finding["slices"])
        assert finding["label"] in report["model"]["classes"]
        assert (finding["series_uid"], finding["path"]) == (report["images"][0]["series_uid"], None)
        x, y, through = finding["extent_mm"]
        step = 108 / SPEC.slices
        assert 0 < x <= 230
        assert 0 < y <= 230
        assert through == pytest.approx((slices[-1] - slices[0] + 1) * step, rel=0.1)
        assert finding["volume_ml_estimate"] > 0


def test_findings_of_pictures_are_of_one_slice_and_name_it(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.json"
    assert main(["detect", str(pictures / "images"), "--out", str(out)]) == 0
    report = read(out)
    found, paths = detections_of(report), {i["slice"]: i["path"] for i in report["images"]}
    assert report["findings"]
    for finding in report["findings"]:
        ((index, place),) = finding["slices"]
        assert (finding["path"], finding["series_uid"]) == (paths[index], None)
        assert finding["score"] == found[index, place]["score"]
        assert finding["extent_mm"] is None
        assert finding["volume_ml_estimate"] is None


def test_evaluate_writes_figures(pictures: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.json"
    words = ["evaluate", str(pictures), "--model", str(model), "--out", str(out), "--resamples", "20"]
    assert main([*words, "--per-patient"]) == 0
    report = read(out)
    assert {"ap50", "ap50_95", "per_class", "froc", "n_images", "ci95", "per_group"} <= set(report)
    assert report["n_images"] == SPEC.slices
    assert 0 <= report["ap50"] <= 1
    assert main([*words, "--classes", "one"]) == 0
    assert list(read(out)["per_class"]) == ["tumour"]


def test_evaluate_counts_by_lesion_where_the_slices_are_a_series(
    series: Path, pictures: Path, model: Path, tmp_path: Path
) -> None:
    read_series = workspace_with_a_reading(series, tmp_path / "w.overread")
    told = {}
    for name, data in (("series", read_series), ("pictures", pictures)):
        words = ["evaluate", str(data), "--model", str(model), "--classes", "one", "--resamples", "0"]
        assert main([*words, "--out", str(tmp_path / name)]) == 0
        told[name] = read(tmp_path / name)["lesions"]
    counts = {k: told["series"][k] for k in ("n_lesions", "n_series", "n_slices", "n_groups")}
    assert counts == {"n_lesions": 1, "n_series": 1, "n_slices": 2, "n_groups": 1}
    assert told["pictures"] is None


def test_evaluate_compares_two_models(pictures: Path, model: Path, tmp_path: Path) -> None:
    out, copy = tmp_path / "e.json", tmp_path / "copy.safetensors"
    shutil.copy(model, copy)
    words = ["evaluate", str(pictures), "--model", str(model), "--compare-with", str(copy)]
    page = tmp_path / "e.html"
    assert main([*words, "--out", str(out), "--report", str(page), "--resamples", "20"]) == 0
    assert "Compared with copy@" in page.read_text(encoding="utf-8")
    report = read(out)
    assert report["comparison"]["other"].startswith("copy@")
    assert report["comparison"]["ap50"]["model"] == pytest.approx(report["ap50"])
    assert report["comparison"]["sensitivity_at_1"]["difference"] == 0.0
    assert report["comparison"]["ap50"]["ci95"] == [None, None]  # the phantom is one group


def test_models_are_added_promoted_and_rolled_back(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "add", str(model), "--name", "a"]) == 0
    assert main(["models", "add", str(model), "--name", "b"]) == 0
    assert main(["models", "promote", "a"]) == 0
    assert main(["models", "promote", "b"]) == 0
    assert main(["models", "rollback"]) == 0
    current = ModelRegistry(home() / "models").current()
    assert current is not None
    assert current.name == "a"
    capsys.readouterr()
    assert main(["models"]) == 0
    assert "* a" in capsys.readouterr().out
    assert main(["models", "show", "a"]) == 0
    assert "glioma" in capsys.readouterr().out


def test_a_model_cut_short_is_named(
    model: Path, series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(model.read_bytes()[:-100])
    assert main(["models", "add", str(cut)]) == 1
    assert main(["detect", str(series), "--model", str(cut), "--out", str(tmp_path / "d.json")]) == 1
    assert "cut.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "d.json").exists()


@pytest.mark.parametrize("kind", ["coco", "yolo", "voc"])
def test_export_then_import_gives_the_same_boxes(series: Path, tmp_path: Path, kind: str) -> None:
    source = workspace_with_a_reading(series, tmp_path / "a.overread")
    out, target = tmp_path / kind, tmp_path / "b.overread"
    assert main(["export", "--workspace", str(source), "--format", kind, "--out", str(out)]) == 0
    assert main(["import", str(out), "--workspace", str(target), "--slices", str(series)]) == 0
    with Workspace.open(source, reader="r") as a, Workspace.open(target, reader="r") as b:
        before = [(x.slice_key, x.label_id, x.box.as_tuple()) for x in a.annotations.annotations()]
        after = [(x.slice_key, x.label_id, x.box.as_tuple()) for x in b.annotations.annotations()]
    assert [x[:2] for x in after] == [x[:2] for x in before]
    assert np.allclose([x[2] for x in after], [x[2] for x in before], atol=1e-6)
    assert main(["verify", str(target)]) == 0


def test_training_says_how_it_kept_the_parts_apart(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    split = "1 of 4 groups held out whole; 2 near-duplicates of held-out slices left out of training"
    result = TrainResult(tmp_path / "m", ModelCard("m", "", ("a",), {}, "", "", split=split), {})
    monkeypatch.setattr("core.detection.train.train", lambda *_args, **_more: result)
    assert main(["train", str(pictures), "--out", str(tmp_path)]) == 0
    assert f"split: {split}" in " ".join(capsys.readouterr().err.split())


def test_training_on_a_workspace_that_holds_too_little_says_so(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = workspace_with_a_reading(series, tmp_path / "a.overread")
    assert main(["train", str(source), "--out", str(tmp_path / "run")]) == 1
    assert "too few" in capsys.readouterr().err


def test_snapshot_draws_the_slice(series: Path, tmp_path: Path) -> None:
    source = workspace_with_a_reading(series, tmp_path / "a.overread")
    out = tmp_path / "key.png"
    words = ["snapshot", str(series), "--slice", "1", "--out", str(out), "--workspace", str(source)]
    assert main(words) == 0
    picture = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert picture.shape[2] == 3
    coloured = np.abs(picture[..., 0] - picture[..., 2]) > 60
    assert coloured.any(), "the annotation is drawn in its class's colour"
    assert main(["snapshot", str(series), "--slice", "99", "--out", str(out)]) == 1


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["propose"], 2),
        (["propose", "x", "--out"], 2),
        (["propose", "nowhere", "--out", "f.json"], 1),
        (["propose", ".", "--out", "f.json", "--method", "slow"], 2),
        (["evaluate", ".", "--out", "f.json", "--classes", "two"], 2),
        (["train", ".", "--out", "o", "--architecture", "yolo"], 2),
        (["export", "--workspace", "w", "--format", "csv", "--out", "o"], 2),
        (["detect", "nowhere", "--out", "f.json", "--model", "none"], 1),
        (["evaluate", "nowhere", "--model", "none", "--out", "f.json"], 1),
        (["export", "--workspace", "none", "--format", "coco", "--out", "o"], 1),
        (["models", "promote", "none"], 1),
        (["--help"], 0),
        (["train", "--help"], 0),
    ],
)
def test_exit_status(words: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == status
    assert not (tmp_path / "f.json").exists()


def test_a_failure_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "notes.dcm"
    bad.write_text("this is text")
    assert main(["propose", str(tmp_path), "--out", str(tmp_path / "f.json")]) == 1
    assert "notes.dcm" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_named(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "taken"
    file.write_text("a file, not a folder")
    assert main(["train", str(pictures), "--out", str(file / "run"), "--budget-minutes", "0.1"]) == 1
    assert str(file) in capsys.readouterr().err


def test_an_import_goes_under_the_reader_of_the_settings_and_keeps_readings_true(
    series: Path, tmp_path: Path
) -> None:
    source = workspace_with_a_reading(series, tmp_path / "a.overread")
    assert main(["export", "--workspace", str(source), "--format", "coco", "--out", str(tmp_path / "x")]) == 0
    Settings(home() / SETTINGS_FILE).set("reader.name", "Reader Two")
    target = tmp_path / "b.overread"
    with Workspace.open(target, reader="r") as workspace:
        found = scan([series]).series[0]
        workspace.remember(found)
        edit = mark_read(workspace.annotations, [found.slices[0].key], "r")
        assert edit is not None
        workspace.commit(edit)
    assert main(["import", str(tmp_path / "x"), "--workspace", str(target)]) == 0
    with Workspace.open(target, reader="r") as workspace:
        assert workspace.history()[0].reader == "Reader Two"
        record = workspace.annotations.on(found.slices[0].key)
    assert record.reading is not None
    assert record.reading.state is ReadState.FINDINGS


def test_paths_alone_open_the_window(series: Path) -> None:
    asked: list[tuple[list[Path], bool, Path | None]] = []

    def window(paths: Any, demo: bool, workspace: Path | None) -> int:
        asked.append((list(paths), demo, workspace))
        return 0

    assert main([str(series)], open_window=window) == 0
    assert main([], open_window=window) == 0
    assert main(["demo"], open_window=window) == 0
    assert asked == [([series], False, None), ([], False, None), ([], True, None)]
    assert main([str(series)]) == 1, "core alone has no window"


def test_detect_brings_the_neighbours_of_a_series_where_the_model_sees_them(
    series: Path, pictures: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "d.json"
    brought: list[tuple[bool, bool]] = []
    detect_many = RcnnDetector.detect_many

    def watched(
        self: RcnnDetector, requests: Iterable[DetectRequest], *, cancel: CancelToken
    ) -> Iterator[DetectResult]:
        for request in requests:
            before, after = request.beside
            brought.append((before is not None, after is not None))
            yield from detect_many(self, [request], cancel=cancel)

    monkeypatch.setattr(RcnnDetector, "detect_many", watched)
    assert main(["detect", str(series), "--out", str(out), "--model", str(model)]) == 0
    assert set(brought) == {(False, False)}, "this model sees single slices"
    brought.clear()
    monkeypatch.setattr(RcnnDetector, "neighbours", 1)
    assert main(["detect", str(series), "--out", str(out), "--model", str(model)]) == 0
    assert brought == [(False, True), *[(True, True)] * (SPEC.slices - 2), (True, False)]
    brought.clear()
    assert main(["detect", str(pictures / "images"), "--out", str(out), "--model", str(model)]) == 0
    assert brought == [(False, False)] * SPEC.slices


def test_train_takes_neighbours(pictures: Path, tmp_path: Path) -> None:
    words = ["train", str(pictures), "--out", str(tmp_path / "run"), "--epochs", "1", "--width", "0.25"]
    assert main([*words, "--neighbours", "1"]) == 0
    assert read_card(tmp_path / "run" / "model.safetensors").network["inputs"] == 3
    assert main([*words, "--neighbours", "2"]) == 2
