"""The tag tree: nested, private named, bounded, never stopped by a bad value, and searchable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from core.imaging.dicom_tags import MAX_ROWS, read_tags
from core.imaging.reader import open_reader
from core.imaging.tags import MAX_TEXT, TagRow, TagTree, matching, walk_rows
from tests.core.imaging.files import dicom, item, plane, ramp, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def tags(path: Path, frame: int = 0) -> TagTree:
    return read_tags(open_reader(path).slices()[frame])


def row(tree: TagTree, tag: str) -> TagRow:
    (found,) = [r for r in walk_rows(tree.rows) if r.tag == tag]
    return found


def named(rows: tuple[TagRow, ...]) -> list[str]:
    return [r.name for r in walk_rows(rows) if r.tag]


def test_values_names_and_kinds(tmp_path: Path) -> None:
    tree = tags(write_dicom(tmp_path / "a", ramp(), **plane(7, ProtocolName="t1 mprage")))
    assert (row(tree, "0018,1030").name, row(tree, "0018,1030").vr) == ("Protocol Name", "LO")
    assert row(tree, "0018,1030").value == "t1 mprage"
    assert row(tree, "0020,0032").value == "0.0 \\ 0.0 \\ 7.0"
    assert row(tree, "0008,0016").value == "1.2.840.10008.5.1.4.1.1.4  (MR Image Storage)"
    assert row(tree, "0002,0010").value.endswith("(Explicit VR Little Endian)")
    assert not any(r.tag == "7FE0,0010" for r in walk_rows(tree.rows)), "no pixels"
    assert tree.note == ""


def test_what_was_understood_comes_first(tmp_path: Path) -> None:
    tree = tags(write_dicom(tmp_path / "a", ramp(), **plane(7, WindowCenter=[40], WindowWidth=[80])))
    told = {r.name: r.value for r in tree.rows[0].children}
    assert tree.rows[0].name == "As Overread reads it"
    assert told["Position of the first pixel (LPS mm)"] == "0  0  7"
    assert told["Pixel spacing (row, column; mm)"] == "0.5  0.25"
    assert told["Window file 1"].startswith("C 40  W 80")


def test_private_elements_are_marked_and_named_by_their_creator(tmp_path: Path) -> None:
    dataset = dicom(ramp())
    known = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    known.add_new(0x0C, "IS", "1000")
    own = dataset.private_block(0x0021, "ACME", create=True)
    own.add_new(0x01, "LO", "secret sauce")
    dataset.save_as(tmp_path / "a", enforce_file_format=True)
    tree = tags(tmp_path / "a")
    assert row(tree, "0019,100C").private
    assert row(tree, "0019,100C").name == "B_value (SIEMENS MR HEADER)"
    assert row(tree, "0021,1001").name == "Private (ACME)"
    assert row(tree, "0021,0010").name == "Private creator"
    assert not row(tree, "0010,0010" if "PatientName" in dataset else "0008,0060").private
    found = [r.tag for r in walk_rows(matching(tree.rows, "private")) if r.tag]
    assert found == ["0019,0010", "0019,100C", "0021,0010", "0021,1001"]


def test_sequences_are_nested(tmp_path: Path) -> None:
    inner = item(CodeValue="T-A0100", CodeMeaning="Brain")
    outer = [item(AnatomicRegionModifierSequence=[inner], CodeMeaning="Head"), item(CodeMeaning="Neck")]
    tree = tags(write_dicom(tmp_path / "a", ramp(), AnatomicRegionSequence=outer))
    sequence = row(tree, "0008,2218")
    assert sequence.value == "2 items"
    assert [c.name for c in sequence.children] == ["Item 1 of 2", "Item 2 of 2"]
    found = matching(tree.rows, "code meaning brain")
    assert named(found) == [
        "Anatomic Region Sequence",
        "Anatomic Region Modifier Sequence",
        "Code Meaning",
    ], "what is found, and what it lies in"


def test_of_the_frames_only_that_of_the_slice(tmp_path: Path) -> None:
    groups = [
        item(FrameContentSequence=[item(FrameComments=f"frame {i}", DimensionIndexValues=[i])])
        for i in range(5)
    ]
    path = write_dicom(tmp_path / "a", np.stack([ramp()] * 5), PerFrameFunctionalGroupsSequence=groups)
    tree = tags(path, 3)
    assert row(tree, "5200,9230").value == "5 items; that of this slice is shown"
    assert [c.name for c in row(tree, "5200,9230").children] == ["Item 4 of 5"]
    assert row(tree, "0020,9158").value == "frame 3"


def test_long_values_are_cut_and_binary_ones_measured(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "a",
        ramp(),
        ImageComments="x" * 5000,
        AdditionalPatientHistory="a\nb\x07c",
        EncapsulatedDocument=bytes(range(200, 256)) * 4,
        SimpleFrameList=list(range(1, 500)),
    )
    tree = tags(path)
    assert len(row(tree, "0020,4000").value) < MAX_TEXT + 40
    assert row(tree, "0020,4000").value.endswith("characters)")
    assert row(tree, "0010,21B0").value == "a b c"
    assert row(tree, "0042,0011").value.startswith("224 bytes: c8 c9")
    assert row(tree, "0008,1161").value.endswith("(499 values)")
    assert all(len(r.value) < 2 * MAX_TEXT for r in walk_rows(tree.rows))


def test_a_bad_value_hides_nothing_else(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a", ramp(), ProtocolName="here", SequenceName="four")
    # Four bytes: no whole number of doubles.
    path.write_bytes(path.read_bytes().replace(b"SH\x04\x00four", b"FD\x04\x00four"))
    tree = tags(path)
    assert row(tree, "0018,0024").value == "(cannot be parsed)"
    assert row(tree, "0018,1030").value == "here"


def test_too_many_rows_are_cut_short_and_said(tmp_path: Path) -> None:
    def items(count: int) -> list[Dataset]:
        return [item(CodeValue=str(i), CodeMeaning="m", CodingSchemeDesignator="99") for i in range(count)]

    inner = [item(ConceptCodeSequence=items(190)) for _ in range(150)]
    tree = tags(write_dicom(tmp_path / "a", ramp(), ContentSequence=inner, ProtocolName="p"))
    assert f"Cut short after {MAX_ROWS} rows." in tree.note
    assert tree.count < MAX_ROWS + 100


def test_many_items_are_cut_by_themselves(tmp_path: Path) -> None:
    tree = tags(write_dicom(tmp_path / "a", ramp(), ContentSequence=[item(CodeValue="1")] * 300))
    assert row(tree, "0040,A730").value == "300 items; the first 200 are shown"
    assert len(row(tree, "0040,A730").children) == 200


def test_a_picture_and_a_file_that_is_gone_say_so(tmp_path: Path) -> None:
    Image.fromarray(ramp()).save(tmp_path / "a.png")
    picture = tags(tmp_path / "a.png")
    assert picture.note == "This file is not DICOM: it has no tags."
    assert [r.name for r in picture.rows] == ["As Overread reads it"]
    path = write_dicom(tmp_path / "b", ramp())
    (ref,) = open_reader(path).slices()
    path.unlink()
    assert read_tags(ref).note == "The tags cannot be read: does not exist (any more)."


@pytest.mark.parametrize(
    "query", ["0018,1030", "(0018,1030)", "00181030", "protocolname", "PROTOCOL name", "mprage lo"]
)
def test_ways_to_find_a_tag(tmp_path: Path, query: str) -> None:
    tree = tags(write_dicom(tmp_path / "a", ramp(), ProtocolName="t1 mprage"))
    assert named(matching(tree.rows, query)) == ["Protocol Name"]
    assert matching(tree.rows, "  ") == tree.rows
    assert matching(tree.rows, "nowhere") == ()
