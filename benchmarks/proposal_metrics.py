"""How well ranked boxes cover true ones: recall, mean best overlap and average recall of the first N.

Recall at an overlap t is the share of true boxes for which one of the first N proposals of their slice has
an intersection over union of at least t. Mean best IoU is the mean over the true boxes of the best overlap.
Average recall is the mean recall over t = .5, .55, …, .95 (as COCO has it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.boxes import Boxes, iou_matrix

ALL = 0  # the budget that stands for every proposal there is
BUDGETS = (1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 70, 100, 140, 200, 300, 400, 500, 700, 1000, 1500, 2000, ALL)
HEADLINES = (20, 100, 400, 1000, ALL)  # of which there are intervals, planes and sizes
OVERLAPS = np.linspace(0.5, 0.95, 10)
MEASURES = ("recall50", "recall70", "best_iou", "average_recall")
# IoU of corners that went through a rounded text file; without it .7 exactly is now and then a miss.
_EPSILON = 1e-9

Figures = dict[str, float | list[float]]


@dataclass(frozen=True, slots=True)
class Lesions:
    """Every true box of a set with what was found of it.

    Attributes:
        best: (lesions, budgets) best IoU among the first N proposals of the slice.
        groups: Group of each lesion, drawn whole in a resample.
        planes: Plane of each lesion, "" where unknown.
        sizes: Size of each lesion, one of SIZES.
    """

    best: NDArray[np.float64]
    groups: tuple[str, ...]
    planes: tuple[str, ...]
    sizes: tuple[str, ...]


def best_overlaps(truth: Boxes, found: Boxes, budgets: Sequence[int] = BUDGETS) -> NDArray[np.float64]:
    """For every true box the best IoU among the first N proposals, for every N; 0 where there are none.

    Args:
        truth: (M, 4).
        found: (K, 4), best first.
        budgets: N each; ALL for K.

    Returns:
        (M, len(budgets)) in [0, 1].
    """
    if not len(found) or not len(truth):
        return np.zeros((len(truth), len(budgets)))
    running = np.maximum.accumulate(iou_matrix(truth, found), axis=1)
    last = [min(n, len(found)) - 1 if n != ALL else len(found) - 1 for n in budgets]
    return running[:, last]


def measures(best: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each lesion contributes to each of MEASURES: best IoU (…) to (…, len(MEASURES))."""
    reached = best[..., None] >= OVERLAPS - _EPSILON
    recall50, recall70 = reached[..., 0], best >= 0.7 - _EPSILON
    return np.stack([recall50, recall70, best, reached.mean(axis=-1)], axis=-1).astype(np.float64)


def summary(lesions: Lesions, budgets: Sequence[int] = BUDGETS) -> Figures:
    """Number of lesions, and each of MEASURES for each budget (some of BUDGETS)."""
    figures: Figures = {"lesions": len(lesions.best)}
    if not len(lesions.best):
        return figures
    mean = measures(_at(lesions.best, budgets)).mean(axis=0)
    return figures | {name: mean[:, k].round(4).tolist() for k, name in enumerate(MEASURES)}


def by_part(lesions: Lesions, labels: Sequence[str], names: Sequence[str]) -> dict[str, Figures]:
    """The summary at HEADLINES of each part that has a lesion; `labels` names the part of each lesion."""
    parts = {name: [k for k, label in enumerate(labels) if label == name] for name in names}
    return {name: summary(_some(lesions, members), HEADLINES) for name, members in parts.items() if members}


def intervals(lesions: Lesions, resamples: int, seed: int = 0) -> Mapping[str, list[list[float]]]:
    """95 % percentile intervals by drawing whole groups with replacement.

    Returns:
        Per measure, [low, high] for each of HEADLINES. Empty where there is no lesion.
    """
    if not len(lesions.best):
        return {}
    _, member = np.unique(np.array(lesions.groups), return_inverse=True)
    groups = int(member.max()) + 1
    each = measures(_at(lesions.best, HEADLINES))
    sums = np.zeros((groups, *each.shape[1:]))
    np.add.at(sums, member, each)
    counts = np.bincount(member, minlength=groups)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples)
    means = np.tensordot(drawn, sums, axes=1) / (drawn @ counts)[:, None, None]
    limits = np.percentile(means, [2.5, 97.5], axis=0)
    return {name: limits[:, :, k].T.round(4).tolist() for k, name in enumerate(MEASURES)}


def _at(best: NDArray[np.float64], budgets: Sequence[int]) -> NDArray[np.float64]:
    return best[:, [BUDGETS.index(n) for n in budgets]]


def _some(lesions: Lesions, members: Sequence[int]) -> Lesions:
    groups, planes, sizes = (
        tuple(of[k] for k in members) for of in (lesions.groups, lesions.planes, lesions.sizes)
    )
    return Lesions(lesions.best[list(members)], groups, planes, sizes)
