"""Measuring detectors on a labelled data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import tee

import numpy as np
from numpy.typing import NDArray

from core.boxes import nms, to_array
from core.detection.base import Detector, DetectRequest, own_schema
from core.detection.requests import make_request
from core.errors import InputError, UnreadableFile
from core.evaluation.bootstrap import pair, plain
from core.evaluation.coco import Evaluation, evaluate_boxes
from core.evaluation.compare import Comparison, compare
from core.evaluation.details import Details, details
from core.evaluation.lesions import LesionFigures, SeriesLesions, lesion_figures
from core.evaluation.ranking import Compared, compared
from core.exchange.lesions import Judged, series_lesions
from core.imaging.neighbours import ALONE, beside_each
from core.jobs import CancelToken, Progress, no_progress
from core.model import Box, Dataset, Detection, LabelClass, LabelledSlice, LabelSchema, SliceRef

Truth = list[tuple[Box, int]]
Load = Callable[[SliceRef], NDArray[np.float32]]
ONE = LabelSchema("one class", (LabelClass(1, "tumour"),))
SAME_PLACE = 0.5
"""With one class, of two predictions that overlap by more only the stronger counts."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one detector found on the slices of a data set that can be read.

    Attributes:
        model: The detector's identity.
        dataset: Name of the data set.
        grouped_by: What its groups are.
        schema: Classes of truth and detections.
        one_class: Every class was taken for the same one.
        slices: The slices read.
        truth: Per slice.
        found: Per slice.
        unread: How many slices could not be read.
    """

    model: str
    dataset: str
    grouped_by: str
    schema: LabelSchema
    one_class: bool
    slices: tuple[LabelledSlice, ...]
    truth: tuple[Truth, ...]
    found: tuple[tuple[Detection, ...], ...]
    unread: int

    @property
    def groups(self) -> list[str]:
        """Per slice its group."""
        return [s.group for s in self.slices]

    @property
    def pairs(self) -> Compared:
        """Truth and detections, as figures are computed from them."""
        return compared(self.truth, self.found, self.groups, [s.ref for s in self.slices])

    @property
    def series(self) -> tuple[SeriesLesions, ...]:
        """The series among the slices, with lesions and findings; none where all are single pictures."""
        judged = map(Judged, self.slices, self.truth, self.found)
        return series_lesions(judged, self.schema)


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a run.

    Attributes:
        evaluation: The headline.
        details: The others, slice by slice.
        comparison: With another model, where there was one.
        lesions: By lesion; None where no slices belong to one series.
    """

    evaluation: Evaluation
    details: Details
    comparison: Comparison | None = None
    lesions: LesionFigures | None = None


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
    (run,) = run_models(dataset, [detector], load, one_class=one_class, progress=progress, cancel=cancel)
    return report_of(run, measure(run, resamples=resamples), per_group=per_group)


def run_models(
    dataset: Dataset,
    detectors: Sequence[Detector],
    load: Load,
    *,
    one_class: bool = False,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> tuple[Run, ...]:
    """Run detectors over the same slices of a data set, each slice read once.

    Arguments and errors are those of `evaluate_model`.
    """
    token = cancel or CancelToken()
    for detector in detectors:
        detector.bind(own_schema(detector) if one_class else dataset.schema)
    read: list[LabelledSlice] = []
    found: list[list[tuple[Detection, ...]]] = [[] for _ in detectors]
    refs = [s.ref for s in dataset.slices]
    around = beside_each(refs) if any(d.neighbours for d in detectors) else [ALONE] * len(refs)

    def requests() -> Iterator[DetectRequest]:
        for labelled, beside in zip(dataset.slices, around, strict=True):
            token.check()
            try:
                request = make_request(labelled.ref, load, beside)
            except UnreadableFile:
                continue
            read.append(labelled)
            yield request

    # Each slice is read once, by the detector that comes to it first.
    shared = tee(requests(), len(detectors))
    streams = [d.detect_many(r, cancel=token) for d, r in zip(detectors, shared, strict=True)]
    for done, results in enumerate(zip(*streams, strict=True), 1):
        for result, rows in zip(results, found, strict=True):
            rows.append(as_one_class(result.detections) if one_class else result.detections)
        progress(done, len(dataset.slices), read[done - 1].ref.path.name)
    if not read:
        raise InputError(f"{dataset.name}: not one slice of it can be read.")
    whole = Run(
        model="",
        dataset=dataset.name,
        grouped_by=dataset.grouped_by,
        schema=ONE if one_class else dataset.schema,
        one_class=one_class,
        slices=tuple(read),
        truth=tuple([(b.box, 1 if one_class else b.label_id) for b in s.boxes] for s in read),
        found=(),
        unread=len(dataset.slices) - len(read),
    )
    return tuple(
        replace(whole, model=detector.identity, found=tuple(rows))
        for detector, rows in zip(detectors, found, strict=True)
    )


def measure(run: Run, other: Run | None = None, *, resamples: int = 500) -> Figures:
    """All figures of a run.

    Args:
        run: The run.
        other: Another model on the same slices, to compare with.
        resamples: Bootstrap resamples over groups; 0 for no intervals.
    """
    pairs = run.pairs
    return Figures(
        evaluate_boxes(run.truth, run.found, run.schema, groups=run.groups, resamples=resamples),
        details(pairs, resamples=resamples),
        compare(pairs, other.pairs, resamples=resamples) if other is not None else None,
        lesion_figures(run.series, resamples=resamples),
    )


def report_of(
    run: Run, figures: Figures, other: Run | None = None, *, per_group: bool = False
) -> dict[str, object]:
    """The JSON of a run's figures (docs/formats.md)."""
    report = figures.evaluation.as_dict()
    report["per_class"] = _by_class(run, figures)
    report.update(figures.details.as_dict())
    report["lesions"] = figures.lesions.as_dict() if figures.lesions is not None else None
    report.update(
        model=run.model,
        dataset=run.dataset,
        classes="one" if run.one_class else "all",
        grouped_by=run.grouped_by,
        n_groups=len(set(run.groups)),
        unread=run.unread,
    )
    if per_group:
        report["per_group"] = _by_group(run)
    if figures.comparison is not None and other is not None:
        report["comparison"] = {"other": other.model, **figures.comparison.as_dict()}
    return report


def as_one_class(detections: Sequence[Detection]) -> tuple[Detection, ...]:
    """The detections as one class; of those in the same place the strongest.

    Classes exclude each other, so the scores of one box add up.
    """
    total: dict[Box, float] = {}
    for found in detections:
        total[found.box] = total.get(found.box, 0.0) + found.score
    boxes = to_array(total)
    kept, _ = nms(boxes, np.array(list(total.values()), dtype=np.float64), SAME_PLACE)
    whole = {d.box: replace(d, label_id=1, label="tumour", score=min(1.0, total[d.box])) for d in detections}
    rows = list(whole.values())
    return tuple(rows[int(k)] for k in kept)


def _by_class(run: Run, figures: Figures) -> dict[str, object]:
    intervals = {run.schema.name_of(label): part.ci95 for label, part in figures.details.per_class.items()}
    return {
        name: {
            "ap50": plain(row.ap50),
            "ap50_95": plain(row.ap50_95),
            "boxes": row.boxes,
            "ci95": {"ap50": pair(intervals[name])},
        }
        for name, row in figures.evaluation.per_class.items()
    }


def _by_group(run: Run) -> dict[str, object]:
    rows: dict[str, object] = {}
    for group in sorted(set(run.groups)):
        chosen = [i for i, g in enumerate(run.groups) if g == group]
        figures = evaluate_boxes([run.truth[i] for i in chosen], [run.found[i] for i in chosen], run.schema)
        rows[group] = {
            "ap50": plain(figures.ap50),
            "ap50_95": plain(figures.ap50_95),
            "n_images": figures.n_images,
            "n_boxes": figures.n_boxes,
        }
    return rows
