from __future__ import annotations

import contextlib
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from core.boxes import to_array
from core.evaluation.coco import evaluate_boxes
from core.evaluation.details import details
from core.evaluation.parts import SIZES, plane_of, sides, sizes_of
from core.evaluation.ranking import Truth, compared, once, precisions, rank
from core.model import Box, Detection, Geometry
from tests.core.evaluation.scenes import PLANES, SCHEMA, Scene, detection, ref, scene, scenes

SMALL, MEDIUM, LARGE = range(3)


@pytest.mark.parametrize(
    ("side", "rows", "columns", "size"),
    [
        (31.9, 512, 512, "small"), (32.0, 512, 512, "medium"), (96.0, 512, 512, "medium"),
        (96.1, 512, 512, "large"), (15.9, 256, 200, "small"), (16.0, 200, 256, "medium"),
    ],
)  # fmt: skip
def test_size_is_that_of_a_slice_of_512_pixels(side: float, rows: int, columns: int, size: str) -> None:
    boxes = to_array([Box(0, 0, side, side)])
    assert SIZES[sizes_of(boxes, rows, columns)[0]] == size
    assert sides(boxes, rows, columns)[0] == pytest.approx(side * 512 / max(rows, columns))


def test_planes_by_the_nearest_normal() -> None:
    for name, (row, column) in PLANES.items():
        assert plane_of(Geometry((0, 0, 0), row, column, 1, 1)) == name
    tilted = Geometry((0, 0, 0), (1, 0, 0), (0, math.cos(0.6), math.sin(0.6)), 1, 1)
    assert plane_of(tilted) == "axial"
    assert plane_of(None) == "unknown"


def _pycocotools(truth: list[Truth], found: list[list[Detection]], label: int) -> dict[int, list[float]]:
    """AP per size and threshold from pycocotools; slices of 512 pixels, so that areas are as they stand."""
    gold = COCO()
    boxes = [(i, box) for i, row in enumerate(truth, 1) for box, of in row if of == label]
    gold.dataset = {
        "images": [{"id": i} for i in range(1, len(truth) + 1)],
        "categories": [{"id": label}],
        "annotations": [
            {
                "id": n, "image_id": i, "category_id": label, "area": b.area, "iscrowd": 0,
                "bbox": [b.x1, b.y1, b.width, b.height],
            }
            for n, (i, b) in enumerate(boxes, 1)
        ],
    }  # fmt: skip
    rows = [
        {
            "image_id": i, "category_id": label, "score": d.score,
            "bbox": [d.box.x1, d.box.y1, d.box.width, d.box.height],
        }
        for i, row in enumerate(found, 1) for d in row if d.label_id == label
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        gold.createIndex()
        run = COCOeval(gold, gold.loadRes(rows), "bbox")
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, 0, 1:, -1]
    return {size: precision[:, :, size].mean(axis=1).tolist() for size in range(3)}


@given(scenes(widest=150.0, reach=300.0))
@settings(max_examples=40, deadline=None)
def test_figures_per_size_are_those_of_pycocotools(case: Scene) -> None:
    truth, found = case
    pairs = compared(truth, found, refs=[ref(i) for i in range(len(truth))])
    for label in pairs.labels:
        if not any(d.label_id == label for row in found for d in row):
            continue
        theirs = _pycocotools(truth, found, label)
        for size in range(3):
            ours = precisions(rank(pairs, label, size=size), once(pairs))[0]
            expected = [math.nan if v < 0 else v for v in theirs[size]]
            assert ours == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_a_box_of_another_size_is_neither_missed_nor_a_false_alarm() -> None:
    small, large = Box(0, 0, 20, 20), Box(100, 100, 300, 300)
    truth: list[Truth] = [[(small, 1), (large, 1)]]
    found = [[detection(large, 0.9), detection(Box(400, 400, 500, 500), 0.8), detection(small, 0.7)]]
    parts = details(compared(truth, found, refs=[ref()])).per_size
    assert parts["small"].ap50 == pytest.approx(1.0)  # the large ones found or wrong do not count
    assert parts["large"].ap50 == pytest.approx(1.0)  # the wrong one comes after
    assert math.isnan(parts["medium"].ap50)
    assert [parts[s].boxes for s in SIZES] == [1, 0, 1]


def test_figures_per_plane() -> None:
    box = Box(0, 0, 40, 40)
    truth: list[Truth] = [[(box, 1)]] * 4
    found = [[detection(box, 0.9)], [], [detection(box, 0.9)], []]
    refs = [ref(0, plane="axial"), ref(1, plane="axial"), ref(2, plane="sagittal"), ref(3)]
    parts = details(compared(truth, found, ["a", "b", "b", "c"], refs), resamples=100).per_plane
    assert list(parts) == ["axial", "sagittal", "unknown"]
    assert parts["axial"].ap50 == pytest.approx(51 / 101)
    assert (parts["axial"].ci95.low, parts["axial"].ci95.high) == (0.0, 1.0)
    assert parts["sagittal"].ap50 == 1.0
    assert parts["unknown"].ap50 == 0.0


def test_each_plane_is_as_if_it_were_alone() -> None:
    truth, found = scene(np.random.default_rng(3), 12)
    refs = [ref(i, plane=("axial", "coronal")[i % 2]) for i in range(12)]
    parts = details(compared(truth, found, refs=refs)).per_plane
    alone = evaluate_boxes(truth[1::2], found[1::2], SCHEMA)
    assert parts["coronal"].ap50 == pytest.approx(alone.ap50)
    assert parts["coronal"].ap50_95 == pytest.approx(alone.ap50_95)
    assert parts["coronal"].boxes == alone.n_boxes


@pytest.mark.parametrize("boxes", [0, 1])
@pytest.mark.parametrize("detections", [0, 1])
@pytest.mark.parametrize("slices", [1, 3])
def test_details_of_next_to_nothing(boxes: int, detections: int, slices: int) -> None:
    truth: list[Truth] = [[(Box(0, 0, 9, 9), 1)] * boxes] * slices
    found = [[detection(Box(0, 0, 9, 9), 1.0)] * detections] * slices
    result = details(compared(truth, found, refs=[ref(i) for i in range(slices)]), resamples=20)
    plain = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    expected = None if not boxes else float(detections)
    assert plain["per_size"]["small"]["ap50"] == expected
    assert plain["froc_per_group"]["1"] == expected
    interval = expected if slices > 1 else None  # of one group there is none
    assert plain["froc_ci95"]["1"] == [interval, interval]


def test_details_of_no_slice() -> None:
    result = details(compared([], []), resamples=20)
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False))["froc_ci95"]["1"] == [None, None]
