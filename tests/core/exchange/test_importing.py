"""Labels of other programs onto open slices; hostile and broken files."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.edits import AnnotationSet
from core.errors import ExchangeError, InputError, OverreadError, UnreadableFile
from core.exchange.importing import import_annotations, import_edit
from core.model import Box, OriginKind, SliceRef
from core.store.schemas import default_schema
from tests.core.exchange.builders import box_row, image, write_coco, write_image
from tests.core.strategies import SCHEMA, slice_ref

SCHEMA_4 = default_schema()


def voc(name: str = "1.png", edges: str = "1 1 10 10", extra: str = "", size: str = "80 64") -> str:
    xmin, ymin, xmax, ymax = edges.split()
    width, height = size.split()
    return (
        f"<annotation><filename>{name}</filename>{extra}"
        f"<size><width>{width}</width><height>{height}</height><depth>1</depth></size>"
        f"<object><name>glioma</name><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
        f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object></annotation>"
    )


def yolo(folder: Path, label: str = "0 0.5 0.5 0.5 0.5", stem: str = "1") -> Path:
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    (folder / "data.yaml").write_text("train: images\nnames: [glioma, cyst]\n")
    (folder / "labels" / f"{stem}.txt").write_text(label)
    return folder


def coco_at(path: Path, *names: str, **more: object) -> Path:
    images = [image(i, name, **more) for i, name in enumerate(names)]
    return write_coco(path / "labels.json", images, [box_row(i + 1, i) for i in range(len(names))])


def test_a_coco_file_of_another_program(tmp_path: Path) -> None:
    refs = [slice_ref(f"k{i}", f"/data/{i}.png") for i in range(3)]
    path = write_coco(
        tmp_path / "instances.json",
        [image(1, "0.png"), image(2, "1.png"), image(3, "elsewhere.png"), image(4, "2.png")],
        [box_row(0, 1), box_row(1, 1, (0.5, 0, 79.5, 64), 9), box_row(2, 3), box_row(3, 4, (70, 60, 99, 99))],
    )
    result = import_annotations(path, None, SCHEMA_4, refs)
    assert {k: [(a.box, a.label_id) for a in v] for k, v in result.annotations.items()} == {
        "k0": [(Box(10, 20, 40, 60), 2), (Box(0.5, 0, 80, 64), 5)],
        "k2": [(Box(70, 60, 80, 64), 2)],
    }
    assert result.negatives == ("k1",)
    assert [(u.name, u.reason) for u in result.unmatched] == [
        ("elsewhere.png", "no slice has that file name")
    ]
    assert [(c.id, c.name) for c in result.new_classes] == [(5, "cyst")]
    (first, _) = result.annotations["k0"]
    assert (first.origin.kind, first.origin.source) == (OriginKind.IMPORTED, "instances.json")
    text = result.to_text()
    assert "3 boxes on 2 slices; 1 slices without a finding." in text
    assert "New classes: cyst." in text
    assert "elsewhere.png: no slice has that file name" in text
    with pytest.raises(ExchangeError, match="'cyst' must be added"):
        import_edit(result, SCHEMA_4, AnnotationSet(), "r")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("b/1.png", "b1", id="its folder decides"),
        pytest.param("other/b\\1.png", "b1", id="backslashes are folders too"),
        pytest.param("1.png", "2 slices have that file name and size", id="ambiguous"),
        pytest.param("c/1.png", "2 slices have that file name and size", id="a folder that does not fit"),
    ],
)
def test_the_same_name_in_two_folders(tmp_path: Path, name: str, expected: str) -> None:
    refs = [slice_ref("a1", "/data/a/1.png"), slice_ref("b1", "/data/b/1.png")]
    result = import_annotations(coco_at(tmp_path, name), "coco", SCHEMA_4, refs)
    assert [*result.annotations, *(u.reason for u in result.unmatched)] == [expected]


def test_a_name_fits_only_with_the_size(tmp_path: Path) -> None:
    refs = [slice_ref("small", "/a/1.png", rows=32, columns=40), slice_ref("right", "/b/1.png")]
    path = coco_at(tmp_path, "1.png")
    assert list(import_annotations(path, None, SCHEMA_4, refs).annotations) == ["right"]
    (unmatched,) = import_annotations(path, None, SCHEMA_4, refs[:1]).unmatched
    assert unmatched.reason == "its labels are for 80 × 64 pixels, the slice has 40 × 32"


def test_frames_are_told_apart(tmp_path: Path) -> None:
    refs = [slice_ref(f"f{i}", "/a/multi.dcm", frame=i) for i in range(3)]
    result = import_annotations(coco_at(tmp_path, "multi.dcm", frame=2), None, SCHEMA_4, refs)
    assert list(result.annotations) == ["f2"]


def test_two_entries_for_one_slice_are_not_merged(tmp_path: Path) -> None:
    result = import_annotations(
        coco_at(tmp_path, "1.png", "x/1.png"), None, SCHEMA_4, [slice_ref("k", "/a/1.png")]
    )
    assert len(result.annotations["k"]) == 1
    assert "another entry" in result.unmatched[0].reason


def test_yolo_takes_the_size_from_the_image_or_the_slice(tmp_path: Path) -> None:
    tree = yolo(tmp_path / "set")
    refs = [slice_ref("right", "/a/1.dcm"), slice_ref("other", "/b/1.dcm", rows=10, columns=10)]
    (unmatched,) = import_annotations(tree, None, SCHEMA_4, refs).unmatched
    assert unmatched.reason == "2 slices have that file name and size", "nothing tells them apart"
    write_image(tree / "images" / "1.png", 80, 64)
    result = import_annotations(tree, None, SCHEMA_4, refs)
    assert [(k, a[0].box) for k, a in result.annotations.items()] == [("right", Box(20, 16, 60, 48))]


def test_yolo_without_its_names_is_refused(tmp_path: Path) -> None:
    (yolo(tmp_path) / "data.yaml").unlink()
    with pytest.raises(InputError, match=r"mean nothing without their data\.yaml"):
        import_annotations(tmp_path, "yolo", SCHEMA_4, [])


def test_an_outline_counts_as_its_box(tmp_path: Path) -> None:
    tree = yolo(tmp_path, "1 0.25 0.25 0.75 0.5 0.5 0.75\n")
    result = import_annotations(tree, None, SCHEMA_4, [slice_ref("k", "/a/1.png")])
    assert result.annotations["k"][0].box == Box(20, 16, 60, 48)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("2 0.5 0.5 0.1 0.1", "class 2 is not among the 2", id="unknown class"),
        pytest.param("-1 0.5 0.5 0.1 0.1", "class -1", id="negative class"),
        pytest.param("0 0.5 0.5 0.1 0.1 0.93", "a 6th is a score", id="a prediction"),
        pytest.param("0 50 50 10 10", "fractions of the image", id="pixels"),
        pytest.param("0 nan 0.5 0.1 0.1", "fractions", id="nan"),
        pytest.param("0 0.5 0.5 0 0.1", "fractions", id="no area"),
        pytest.param("0 a b c d", "could not convert", id="words"),
    ],
)
def test_a_yolo_file_that_is_not_understood_is_left_out_whole(
    tmp_path: Path, line: str, problem: str
) -> None:
    tree = yolo(tmp_path, f"0 0.5 0.5 0.5 0.5\n{line}\n")
    result = import_annotations(tree, None, SCHEMA_4, [slice_ref("k", "/a/1.png")])
    assert (dict(result.annotations), result.negatives) == ({}, ())
    assert problem in result.notes[0]
    assert "line 2" in result.notes[0]


def voc_result(tmp_path: Path, text: str, refs: list[SliceRef], **more: str) -> tuple[list[Box], str]:
    (tmp_path / "1.xml").write_text(text)
    result = import_annotations(tmp_path, "voc", SCHEMA_4, refs, **more)
    boxes = [a.box for found in result.annotations.values() for a in found]
    return boxes, " ".join((*result.notes, *(u.reason for u in result.unmatched)))


@pytest.mark.parametrize(
    ("convention", "box"), [("exclusive0", Box(1, 1, 10, 10)), ("inclusive1", Box(0, 0, 10, 10))]
)
def test_the_voc_convention_is_a_choice(tmp_path: Path, convention: str, box: Box) -> None:
    refs = [slice_ref("k", "/a/1.png")]
    boxes, said = voc_result(tmp_path, voc(), refs, voc_convention=convention)
    assert boxes == [box]
    assert ("taken as 0-based" in said) == (convention == "exclusive0"), "what was assumed is said"


def test_an_edge_of_0_is_not_1_based(tmp_path: Path) -> None:
    refs = [slice_ref("k", "/a/1.png")]
    _, said = voc_result(tmp_path, voc(edges="0 1 10 10"), refs, voc_convention="inclusive1")
    assert "1 files hold an xmin or ymin of 0" in said
    with pytest.raises(InputError, match="VOC convention"):
        voc_result(tmp_path, voc(), refs, voc_convention="mine")


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<annotation><filename>&b;</filename></annotation>"
)
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    "<annotation><filename>&a;</filename></annotation>"
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(BOMB, "not XML that is safe", id="entity bomb"),
        pytest.param(EXTERNAL, "not XML that is safe", id="external entity"),
        pytest.param("<annotation>", "not XML that is safe", id="cut short"),
        pytest.param("", "not XML that is safe", id="empty"),
        pytest.param("<html/>", "begins with <html>", id="something else"),
        pytest.param(voc(edges="1 1 x 10"), "object 1 has no bndbox", id="no number"),
        pytest.param(voc(edges="1 1 inf 10"), "no finite bndbox", id="infinite"),
        pytest.param(voc(size="9 9"), "labels are for 9 × 9", id="another size"),
    ],
)
def test_a_bad_voc_file_costs_a_line_of_the_report(tmp_path: Path, text: str, problem: str) -> None:
    boxes, said = voc_result(tmp_path, text, [slice_ref("k", "/a/1.png")])
    assert boxes == []
    assert problem in said


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        pytest.param(box_row(1, 1, category=77), "lacks a bbox or a listed category", id="unknown class"),
        pytest.param(box_row(1, 1, (1, 2, 3)), "lacks a bbox", id="three numbers"),
        pytest.param(box_row(1, 1, (1, 2, 0, 5)), "without area", id="no width"),
        pytest.param(box_row(1, 1, None), "lacks a bbox", id="no bbox"),
        pytest.param(box_row(1, 1, iscrowd=1), "crowd", id="crowd"),
        pytest.param(box_row(1, 99), "not listed have annotations", id="unknown image"),
    ],
)
def test_an_image_with_an_annotation_that_is_not_understood(
    tmp_path: Path, row: dict[str, object], problem: str
) -> None:
    path = write_coco(tmp_path / "a.json", [image(1, "1.png")], [row])
    result = import_annotations(path, None, SCHEMA_4, [slice_ref("k", "/a/1.png")])
    assert not result.annotations
    assert problem in " ".join(result.notes)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"[1, 2]", "no JSON object", id="a list"),
        pytest.param(b'{"images": [], "annotations": {}}', "no list 'annotations'", id="wrong shape"),
        pytest.param(
            b'{"images": [], "annotations": [], "categories": [{}]}', "lacks its id", id="bad category"
        ),
        pytest.param(b"\xff\xfe\x00", "not text", id="not text"),
        pytest.param(b"[" * 200_000, "nested too deeply|is not JSON", id="a deep nest"),
    ],
)
def test_a_file_that_is_not_coco_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=problem) as caught:
        import_annotations(path, None, SCHEMA_4, [])
    assert caught.value.path == path


def test_a_file_too_large_to_be_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(600 << 20)  # takes no room on the disk
    with pytest.raises(UnreadableFile, match="600 MB is more than a label file holds"):
        import_annotations(path, None, SCHEMA_4, [])


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_nothing_to_import(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"{name}: (no labels here|there is no such)"):
        import_annotations(tmp_path / name, None, SCHEMA_4, [])
    with pytest.raises(InputError, match="'csv': not one of"):
        import_annotations(tmp_path / "empty", "csv", SCHEMA_4, [])


@pytest.mark.parametrize(
    "manifest", ["{", '{"overread": 1}', '{"overread": 99}', '{"overread": 1, "slices": 3}']
)
def test_a_damaged_manifest_is_named(tmp_path: Path, manifest: str) -> None:
    write_coco(tmp_path / "annotations.json", [image(1, "1.png")], [])
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(OverreadError, match=r"manifest\.json"):
        import_annotations(tmp_path, None, SCHEMA_4, [])


def test_a_manifest_of_another_program_is_passed_over(tmp_path: Path) -> None:
    write_coco(tmp_path / "annotations.json", [image(1, "1.png")], [box_row(1, 1)])
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    assert list(import_annotations(tmp_path, None, SCHEMA_4, [slice_ref("k", "/a/1.png")]).annotations) == [
        "k"
    ]


def test_a_second_import_adds_only_what_is_new(tmp_path: Path) -> None:
    refs = [slice_ref("k", "/a/1.png")]
    rows = [box_row(1, 1), box_row(2, 1, (0, 0, 5, 5)), box_row(3, 1, (0, 0, 5, 5))]
    first = import_annotations(
        write_coco(tmp_path / "a.json", [image(1, "1.png")], rows[:2]), None, SCHEMA_4, refs
    )
    edit = import_edit(first, SCHEMA_4, AnnotationSet(), "r")
    assert edit is not None
    there, _ = edit.apply(AnnotationSet())
    second = import_annotations(
        write_coco(tmp_path / "b.json", [image(1, "1.png")], rows), None, SCHEMA_4, refs
    )
    more = import_edit(second, SCHEMA_4, there, "r")
    assert more is not None
    assert [a.box for a in more.apply(there)[0].annotations()] == [
        Box(10, 20, 40, 60),
        Box(0, 0, 5, 5),
        Box(0, 0, 5, 5),
    ]


def test_a_class_that_was_taken_away_meanwhile(tmp_path: Path) -> None:
    result = import_annotations(coco_at(tmp_path, "1.png"), None, SCHEMA_4, [slice_ref("k", "/a/1.png")])
    with pytest.raises(ExchangeError, match="no longer in the label schema"):
        import_edit(result, SCHEMA, AnnotationSet(), "r")
