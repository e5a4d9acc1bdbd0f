"""DICOM that is not an image: said what it is, and kept with what it refers to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import UID

from core.imaging.base import OtherObject
from core.imaging.catalog import scan
from core.imaging.reader import open_reader
from tests.core.imaging.files import dicom, item, plane, ramp, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "dicom"
MR = "1.2.840.10008.5.1.4.1.1.4"


def write_object(path: Path, sop_class: str, *, pixels: bool = False, **attributes: Any) -> Path:
    """A DICOM object of another kind."""
    dataset = dicom(ramp(), SOPClassUID=sop_class, **attributes)
    dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    if not pixels:
        del dataset.PixelData, dataset.Rows, dataset.Columns
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("sop_class", "kind", "pixels"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.34", "structured report", False),
        ("1.2.840.10008.5.1.4.1.1.88.59", "key object selection", False),
        ("1.2.840.10008.5.1.4.1.1.66.4", "segmentation", True),
        ("1.2.840.10008.5.1.4.1.1.11.1", "presentation state", False),
        ("1.2.840.10008.5.1.4.1.1.104.1", "encapsulated PDF", False),
        ("1.2.840.10008.5.1.4.1.1.104.2", "encapsulated CDA report", False),
        ("1.2.840.10008.5.1.4.1.1.67", "real world value map", False),
        ("1.2.840.10008.5.1.4.1.1.66", "raw data", False),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RT Structure Set", False),
    ],
)
def test_is_named_listed_and_kept(tmp_path: Path, sop_class: str, kind: str, pixels: bool) -> None:
    path = write_object(tmp_path / "a.dcm", sop_class, pixels=pixels)
    with pytest.raises(OtherObject, match=f"DICOM {kind}, not an image"):
        open_reader(path)
    catalog = scan([tmp_path])
    (found,) = catalog.objects
    assert (found.path, found.sop_class, found.kind) == (path, sop_class, kind)
    assert (found.series_uid, found.study_uid) == ("1.2.3.4", "1.2.3")
    assert found.sop_uid == str(pydicom.dcmread(path).SOPInstanceUID)
    assert [s.reason for s in catalog.skipped] == [f"DICOM {kind}, not an image"]


def test_says_what_it_refers_to_at_any_depth(tmp_path: Path) -> None:
    def image(uid: str) -> pydicom.Dataset:
        return item(ReferencedSOPClassUID=MR, ReferencedSOPInstanceUID=uid)

    study = item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID="1.9")
    path = write_object(
        tmp_path / "sr.dcm",
        "1.2.840.10008.5.1.4.1.1.88.34",
        ReferencedStudySequence=[study],  # the study is no file
        ContentSequence=[
            item(ContentSequence=[item(ReferencedSOPSequence=[image("1.1"), image("1.2")])]),
            item(ReferencedSOPSequence=[image("1.1")]),
        ],
    )
    with pytest.raises(OtherObject, match="refers to 2 instances") as caught:
        open_reader(path)
    assert caught.value.object.refers_to == ("1.1", "1.2")


def test_a_dose_map_with_pixels_is_an_image(tmp_path: Path) -> None:
    path = write_object(tmp_path / "a.dcm", "1.2.840.10008.5.1.4.1.1.481.2", pixels=True)
    assert len(open_reader(path).slices()) == 1


def test_an_image_without_pixels_is_not_an_object(tmp_path: Path) -> None:
    write_object(tmp_path / "a.dcm", MR)
    catalog = scan([tmp_path])
    assert catalog.objects == ()
    assert [s.reason for s in catalog.skipped] == ["DICOM without pixel data"]


def test_a_report_without_preamble(tmp_path: Path) -> None:
    path = write_object(tmp_path / "a.dcm", "1.2.840.10008.5.1.4.1.1.88.34")
    dataset = pydicom.dcmread(path)
    bare = pydicom.Dataset()
    bare.update(dataset)
    bare.save_as(tmp_path / "bare", implicit_vr=True, little_endian=True, enforce_file_format=False)
    with pytest.raises(OtherObject, match="structured report"):
        open_reader(tmp_path / "bare")


@pytest.mark.data
def test_real_reports_and_segmentations_know_their_images() -> None:
    if not SHARED.exists():
        pytest.skip("../shared/data/dicom is not there")
    objects = scan([SHARED / "highdicom"]).objects
    assert {o.kind for o in objects} >= {"structured report", "segmentation"}
    assert all(o.refers_to for o in objects if o.kind == "segmentation")


def test_beside_images_in_one_folder(tmp_path: Path) -> None:
    write_dicom(tmp_path / "image.dcm", ramp(), **plane(0.0))
    write_object(tmp_path / "sr.dcm", "1.2.840.10008.5.1.4.1.1.88.34")
    catalog = scan([tmp_path])
    assert len(catalog.series) == 1
    assert [o.kind for o in catalog.objects] == ["structured report"]
