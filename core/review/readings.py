"""Where the reading of a series stands, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from core.edits import AnnotationSet
from core.model import Series


class SeriesState(StrEnum):
    """How far the reading of a series is."""

    UNREAD = "unread"
    IN_PROGRESS = "in_progress"
    READ = "read"


def series_state(series: Series, annotations: AnnotationSet) -> SeriesState:
    """Read when every slice is; in progress once anything has been said about any of them."""
    records = [annotations.on(s.key) for s in series.slices]
    if records and all(r.reading is not None for r in records):
        return SeriesState.READ
    return SeriesState.IN_PROGRESS if any(r.entries for r in records) else SeriesState.UNREAD


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
