"""From regions to judged boxes: the head applied twice, then suppression; for detector and training alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import boxes as bx
from core.detection.coder import decode
from core.detection.network import Embedding, Network

# Only the most promising regions are worth the second look.
SECOND_LOOK = 100
_LEAST_SIDE = 1.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What the network says of each region, in working pixels.

    Attributes:
        boxes: (N, 4) after regression, inside the image.
        classes: (N,) the best class, 0 … K - 1.
        scores: (N,) its probability, averaged over the looks.
        first_scores: (N,) the probability of the first look's best class.
    """

    boxes: bx.Boxes
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]
    first_scores: NDArray[np.float64]


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
def judge_twice(
    network: Network,
    embedding: Embedding,
    regions: Tensor,
    width: float,
    height: float,
    check: Callable[[], None] = lambda: None,
) -> Judged:
    """Judge regions, refine the best ones, and judge those again where they moved to.

    The second look scores the box that is shown, and lets a region that only half covered a lesion be
    regressed from a better start. Its probabilities and the first's are averaged: on held-out blocks of
    cheng/train that gave 1.5 points of AP50 over the second alone.

    Args:
        network: In evaluation mode.
        embedding: Of one slice.
        regions: (N, 4) working pixels.
        width: Of the slice within the working image.
        height: Of the slice within the working image.
        check: Called between portions of the work; may raise to stop it.
    """
    if len(regions) == 0:
        return Judged(np.zeros((0, 4)), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    logits, deltas = _in_portions(network, embedding, regions, check)
    probability = logits.softmax(dim=1)[:, 1:]
    first, labels = probability.max(dim=1)
    boxes = regressed(regions, deltas, labels, width, height)
    top = torch.topk(first, min(SECOND_LOOK, len(first))).indices
    logits, deltas = _in_portions(network, embedding, boxes[top], check)
    probability[top] = (probability[top] + logits.softmax(dim=1)[:, 1:]) / 2
    scores, labels = probability.max(dim=1)
    boxes[top] = regressed(boxes[top], deltas, labels[top], width, height)
    return Judged(boxes.double().numpy(), labels.numpy(), scores.double().numpy(), first.double().numpy())


def _in_portions(
    network: Network, embedding: Embedding, regions: Tensor, check: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    parts = []
    for part in torch.split(regions, network.portion):
        check()
        parts.append(network.judge(embedding, [part]))
    return torch.cat([p[0] for p in parts]).float(), torch.cat([p[1] for p in parts]).float()


def suppress(judged: Judged, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Non-maximum suppression within each class.

    Returns:
        Indices kept by falling score, and for every region the index of the one that suppressed it (itself
        where kept).
    """
    by = np.arange(len(judged.scores), dtype=np.int64)
    kept: list[NDArray[np.int64]] = []
    for label in np.unique(judged.classes):
        members = np.flatnonzero(judged.classes == label)
        local_kept, local_by = bx.nms(judged.boxes[members], judged.scores[members], threshold)
        kept.append(members[local_kept])
        by[members] = members[local_by]
    if not kept:
        return np.zeros(0, dtype=np.int64), by
    all_kept = np.concatenate(kept)
    return all_kept[np.argsort(-judged.scores[all_kept], kind="stable")], by
