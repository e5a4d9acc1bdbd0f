"""DICOMDIR: the files it lists, in any spelling; what is missing; nothing outside its folder."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from core.errors import UnreadableFile
from core.imaging.base import Container
from core.imaging.catalog import scan
from core.imaging.reader import open_content, open_reader
from tests.core.imaging.files import item, plane, ramp, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def write_dicomdir(path: Path, ids: Sequence[list[str]], **more: object) -> Path:
    """A directory whose image records refer to files by these names."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.1.3.10")
    meta.MediaStorageSOPInstanceUID = UID("1.2.3.9")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.FileSetID = "TEST"
    records = [item(DirectoryRecordType="PATIENT", PatientID="X", RecordInUseFlag=0xFFFF)]
    records += [
        item(DirectoryRecordType="IMAGE", ReferencedFileID=parts, RecordInUseFlag=0xFFFF, **more)
        for parts in ids
    ]
    dataset.DirectoryRecordSequence = records
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def members(path: Path) -> Container:
    """What a DICOMDIR lists."""
    found = open_content(path)
    assert isinstance(found, Container)
    return found


def disc(folder: Path, count: int = 3) -> list[list[str]]:
    """Files of a small disc."""
    (folder / "DICOM" / "ST0").mkdir(parents=True)
    for k in range(count):
        write_dicom(folder / "DICOM" / "ST0" / f"IM{k}", ramp(), **plane(float(k), InstanceNumber=k))
    return [["DICOM", "ST0", f"IM{k}"] for k in range(count)]


def test_lists_its_files_in_order(tmp_path: Path) -> None:
    ids = disc(tmp_path)
    path = write_dicomdir(tmp_path / "DICOMDIR", ids[::-1])
    found = members(path)
    assert [p.name for p in found.members] == ["IM2", "IM1", "IM0"]
    assert found.skipped == ()
    (series,) = scan([path]).series
    assert len(series.slices) == 3
    assert scan([path]).skipped == ()


def test_missing_files_are_named(tmp_path: Path) -> None:
    ids = disc(tmp_path)
    path = write_dicomdir(tmp_path / "DICOMDIR", [*ids, ["DICOM", "ST0", "IM7"], ["GONE", "IM8"]])
    catalog = scan([path])
    assert len(catalog.series[0].slices) == 3
    assert {s.path.relative_to(tmp_path).as_posix(): s.reason for s in catalog.skipped} == {
        "DICOM/ST0/IM7": "listed in the DICOMDIR, but not there",
        "GONE/IM8": "listed in the DICOMDIR, but not there",
    }


def test_a_folder_with_its_dicomdir_is_opened_once(tmp_path: Path) -> None:
    write_dicomdir(tmp_path / "DICOMDIR", disc(tmp_path))
    catalog = scan([tmp_path])
    assert [len(s.slices) for s in catalog.series] == [3]
    assert catalog.skipped == ()


@pytest.mark.parametrize("spelled", [str.lower, lambda name: f"{name};1", lambda name: f"{name}.;1"])
def test_names_as_a_disc_was_copied(tmp_path: Path, spelled: object) -> None:
    assert callable(spelled)
    ids = disc(tmp_path)
    for path in (tmp_path / "DICOM" / "ST0").iterdir():
        path.rename(path.with_name(spelled(path.name)))
    (tmp_path / "DICOM").rename(tmp_path / "dicom")
    found = members(write_dicomdir(tmp_path / "DICOMDIR", ids))
    assert len(found.members) == 3
    assert found.skipped == ()


@pytest.mark.parametrize("parts", [["..", "secret.dcm"], ["DICOM", "..", "..", "secret.dcm"], ["/", "x"]])
def test_nothing_outside_its_folder_is_opened(tmp_path: Path, parts: list[str]) -> None:
    inside = tmp_path / "disc"
    inside.mkdir()
    write_dicom(tmp_path / "secret.dcm", ramp(), **plane(9.0))
    path = write_dicomdir(inside / "DICOMDIR", [*disc(inside), parts])
    found = members(path)
    assert len(found.members) == 3
    assert [s.reason for s in found.skipped] == ["lists a file outside its own folder: not opened"]


def test_a_record_out_of_use_is_passed_over(tmp_path: Path) -> None:
    ids = disc(tmp_path)
    path = write_dicomdir(tmp_path / "DICOMDIR", ids)
    dataset = pydicom.dcmread(path)
    dataset.DirectoryRecordSequence[2].RecordInUseFlag = 0
    dataset.save_as(path)
    assert [p.name for p in members(path).members] == ["IM0", "IM2"]


def test_in_an_archive(tmp_path: Path) -> None:
    ids = disc(tmp_path)
    write_dicomdir(tmp_path / "DICOMDIR", [*ids, ["DICOM", "ST0", "IM9"]])
    with zipfile.ZipFile(tmp_path / "disc.zip", "w") as packed:
        packed.write(tmp_path / "DICOMDIR", "CD/DICOMDIR")
        for parts in ids:
            packed.write(tmp_path.joinpath(*parts), "/".join(["CD", *parts]).lower().replace("cd/", "CD/"))
    catalog = scan([tmp_path / "disc.zip"])
    assert [len(s.slices) for s in catalog.series] == [3]
    assert [s.path.name for s in catalog.skipped] == ["IM9"]


def test_empty_and_cut_short(tmp_path: Path) -> None:
    path = write_dicomdir(tmp_path / "DICOMDIR", [])
    with pytest.raises(UnreadableFile, match="lists no files"):
        open_content(path)
    with pytest.raises(UnreadableFile):
        open_reader(path)
    whole = write_dicomdir(tmp_path / "DICOMDIR", disc(tmp_path)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile):
        open_content(path)


def test_a_real_one_with_all_its_files(tmp_path: Path) -> None:
    real = Path(str(get_testdata_file("DICOMDIR")))
    found = members(real)
    there = [p for p in real.parent.rglob("*") if p.is_file()]
    assert set(found.members) <= set(there)
    assert len(found.members) + len(found.skipped) == 31
