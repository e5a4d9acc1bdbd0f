"""Checking a network on held-out samples during training."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from core.detection.gradients import PARTS
from core.detection.inference import Judged, class_detections, judge_regions
from core.detection.network import Embedding, Network
from core.detection.samples import Sample
from core.evaluation.coco import Evaluation, evaluate_boxes
from core.jobs import CancelToken
from core.model import Box, Detection, LabelClass, LabelSchema

LEAST_SCORE = 0.01
NMS_IOU = 0.4
_BATCH = 8


Found = list[tuple[Detection, ...]]


def validate(network: Network, samples: Sequence[Sample], cancel: CancelToken) -> Evaluation:
    """AP of a network, by class index.

    Raises:
        Cancelled: The token was set.
    """
    classes = max((label for s in samples for _, label in s.boxes), default=1)
    schema = LabelSchema("classes", tuple(LabelClass(i, str(i)) for i in range(1, classes + 1)))
    return evaluate_boxes([s.boxes for s in samples], found_on(network, samples, cancel), schema)


def found_on(network: Network, samples: Sequence[Sample], cancel: CancelToken) -> Found:
    """What a network finds on samples, by class index.

    Raises:
        Cancelled: The token was set.
    """
    return [found_in(one) for one in judged_on(network, samples, cancel)]


def found_in(judged: Judged) -> tuple[Detection, ...]:
    """The detections of one sample, by class index."""
    return tuple(_detection(judged, *pair) for pair in class_detections(judged, NMS_IOU, LEAST_SCORE))


def judged_on(network: Network, samples: Sequence[Sample], cancel: CancelToken) -> list[Judged]:
    """What a network says of every region of samples; boxes in the slices' own pixels.

    Raises:
        Cancelled: The token was set.
    """
    network.eval()
    parts = [samples[start : start + _BATCH] for start in range(0, len(samples), _BATCH)]

    def judged(part: Sequence[Sample]) -> list[Judged]:
        cancel.check()
        return _judged(network, part)

    with ThreadPoolExecutor(PARTS, thread_name_prefix="validate") as pool:
        return [one for part in pool.map(judged, parts) for one in part]


def best_of_each(judged: Judged) -> tuple[Detection, ...]:
    """Every region that was judged, with its best class, before suppression; by class index."""
    members = np.flatnonzero(judged.scores >= LEAST_SCORE)
    return tuple(_detection(judged, int(i), int(judged.classes[i])) for i in members)


@torch.inference_mode()
def _judged(network: Network, part: Sequence[Sample]) -> list[Judged]:
    seen = np.stack([s.working.channels(network.spec.inputs) for s in part])
    images = torch.from_numpy(seen.astype(np.float32)).to(next(network.parameters()).device)
    embedding = network.embed(images.contiguous(memory_format=torch.channels_last))
    return [_regions(network, embedding.only(i), s) for i, s in enumerate(part)]


def _regions(network: Network, embedding: Embedding, sample: Sample) -> Judged:
    working = sample.working
    judged = judge_regions(network, embedding, working.proposals, working.width, working.height)
    return replace(judged, boxes=judged.boxes / working.scale)


def _detection(judged: Judged, region: int, label: int) -> Detection:
    box = Box(*judged.boxes[region].tolist())
    return Detection(box, label + 1, "", float(judged.probabilities[region, label]))
