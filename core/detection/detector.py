"""The detector behind the seam: one slice in, detections and their trace out."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from core import boxes as bx
from core.detection.base import DetectRequest, DetectResult, TraceRow
from core.detection.card import ModelCard, file_hash, verify_model
from core.detection.inference import Judged, judge_twice, suppress
from core.detection.network import Network, NetworkSpec, build_network
from core.detection.regions import judged_proposer, to_working
from core.detection.validate import LEAST_SCORE, NMS_IOU
from core.errors import ModelDamaged, ModelMismatch
from core.jobs import CancelToken
from core.model import Box, Detection, LabelSchema, Proposals
from core.proposals.base import Proposer
from core.proposals.normalise import NORMALISATION, normalise

_HASH_LENGTH = 12
_HEADER_TENSORS = ("score.weight", "score.bias", "regress.weight", "regress.bias")


class RcnnDetector:
    """An R-CNN with its weights.

    Args:
        network: In evaluation mode.
        card: Its card.
        identity: "name@hash".
        proposer: Finds regions where the request brings none.
        nms_iou: Overlap above which the weaker of two detections of a class is dropped.
    """

    def __init__(
        self, network: Network, card: ModelCard, identity: str, proposer: Proposer, nms_iou: float = NMS_IOU
    ) -> None:
        self._network = network
        self._card = card
        self._identity = identity
        self._proposer = proposer
        self._nms_iou = nms_iou
        self._size = int(card.network["image_size"])
        self._label_ids = tuple(range(1, len(card.classes) + 1))

    @property
    def identity(self) -> str:
        """Name and hash of the weights, "name@hash"."""
        return self._identity

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._card

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes the model predicts."""
        return self._card.classes

    def bind(self, schema: LabelSchema) -> None:
        """Map the model's classes to the schema's ids by name.

        Raises:
            ModelMismatch: The schema lacks a class; the message names the classes and the way out.
        """
        found = [schema.by_name(name) for name in self.class_names]
        missing = [n for n, c in zip(self.class_names, found, strict=True) if c is None]
        if missing:
            have = ", ".join(c.name for c in schema.classes) or "none"
            raise ModelMismatch(
                f"model {self.identity} predicts {', '.join(missing)}, which label schema {schema.name!r} "
                f"(classes: {have}) does not have. Add the class to the schema, or choose another model."
            )
        self._label_ids = tuple(c.id for c in found if c is not None)

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        """Run on one slice.

        Raises:
            Cancelled: The token was set.
            InputError: The slice is not a two-dimensional, non-empty array.
        """
        start = time.perf_counter()
        cancel.check()
        proposals = request.proposals
        if proposals is None:
            proposals = self._proposer.propose(request.image, cancel=cancel)
            # Results are kept for every slice; regions take megabytes, and ten milliseconds to find again.
            proposals = replace(proposals, regions=None)
        judged = self._judge(request.image, proposals, cancel)
        kept, by = suppress(judged, self._nms_iou)
        detections = tuple(
            self._detection(judged, proposals, int(i)) for i in kept if judged.scores[i] >= LEAST_SCORE
        )
        trace = tuple(self._trace(judged, int(by[i]), i) for i in range(len(by)))
        milliseconds = (time.perf_counter() - start) * 1000.0
        return DetectResult(request.slice_key, self.identity, detections, proposals, trace, milliseconds)

    @torch.inference_mode()
    def _judge(self, image: NDArray[np.float32], proposals: Proposals, cancel: CancelToken) -> Judged:
        if not proposals.boxes:
            return Judged(np.zeros((0, 4)), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
        rows, columns = image.shape
        working, scale = to_working(normalise(image), self._size)
        batch = torch.from_numpy(working)[None, None].contiguous(memory_format=torch.channels_last)
        embedding = self._network.embed(batch)
        cancel.check()
        regions = torch.from_numpy((bx.to_array(proposals.boxes) * scale).astype(np.float32))
        judged = judge_twice(
            self._network, embedding, regions, columns * scale, rows * scale, check=cancel.check
        )
        return Judged(
            bx.clip(judged.boxes / scale, columns, rows), judged.classes, judged.scores, judged.first_scores
        )

    def _detection(self, judged: Judged, proposals: Proposals, index: int) -> Detection:
        label = int(judged.classes[index])
        return Detection(
            box=Box(*(float(v) for v in judged.boxes[index])),
            label_id=self._label_ids[label],
            label=self.class_names[label],
            score=float(judged.scores[index]),
            proposal=proposals.boxes[index],
        )

    def _trace(self, judged: Judged, by: int, index: int) -> TraceRow:
        return TraceRow(
            proposal=index,
            label_id=self._label_ids[int(judged.classes[index])],
            score=float(judged.scores[index]),
            box=Box(*(float(v) for v in judged.boxes[index])),
            suppressed_by=None if by == index else by,
            first_score=float(judged.first_scores[index]),
        )


def load_detector(
    file: Path, *, name: str | None = None, threads: int | None = None, proposer: Proposer | None = None
) -> RcnnDetector:
    """A detector from a model file.

    Args:
        file: The .safetensors file.
        name: Name to go by; None for the card's.
        threads: Threads for torch (process-wide); None leaves them.
        proposer: Finds regions; None for the method the model was trained with.

    Raises:
        ModelNotFound: There is no such file.
        ModelDamaged: It is cut short, altered, or not a model.
    """
    card = verify_model(file)
    if card.normalisation != NORMALISATION:
        raise ModelDamaged(
            f"{file}: was trained on grey levels scaled as {card.normalisation!r}; this Overread knows "
            f"{NORMALISATION!r}. Use the Overread it was made with."
        )
    if threads:
        torch.set_num_threads(min(threads, os.cpu_count() or threads))
    try:
        network = build_network(NetworkSpec(**card.network))
    except Exception as error:
        raise ModelDamaged(f"{file}: its card describes no network that is known here ({error}).") from error
    load_weights(network, file, card.classes)
    network.eval().requires_grad_(False)
    network = network.to(memory_format=torch.channels_last)
    identity = f"{name or card.name}@{file_hash(file)[:_HASH_LENGTH]}"
    return RcnnDetector(network, card, identity, proposer or judged_proposer(card.proposer))


def load_weights(network: Network, file: Path, classes: Sequence[str], *, partly: bool = False) -> None:
    """Fill a network from a model file.

    Args:
        network: To be filled.
        file: The model.
        classes: Classes of the network in output order.
        partly: Take the heads' outputs class by class, by name; a class the file lacks stays as it is.

    Raises:
        ModelNotFound: There is no such file.
        ModelDamaged: Not a sound model.
        ModelMismatch: Sound, but of another shape.
    """
    card = verify_model(file)
    try:
        weights = {k: v.float() if v.is_floating_point() else v for k, v in load_file(file).items()}
    except (SafetensorError, OSError) as error:
        raise ModelDamaged(f"{file}: the weights cannot be read ({error}).") from error
    if partly and tuple(classes) != card.classes:
        weights = _heads_by_name(network, weights, classes, card.classes)
    own = network.state_dict()
    wrong = [k for k, v in own.items() if k not in weights or weights[k].shape != v.shape]
    if wrong:
        raise ModelMismatch(
            f"{file}: its weights do not fit this network ({wrong[0]} and {len(wrong) - 1} more differ). "
            "Use the same architecture, depth and width."
        )
    network.load_state_dict({k: weights[k] for k in own})


def _heads_by_name(
    network: Network, weights: dict[str, torch.Tensor], classes: Sequence[str], given: Sequence[str]
) -> dict[str, torch.Tensor]:
    merged = dict(weights)
    own = network.state_dict()
    for key in _HEADER_TENSORS:
        first = 1 if key.startswith("score") else 0
        rows = 1 if key.startswith("score") else 4
        mine = own[key].clone()
        mine[:first] = weights[key][:first]
        for index, name in enumerate(classes):
            if name in given:
                source = first + list(given).index(name) * rows
                target = first + index * rows
                mine[target : target + rows] = weights[key][source : source + rows]
        merged[key] = mine
    return merged
