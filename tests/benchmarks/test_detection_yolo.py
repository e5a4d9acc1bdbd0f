"""What the peer is given and what it leaves; the library itself is not needed here."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.detection_learn import Learning
from benchmarks.detection_learn_child import OURS, PEER, read_spec, write_spec
from benchmarks.detection_runs import Bench
from benchmarks.detection_yolo import EPOCHS_FILE, Epoch, read_bgr, read_epochs, sampled, write_tree
from core.model import Box, Dataset, LabelClass, LabelledBox, LabelledSlice, LabelSchema, SliceRef

TWO = LabelSchema("two", (LabelClass(4, "negative"), LabelClass(9, "positive")))


def dataset(folder: Path, name: str, *boxes: LabelledBox) -> Dataset:
    """One picture of 40 × 20 with boxes."""
    path = folder / name
    cv2.imwrite(str(path), np.full((20, 40), 7, dtype=np.uint8))
    ref = SliceRef(name, path, 0, 20, 40, "")
    return Dataset("some", TWO, (LabelledSlice(ref, boxes, name),))


def test_the_tree_holds_links_and_relative_boxes(tmp_path: Path) -> None:
    train = dataset(
        tmp_path, "a (1).jpg", LabelledBox(Box(10, 5, 30, 15), 9), LabelledBox(Box(0, 0, 4, 2), 4)
    )
    held = dataset(tmp_path, "b.jpg")
    tree = write_tree(train, held, tmp_path / "tree", one_class=False)
    assert (tree / "labels" / "train" / "a (1).txt").read_text() == (
        "1 0.500000 0.500000 0.500000 0.500000\n0 0.050000 0.050000 0.100000 0.100000\n"
    )
    assert (tree / "labels" / "val" / "b.txt").read_text() == ""
    link = tree / "images" / "train" / "a (1).jpg"
    assert link.is_symlink()
    assert read_bgr(link).shape == (20, 40, 3)
    assert "names:\n  0: negative\n  1: positive\n" in (tree / "data.yaml").read_text()


def test_one_class_is_written_as_the_first(tmp_path: Path) -> None:
    train = dataset(tmp_path, "a.jpg", LabelledBox(Box(10, 5, 30, 15), 9))
    tree = write_tree(train, train, tmp_path / "tree", one_class=True)
    assert (tree / "labels" / "train" / "a.txt").read_text().startswith("0 ")
    assert (tree / "data.yaml").read_text().endswith("names:\n  0: tumour\n")


def test_a_picture_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jpg: cannot be read"):
        read_bgr(tmp_path / "none.jpg")


def test_epochs_are_read_as_they_were_kept(tmp_path: Path) -> None:
    assert read_epochs(tmp_path) == []
    rows = [{"minutes": 1.5, "weights": "epoch-001.safetensors", "fitness": 0.25}]
    (tmp_path / EPOCHS_FILE).write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert read_epochs(tmp_path) == [Epoch(1.5, tmp_path / "epoch-001.safetensors", 0.25)]


def test_a_sample_of_epochs_is_even_in_minutes_and_has_the_last() -> None:
    epochs = [Epoch(float(k), Path(str(k)), 0.0) for k in range(1, 41)]
    found = [e.minutes for e in sampled(epochs, 4)]
    assert found == [10.0, 20.0, 30.0, 40.0]
    assert sampled(epochs[:2], 12) == epochs[:2]
    assert sampled([], 12) == []


def test_a_side_is_named_by_what_it_depends_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tmp_path / "work")
    plain, wide = Learning(), Learning(config=("width=0.75",))
    longer, larger = Learning(minutes=9.0), Learning(config=("image_size=320",))

    def folder(asked: Learning, side: str) -> str:
        return asked.spec(side, bench).folder.name

    assert folder(plain, OURS) != folder(wide, OURS)
    assert folder(plain, PEER) == folder(wide, PEER)  # our width is none of the peer's business
    assert len({folder(asked, PEER) for asked in (plain, longer, larger)}) == 3
    elsewhere = Bench(tmp_path / "other", tmp_path / "there")
    assert plain.spec(PEER, elsewhere).folder.name == folder(plain, PEER)


def test_a_spec_is_read_as_it_was_written(tmp_path: Path) -> None:
    spec = Learning(config=("width=0.75",), together=True).spec(OURS, Bench(tmp_path, tmp_path))
    assert read_spec(write_spec(spec)) == spec
    assert spec.threads == 1
    assert not spec.done
    assert spec.train_config().width == 0.75
