"""The readers on real files: order, per-frame rescale, encodings, and everything that is broken."""

from __future__ import annotations

import csv
import gzip
import struct
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from core.errors import UnreadableFile
from core.imaging.catalog import scan
from core.imaging.pixels import PixelCache
from core.imaging.reader import open_reader

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore::UserWarning:pydicom")]


def nifti(path: Path) -> NDArray[np.float64]:
    """Voxels of a NIfTI-1 file, (x, y, z), as stored. Little endian, int16 or float32: enough for these."""
    data = gzip.decompress(path.read_bytes())
    shape = struct.unpack("<8h", data[40:56])[1:4]
    kind = {4: "<i2", 16: "<f4", 512: "<u2", 8: "<i4", 64: "<f8", 2: "u1"}[
        struct.unpack("<h", data[70:72])[0]
    ]
    offset = int(struct.unpack("<f", data[108:112])[0])
    slope, intercept = struct.unpack("<2f", data[112:120])
    voxels = (
        np.frombuffer(data, kind, int(np.prod(shape)), offset).reshape(shape, order="F").astype(np.float64)
    )
    return voxels * slope + intercept if slope and np.isfinite(slope) else voxels


@pytest.mark.parametrize("name", ["01-pre", "02-post"])
def test_slice_k_is_the_kth_by_position(data_dir: Path, name: str) -> None:
    truth = nifti(data_dir / "progression" / name / "t1.nii.gz")
    (series,) = scan([data_dir / "progression-dicom" / name]).series
    cache = PixelCache(1 << 28)
    assert len(series.slices) == truth.shape[2]
    for k, ref in enumerate(series.slices):
        assert np.allclose(cache.get(ref), truth[:, :, k].T, atol=0.51), k


def test_a_shuffled_study_is_scanned_whole(data_dir: Path) -> None:
    catalog = scan([data_dir / "progression-dicom"])
    assert [len(s.slices) for s in catalog.series] == [24] * 12
    assert catalog.skipped == ()
    for series in catalog.series:
        heights = [r.geometry.position[2] for r in series.slices if r.geometry]
        assert heights == sorted(heights)
        assert series.notes == ("derived: not the scanner's own pixels",)
    assert len({r.patient for s in catalog.series for r in s.slices}) == 6


def test_interleaved_acquisition(data_dir: Path) -> None:
    (series,) = scan([data_dir / "dicom" / "nih_ge"]).series
    assert [r.instance_number for r in series.slices][:9] == [1, 16, 31, 2, 17, 32, 3, 18, 33]


def test_each_frame_has_its_own_rescale(data_dir: Path) -> None:
    path = data_dir / "dicom/dcm_qa_enh/In/Philips/IM_0027_fMAP.dcm"
    raw = pydicom.dcmread(path)
    stored = raw.pixel_array
    reader = open_reader(path)
    pairs = set()
    for i, group in enumerate(raw.PerFrameFunctionalGroupsSequence):
        transform = group.PixelValueTransformationSequence[0]
        slope, intercept = float(transform.RescaleSlope), float(transform.RescaleIntercept)
        pairs.add((slope, intercept))
        expected = (stored[i].astype(np.float64) * slope + intercept).astype(np.float32)
        assert np.array_equal(reader.pixels(i), expected)
    assert len(pairs) == 2
    catalog = scan([path])  # magnitude and field map lie at the same positions: two series
    assert [len(s.slices) for s in catalog.series] == [32, 32]


def test_lossless_jpeg_that_wraps(data_dir: Path) -> None:
    path = data_dir / "dicom" / "jpegll_modulo_wrap_8bit.dcm"
    truth = np.load(path.with_suffix(".npy"), allow_pickle=False)
    assert np.array_equal(open_reader(path).pixels(0), truth.reshape(truth.shape[-2:]).astype(np.float32))


def last_slice(path: Path) -> NDArray[np.float32] | UnreadableFile:
    """Pixels of the last slice, or why there are none."""
    try:
        reader = open_reader(path)
        return reader.pixels(len(reader.slices()) - 1)
    except UnreadableFile as error:
        return error


def test_every_sound_image_opens(data_dir: Path) -> None:
    root = data_dir / "dicom"
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if not r["file"].startswith("malformed")]
    refused: dict[str, str] = {}
    opened = 0
    for row in rows:
        path = root / row["file"]
        try:
            open_reader(path).pixels(0)
            opened += 1
        except UnreadableFile as error:
            refused[path.name] = error.reason
    wrong = {n: r for n, r in refused.items() if "not an image" not in r and "without pixel data" not in r}
    assert set(wrong) == {"DICOMDIR"}  # a list of files, no image itself
    assert opened >= 160


def test_broken_files_cost_a_row_each_and_nothing_more(data_dir: Path) -> None:
    folder = data_dir / "dicom" / "malformed"
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    for path in paths:
        start = time.perf_counter()
        outcome = last_slice(path)
        if isinstance(outcome, UnreadableFile):
            assert outcome.path == path
            assert outcome.reason
            assert "FUZZ" not in outcome.reason  # the files' own patient names
        else:
            assert np.isfinite(outcome).all()
        assert time.perf_counter() - start < 20, path.name
    catalog = scan([folder])
    listed = {r.path for s in catalog.series for r in s.slices} | {s.path for s in catalog.skipped}
    assert listed == set(paths)
