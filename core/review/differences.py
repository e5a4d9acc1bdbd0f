"""What two models say of one slice, box by box: gained, lost, moved, and how the scores changed.

Figures over a data set are in `core.evaluation.compare`; this is the list for the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.boxes import iou_matrix, to_array
from core.detection.operating_point import AGREES, SAME, ShownDetection
from core.model import Annotation

CLOSE = 0.75
"""IoU that parts "moved a little" from "moved far"."""


class Change(StrEnum):
    """What became of a prediction from the first model to the second."""

    LOST = "lost"
    GAINED = "gained"
    MOVED_FAR = "moved far"
    MOVED = "moved a little"
    SAME = "same place"


@dataclass(frozen=True, slots=True)
class Difference:
    """One lesion as the two models see it.

    Attributes:
        change: What became of it. Of a pair, by IoU: moved far from AGREES to CLOSE, a little up to SAME.
        first: The first model's prediction, None where gained.
        second: The second's, None where lost.
        overlap: IoU of the two; None where there is one only.
    """

    change: Change
    first: ShownDetection | None
    second: ShownDetection | None
    overlap: float | None = None

    @property
    def score_change(self) -> float | None:
        """The second's score less the first's; None where there is one only."""
        if self.first is None or self.second is None:
            return None
        return self.second.detection.score - self.first.detection.score

    @property
    def other_class(self) -> bool:
        """Whether the two models name different classes."""
        if self.first is None or self.second is None:
            return False
        return self.first.detection.label_id != self.second.detection.label_id


@dataclass(frozen=True, slots=True)
class Balance:
    """Differences held against what readers have drawn: each counts for the second model or against it.

    A prediction is right where it agrees (IoU ≥ AGREES) with an annotation of its class.

    Attributes:
        better: Right ones gained, wrong ones lost, pairs of which only the second is right.
        worse: The contrary.
    """

    better: int
    worse: int


def differences(first: Sequence[ShownDetection], second: Sequence[ShownDetection]) -> tuple[Difference, ...]:
    """Pair the predictions of two models on one slice, each at its own operating point.

    Pairs are taken by falling IoU, across classes, down to AGREES; each prediction is in one difference.

    Returns:
        Lost, gained, moved far, moved a little, same place; within each by falling score.
    """
    pairs = _pairs([s.detection.box.as_tuple() for s in first], [s.detection.box.as_tuple() for s in second])
    found = [Difference(_moved(overlap), first[i], second[j], overlap) for (i, j), overlap in pairs.items()]
    paired_first, paired_second = {i for i, _ in pairs}, {j for _, j in pairs}
    found += [Difference(Change.LOST, s, None) for i, s in enumerate(first) if i not in paired_first]
    found += [Difference(Change.GAINED, None, s) for j, s in enumerate(second) if j not in paired_second]
    order = list(Change)
    return tuple(sorted(found, key=lambda d: (order.index(d.change), -_score(d))))


def balance(found: Sequence[Difference], annotations: Sequence[Annotation]) -> Balance:
    """How much better and worse the second model is on a slice that a reader has read."""
    better = worse = 0
    for one in found:
        was, now = _right(one.first, annotations), _right(one.second, annotations)
        if one.first is None:
            was = not now
        elif one.second is None:
            now = not was
        better += now and not was
        worse += was and not now
    return Balance(better, worse)


def _pairs(
    first: Sequence[tuple[float, ...]], second: Sequence[tuple[float, ...]]
) -> dict[tuple[int, int], float]:
    overlap = iou_matrix(np.array(first).reshape(-1, 4), np.array(second).reshape(-1, 4))
    ranked = sorted((-float(overlap[i, j]), i, j) for i, j in np.argwhere(overlap >= AGREES).tolist())
    pairs: dict[tuple[int, int], float] = {}
    for minus, i, j in ranked:
        if all(i != a and j != b for a, b in pairs):
            pairs[i, j] = -minus
    return pairs


def _moved(overlap: float) -> Change:
    if overlap >= SAME:
        return Change.SAME
    return Change.MOVED if overlap >= CLOSE else Change.MOVED_FAR


def _score(one: Difference) -> float:
    return max(s.detection.score for s in (one.first, one.second) if s is not None)


def _right(shown: ShownDetection | None, annotations: Sequence[Annotation]) -> bool:
    if shown is None:
        return False
    same = [a.box for a in annotations if a.label_id == shown.detection.label_id]
    return bool((iou_matrix(to_array([shown.detection.box]), to_array(same)) >= AGREES).any())
