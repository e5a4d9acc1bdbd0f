"""AP50 and AP50-95 through pycocotools, with our own FROC and intervals beside them."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from core.evaluation.bootstrap import Interval, intervals, pair, plain
from core.evaluation.froc import RATES, froc
from core.evaluation.ranking import MOST, Truth
from core.model import Box, Detection, LabelSchema

__all__ = ["ClassFigures", "Evaluation", "Truth", "evaluate_boxes"]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Figures of one class. NaN where the class has no true box."""

    ap50: float
    ap50_95: float
    boxes: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well detections match the truth.

    Attributes:
        ap50: Mean over classes of average precision at IoU .5; NaN where there is no true box at all.
        ap50_95: The same, averaged over IoU .5, .55 … .95.
        per_class: By class name.
        froc: Sensitivity by false positives per slice, any class.
        n_images: How many slices.
        n_boxes: How many true boxes.
        ci95: 95 % intervals of "ap50", "ap50_95" by resampling groups; empty where not asked for.
    """

    ap50: float
    ap50_95: float
    per_class: Mapping[str, ClassFigures]
    froc: Mapping[float, float]
    n_images: int
    n_boxes: int
    ci95: Mapping[str, Interval] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The command line's JSON. A figure that does not exist (NaN) is null."""
        return {
            "ap50": plain(self.ap50),
            "ap50_95": plain(self.ap50_95),
            "per_class": {
                name: {"ap50": plain(f.ap50), "ap50_95": plain(f.ap50_95), "boxes": f.boxes}
                for name, f in self.per_class.items()
            },
            "froc": {f"{rate:g}": plain(value) for rate, value in self.froc.items()},
            "n_images": self.n_images,
            "n_boxes": self.n_boxes,
            "ci95": {name: pair(i) for name, i in self.ci95.items()},
        }


def evaluate_boxes(
    truth: Sequence[Truth],
    detections: Sequence[Sequence[Detection]],
    schema: LabelSchema,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 0,
    seed: int = 0,
) -> Evaluation:
    """Compare detections with the truth, slice by slice.

    Classes are compared by id; a detection of a class without true boxes does not count against the mean, as
    in COCO, but does count as a false positive in the FROC.

    Args:
        truth: Per slice the true boxes and their class ids.
        detections: Per slice, any order.
        schema: Names of the classes.
        groups: Per slice the group (patient, block) that intervals resample; None for every slice its own.
        resamples: Bootstrap resamples; 0 for no intervals.
        seed: Of the resampling.

    Raises:
        ValueError: The lists differ in length.
    """
    if len(truth) != len(detections) or (groups is not None and len(groups) != len(truth)):
        raise ValueError("truth, detections and groups must have one entry per slice")
    present = sorted({label for boxes in truth for _, label in boxes})
    precision = _precision(truth, detections, present)
    per_class = {
        schema.name_of(label): ClassFigures(
            _mean(precision[0, :, k]),
            _mean(precision[:, :, k]),
            sum(1 for boxes in truth for _, found in boxes if found == label),
        )
        for k, label in enumerate(present)
    }
    return Evaluation(
        ap50=_mean_of([f.ap50 for f in per_class.values()]),
        ap50_95=_mean_of([f.ap50_95 for f in per_class.values()]),
        per_class=per_class,
        froc=froc(truth, detections, RATES),
        n_images=len(truth),
        n_boxes=sum(len(boxes) for boxes in truth),
        ci95=intervals(truth, detections, groups, resamples, seed) if resamples else {},
    )


def _precision(
    truth: Sequence[Truth], detections: Sequence[Sequence[Detection]], present: Sequence[int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Precision as pycocotools has it, (10 thresholds, 101 recalls, classes)."""
    if not present:
        return np.zeros((10, 101, 0))
    gold = COCO()
    gold.dataset = {
        "images": [{"id": i} for i in range(1, len(truth) + 1)],
        "categories": [{"id": label} for label in present],
        "annotations": [
            {"id": n, "image_id": i, "category_id": label, "bbox": _xywh(box), "area": box.area, "iscrowd": 0}
            for n, (i, box, label) in enumerate(
                ((i, box, label) for i, boxes in enumerate(truth, 1) for box, label in boxes), 1
            )
        ],
    }
    rows = [
        {"image_id": i, "category_id": d.label_id, "bbox": _xywh(d.box), "score": d.score}
        for i, found in enumerate(detections, 1)
        for d in found
        if d.label_id in present
    ]
    # pycocotools reports on stdout and takes no other sink.
    with contextlib.redirect_stdout(io.StringIO()):
        gold.createIndex()
        if not rows:
            return np.zeros((10, 101, len(present)))
        run = COCOeval(gold, gold.loadRes(rows), "bbox")
        run.params.maxDets = [1, 10, MOST]
        run.evaluate()
        run.accumulate()
    return np.asarray(run.eval["precision"][:, :, :, 0, -1], dtype=np.float64)


def _xywh(box: Box) -> list[float]:
    return [box.x1, box.y1, box.width, box.height]


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    valid = values[values > -1]
    return float(valid.mean()) if valid.size else math.nan


def _mean_of(values: Sequence[float]) -> float:
    valid = [v for v in values if not math.isnan(v)]
    return sum(valid) / len(valid) if valid else math.nan
