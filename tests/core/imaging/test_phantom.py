"""The phantom: deterministic, its boxes true, its files valid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import InputError
from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import LABELS, Phantom, PhantomSpec, make_phantom, write_phantom_png

SMALL = PhantomSpec(size=96, slices=12, lesions=3, seed=5)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(SMALL)


def test_the_same_spec_gives_the_same_phantom(phantom: Phantom) -> None:
    again = make_phantom(SMALL)
    assert np.array_equal(again.volume, phantom.volume)
    assert again.boxes == phantom.boxes


def test_another_seed_gives_another_phantom(phantom: Phantom) -> None:
    other = make_phantom(PhantomSpec(size=96, slices=12, lesions=3, seed=6))
    assert not np.array_equal(other.volume, phantom.volume)
    assert other.boxes != phantom.boxes


@settings(max_examples=8, deadline=None)
@given(
    size=st.integers(64, 128),
    slices=st.integers(1, 10),
    lesions=st.integers(0, 3),
    seed=st.integers(0, 10_000),
)
def test_any_size_and_count(size: int, slices: int, lesions: int, seed: int) -> None:
    phantom = make_phantom(PhantomSpec(size, slices, lesions, seed))
    assert phantom.volume.shape == (slices, size, size)
    assert phantom.volume.dtype == np.float32
    assert np.array_equal(phantom.volume, np.rint(phantom.volume))
    assert {b.lesion for b in phantom.boxes} == set(range(lesions))
    for b in phantom.boxes:
        assert b.label in LABELS
        assert 0 <= b.slice < slices
        assert b.box.clipped(size, size) == b.box
        assert min(b.box.width, b.box.height) >= 3


def test_a_lesion_is_brighter_than_the_brain_it_replaces() -> None:
    # Same seed with and without lesions: noise apart, only the lesions and their surroundings differ.
    with_lesions = make_phantom(PhantomSpec(size=128, slices=12, lesions=2, seed=3, noise=0.0))
    for b in with_lesions.boxes:
        pixels = with_lesions.volume[b.slice]
        inside = pixels[int(b.box.y1) : int(b.box.y2), int(b.box.x1) : int(b.box.x2)]
        brain = np.median(pixels[pixels > 200])
        assert np.percentile(inside, 90) > 1.25 * brain, b


def test_background_is_rician_not_clipped_gaussian() -> None:
    phantom = make_phantom(PhantomSpec(size=64, slices=1, lesions=0, noise=0.05))
    corner = phantom.volume[0, :8, :8]
    sigma = 0.05 * 520.0
    # The magnitude of complex noise has mean sigma * sqrt(pi / 2).
    assert corner.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.25)


@pytest.mark.parametrize("field", ["size", "slices", "lesions", "noise", "bias"])
def test_a_value_out_of_range_is_named(field: str) -> None:
    with pytest.raises(ValueError, match=f"phantom {field}=-1"):
        PhantomSpec(**{field: -1})


def test_more_lesions_than_fit_is_said() -> None:
    with pytest.raises(InputError, match="lesions=32"):
        make_phantom(PhantomSpec(size=32, slices=1, lesions=32))


def test_dicom_series_is_valid_and_shuffled(phantom: Phantom, tmp_path: Path) -> None:
    paths = write_phantom_dicom(phantom, tmp_path / "series")
    datasets = [pydicom.dcmread(p) for p in paths]
    assert [d.pixel_array.astype(np.float32).tolist() for d in datasets] == phantom.volume.tolist()
    heights = [float(d.ImagePositionPatient[2]) for d in datasets]
    assert heights == sorted(heights)
    assert [d.InstanceNumber for d in datasets] != sorted(d.InstanceNumber for d in datasets)
    assert [p.name for p in paths] != sorted(p.name for p in paths)
    first = datasets[0]
    assert first.file_meta.TransferSyntaxUID.name == "Explicit VR Little Endian"
    assert first.SOPClassUID.name == "MR Image Storage"
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert str(first.PatientID).startswith("PHANTOM-")
    assert len({d.SOPInstanceUID for d in datasets}) == len(datasets)
    assert len({d.SeriesInstanceUID for d in datasets}) == 1
    # PS3.3 C.8.3.1: attributes that an MR image must carry, type 1 with a value and type 2 present.
    for name in ("ImageType", "ScanningSequence", "SequenceVariant", "MRAcquisitionType", "EchoTrainLength"):
        assert first.get(name) not in (None, ""), name
    for name in ("ScanOptions", "EchoTime", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName"):
        assert name in first, name


def test_dicom_can_be_written_in_order(phantom: Phantom, tmp_path: Path) -> None:
    paths = write_phantom_dicom(phantom, tmp_path, shuffled=False)
    assert paths == sorted(paths)
    assert [pydicom.dcmread(p).InstanceNumber for p in paths] == list(range(1, len(paths) + 1))


def test_png_dataset_carries_pixels_and_truth(phantom: Phantom, tmp_path: Path) -> None:
    paths = write_phantom_png(phantom, tmp_path)
    for path, expected in zip(paths, phantom.volume, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)).astype(np.float32), expected)
    coco = json.loads((tmp_path / "annotations.json").read_text(encoding="utf-8"))
    by_image = {i["id"]: i["file_name"] for i in coco["images"]}
    names = {c["id"]: c["name"] for c in coco["categories"]}
    read = {
        (by_image[a["image_id"]], names[a["category_id"]], tuple(a["bbox"]), a["lesion"])
        for a in coco["annotations"]
    }
    assert read == {
        (paths[b.slice].name, b.label, (b.box.x1, b.box.y1, b.box.width, b.box.height), b.lesion)
        for b in phantom.boxes
    }
    assert all(a["id"] >= 1 for a in coco["annotations"])
