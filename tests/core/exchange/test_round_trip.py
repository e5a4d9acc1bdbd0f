"""Export and import of every format gives the same boxes."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.edits import AnnotationSet
from core.exchange.coco import read_coco
from core.exchange.datasets import load_dataset
from core.exchange.export import TOLERANCE, export_dataset
from core.exchange.importing import ImportResult, import_annotations, import_edit
from core.exchange.records import pixel_boxes
from core.exchange.voc import read_voc, rounded
from core.exchange.yolo import relative
from core.imaging.reader import open_reader
from core.model import Box, Dataset, LabelledBox, LabelledSlice, LabelSchema
from tests.core.exchange.builders import FORMATS, dataset, datasets, no_pixels, one_slice, write_image
from tests.core.strategies import SCHEMA, boxes


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def exported(given_set: Dataset, kind: str, scratch: Path) -> Path:
    out = scratch / kind
    shutil.rmtree(out, ignore_errors=True)
    report = export_dataset(given_set, kind, out, images="reference", load=no_pixels)
    assert (report.slices, report.unread) == (len(given_set.slices), 5)
    assert report.max_error <= TOLERANCE
    assert [p.name for p in scratch.iterdir() if p.name.startswith(".")] == [], "nothing is left beside it"
    return out


def assert_same(result: ImportResult, given_set: Dataset, schema: LabelSchema) -> None:
    for one in given_set.slices:
        found = result.annotations.get(one.ref.key, ())
        assert [schema.name_of(a.label_id) for a in found] == [SCHEMA.name_of(b.label_id) for b in one.boxes]
        for a, b in zip(found, one.boxes, strict=True):
            assert a.box.as_tuple() == pytest.approx(b.box.as_tuple(), abs=1e-6, rel=0)
            assert a.attributes == b.attributes
        assert (one.ref.key in result.negatives) == (not one.boxes)


@pytest.mark.parametrize("kind", FORMATS)
def test_export_then_import_gives_the_same_boxes(kind: str, scratch: Path) -> None:
    @settings(max_examples=40, deadline=None)
    @given(datasets())
    def law(given_set: Dataset) -> None:
        refs = [s.ref for s in given_set.slices]
        result = import_annotations(exported(given_set, kind, scratch), kind, SCHEMA, refs)
        assert_same(result, given_set, SCHEMA)
        assert (result.unmatched, result.new_classes, result.notes) == ((), (), ())

    law()


@pytest.mark.parametrize("kind", FORMATS)
def test_an_import_is_one_edit_that_one_undo_takes_back(kind: str, scratch: Path) -> None:
    given_set = dataset(one_slice(Box(0, 0, 1, 1), Box(0.25, 1 / 3, 80, 64)))
    out = exported(given_set, kind, scratch)
    result = import_annotations(out, None, SCHEMA, [given_set.slices[0].ref])
    edit = import_edit(result, SCHEMA, AnnotationSet(), "anna")
    assert edit is not None
    assert edit.action == "import"
    after, inverse = edit.apply(AnnotationSet())
    assert {a.author for a in after.annotations()} == {"anna"}
    assert {a.origin.source for a in after.annotations()} == {kind}
    assert inverse.apply(after)[0] == AnnotationSet()
    assert import_edit(result, SCHEMA, after, "anna") is None, "what is there already is not doubled"


@pytest.mark.parametrize("kind", FORMATS)
def test_classes_are_matched_by_name(kind: str, scratch: Path) -> None:
    """Into a workspace with other ids, and with a class missing."""
    slices = tuple(LabelledBox(Box(i, 0, i + 5, 9), c.id) for i, c in enumerate(SCHEMA.classes))
    given_set = dataset(LabelledSlice(one_slice().ref, slices, "g"))
    theirs = LabelSchema("theirs", ()).with_class("x, y", label_id=1).with_class("tumour", label_id=12)
    result = import_annotations(exported(given_set, kind, scratch), None, theirs, [given_set.slices[0].ref])
    assert [(c.id, c.name) for c in result.new_classes] == [(13, "gliome à 3 ans")]
    assert_same(result, given_set, theirs.with_class("gliome à 3 ans"))
    # Someone else took the id meanwhile: the name decides.
    later = theirs.with_class("meanwhile").with_class("gliome à 3 ans")
    edit = import_edit(result, later, AnnotationSet(), "r")
    assert edit is not None
    found = [a.label_id for a in edit.apply(AnnotationSet())[0].annotations()]
    assert [later.name_of(i) for i in found] == ["tumour", "gliome à 3 ans", "x, y"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("with_manifest", [True, False])
def test_a_copied_export_is_a_dataset_of_its_own(kind: str, with_manifest: bool, tmp_path: Path) -> None:
    """Loaded again, with and without what only our manifest knows."""
    one, two = (write_image(tmp_path / f"{n}.png", 80 + n, 64, seed=n) for n in range(2))
    refs = [open_reader(p).slices()[0] for p in (one, two)]
    given_set = dataset(
        LabelledSlice(refs[0], (LabelledBox(Box(1, 2, 30, 40), 7),), "g", (Box(3, 3, 9, 9),)),
        LabelledSlice(refs[1], (), "g"),
    )
    out = tmp_path / "out"
    export_dataset(given_set, kind, out, images="copy", load=lambda ref: open_reader(ref.path).pixels(0))
    if not with_manifest:
        (out / "manifest.json").unlink()
    loaded = load_dataset(out)
    by_size = {s.ref.columns: s for s in loaded.slices}
    assert sorted(by_size) == [80, 81]
    (box,) = by_size[80].boxes
    assert box.box.as_tuple() == pytest.approx((1, 2, 30, 40), abs=1e-6, rel=0)
    assert loaded.schema.name_of(box.label_id) == "x, y"
    assert by_size[81].boxes == ()
    for ref in (s.ref for s in loaded.slices):
        assert ref.path.parent.parent == out
        original = refs[ref.columns - 80].path
        assert (open_reader(ref.path).pixels(0) == open_reader(original).pixels(0)).all()
    if with_manifest:
        assert {s.group for s in loaded.slices} == {"g"}
        assert loaded.grouped_by == "patient"
        assert by_size[80].hard_negatives == (Box(3, 3, 9, 9),)
        assert loaded.schema.classes == SCHEMA.classes


@pytest.mark.parametrize("kind", FORMATS)
def test_a_reference_export_finds_its_files(kind: str, tmp_path: Path) -> None:
    ref = open_reader(write_image(tmp_path / "somewhere" / "1.png")).slices()[0]
    given_set = dataset(LabelledSlice(ref, (LabelledBox(Box(1, 2, 30, 40), 3),), "g"))
    export_dataset(given_set, kind, tmp_path / "out", images="reference", load=no_pixels)
    loaded = load_dataset(tmp_path / "out")
    assert [s.ref for s in loaded.slices] == [ref]
    (box,) = loaded.slices[0].boxes
    assert box.box.as_tuple() == pytest.approx((1, 2, 30, 40), abs=1e-6, rel=0)
    assert box.label_id == 3


@given(boxes(4096, 4096))
def test_yolo_numbers_stay_inside_and_lose_less_than_a_millionth_pixel(box: Box) -> None:
    cx, cy, w, h = map(float, relative(box, 4096, 4096))
    edges = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    assert all(0 <= e <= 1 for e in edges)
    assert [e * 4096 for e in edges] == pytest.approx(box.as_tuple(), abs=1e-6, rel=0)


@given(st.integers(1, 4096), st.data())
def test_yolo_boxes_up_to_the_edge_are_accepted_by_strict_validators(width: int, data: st.DataObject) -> None:
    low = data.draw(st.floats(0, width - 1e-3))
    cx, _, w, _ = map(float, relative(Box(low, 0, width, 1), width, 1))
    assert cx + w / 2 <= 1
    assert cx - w / 2 >= 0


@given(boxes())
def test_voc_covers_the_box_and_less_than_a_pixel_more(box: Box) -> None:
    xmin, ymin, xmax, ymax = rounded(box)
    assert 0 <= box.x1 - (xmin - 1) < 1
    assert 0 <= box.y1 - (ymin - 1) < 1
    assert 0 <= xmax - box.x2 < 1
    assert 0 <= ymax - box.y2 < 1
    assert 1 <= xmin <= xmax <= 512
    assert 1 <= ymin <= ymax <= 384


def test_voc_of_whole_pixels_is_the_textbook_one() -> None:
    assert rounded(Box(0, 0, 1, 1)) == (1, 1, 1, 1)
    assert rounded(Box(0, 0, 512, 384)) == (1, 1, 512, 384)


def test_a_voc_box_that_another_program_has_moved_is_believed(scratch: Path) -> None:
    out = exported(dataset(one_slice(Box(10.5, 20.5, 30.5, 40.5))), "voc", scratch)
    (file,) = (out / "Annotations").glob("*.xml")
    (record,) = read_voc(out).records
    assert [b for b, _ in pixel_boxes(record, 80, 64)] == [Box(10.5, 20.5, 30.5, 40.5)]
    file.write_text(file.read_text().replace("<xmax>31</xmax>", "<xmax>50</xmax>"))
    (record,) = read_voc(out).records
    assert [b for b, _ in pixel_boxes(record, 80, 64)] == [Box(10, 20, 50, 41)]
    result = import_annotations(out, None, SCHEMA, [one_slice().ref])
    assert result.notes == ("1 label files were changed after the export.",)


def test_coco_keeps_the_schemas_ids_and_counts_annotations_from_1(scratch: Path) -> None:
    found = (LabelledBox(Box(0, 0, 2, 2), 7), LabelledBox(Box(1, 1, 3, 3), 3))
    out = exported(dataset(LabelledSlice(one_slice().ref, found, "g")), "coco", scratch)
    tree = json.loads((out / "annotations.json").read_text())
    assert [(a["id"], a["category_id"], a["bbox"]) for a in tree["annotations"]] == [
        (1, 7, [0, 0, 2, 2]), (2, 3, [1, 1, 2, 2]),
    ]  # fmt: skip
    assert [(c["id"], c["name"]) for c in tree["categories"]] == [(c.id, c.name) for c in SCHEMA.classes]
    assert [c.id for c in read_coco(out / "annotations.json").classes] == [1, 3, 7]


def test_yolo_counts_classes_from_0_and_names_them(scratch: Path) -> None:
    found = (LabelledBox(Box(0, 0, 40, 32), 7),)
    out = exported(dataset(LabelledSlice(one_slice().ref, found, "g")), "yolo", scratch)
    (file,) = (out / "labels").glob("*.txt")
    assert [float(v) for v in file.read_text().split()] == [2, 0.25, 0.25, 0.5, 0.5]
    assert '  2: "x, y"' in (out / "data.yaml").read_text()
    manifest = json.loads((out / "manifest.json").read_text())
    assert [c["id"] for c in manifest["schema"]["classes"]] == [1, 3, 7]
