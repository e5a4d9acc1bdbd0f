"""Datasets for export and import tests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from core.model import Box, Dataset, LabelledBox, LabelledSlice, SliceRef
from tests.core.strategies import SCHEMA, attributes, boxes

FORMATS = ("coco", "yolo", "voc")


@st.composite
def labelled(draw: st.DrawFn, number: int) -> LabelledSlice:
    """A slice of any size and shape with 0 to 4 boxes: one pixel, on an edge, anywhere."""
    rows, columns = draw(st.integers(1, 4096)), draw(st.integers(1, 4096))
    ref = SliceRef(f"dicom:1.2.{number}#{number}", Path(f"/series/{number}.dcm"), number, rows, columns, "s")
    one = st.tuples(boxes(columns, rows), st.sampled_from(SCHEMA.classes), attributes)
    found = draw(st.lists(one, max_size=4))
    rejected = draw(st.lists(boxes(columns, rows), max_size=2))
    return LabelledSlice(
        ref, tuple(LabelledBox(b, c.id, said) for b, c, said in found), f"group {number % 2}", tuple(rejected)
    )


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """1 to 3 slices."""
    slices = [draw(labelled(number)) for number in range(draw(st.integers(1, 3)))]
    return dataset(*slices)


def dataset(*slices: LabelledSlice) -> Dataset:
    return Dataset("set", SCHEMA, slices, "patient", info={"unread": "5"})


def one_slice(
    *found: Box, path: Path | str = "/series/1.dcm", rows: int = 64, columns: int = 80
) -> LabelledSlice:
    """A slice with boxes of class 1."""
    ref = SliceRef("raster:1#0", Path(path), 0, rows, columns, "s")
    return LabelledSlice(ref, tuple(LabelledBox(b, 1) for b in found), "g")


def no_pixels(ref: SliceRef) -> NDArray[np.float32]:
    raise AssertionError("references need no pixels")


def write_image(path: Path, columns: int = 80, rows: int = 64, seed: int = 0) -> Path:
    """A grey PNG of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (rows, columns), dtype=np.uint8)
    Image.fromarray(noise).save(path, format="PNG")
    return path


def write_coco(
    path: Path, images: list[dict[str, object]], annotations: list[dict[str, object]], **more: object
) -> Path:
    """A COCO file as other programs write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    categories = [{"id": 4, "name": "glioma"}, {"id": 9, "name": "cyst"}]
    tree = {"images": images, "annotations": annotations, "categories": categories, **more}
    path.write_text(json.dumps(tree))
    return path


def image(number: int, name: str, **more: object) -> dict[str, object]:
    return {"id": number, "file_name": name, "width": 80, "height": 64, **more}


def box_row(
    number: int, image_id: int, bbox: object = (10, 20, 30, 40), category: int = 4, **more: object
) -> dict[str, object]:
    return {"id": number, "image_id": image_id, "category_id": category, "bbox": bbox, **more}
