from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.edits import check, create, mark_read
from core.errors import InputError, UnreadableFile
from core.exchange.datasets import dataset_splits, from_workspace, load_dataset
from core.exchange.records import inside
from core.imaging.reader import open_reader
from core.model import Box, Series
from core.store.workspace import Workspace
from tests.core.exchange.builders import box_row, image, write_coco, write_image
from tests.core.strategies import annotation


def yolo_tree(folder: Path, data: str = "train: train/images\nval: valid/images\nnames: [a, b]\n") -> Path:
    for split, stems in (("train", ("00054_1", "00054_2", "00055_1", "x (2)")), ("valid", ("v1",))):
        for i, stem in enumerate(stems):
            write_image(folder / split / "images" / f"{stem}.png", seed=i if split == "train" else 99)
            label = folder / split / "labels" / f"{stem}.txt"
            label.parent.mkdir(exist_ok=True)
            label.write_text("" if i == 1 else f"{i % 2} 0.5 0.5 0.5 0.5\n")
    (folder / "data.yaml").write_text(data)
    return folder


def test_coco_with_blocks(tmp_path: Path) -> None:
    for n in range(3):
        write_image(tmp_path / "images" / f"{n}.png", seed=n)
    write_coco(
        tmp_path / "annotations.json",
        [image(n, f"{n}.png", block=n // 2) for n in range(3)],
        [box_row(1, 0), box_row(2, 0, (1, 1, 5, 5), 9)],
    )
    for path in (tmp_path, tmp_path / "annotations.json"):
        found = load_dataset(path)
        assert [(c.id, c.name) for c in found.schema.classes] == [(4, "glioma"), (9, "cyst")]
        assert [[(b.box, b.label_id) for b in s.boxes] for s in found.slices] == [
            [(Box(10, 20, 40, 60), 4), (Box(1, 1, 6, 6), 9)], [], [],
        ]  # fmt: skip
        groups = [s.group for s in found.slices]
        assert groups[0] == groups[1] != groups[2]
        assert (found.grouped_by, found.notes, found.name) == ("block", (), tmp_path.name)
        assert found.slices[1].ref == open_reader(tmp_path / "images" / "1.png").slices()[0]


def test_parts_in_folders(tmp_path: Path) -> None:
    for n, part in enumerate(("train", "valid")):
        write_image(tmp_path / part / "images" / "1.png", seed=n)
        write_coco(tmp_path / part / "annotations.json", [image(1, "1.png", block=0)], [])
    assert dataset_splits(tmp_path) == ("train", "val")
    assert [load_dataset(tmp_path, split=s).name for s in ("train", "val")] == [
        f"{tmp_path.name}/train", f"{tmp_path.name}/valid",
    ]  # fmt: skip
    both = load_dataset(tmp_path, split="all")
    assert len({s.group for s in both.slices}) == 2, "block 0 of one part is not block 0 of the other"
    with pytest.raises(InputError, match="no split 'test'"):
        load_dataset(tmp_path, split="test")


def test_yolo_grouped_by_patient(tmp_path: Path) -> None:
    tree = yolo_tree(tmp_path)
    found = load_dataset(tree)
    assert dataset_splits(tree) == ("train", "val")
    assert [(s.ref.path.stem, s.group, len(s.boxes)) for s in found.slices[:3]] == [
        ("00054_1", "00054", 1), ("00054_2", "00054", 0), ("00055_1", "00055", 1),
    ]  # fmt: skip
    assert found.slices[0].boxes[0].box == Box(20, 16, 60, 48)
    assert [(c.id, c.name) for c in found.schema.classes] == [(1, "a"), (2, "b")]
    assert found.grouped_by == "patient"
    assert found.notes == ("1 of 4 slices are grouped by file, not by patient.",)
    assert load_dataset(tree, split="val").grouped_by == "file"
    assert len(load_dataset(tree / "data.yaml", split="all").slices) == 5


def test_the_folder_of_one_split(tmp_path: Path) -> None:
    tree = yolo_tree(tmp_path)
    for part in (tree / "valid", tree / "valid" / "images"):
        assert [s.ref.path.stem for s in load_dataset(part).slices] == ["v1"]
        assert dataset_splits(part) == ()


def test_yolo_with_the_split_below_images(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("path: ../elsewhere\ntrain: images/train\nnames: {0: a}\n")
    write_image(tmp_path / "images" / "train" / "1.png")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "1.txt").write_text("0 0.5 0.5 1 1")
    assert len(load_dataset(tmp_path).slices) == 1
    assert len(load_dataset(tmp_path / "images" / "train").slices) == 1


def test_roboflows_names_are_understood(tmp_path: Path) -> None:
    tree = yolo_tree(tmp_path, "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['a', 'b']\n")
    assert len(load_dataset(tree).slices) == 4


def test_an_image_without_a_label_file_is_unread_not_empty(tmp_path: Path) -> None:
    tree = yolo_tree(tmp_path)
    (tree / "train" / "labels" / "x (2).txt").unlink()
    found = load_dataset(tree)
    assert len(found.slices) == 3
    assert "1 images have no label file: they count as unread." in found.notes


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(
            "train: ../../outside\nnames: [a]\n", "leads out of the dataset", id="out of the folder"
        ),
        pytest.param("train: /etc\nnames: [a]\n", "leads out of the dataset", id="absolute"),
        pytest.param("train: train.txt\nnames: [a]\n", "lists of images are not read", id="a list"),
        pytest.param("train: train/images\n", "names no classes", id="no names"),
    ],
)
def test_a_data_yaml_that_cannot_be_followed(tmp_path: Path, data: str, problem: str) -> None:
    with pytest.raises(UnreadableFile, match=problem):
        load_dataset(yolo_tree(tmp_path / "set", data))


def test_what_cannot_be_used_costs_a_note(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "good.png")
    write_image(tmp_path / "images" / "small.png", 10, 10)
    (tmp_path / "images" / "text.png").write_text("not a picture")
    (tmp_path / "images" / "empty.png").touch()
    names = ("good.png", "small.png", "text.png", "empty.png", "gone.png")
    images = [image(i, name) for i, name in enumerate(names)] + [image(9, "good.png", frame=3), {"id": 10}]
    write_coco(tmp_path / "annotations.json", images, [box_row(1, 0), box_row(2, 0, (500, 500, 5, 5))])
    found = load_dataset(tmp_path)
    assert [s.ref.path.name for s in found.slices] == ["good.png"]
    said = "\n".join(found.notes)
    for expected in (
        "small.png was left out: its labels are for 80 × 64 pixels, the image has 10 × 10",
        "text.png was left out",
        "empty.png was left out: empty file",
        "gone.png was left out: its image was not found",
        "good.png was left out: its image has no frame 3",
        "Image 10 was left out: it lacks file_name, width or height",
        "good.png: 1 boxes lie outside of the slice",
    ):
        assert expected in said


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("a/b.png", True), ("./a.png", True), ("a/../b.png", True), ("a\\b.png", True), ("..a.png", True),
        ("../a.png", False), ("a/../../b.png", False), ("..\\a.png", False), ("/etc/passwd", False),
        ("C:\\a.png", False), ("\\\\server\\a.png", False), ("", False),
    ],
)  # fmt: skip
def test_names_stay_inside(name: str, allowed: bool) -> None:
    assert (inside(Path("/set"), name) is not None) is allowed


@pytest.mark.parametrize("name", ["../secret.png", "{folder}/secret.png"])
@pytest.mark.parametrize("references", [False, True])
def test_names_that_lead_out_are_followed_only_where_the_file_says_they_are_references(
    tmp_path: Path, name: str, references: bool
) -> None:
    write_image(tmp_path / "secret.png")
    info = {"info": {"images": "reference"}} if references else {}
    path = tmp_path / "set" / "annotations.json"
    write_coco(path, [image(1, name.format(folder=tmp_path))], [], **info)
    found = load_dataset(path)
    assert len(found.slices) == int(references)
    assert any("lead out of the dataset's folder" in note for note in found.notes) is not references


def test_a_copied_exports_manifest_leads_nowhere_else(tmp_path: Path) -> None:
    """Whoever writes into the manifest of a copy cannot make it read other files."""
    write_image(tmp_path / "secret.png")
    folder = tmp_path / "set"
    write_coco(folder / "annotations.json", [image(1, "1.png")], [])
    write_image(folder / "images" / "1.png")
    said = {"record": "1.png#0", "key": "k", "image": "../secret.png", "frame": 0, "width": 80, "height": 64}
    tree = {
        "overread": 1, "format": "coco", "images": "copy", "grouped_by": "file", "files": {},
        "schema": {"name": "s", "classes": []}, "slices": [said],
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(tree))
    assert load_dataset(folder).slices == ()


def test_a_workspace_is_a_dataset(tmp_path: Path) -> None:
    ref = open_reader(write_image(tmp_path / "1.png")).slices()[0]
    with Workspace.open(tmp_path, reader="r") as workspace:
        workspace.remember(Series(ref.series_uid, "", "", "f", (ref,), is_stack=False))
        workspace.commit(create(annotation(ref.key, label_id=3)))
        edit = mark_read(workspace.annotations, [ref.key], "r")
        assert edit is not None
        workspace.commit(edit)
    for path in (tmp_path, tmp_path / "workspace.overread"):
        found = load_dataset(path)
        assert [(s.ref, [b.label_id for b in s.boxes]) for s in found.slices] == [(ref, [3])]


def test_row_30_unchecked_boxes_are_no_truth_and_removed_classes_keep_their_names(tmp_path: Path) -> None:
    refs = [open_reader(write_image(tmp_path / f"{i}.png", seed=i)).slices()[0] for i in range(2)]
    with Workspace.open(tmp_path, reader="r") as workspace:
        workspace.remember(refs)
        kept = replace(annotation(refs[0].key, label_id=3), attributes=(("certainty", 4),))
        waiting = replace(annotation(refs[1].key, name="b"), checked=False)
        for made in (kept, waiting):
            workspace.commit(create(made))
        read = mark_read(workspace.annotations, [r.key for r in refs], "r")
        assert read is not None
        workspace.commit(read)
        book = workspace.schemas
        workspace.change_schemas(book.changed(book.own(book.active).without_class(3)), "remove meningioma")
        found = from_workspace(workspace)
        assert [(s.ref.key, s.boxes[0].attributes) for s in found.slices] == [
            (refs[0].key, (("certainty", 4),))
        ]
        assert [c.name for c in found.schema.classes][-1] == "meningioma"
        assert "1 slices were left out: they hold computed boxes that nobody has checked." in found.notes
        workspace.commit(check([waiting], "r"))
        assert len(from_workspace(workspace).slices) == 2


@pytest.mark.parametrize("name", ["nothing", "nothing.overread", "empty"])
def test_no_dataset_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=name):
        load_dataset(tmp_path / name)


@pytest.mark.data
@pytest.mark.parametrize(
    ("part", "split", "slices", "boxes", "groups", "grouped_by"),
    [
        # 120 patients, and 318 files without a number, two of which are copies of others.
        ("btod", "train", 878, 925, 120 + 318 - 2, "patient"),
        ("btod", "val", 223, 241, 223, "file"),
        ("cheng", "val", 400, 400, 10, "block"),
    ],
)
def test_the_public_sets(
    data_dir: Path, part: str, split: str, slices: int, boxes: int, groups: int, grouped_by: str
) -> None:
    found = load_dataset(data_dir / part, split=split)
    assert (len(found.slices), sum(len(s.boxes) for s in found.slices)) == (slices, boxes)
    assert (len({s.group for s in found.slices}), found.grouped_by) == (groups, grouped_by)
