"""Small data sets of bright blobs, and tiny training options: seconds, not minutes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.detection.config import Load, TrainConfig
from core.model import Box, Dataset, LabelClass, LabelledBox, LabelledSlice, LabelSchema, SliceRef

SCHEMA = LabelSchema("blobs", (LabelClass(2, "round"), LabelClass(5, "long")))
SIZE = 64


def blobs(
    count: int = 12, *, groups: int = 4, seed: int = 0, name: str = "blobs"
) -> tuple[Dataset, Mapping[str, NDArray[np.float32]]]:
    """A data set with one bright blob a slice, every fourth slice without, and its pixels by slice key."""
    rng = np.random.default_rng(seed)
    slices, pixels = [], {}
    for number in range(count):
        key = f"raster:{name}{seed}-{number}#0"
        image = rng.normal(100.0, 5.0, (SIZE, SIZE))
        image[:4] = image[-4:] = 0.0
        boxes: tuple[LabelledBox, ...] = ()
        if number % 4 != 3:
            label = 2 if number % 2 else 5
            width, height = (16, 16) if label == 2 else (26, 12)
            x, y = (int(v) for v in rng.integers(4, SIZE - 32, 2))
            image[y : y + height, x : x + width] = rng.normal(300.0, 5.0, (height, width))
            boxes = (LabelledBox(Box(x, y, x + width, y + height), label),)
        pixels[key] = image.astype(np.float32)
        ref = SliceRef(key, Path(f"/nowhere/{number}.png"), 0, SIZE, SIZE, name)
        slices.append(LabelledSlice(ref, boxes, f"group {number % groups}"))
    return Dataset(name, SCHEMA, tuple(slices), "patient"), pixels


def reader(pixels: Mapping[str, NDArray[np.float32]]) -> Load:
    """How training reads those pixels."""

    def load(ref: SliceRef) -> NDArray[np.float32]:
        return pixels[ref.key]

    return load


def tiny(folder: Path, **changes: object) -> TrainConfig:
    """Options of a run that takes a second or two."""
    options: dict[str, object] = {
        "depth": 10,
        "width": 0.25,
        "image_size": 64,
        "epochs": 2,
        "budget_minutes": 2.0,
        "batch": 4,
        "regions": 16,
        "precision": "float32",
        "cache": folder / "cache",
    }
    return TrainConfig(**{**options, **changes})  # type: ignore[arg-type]
