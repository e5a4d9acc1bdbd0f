"""95 % intervals by drawing whole groups with replacement: slices of one patient are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.boxes import to_array
from core.evaluation.matching import IOU_THRESHOLDS, SliceMatch, average_precision, match_slice
from core.model import Box, Detection


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % percentile interval; NaN where it could not be formed."""

    low: float
    high: float


def intervals(
    truth: Sequence[Sequence[tuple[Box, int]]],
    detections: Sequence[Sequence[Detection]],
    groups: Sequence[str] | None,
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    """Intervals of "ap50" and "ap50_95" (mean over the classes that a resample holds).

    Args:
        truth: Per slice the true boxes and class ids.
        detections: Per slice.
        groups: Per slice its group; None for every slice its own.
        resamples: How many.
        seed: Of the draws.
    """
    names = list(groups) if groups is not None else [str(i) for i in range(len(truth))]
    members: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        members.setdefault(name, []).append(index)
    blocks = [np.array(v) for v in members.values()]
    labels = sorted({label for boxes in truth for _, label in boxes})
    matches = [[_match(t, d, label) for t, d in zip(truth, detections, strict=True)] for label in labels]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples if blocks and labels else 0):
        picked = np.concatenate([blocks[b] for b in rng.integers(0, len(blocks), len(blocks))])
        by_class = np.array([_curve(per_slice, picked) for per_slice in matches])
        present = ~np.isnan(by_class[:, 0])
        if present.any():
            mean = by_class[present].mean(axis=0)
            drawn.append((mean[0], mean.mean()))
    return {name: _percentiles([row[k] for row in drawn]) for k, name in enumerate(("ap50", "ap50_95"))}


def _match(truth: Sequence[tuple[Box, int]], detections: Sequence[Detection], label: int) -> SliceMatch:
    found = sorted((d for d in detections if d.label_id == label), key=lambda d: -d.score)[:100]
    return match_slice(
        to_array(b for b, true_label in truth if true_label == label),
        to_array(d.box for d in found),
        np.array([d.score for d in found], dtype=np.float64),
    )


def _curve(per_slice: Sequence[SliceMatch], picked: NDArray[np.int64]) -> NDArray[np.float64]:
    """AP at each threshold over the picked slices."""
    chosen = [per_slice[i] for i in picked]
    scores = np.concatenate([m.scores for m in chosen])
    hits = np.concatenate([m.hits for m in chosen], axis=1)
    truths = sum(m.truths for m in chosen)
    return np.array([average_precision(scores, hits[t], truths) for t in range(len(IOU_THRESHOLDS))])


def _percentiles(values: Sequence[float]) -> Interval:
    if not values:
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(low), float(high))
