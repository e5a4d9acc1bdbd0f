"""What of a cached result is shown at an operating point. Never runs the model; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.boxes import iou, nms, to_array
from core.detection.base import DetectResult
from core.edits import SliceRecord
from core.model import Box, Detection, LabelSchema

AGREES = 0.5
"""IoU from which an annotation and a prediction are taken to mean the same lesion."""

SAME = 0.9
"""IoU from which a prediction is taken to be the one that was rejected or accepted earlier."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Thresholds on cached results.

    Attributes:
        min_score: Predictions below are not shown.
        nms_iou: Of two predictions that overlap by more, the weaker is not shown.
    """

    min_score: float = 0.5
    nms_iou: float = 0.4


@dataclass(frozen=True, slots=True)
class ShownDetection:
    """A prediction at the operating point; `row` is its row in the result's trace and identifies it."""

    row: int
    detection: Detection


def detections_at(
    result: DetectResult, point: OperatingPoint, schema: LabelSchema
) -> tuple[ShownDetection, ...]:
    """The predictions that stand at an operating point, best first.

    Suppression is done again over every judged proposal above the score, across classes (a lesion is of one
    kind), so that both thresholds act live.
    """
    rows = [(i, t) for i, t in enumerate(result.trace) if t.score >= point.min_score and t.score > 0.0]
    scores = np.array([t.score for _, t in rows], dtype=np.float64)
    kept, _ = nms(to_array(t.box for _, t in rows), scores, point.nms_iou)
    return tuple(
        ShownDetection(
            row,
            Detection(
                trace.box,
                trace.label_id,
                schema.name_of(trace.label_id),
                trace.score,
                result.proposals.boxes[trace.proposal],
            ),
        )
        for row, trace in (rows[int(k)] for k in kept)
    )


def undecided(
    shown: tuple[ShownDetection, ...], record: SliceRecord, model: str
) -> tuple[ShownDetection, ...]:
    """Those predictions that no reader has judged yet.

    A prediction is decided once an annotation agrees with it (so that a new run never doubles a box), once
    it is the origin of an accepted box, wherever that was moved since, or once it was rejected.
    """
    rejected = [r.box for r in record.rejections if r.model == model]
    accepted = [
        a.origin.predicted
        for a in record.annotations
        if a.origin.predicted is not None and a.origin.model == model
    ]
    agreeing = [a.box for a in record.annotations]

    def decided(box: Box) -> bool:
        return any(iou(box, other) >= SAME for other in (*rejected, *accepted)) or any(
            iou(box, other) >= AGREES for other in agreeing
        )

    return tuple(s for s in shown if not decided(s.detection.box))
