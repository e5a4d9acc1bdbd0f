from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.detection.base import DetectRequest, DetectResult
from core.errors import InputError, UnreadableFile
from core.exchange.evaluating import as_one_class, evaluate_model, measure, report_of, run_models
from core.jobs import CancelToken
from core.model import (
    Box,
    Dataset,
    Detection,
    LabelClass,
    LabelledBox,
    LabelledSlice,
    LabelSchema,
    Proposals,
    SliceRef,
)

SCHEMA = LabelSchema("s", (LabelClass(1, "glioma"), LabelClass(2, "meningioma")))
BOX, AWAY = Box(10, 10, 40, 40), Box(60, 60, 90, 90)


class Found:
    """A detector that finds what it is told to, by slice key."""

    def __init__(self, name: str, found: Mapping[str, tuple[Detection, ...]]) -> None:
        self.identity = f"{name}@0"
        self.class_names = ("glioma", "meningioma")
        self.neighbours = 0
        self._found = found

    def bind(self, schema: LabelSchema) -> None:
        self.schema = schema

    def detect_many(
        self, requests: Iterable[DetectRequest], *, cancel: CancelToken
    ) -> Iterator[DetectResult]:
        """One after the other."""
        for request in requests:
            yield self.detect(request, cancel=cancel)

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        found = self._found.get(request.slice_key, ())
        return DetectResult(request.slice_key, self.identity, found, Proposals((), ()))


def dataset(slices: int, boxes: int = 1) -> Dataset:
    rows = [
        LabelledSlice(
            SliceRef(f"k{i}", Path(f"{i}.png"), 0, 100, 100, "s"),
            (LabelledBox(BOX, 1 + i % 2),) * boxes,
            f"patient {i // 2}",
        )
        for i in range(slices)
    ]
    return Dataset("made up", SCHEMA, tuple(rows), "patient")


def detections(slices: int, box: Box = BOX) -> dict[str, tuple[Detection, ...]]:
    return {f"k{i}": (Detection(box, 1 + i % 2, "", 0.9),) for i in range(slices)}


def load(ref: SliceRef) -> NDArray[np.float32]:
    return np.zeros((ref.rows, ref.columns), dtype=np.float32)


def as_json(report: dict[str, object]) -> Any:
    return json.loads(json.dumps(report, allow_nan=False))


def test_a_report_holds_everything() -> None:
    report = as_json(
        evaluate_model(dataset(6), Found("a", detections(6)), load, per_group=True, resamples=20)
    )
    assert {"ap50", "ap50_95", "per_class", "froc", "n_images", "n_boxes", "ci95"} <= set(report)
    assert report["per_class"]["meningioma"] == {
        "ap50": 1.0, "ap50_95": 1.0, "boxes": 3, "ci95": {"ap50": [1.0, 1.0]}
    }  # fmt: skip
    assert report["per_size"]["large"]["ap50"] == 1.0
    assert report["per_plane"]["unknown"]["boxes"] == 6
    assert report["froc"]["1"] == report["froc_per_group"]["1"] == 1.0
    assert report["froc_ci95"]["8"] == report["froc_per_group_ci95"]["8"] == [1.0, 1.0]
    assert report["calibration"]["bins"][9]["hit_rate"] == 1.0
    assert report["n_groups"] == 3
    assert set(report["per_group"]) == {"patient 0", "patient 1", "patient 2"}
    assert "comparison" not in report


def test_two_models_see_the_same_slices() -> None:
    def some(ref: SliceRef) -> NDArray[np.float32]:
        if ref.key == "k3":
            raise UnreadableFile(ref.path, "cut short")
        return load(ref)

    pair = [Found("a", detections(6)), Found("b", detections(6, AWAY))]
    first, second = run_models(dataset(6), pair, some)
    assert first.slices == second.slices
    assert first.unread == second.unread == 1
    report = as_json(report_of(first, measure(first, second, resamples=50), second))
    assert report["model"] == "a@0"
    comparison = report["comparison"]
    assert comparison["other"] == "b@0"
    assert comparison["ap50"] == {
        "model": 1.0, "other": 0.0, "difference": 1.0, "ci95": [1.0, 1.0], "below_zero": 0.0
    }  # fmt: skip


def test_one_class_takes_all_for_the_same() -> None:
    swapped = {key: (Detection(d.box, 3 - d.label_id, "", d.score),) for key, (d,) in detections(4).items()}
    assert evaluate_model(dataset(4), Found("a", swapped), load, resamples=0)["ap50"] == 0.0
    report = evaluate_model(dataset(4), Found("a", swapped), load, one_class=True, resamples=0)
    assert report["ap50"] == 1.0
    assert report["classes"] == "one"


@pytest.mark.parametrize("boxes", [0, 1])
@pytest.mark.parametrize("found", [0, 1])
def test_one_slice_with_next_to_nothing(boxes: int, found: int) -> None:
    report = as_json(
        evaluate_model(dataset(1, boxes), Found("a", detections(found)), load, per_group=True, resamples=10)
    )
    assert report["ap50"] == (pytest.approx(found) if boxes else None)
    assert report["n_images"] == 1


def test_a_dataset_of_which_nothing_can_be_read_is_named() -> None:
    def nothing(ref: SliceRef) -> NDArray[np.float32]:
        raise UnreadableFile(ref.path, "gone")

    with pytest.raises(InputError, match="made up"):
        evaluate_model(dataset(2), Found("a", {}), nothing)


def test_the_scores_of_a_box_for_its_classes_add_up_to_that_of_any() -> None:
    found = (
        Detection(BOX, 1, "glioma", 0.5),
        Detection(AWAY, 2, "meningioma", 0.6),
        Detection(BOX, 2, "meningioma", 0.25),
    )
    assert [(d.box, d.label_id, d.score) for d in as_one_class(found)] == [(BOX, 1, 0.75), (AWAY, 1, 0.6)]
    assert as_one_class(()) == ()
