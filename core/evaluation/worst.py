"""The slices a person should look at first: the largest lesions missed, the surest false positives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.boxes import to_array
from core.evaluation.froc import threshold_at
from core.evaluation.matching import match_slice
from core.evaluation.parts import sides
from core.evaluation.ranking import AT_HALF, Compared, rank
from core.model import Detection

MOST = 12
"""Pictures in a report."""
KEPT_FOR_FALSE = 4
"""Of which this many are for false positives, where there are as many."""


@dataclass(frozen=True, slots=True)
class Case:
    """A slice that went wrong, at one operating point, whatever the class.

    Attributes:
        index: The slice.
        missed: Indices of its true boxes that were not found.
        shown: Its detections at the operating point, by falling score.
        false: Which of `shown` found no true box.
        largest: Side of the largest missed box, pixels of a slice of 512; 0 where none was missed.
    """

    index: int
    missed: tuple[int, ...]
    shown: tuple[Detection, ...]
    false: tuple[bool, ...]
    largest: float

    @property
    def surest(self) -> float:
        """Score of the surest false positive; 0 where there is none."""
        return max((d.score for d, wrong in zip(self.shown, self.false, strict=True) if wrong), default=0.0)


def operating_score(pairs: Compared, rate: float = 1.0) -> float:
    """The lowest score with at most so many false positives per slice; the highest there is where none is.

    Infinite without detections.
    """
    ranking = rank(pairs, None, AT_HALF)
    least = threshold_at(ranking, rate)
    return float(ranking.scores[0]) if least == float("inf") and len(ranking.scores) else least


def worst_cases(pairs: Compared, least: float, most: int = MOST) -> list[Case]:
    """Slices with missed lesions, largest first, then those with false positives, surest first.

    Args:
        pairs: What is compared, with its slices.
        least: Lowest score that counts.
        most: How many slices; each comes once.
    """
    cases = [_case(pairs, i, least) for i in range(len(pairs.truth))]
    missed = sorted((c for c in cases if c.missed), key=lambda c: -c.largest)
    only_false = sorted((c for c in cases if not c.missed and c.surest), key=lambda c: -c.surest)
    room = most - min(KEPT_FOR_FALSE, len(only_false))
    first = missed[:room]
    return first + only_false[: most - len(first)]


def _case(pairs: Compared, index: int, least: float) -> Case:
    ref = pairs.refs[index]
    shown = sorted((d for d in pairs.found[index] if d.score >= least), key=lambda d: -d.score)
    truth = to_array(box for box, _ in pairs.truth[index])
    scores = np.array([d.score for d in shown], dtype=np.float64)
    match = match_slice(truth, to_array(d.box for d in shown), scores, AT_HALF)
    missed = np.flatnonzero(~match.matched[0])
    lost = sides(truth[missed], ref.rows, ref.columns)
    return Case(
        index=index,
        missed=tuple(missed.tolist()),
        shown=tuple(shown),
        false=tuple((~match.hits[0]).tolist()),
        largest=float(lost.max(initial=0.0)),
    )
