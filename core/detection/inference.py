"""From regions to judged boxes, then suppression; for detector and training alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import boxes as bx
from core.detection.coder import decode
from core.detection.network import STRIDE, Embedding, Network

PROMISING = 32
"""Regions that are judged of those proposed: the ones that fit the lesion map best, near-copies left out.
With all 150 AP50 on held-out slices of cheng and btod is no better (.763 and .913 against .770 and .910)."""
# Regions that overlap by more are one, of which the best is judged: without that the copies of a large lesion
# leave no room for a small one beside it.
_NEARLY_SAME = 0.8
# Where the lesion map says at least so much, a lesion may be; cells that hang together are one.
_SEEN = 0.1
_LEAST_SIDE = 1.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What the network says of each region, in working pixels.

    Attributes:
        boxes: (N, 4) after regression, inside the image; the region itself where it was not judged.
        probabilities: (N, K) of each class; 0 where it was not judged.
        promise: (N,) how well each region fits the lesion map, 0 … 1; 1 where there is no map.
    """

    boxes: bx.Boxes
    probabilities: NDArray[np.float64]
    promise: NDArray[np.float64]

    @property
    def classes(self) -> NDArray[np.int64]:
        """(N,) the best class, 0 … K - 1."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def scores(self) -> NDArray[np.float64]:
        """(N,) its probability."""
        return np.asarray(self.probabilities.max(axis=1))


def regressed(regions: Tensor, deltas: Tensor, labels: Tensor, width: float, height: float) -> Tensor:
    """The boxes that the regression of each region's class makes of the regions, inside the image."""
    chosen = deltas[torch.arange(len(deltas)), labels]
    return clip_boxes(decode(regions, chosen), width, height)


def clip_boxes(boxes: Tensor, width: float, height: float) -> Tensor:
    """Boxes moved inside the image, each side at least one pixel, so that all of them stay boxes.

    NaN becomes 0: it is no place to sample, where a diverged run should end with a message.
    """
    boxes = torch.nan_to_num(boxes)
    x1 = boxes[:, 0].clamp(0.0, width - _LEAST_SIDE)
    y1 = boxes[:, 1].clamp(0.0, height - _LEAST_SIDE)
    x2 = torch.maximum(boxes[:, 2].clamp(max=width), x1 + _LEAST_SIDE)
    y2 = torch.maximum(boxes[:, 3].clamp(max=height), y1 + _LEAST_SIDE)
    return torch.stack([x1, y1, x2, y2], dim=1)


@torch.inference_mode()
def judge_regions(
    network: Network,
    embedding: Embedding,
    regions: bx.Boxes,
    width: float,
    height: float,
    check: Callable[[], None] = lambda: None,
) -> Judged:
    """Judge the promising regions of a slice.

    A second look at the regressed boxes was dropped when the lesion map came: with it AP50 on held-out blocks
    of cheng/train is .733, without .736.

    Args:
        network: In evaluation mode.
        embedding: Of one slice.
        regions: (N, 4) working pixels.
        width: Of the slice within the working image.
        height: Of the slice within the working image.
        check: Called between portions of the work; may raise to stop it.
    """
    count = len(regions)
    promise = _promise(embedding, regions)
    boxes, probabilities = regions.astype(np.float64), np.zeros((count, network.spec.classes))
    if count == 0:
        return Judged(boxes, probabilities, promise)
    chosen = np.arange(count)
    if embedding.lesions is not None:
        chosen = bx.nms(regions, promise, _NEARLY_SAME)[0][:PROMISING]
    seen = torch.from_numpy(regions[chosen].astype(np.float32))
    logits, deltas = _in_portions(network, embedding, seen, check)
    probability = logits.softmax(dim=1)[:, 1:]
    moved = regressed(seen, deltas, probability.argmax(dim=1), width, height)
    boxes[chosen], probabilities[chosen] = moved.numpy(), probability.numpy()
    return Judged(boxes, probabilities, promise)


def _promise(embedding: Embedding, regions: bx.Boxes) -> NDArray[np.float64]:
    """How well each region fits a lesion of the map, of any class.

    Its Dice overlap with the connected part of the map that it fits best, times the most that is said there.
    """
    if embedding.lesions is None:
        return np.ones(len(regions))
    lesion = 1.0 - embedding.lesions[0].float().softmax(dim=0)[0].cpu().numpy()
    count, parts = cv2.connectedComponents((lesion > _SEEN).astype(np.uint8))
    if count == 1:  # nothing but background
        return _dice(lesion, regions)
    each = [lesion * (parts == k) for k in range(1, count)]
    return np.asarray(np.max([float(part.max()) * _dice(part, regions) for part in each], axis=0))


def _dice(lesion: NDArray[np.floating], regions: bx.Boxes) -> NDArray[np.float64]:
    """Dice overlap of each region with a map of one value a cell."""
    table = np.zeros((lesion.shape[0] + 1, lesion.shape[1] + 1))
    table[1:, 1:] = lesion.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    x1, y1, x2, y2 = (regions / STRIDE).T
    inside = _at(table, x2, y2) - _at(table, x1, y2) - _at(table, x2, y1) + _at(table, x1, y1)
    area = (x2 - x1) * (y2 - y1)
    return np.asarray(2.0 * inside / np.maximum(area + table[-1, -1], 1e-6))


def _at(table: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The integral of a map of constant cells up to (x, y): bilinear between the cells' corners."""
    rows, columns = table.shape
    x, y = np.clip(x, 0.0, columns - 1.0), np.clip(y, 0.0, rows - 1.0)
    column = np.minimum(x.astype(np.int64), columns - 2)
    row = np.minimum(y.astype(np.int64), rows - 2)
    across, down = x - column, y - row
    upper = table[row, column] * (1.0 - across) + table[row, column + 1] * across
    lower = table[row + 1, column] * (1.0 - across) + table[row + 1, column + 1] * across
    return np.asarray(upper * (1.0 - down) + lower * down)


def _in_portions(
    network: Network, embedding: Embedding, regions: Tensor, check: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    parts = []
    for part in torch.split(regions, network.portion):
        check()
        parts.append(network.judge(embedding, [part]))
    # What follows is little work, and the same on the processor whatever the device.
    logits, deltas = (torch.cat([p[i] for p in parts]).float().cpu() for i in (0, 1))
    return logits, deltas


def suppress(judged: Judged, threshold: float) -> NDArray[np.int64]:
    """Non-maximum suppression by best class, across classes: a lesion is of one kind.

    Returns:
        (N,) for every region the index of the one that suppressed it, itself where it was kept or not judged.
    """
    by = np.arange(len(judged.boxes), dtype=np.int64)
    members = np.flatnonzero(judged.scores)
    by[members] = members[bx.nms(judged.boxes[members], judged.scores[members], threshold)[1]]
    return by


def class_detections(judged: Judged, threshold: float, least: float) -> list[tuple[int, int]]:
    """What is found: of every class the boxes left by non-maximum suppression, as in Girshick 2014.

    A box stands for every class that it may be: one that is taken for a meningioma may rank among the
    gliomas. On held-out blocks of cheng/train AP50 is .734 so, .703 with each box's best class only.

    Args:
        judged: The regions.
        threshold: Overlap above which the weaker of two boxes of a class is dropped.
        least: Lowest probability.

    Returns:
        (region, class) pairs by falling probability.
    """
    found: list[tuple[float, int, int]] = []
    for label in range(judged.probabilities.shape[1]):
        scores = judged.probabilities[:, label]
        members = np.flatnonzero(scores >= least)
        kept, _ = bx.nms(judged.boxes[members], scores[members], threshold)
        found += [(-float(scores[i]), int(i), label) for i in members[kept]]
    return [(region, label) for _, region, label in sorted(found)]
