"""Which proposal a reader means who points at a place: the candidates for a box there, best first.

The order. Every proposal whose box holds the point is judged by five things: how far the point is from the
box's centre (a reader points at the middle), how large the box is, how elongated, and how much rank score
stands behind it in proposals that overlap it by more than .7 and by more than .5 (a lesion is found by many
sources at once). Their weights were fitted on five blocks of cheng/train that the ranking of the proposals
never saw and on half of btod/train, as a choice among the proposals of a slice, with points at the lesion's
centre and up to a fifth of its size away; scale and constant so that `chance` is how often the best one has
IoU ≥ .75 on those blocks.

Whether the region covers the point is told, but does not decide: a lesion with a bright rim is not covered
in its middle. With covering regions first the first three hold a box of IoU ≥ .75 on 61 % of the lesions
of btod/train, so on 77 %.

`python -m benchmarks.snap` measures all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.boxes import Boxes, iou_matrix, to_array
from core.detection.base import DetectResult
from core.detection.operating_point import AGREES
from core.model import Box, Proposals

POOR = 0.2
"""Chance of the best candidate below which it is said to be poor: on the held-out blocks a fifth of the
lesions, of whose best candidates one in seven has IoU ≥ .75, of the others one in two."""
SAME = 0.8
"""IoU from which two candidates are one; of .6 to .95 the first three then hold the lesion most often."""
MOST = 12
"""Candidates to cycle through."""

WEIGHTS = np.array([-4.65, -0.87, -1.18, 0.39, 0.53])
CONSTANT = -1.17
"""Of `features`, for the logit of the chance; `python -m benchmarks.build_snap` fits them."""

_FEWEST_VOTES = 1e-3


@dataclass(frozen=True, slots=True)
class SnapCandidate:
    """A proposal that may be what the reader points at.

    Attributes:
        proposal: Index into the proposals.
        box: Its box.
        chance: How likely its IoU with what the reader means is .75 or more, in (0, 1); falls from candidate
            to candidate. Measured for the best one and our own proposers only.
        covers: Whether its region covers the point; False where the regions are not known.
    """

    proposal: int
    box: Box
    chance: float
    covers: bool


@dataclass(frozen=True, slots=True)
class Snap:
    """The answer at a point.

    Attributes:
        candidates: Best first, near-copies left out; empty where no proposal's box holds the point.
        is_poor: The best one is unlikely to fit (`POOR`), or there is none: better to draw.
    """

    candidates: tuple[SnapCandidate, ...]
    is_poor: bool


def snap_at(proposals: Proposals, x: float, y: float, rows: int, columns: int, most: int = MOST) -> Snap:
    """The candidates for a box at a point.

    Args:
        proposals: Of the slice.
        x: In slice pixels, corner convention.
        y: Likewise.
        rows: Height of the slice in pixels.
        columns: Width of the slice in pixels.
        most: So many candidates at most.
    """
    boxes = to_array(proposals.boxes)
    holding = np.flatnonzero(holds(boxes, x, y))
    if not len(holding):
        return Snap((), is_poor=True)
    overlap = iou_matrix(boxes[holding], boxes)
    told = features(boxes[holding], overlap, np.array(proposals.scores), (x, y), max(rows, columns))
    chance = 1.0 / (1.0 + np.exp(-(told @ WEIGHTS + CONSTANT)))
    covering = set(proposals.regions.at(x, y)) if proposals.regions is not None else set()
    candidates = tuple(
        SnapCandidate(
            int(holding[k]), proposals.boxes[holding[k]], float(chance[k]), int(holding[k]) in covering
        )
        for k in _distinct(overlap[:, holding], chance, most)
    )
    return Snap(candidates, is_poor=candidates[0].chance < POOR)


def holds(boxes: Boxes, x: float, y: float) -> NDArray[np.bool_]:
    """(N,) whether each box holds the point."""
    across = (boxes[:, 0] <= x) & (x < boxes[:, 2])
    return np.asarray(across & (boxes[:, 1] <= y) & (y < boxes[:, 3]))


def features(
    boxes: Boxes,
    overlap: NDArray[np.float64],
    scores: NDArray[np.float64],
    point: tuple[float, float],
    side: int,
) -> NDArray[np.float64]:
    """What the order goes by, (M, 5): off the centre, size, elongation, votes at .7 and at .5.

    Args:
        boxes: (M, 4) that hold the point.
        overlap: (M, N) their IoU with every proposal.
        scores: (N,) rank scores.
        point: x, y.
        side: The slice's longer side.
    """
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    off_x = np.abs(point[0] - (boxes[:, 0] + boxes[:, 2]) / 2) / (width / 2)
    off_y = np.abs(point[1] - (boxes[:, 1] + boxes[:, 3]) / 2) / (height / 2)
    told = (
        np.maximum(off_x, off_y),
        np.log(np.sqrt(width * height) / side),
        np.abs(np.log(width / height)),
        np.log((overlap > 0.7) @ scores + _FEWEST_VOTES),
        np.log((overlap > 0.5) @ scores + _FEWEST_VOTES),
    )
    return np.stack(told, axis=1)


def _distinct(overlap: NDArray[np.float64], chance: NDArray[np.float64], most: int) -> list[int]:
    """By falling chance (equal ones in the proposals' order), each unlike those before it."""
    kept: list[int] = []
    for k in np.argsort(-chance, kind="stable").tolist():
        if all(overlap[k, j] < SAME for j in kept):
            kept.append(k)
            if len(kept) == most:
                break
    return kept


def likely_class(result: DetectResult, box: Box) -> int | None:
    """The class a new box should get: what the model says of the best scored region there, if of any.

    Args:
        result: Of the box's slice.
        box: Snapped or drawn.

    Returns:
        Class id of the best scored judged row whose proposal or box has IoU ≥ AGREES with it, or None.
    """
    judged = [t for t in result.trace if t.score > 0.0]
    here = to_array([box])
    after = iou_matrix(here, to_array(t.box for t in judged))[0]
    before = iou_matrix(here, to_array(result.proposals.boxes[t.proposal] for t in judged))[0]
    near = [t for t, overlap in zip(judged, np.maximum(after, before), strict=True) if overlap >= AGREES]
    return max(near, key=lambda t: t.score).label_id if near else None
