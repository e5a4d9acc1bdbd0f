"""A model that trains in a child process, on pictures made for it: what the window has to live beside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image


def training_data(folder: Path, count: int = 24) -> Path:
    """Pictures of noise with one bright ellipse each, in COCO's form."""
    folder.mkdir(parents=True)
    rng, images, boxes = np.random.default_rng(5), [], []
    rows, columns = np.mgrid[:256, :256]
    for i in range(count):
        x, y, a, b = (int(v) for v in rng.integers((70, 70, 12, 12), (180, 180, 40, 40)))
        inside = ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1
        grey = np.clip(rng.normal(90, 12, (256, 256)) + 90 * inside, 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{i:03}.png")
        images.append({"id": i + 1, "file_name": f"{i:03}.png", "width": 256, "height": 256})
        box = {"bbox": [x - a, y - b, 2 * a, 2 * b], "area": 4 * a * b, "iscrowd": 0}
        boxes.append({"id": i + 1, "image_id": i + 1, "category_id": 1, **box})
    tree = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "tumour"}]}
    (folder / "annotations.json").write_text(json.dumps(tree), encoding="utf-8")
    return folder / "annotations.json"


@contextmanager
def training(folder: Path, minutes: float) -> Iterator[None]:
    """A model trains in a child process, with one thread of torch's.

    Raises:
        RuntimeError: It has ended too soon, so that what was measured is not what was to be measured.
    """
    data = training_data(folder / "training")
    run = ["train", str(data), "--out", str(folder / "run"), "--budget-minutes", f"{minutes:g}"]
    words = [sys.executable, "-m", "core.cli", *run]
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, env=one, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            yield
            if child.poll() is not None:
                raise RuntimeError(f"the training ended before the measurement, status {child.returncode}")
        finally:
            child.kill()
