"""What of a result is kept in memory for every slice: the regions that were judged. A few kilobytes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.boxes import nms, to_array
from core.detection.base import DetectResult
from core.detection.operating_point import OperatingPoint, ShownDetection
from core.model import Box, Detection, LabelSchema


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """The judged regions of a slice; `shown_at` gives what `detections_at` gives of the whole result.

    Attributes:
        model: "name@hash".
        proposed: How many proposals there were.
        milliseconds: The engine's own time.
        rows: (J,) rows of the result's trace.
        labels: (J,) class ids.
        scores: (J,) of the best class, above 0.
        boxes: (J, 4) after regression.
        origins: (J, 4) the proposals.
    """

    model: str
    proposed: int
    milliseconds: float
    rows: NDArray[np.int64] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    scores: NDArray[np.float64] = field(repr=False)
    boxes: NDArray[np.float64] = field(repr=False)
    origins: NDArray[np.float64] = field(repr=False)

    @classmethod
    def of(cls, result: DetectResult) -> Shortlist:
        """The judged regions of a result."""
        judged = [(i, t) for i, t in enumerate(result.trace) if t.score > 0.0]
        given = result.proposals.boxes
        return cls(
            result.model,
            len(given),
            result.milliseconds,
            np.array([i for i, _ in judged], dtype=np.int64),
            np.array([t.label_id for _, t in judged], dtype=np.int64),
            np.array([t.score for _, t in judged], dtype=np.float64),
            to_array(t.box for _, t in judged),
            to_array(given[t.proposal] for _, t in judged),
        )

    def shown_at(self, point: OperatingPoint, schema: LabelSchema) -> tuple[ShownDetection, ...]:
        """The predictions that stand at an operating point, best first."""
        strong = np.flatnonzero(self.scores >= point.min_score)
        kept, _ = nms(self.boxes[strong], self.scores[strong], point.nms_iou)
        return tuple(self._shown(int(i), schema) for i in strong[kept])

    def _shown(self, i: int, schema: LabelSchema) -> ShownDetection:
        label = int(self.labels[i])
        return ShownDetection(
            int(self.rows[i]),
            Detection(
                Box(*self.boxes[i].tolist()),
                label,
                schema.name_of(label),
                float(self.scores[i]),
                Box(*self.origins[i].tolist()),
            ),
        )
