"""What an export writes, and that it is whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.edits import create, mark_read, reject
from core.errors import Cancelled, ExchangeError, InputError, UnreadableFile, VerificationFailed
from core.exchange.datasets import from_workspace
from core.exchange.export import export_dataset
from core.exchange.pixels import read_png, to_storable, write_png
from core.imaging.reader import open_reader
from core.jobs import CancelToken
from core.model import Box, Detection, LabelledBox, LabelledSlice, Series, SliceRef
from core.store.workspace import Workspace
from tests.core.exchange.builders import FORMATS, dataset, no_pixels, one_slice
from tests.core.strategies import annotation, slice_ref


def flat(ref: SliceRef) -> NDArray[np.float32]:
    return np.zeros((ref.rows, ref.columns), np.float32)


def assert_nothing_left(folder: Path) -> None:
    assert list(folder.iterdir()) == []


def test_only_read_slices_are_exported_and_the_rest_is_counted(tmp_path: Path) -> None:
    refs = tuple(slice_ref(f"dicom:{i}#0", tmp_path / f"{i}.dcm") for i in range(5))
    with Workspace.open(tmp_path / "w.overread", reader="r") as workspace:
        workspace.remember(Series("series", "study", "MR", "", refs, is_stack=True))
        workspace.commit(create(annotation(refs[0].key, name="a")))
        workspace.commit(create(annotation(refs[3].key, name="unread")))
        workspace.commit(
            reject(Detection(Box(1, 1, 9, 9), 2, "glioma", 0.7), refs[1].key, "m@1", "r", "vessel")
        )
        marks = mark_read(workspace.annotations, ["dicom:0#0", "dicom:1#0", "dicom:gone#0"], "r")
        assert marks is not None
        workspace.commit(marks)
        workspace.commit(create(annotation(refs[1].key, name="after reading")))
        found = from_workspace(workspace)
    assert [s.ref for s in found.slices] == list(refs[:2])
    assert [len(s.boxes) for s in found.slices] == [1, 1]
    assert found.slices[1].hard_negatives == (Box(1, 1, 9, 9),)
    assert (found.info["unread"], found.grouped_by) == ("3", "study")
    assert found.notes == (
        "1 boxes were left out: their slices are not marked as read.",
        "1 slices were read as 'no finding' but hold boxes; the boxes count.",
        "1 read slices were left out: where their files are is not known.",
    )
    report = export_dataset(found, "coco", tmp_path / "out", images="reference", load=no_pixels)
    assert (report.slices, report.boxes, report.negatives, report.unread) == (2, 2, 0, 3)
    assert "3 unread slices were left out." in report.to_text()
    assert "tumour 2" in report.to_text()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_read_slice_without_boxes_is_an_explicit_negative(kind: str, tmp_path: Path) -> None:
    report = export_dataset(dataset(one_slice()), kind, tmp_path / "out", images="reference", load=no_pixels)
    assert (report.slices, report.negatives, report.boxes) == (1, 1, 0)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"] == {
        "slices": 1, "boxes": 0, "negatives": 1, "unread_left_out": 5,
        "per_class": {"tumour": 0, "gliome à 3 ans": 0, "x, y": 0},
    }  # fmt: skip
    if kind == "yolo":
        (file,) = (tmp_path / "out" / "labels").iterdir()
        assert file.read_bytes() == b""


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_in_a_copy_names_the_file_it_came_from(kind: str, tmp_path: Path) -> None:
    one = one_slice(Box(1, 1, 5, 5), path="/hospital/Mueller_Hans/scan.png")
    export_dataset(dataset(one), kind, tmp_path / "out", images="copy", load=flat)
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert len(files) >= 4 - (kind == "coco")
    for file in files:
        assert "Mueller" not in str(file)
        assert b"Mueller" not in file.read_bytes()


@pytest.mark.parametrize(
    ("pixels", "eight_bit", "dtype", "exact"),
    [
        pytest.param([[0, 255]], True, np.uint8, True, id="8 bits stay 8"),
        pytest.param([[0, 255]], False, np.uint16, True, id="a series is 16 bits throughout"),
        pytest.param([[0, 65535]], True, np.uint16, True, id="16 bits"),
        pytest.param([[-1024, 3071]], False, np.uint16, True, id="below zero"),
        pytest.param([[70000, 70001]], False, np.uint16, True, id="far from zero"),
        pytest.param([[0.25, 1234.5]], False, np.uint16, False, id="fractions"),
        pytest.param([[-1e9, 1e9]], False, np.uint16, False, id="wide"),
        pytest.param([[7.5, 7.5]], False, np.uint16, True, id="all equal"),
        pytest.param([[np.nan, 5.0]], False, np.uint16, False, id="not a number"),
    ],
)
def test_pixels_are_kept_or_the_mapping_back_is(
    pixels: list[list[float]], eight_bit: bool, dtype: type, exact: bool, tmp_path: Path
) -> None:
    values = np.array(pixels, np.float64)
    stored, scale = to_storable(values, eight_bit=eight_bit)
    write_png(tmp_path / "a.png", stored)
    back = read_png(tmp_path / "a.png")
    assert stored.dtype == back.dtype == dtype
    # What our own reader of images sees is what was stored.
    np.testing.assert_array_equal(open_reader(tmp_path / "a.png").pixels(0), stored)
    restored = back * scale.slope + scale.intercept
    good = np.isfinite(values)
    step = 0 if exact else np.ptp(values[good]) / 65535
    np.testing.assert_allclose(restored[good], values[good], rtol=0, atol=step / 2 + 1e-9)


@given(st.lists(st.floats(-1e5, 1e5, width=32), min_size=1, max_size=6))
def test_any_pixels_come_back_within_half_a_step(values: list[float]) -> None:
    array = np.array([values])
    stored, scale = to_storable(array, eight_bit=False)
    step = max(np.ptp(array) / 65535, 1e-9)
    np.testing.assert_allclose(stored * scale.slope + scale.intercept, array, rtol=0, atol=step)


def test_what_is_needed_to_use_a_copy_is_in_the_manifest(tmp_path: Path) -> None:
    one = one_slice(Box(1, 1, 5, 5))
    report = export_dataset(
        dataset(one), "voc", tmp_path / "out", images="copy", load=lambda ref: flat(ref) - 1000
    )
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    (said,) = manifest["slices"]
    assert said["key"] == "raster:1#0"
    assert said["group"] == "g"
    assert said["pixels"] == {"slope": 1.0, "intercept": -1000.0}
    assert (report.folder / said["image"]).is_file()
    assert set(manifest["files"]) == {f"{said['record']}.xml", "ImageSets/Main/default.txt"}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_in_use_is_left_alone(kind: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for target in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(InputError, match="is in use already"):
            export_dataset(dataset(one_slice()), kind, target, images="reference", load=no_pixels)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert (
        export_dataset(dataset(one_slice()), kind, tmp_path / "empty", images="copy", load=flat).slices == 1
    )


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    token = CancelToken()

    def load(ref: SliceRef) -> NDArray[np.float32]:
        token.cancel()
        return flat(ref)

    with pytest.raises(Cancelled):
        export_dataset(dataset(one_slice()), "coco", tmp_path / "out", images="copy", load=load, cancel=token)
    assert_nothing_left(tmp_path)


def test_a_slice_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    def load(ref: SliceRef) -> NDArray[np.float32]:
        raise UnreadableFile(ref.path, "does not exist (any more)")

    with pytest.raises(UnreadableFile, match=r"1\.dcm"):
        export_dataset(dataset(one_slice()), "coco", tmp_path / "out", images="copy", load=load)
    assert_nothing_left(tmp_path)


def test_pixels_of_another_size_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed, match=r"1\.dcm: has \(3, 3\) pixels"):
        export_dataset(
            dataset(one_slice()),
            "coco",
            tmp_path / "out",
            images="copy",
            load=lambda _: np.zeros((3, 3), np.float32),
        )
    assert_nothing_left(tmp_path)


def test_a_box_too_thin_for_the_format_is_noticed_when_read_back(tmp_path: Path) -> None:
    thin = one_slice(Box(50, 10, np.nextafter(50, 51), 20))
    with pytest.raises(VerificationFailed, match=r"1\.dcm: 1 boxes were written, and other ones read back"):
        export_dataset(dataset(thin), "yolo", tmp_path / "out", images="reference", load=no_pixels)
    assert_nothing_left(tmp_path)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="this system has no file-size limits")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 65536, (64, 80)).astype(np.float32)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(
            ExchangeError, match=r"out: not exported \(File too large\). Nothing was left there"
        ):
            export_dataset(
                dataset(one_slice()), "coco", tmp_path / "out", images="copy", load=lambda _: noise
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert_nothing_left(tmp_path)


def test_boxes_are_cut_to_the_slice_and_it_is_said(tmp_path: Path) -> None:
    over = one_slice(Box(-5, -5, 10, 10), Box(1, 1, 2, 2))
    report = export_dataset(dataset(over), "yolo", tmp_path / "out", images="reference", load=no_pixels)
    assert report.notes == ("1 boxes reached outside of their slice and were cut.",)
    with pytest.raises(ExchangeError, match="lies outside of its slice"):
        export_dataset(
            dataset(one_slice(Box(100, 1, 120, 9))),
            "yolo",
            tmp_path / "b",
            images="reference",
            load=no_pixels,
        )


def test_a_class_that_is_not_in_the_schema(tmp_path: Path) -> None:
    one = LabelledSlice(one_slice().ref, (LabelledBox(Box(0, 0, 1, 1), 99),), "g")
    with pytest.raises(ExchangeError, match="class 99, which the label schema lacks"):
        export_dataset(dataset(one), "coco", tmp_path / "out", images="reference", load=no_pixels)


def test_nothing_read_is_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no slice has been read"):
        export_dataset(dataset(), "coco", tmp_path / "out", images="reference", load=no_pixels)


@pytest.mark.parametrize(("kind", "images"), [("csv", "copy"), ("coco", "links")])
def test_unknown_choices_are_refused(kind: str, images: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not one of"):
        export_dataset(dataset(one_slice()), kind, tmp_path / "out", images=images, load=no_pixels)
