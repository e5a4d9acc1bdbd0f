"""Detections of many slices in one ranking, and the figures of it for many resamples at once.

A resample draws groups with replacement; here it is a row of counts, how often each group was drawn. One
matching serves all resamples, and a figure is a matter of cumulated counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.boxes import to_array
from core.evaluation.matching import IOU_THRESHOLDS, Counted, SliceMatch, match_slice
from core.evaluation.parts import sizes_of
from core.model import Box, Detection, SliceRef

Truth = Sequence[tuple[Box, int]]
Counts = NDArray[np.int64]
AT_HALF = IOU_THRESHOLDS[:1]
MOST = 100
"""Detections of a slice and class that count, best first, as in COCO."""
_RECALLS = np.linspace(0.0, 1.0, 101)
_AT_ONCE = 4_000_000  # entries of an array that stays in reach of the processor's caches and of any memory


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared, slice by slice.

    Attributes:
        truth: True boxes and class ids.
        found: Detections.
        members: (S,) index of each slice's group.
        groups: How many groups there are.
        refs: The slices; empty where nothing is known of them.
    """

    truth: Sequence[Truth]
    found: Sequence[Sequence[Detection]]
    members: NDArray[np.int64]
    groups: int
    refs: Sequence[SliceRef] = ()

    @property
    def labels(self) -> list[int]:
        """Class ids of the true boxes, rising."""
        return sorted({label for boxes in self.truth for _, label in boxes})

    def only(self, chosen: Sequence[int]) -> Compared:
        """Some of the slices, of the same groups."""
        return replace(
            self,
            truth=[self.truth[i] for i in chosen],
            found=[self.found[i] for i in chosen],
            members=self.members[list(chosen)],
            refs=[self.refs[i] for i in chosen] if self.refs else (),
        )


def compared(
    truth: Sequence[Truth],
    found: Sequence[Sequence[Detection]],
    groups: Sequence[str] | None = None,
    refs: Sequence[SliceRef] = (),
) -> Compared:
    """Pair truth and detections; without groups every slice is its own.

    Raises:
        ValueError: The lists differ in length.
    """
    if len({len(truth), len(found), *((len(groups),) if groups is not None else ())}) > 1:
        raise ValueError("truth, detections and groups must have one entry per slice")
    if refs and len(refs) != len(truth):
        raise ValueError("truth and slices must have one entry per slice")
    if groups is None:
        return Compared(truth, found, np.arange(len(truth)), len(truth), refs)
    index = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    return Compared(truth, found, np.array([index[g] for g in groups], dtype=np.int64), len(index), refs)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Detections of one class (or of any), best first.

    Attributes:
        scores: (D,) falling.
        hits: (T, D) whether the detection found a true box, per IoU threshold.
        ignored: (T, D) whether it does not count at all.
        members: (D,) index of the group.
        truths: (G,) true boxes that count, per group.
        slices: (G,) slices per group.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    members: NDArray[np.int64]
    truths: NDArray[np.int64]
    slices: NDArray[np.int64]


def rank(
    pairs: Compared,
    label: int | None,
    thresholds: NDArray[np.float64] = IOU_THRESHOLDS,
    size: int | None = None,
) -> Ranking:
    """Match every slice and rank all detections.

    Args:
        pairs: What to compare.
        label: The class; None for any: then every detection counts, not the first hundred.
        thresholds: (T,) IoU thresholds.
        size: Index into SIZES: only true boxes of that size count, as with COCO's area ranges. The slices
            must be known.
    """
    matches = [_match(pairs, i, label, thresholds, size) for i in range(len(pairs.truth))]
    truths = np.zeros(pairs.groups, dtype=np.int64)
    np.add.at(truths, pairs.members, np.array([m.truths for m in matches], dtype=np.int64))
    scores = np.concatenate([np.zeros(0), *(m.scores for m in matches)])
    order = np.argsort(-scores, kind="mergesort")
    none = np.zeros((len(thresholds), 0), dtype=np.bool_)
    return Ranking(
        scores[order],
        np.concatenate([none, *(m.hits for m in matches)], axis=1)[:, order],
        np.concatenate([none, *(m.ignored for m in matches)], axis=1)[:, order],
        np.repeat(pairs.members, [len(m.scores) for m in matches])[order],
        truths,
        np.bincount(pairs.members, minlength=pairs.groups),
    )


def _match(
    pairs: Compared, i: int, label: int | None, thresholds: NDArray[np.float64], size: int | None
) -> SliceMatch:
    found = [d for d in pairs.found[i] if label is None or d.label_id == label]
    if label is not None:
        found = sorted(found, key=lambda d: -d.score)[:MOST]
    truth = to_array(box for box, of in pairs.truth[i] if label is None or of == label)
    boxes = to_array(d.box for d in found)
    counted = None
    if size is not None:
        ref = pairs.refs[i]
        counted = Counted(
            sizes_of(truth, ref.rows, ref.columns) == size, sizes_of(boxes, ref.rows, ref.columns) == size
        )
    return match_slice(
        truth, boxes, np.array([d.score for d in found], dtype=np.float64), thresholds, counted
    )


def once(pairs: Compared) -> Counts:
    """The data set itself as a single resample: every group once, (1, G)."""
    return np.ones((1, pairs.groups), dtype=np.int64)


def draws(groups: int, resamples: int, seed: int) -> Counts:
    """How often each group is drawn, (resamples, groups); as many draws a resample as there are groups.

    Of a single group there is no resample: it would always be the same, and an interval of no width.
    """
    if groups < 2:
        return np.zeros((0, groups), dtype=np.int64)
    even = np.full(groups, 1.0 / groups)
    return np.random.default_rng(seed).multinomial(groups, even, size=resamples).astype(np.int64)


def precisions(ranking: Ranking, counts: Counts) -> NDArray[np.float64]:
    """COCO's 101-point average precision, (resamples, T); NaN where a resample has no true box.

    Args:
        ranking: The detections.
        counts: (resamples, G) from `draws` or `once`.
    """
    result = np.zeros((len(counts), len(ranking.hits)))
    for rows in _batches(len(counts), len(ranking.scores)):
        weights = counts[rows][:, ranking.members].astype(np.int32)
        totals = counts[rows] @ ranking.truths
        ranks = np.cumsum(weights, axis=1, dtype=np.int32)
        for t, (hits, ignored) in enumerate(zip(ranking.hits, ranking.ignored, strict=True)):
            at = np.flatnonzero(hits)
            here = np.cumsum(weights * ~ignored, axis=1, dtype=np.int32) if ignored.any() else ranks
            result[rows, t] = _interpolated(np.cumsum(weights[:, at], axis=1), here[:, at], totals)
    return result


def _interpolated(found: NDArray[np.int64], ranks: NDArray[np.int32], totals: Counts) -> NDArray[np.float64]:
    """AP from true positives and ranks at each hit, (resamples, hits); between hits precision only falls."""
    recall = found / np.maximum(totals, 1)[:, None]
    precision = found / np.maximum(ranks, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # How many of the recalls read off are reached here and not before.
    points = np.diff(np.searchsorted(_RECALLS, recall, side="right"), axis=1, prepend=0)
    return np.where(totals > 0, (envelope * points).sum(axis=1) / len(_RECALLS), np.nan)


def mean_precisions(
    pairs: Compared,
    counts: Counts,
    thresholds: NDArray[np.float64] = IOU_THRESHOLDS,
    *,
    size: int | None = None,
    labels: Sequence[int] | None = None,
) -> NDArray[np.float64]:
    """Mean over the classes that a resample holds of `precisions`, (resamples, T); NaN where it has none.

    Args:
        pairs: What is compared.
        counts: Resamples.
        thresholds: (T,) IoU thresholds.
        size: Index into SIZES, as for `rank`.
        labels: The classes; None for all that have true boxes.
    """
    among = pairs.labels if labels is None else labels
    by_class = [precisions(rank(pairs, label, thresholds, size), counts) for label in among]
    return _nan_mean(np.array(by_class).reshape(len(by_class), len(counts), len(thresholds)))


def precision_curve(ranking: Ranking) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall and interpolated precision at the first threshold, up to the last recall that is reached.

    Average precision is the area under it; both are empty without true boxes or hits.
    """
    total = int(ranking.truths.sum())
    counted = ranking.hits[0][~ranking.ignored[0]]
    at = np.flatnonzero(counted)
    if not total or not len(at):
        return np.zeros(0), np.zeros(0)
    found = np.arange(1, len(at) + 1)
    envelope = np.maximum.accumulate((found / (at + 1))[::-1])[::-1]
    reached = _RECALLS[found[-1] / total >= _RECALLS]
    return reached, envelope[np.searchsorted(found / total, reached)]


def _nan_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the first axis of what is not NaN; NaN, without a warning, where nothing is."""
    there = ~np.isnan(values)
    total, number = np.where(there, values, 0.0).sum(axis=0), there.sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def sensitivities(
    ranking: Ranking, counts: Counts, rates: Sequence[float], *, per_group: bool = False
) -> NDArray[np.float64]:
    """Sensitivity at given false positives per slice (or per group), (resamples, rates); NaN without lesion.

    At each rate the lowest threshold that keeps to it; detections of equal score come together.
    """
    result = np.zeros((len(counts), len(rates)))
    ends = last_of_equals(ranking.scores)
    hits = ranking.hits[0]
    units = np.ones_like(ranking.slices) if per_group else ranking.slices
    for rows in _batches(len(counts), len(ranking.scores)):
        weights = counts[rows][:, ranking.members].astype(np.int32)
        found = np.cumsum(weights * hits, axis=1, dtype=np.int32)[:, ends]
        alarms = np.cumsum(weights * ~hits, axis=1, dtype=np.int32)[:, ends]
        totals, room = counts[rows] @ ranking.truths, counts[rows] @ units
        result[rows] = read_off(found, alarms, totals, room, rates)
    return result


def read_off(
    found: NDArray[np.signedinteger],
    alarms: NDArray[np.signedinteger],
    totals: Counts,
    room: Counts,
    rates: Sequence[float],
) -> NDArray[np.float64]:
    """Sensitivity at the lowest threshold that keeps to each rate, (resamples, rates); NaN without lesion.

    Args:
        found: (resamples, thresholds) lesions found, from the highest threshold down.
        alarms: (resamples, thresholds) false positives, likewise.
        totals: (resamples,) true lesions.
        room: (resamples,) slices, series or groups that the rates are per.
        rates: False positives per unit.
    """
    # Nothing is found before the first detection.
    found = np.pad(found, ((0, 0), (1, 0)))
    result = np.zeros((len(found), len(rates)))
    for k, rate in enumerate(rates):
        last = (alarms <= (rate * room)[:, None]).sum(axis=1)
        reached = np.take_along_axis(found, last[:, None], axis=1)[:, 0]
        result[:, k] = np.where(totals > 0, reached / np.maximum(totals, 1), np.nan)
    return result


def last_of_equals(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices where a threshold can cut a falling list: the last of each score."""
    return (
        np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(scores) else np.zeros(0, np.int64)
    )


def _batches(resamples: int, width: int) -> Iterator[slice]:
    step = max(_AT_ONCE // max(width, 1), 1)
    return (slice(start, start + step) for start in range(0, resamples, step))
