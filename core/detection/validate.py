"""Checking a network on held-out samples during training."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from core.detection.gradients import PARTS
from core.detection.inference import class_detections, judge_regions
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
    network.eval()
    parts = [samples[start : start + _BATCH] for start in range(0, len(samples), _BATCH)]

    def judged(part: Sequence[Sample]) -> Found:
        cancel.check()
        return _judged(network, part)

    with ThreadPoolExecutor(PARTS, thread_name_prefix="validate") as pool:
        return [detections for part in pool.map(judged, parts) for detections in part]


@torch.inference_mode()
def _judged(network: Network, part: Sequence[Sample]) -> Found:
    images = torch.from_numpy(np.stack([s.working.image for s in part]).astype(np.float32)).unsqueeze(1)
    embedding = network.embed(images.contiguous(memory_format=torch.channels_last))
    return [_detections(network, embedding.only(i), s) for i, s in enumerate(part)]


def _detections(network: Network, embedding: Embedding, sample: Sample) -> tuple[Detection, ...]:
    working = sample.working
    judged = judge_regions(network, embedding, working.proposals, working.width, working.height)
    return tuple(
        Detection(
            Box(*(judged.boxes[region] / working.scale).tolist()),
            label + 1,
            "",
            float(judged.probabilities[region, label]),
        )
        for region, label in class_detections(judged, NMS_IOU, LEAST_SCORE)
    )
