"""Training in a child process, over the real command line."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.detection.card import verify_model
from core.detection.child import TrainInChild
from core.errors import Cancelled, TrainingError
from core.jobs import CancelToken, no_progress
from tests.core.detection.samples import blobs


def _write_coco(folder: Path, count: int) -> Path:
    """Blobs as PNG files with a COCO annotations.json; groups by `block`."""
    dataset, pixels = blobs(count)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number, labelled in enumerate(dataset.slices, 1):
        name = f"{number:04d}.png"
        grey = np.clip(pixels[labelled.ref.key] / 2, 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / "images" / name)
        images.append({"id": number, "file_name": name, "width": 64, "height": 64, "block": number % 4})
        annotations += [
            {
                "id": number,
                "image_id": number,
                "category_id": b.label_id,
                "bbox": [b.box.x1, b.box.y1, b.box.width, b.box.height],
                "iscrowd": 0,
            }
            for b in labelled.boxes
        ]
    categories = [{"id": c.id, "name": c.name} for c in dataset.schema.classes]
    tree = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(tree))
    return folder


def test_a_child_trains_and_streams(tmp_path: Path) -> None:
    dataset = _write_coco(tmp_path / "data", 12)
    rows: list[tuple[float, float, str, dict[str, float]]] = []

    def progress(done: float, total: float, text: str = "", **metrics: float) -> None:
        rows.append((done, total, text, metrics))

    job = TrainInChild(dataset, tmp_path / "out", budget_minutes=5.0, epochs=1, name="from-child")
    result = job(progress, CancelToken())
    assert verify_model(result.model_file).name == "from-child"
    assert result.card.classes == ("round", "long")
    assert any("proposals" in text for _, _, text, _ in rows)
    assert {"loss", "valid_ap50"} <= set(result.metrics)


def test_the_childs_message_comes_home(tmp_path: Path) -> None:
    dataset = _write_coco(tmp_path / "data", 2)
    with pytest.raises(TrainingError, match="2 slices with 2 boxes are too few"):
        TrainInChild(dataset, tmp_path / "out")(no_progress, CancelToken())


def test_cancel_ends_the_child_and_leaves_no_model(tmp_path: Path) -> None:
    dataset = _write_coco(tmp_path / "data", 12)
    token = CancelToken()
    started = threading.Event()

    def progress(done: float, total: float, text: str = "", **metrics: float) -> None:
        started.set()
        token.cancel()

    begin = time.monotonic()
    with pytest.raises(Cancelled):
        TrainInChild(dataset, tmp_path / "out", budget_minutes=5.0)(progress, token)
    assert started.is_set()
    assert time.monotonic() - begin < 45
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_the_arguments_are_those_of_the_command_line(tmp_path: Path) -> None:
    job = TrainInChild(
        Path("d"), tmp_path, valid=Path("v"), classes="one", init_from=Path("m.safetensors"), resume=True
    )
    words = job.arguments()
    assert words[:4] == ["-m", "core.cli", "train", "d"]
    for pair in (("--valid", "v"), ("--classes", "one"), ("--init-from", "m.safetensors"), ("--seed", "0")):
        assert words[words.index(pair[0]) + 1] == pair[1]
    assert "--resume" in words
