"""Measuring a detector on a labelled data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.boxes import nms, to_array
from core.detection.base import Detector, DetectRequest, own_schema
from core.errors import InputError, UnreadableFile
from core.evaluation.coco import Evaluation, evaluate_boxes
from core.jobs import CancelToken, Progress, no_progress
from core.model import Box, Dataset, Detection, LabelClass, LabelledSlice, LabelSchema, SliceRef

Truth = list[tuple[Box, int]]
Load = Callable[[SliceRef], NDArray[np.float32]]
ONE = LabelSchema("one class", (LabelClass(1, "tumour"),))
SAME_PLACE = 0.5
"""With one class, of two predictions that overlap by more only the stronger counts."""


def evaluate_model(
    dataset: Dataset,
    detector: Detector,
    load: Load,
    *,
    one_class: bool = False,
    per_group: bool = False,
    resamples: int = 500,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> dict[str, object]:
    """Run a detector over a data set and compare.

    Args:
        dataset: The truth.
        detector: What to measure; it is bound to the data set's classes unless `one_class`.
        load: Gives a slice's pixels.
        one_class: Take every class for the same one.
        per_group: Give figures for every group (patient, block) too.
        resamples: Bootstrap resamples over groups; 0 for no intervals.
        progress: Told after each slice.
        cancel: Stops the run.

    Returns:
        The JSON that `overread evaluate` writes (docs/formats.md).

    Raises:
        ModelMismatch: The data set lacks a class of the model.
        InputError: Not one slice of the data set can be read.
        Cancelled: The token was set.
    """
    token = cancel or CancelToken()
    detector.bind(own_schema(detector) if one_class else dataset.schema)
    read, found, unread = _run(dataset.slices, detector, load, progress, token)
    if not read:
        raise InputError(f"{dataset.name}: not one slice of it can be read.")
    truth: list[Truth] = [[(b.box, b.label_id) for b in s.boxes] for s in read]
    schema = dataset.schema
    if one_class:
        truth = [[(box, 1) for box, _ in boxes] for boxes in truth]
        found, schema = [as_one_class(f) for f in found], ONE
    groups = [s.group for s in read]
    figures = evaluate_boxes(truth, found, schema, groups=groups, resamples=resamples)
    report = figures.as_dict()
    report.update(
        model=detector.identity,
        dataset=dataset.name,
        classes="one" if one_class else "all",
        grouped_by=dataset.grouped_by,
        n_groups=len(set(groups)),
        unread=unread,
    )
    if per_group:
        report["per_group"] = _by_group(groups, truth, found, schema)
    return report


def as_one_class(detections: Sequence[Detection]) -> tuple[Detection, ...]:
    """The detections as one class; of those in the same place the strongest."""
    scores = np.array([d.score for d in detections], dtype=np.float64)
    kept, _ = nms(to_array(d.box for d in detections), scores, SAME_PLACE)
    return tuple(replace(detections[int(k)], label_id=1, label="tumour") for k in kept)


def _run(
    slices: Sequence[LabelledSlice], detector: Detector, load: Load, progress: Progress, cancel: CancelToken
) -> tuple[list[LabelledSlice], list[tuple[Detection, ...]], int]:
    read: list[LabelledSlice] = []
    found: list[tuple[Detection, ...]] = []
    for done, labelled in enumerate(slices, 1):
        cancel.check()
        try:
            request = DetectRequest(labelled.ref.key, load(labelled.ref))
        except UnreadableFile:
            continue
        found.append(detector.detect(request, cancel=cancel).detections)
        read.append(labelled)
        progress(done, len(slices), labelled.ref.path.name)
    return read, found, len(slices) - len(read)


def _by_group(
    groups: Sequence[str], truth: Sequence[Truth], found: Sequence[tuple[Detection, ...]], schema: LabelSchema
) -> dict[str, object]:
    rows: dict[str, object] = {}
    for group in sorted(set(groups)):
        chosen = [i for i, g in enumerate(groups) if g == group]
        figures: Evaluation = evaluate_boxes([truth[i] for i in chosen], [found[i] for i in chosen], schema)
        rows[group] = {
            "ap50": None if math.isnan(figures.ap50) else figures.ap50,
            "ap50_95": None if math.isnan(figures.ap50_95) else figures.ap50_95,
            "n_images": figures.n_images,
            "n_boxes": figures.n_boxes,
        }
    return rows
