"""Where the reading of a series stands, what is still to decide, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.boxes import iou
from core.edits import AnnotationSet, SliceRecord
from core.model import Detection, Series

# A prediction on a place that a reader has already boxed asks nothing new; .5 is the usual overlap for
# "the same thing". A rejection speaks only of that very prediction: a better box there may come up again.
_SAME_PLACE = 0.5
_SAME_BOX = 0.9


class SeriesState(StrEnum):
    """How far the reading of a series is."""

    UNREAD = "unread"
    IN_PROGRESS = "in_progress"
    READ = "read"


@dataclass(frozen=True, slots=True)
class SeriesCounts:
    """What has been said about a series.

    Attributes:
        slices: Slices in all.
        read: Slices with an explicit reading.
        with_findings: Slices that hold annotations.
        annotations: Boxes that count.
        rejections: Predictions judged wrong.
        undecided: Predictions nobody has judged, of those given.
    """

    slices: int
    read: int
    with_findings: int
    annotations: int
    rejections: int
    undecided: int = 0


def series_state(series: Series, annotations: AnnotationSet) -> SeriesState:
    """Read when every slice is; in progress once anything has been said about any of them."""
    records = [annotations.on(s.key) for s in series.slices]
    if records and all(r.reading is not None for r in records):
        return SeriesState.READ
    return SeriesState.IN_PROGRESS if any(r.entries for r in records) else SeriesState.UNREAD


def series_counts(
    series: Series, annotations: AnnotationSet, detections: Mapping[str, Sequence[Detection]] | None = None
) -> SeriesCounts:
    """Count what has been said about a series.

    Args:
        series: The series.
        annotations: All annotations.
        detections: Predictions by slice key, at the operating point in force.
    """
    records = [annotations.on(s.key) for s in series.slices]
    results = detections or {}
    return SeriesCounts(
        slices=len(records),
        read=sum(r.reading is not None for r in records),
        with_findings=sum(bool(r.annotations) for r in records),
        annotations=sum(len(r.annotations) for r in records),
        rejections=sum(len(r.rejections) for r in records),
        undecided=sum(
            len(undecided(r, results.get(s.key, ()))) for r, s in zip(records, series.slices, strict=True)
        ),
    )


def undecided(record: SliceRecord, detections: Iterable[Detection]) -> tuple[Detection, ...]:
    """The predictions on a slice that no reader has accepted, rejected, or boxed over.

    A prediction is decided where an annotation came from it or overlaps it by half, and where a rejected
    prediction of the same class had (nearly) the same box, whichever model made it.
    """
    return tuple(d for d in detections if not _decided(record, d))


def _decided(record: SliceRecord, detection: Detection) -> bool:
    for annotation in record.annotations:
        predicted = annotation.origin.predicted
        if iou(annotation.box, detection.box) >= _SAME_PLACE:
            return True
        # An accepted prediction stays decided however far its box was moved afterwards.
        if predicted is not None and iou(predicted, detection.box) >= _SAME_BOX:
            return True
    return any(
        r.label_id == detection.label_id and iou(r.box, detection.box) >= _SAME_BOX for r in record.rejections
    )


def next_unread(
    series: Sequence[Series], annotations: AnnotationSet, series_uid: str = "", index: int = -1
) -> tuple[str, int] | None:
    """The next case to read after a place, going round once; None where everything has been read.

    A stack is one case, entered at its first unread slice; of a collection every slice is a case.

    Args:
        series: All open series, in worklist order.
        annotations: All annotations.
        series_uid: The series in view; "" starts at the top.
        index: The slice in view.

    Returns:
        (series uid, slice index).
    """
    position = next((i for i, s in enumerate(series) if s.uid == series_uid), -1)
    later: list[tuple[str, int]] = []
    earlier: list[tuple[str, int]] = []
    for i, one in enumerate(series):
        unread = [k for k, s in enumerate(one.slices) if annotations.on(s.key).reading is None]
        for k in unread[:1] if one.is_stack else unread:
            ahead = i > position or (i == position and not one.is_stack and k > index)
            (later if ahead else earlier).append((one.uid, k))
    return next(iter(later + earlier), None)
