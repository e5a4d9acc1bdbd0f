"""Checking a network on held-out samples during training."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from core import boxes as bx
from core.detection.gradients import PARTS
from core.detection.inference import judge_twice, suppress
from core.detection.network import Embedding, Network
from core.detection.samples import Sample
from core.evaluation.coco import Evaluation, evaluate_boxes
from core.jobs import CancelToken
from core.model import Detection, LabelClass, LabelSchema

LEAST_SCORE = 0.05
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
    regions = torch.from_numpy(working.proposals.astype(np.float32))
    judged = judge_twice(network, embedding, regions, working.width, working.height)
    kept, _ = suppress(judged, NMS_IOU)
    kept = kept[judged.scores[kept] >= LEAST_SCORE]
    boxes = bx.from_array(judged.boxes[kept] / working.scale)
    return tuple(
        Detection(box, int(judged.classes[i]) + 1, "", float(judged.scores[i]))
        for box, i in zip(boxes, kept, strict=True)
    )
