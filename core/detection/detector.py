"""The detector behind the seam: one slice in, detections and their trace out."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from core import boxes as bx
from core.detection.base import DetectRequest, DetectResult, TraceRow
from core.detection.card import ModelCard, file_hash, verify_model
from core.detection.computing import Computing
from core.detection.device import Device, choose_device, processor
from core.detection.inference import Judged, class_detections, judge_regions, suppress
from core.detection.network import Embedding, Network, NetworkSpec, build_network
from core.detection.regions import judged_proposer, network_input
from core.detection.validate import LEAST_SCORE, NMS_IOU
from core.detection.weights import load_weights, ready_to_judge
from core.errors import ModelDamaged, ModelMismatch
from core.evaluation.calibration import ScoreScale
from core.jobs import CancelToken
from core.model import Box, Detection, LabelSchema, Proposals
from core.proposals.base import Proposer, check_slice
from core.proposals.normalise import NORMALISATION

_HASH_LENGTH = 12
# Slices that go through the trunk together in a batch run.
_TOGETHER = 4
# Batches at a time in a batch run, one of our threads each: torch's own would wait for each other.
_SIDE_BY_SIDE = 2


class RcnnDetector:
    """An R-CNN with its weights.

    Args:
        network: In evaluation mode.
        card: Its card.
        identity: "name@hash".
        proposer: Finds regions where the request brings none.
        nms_iou: Overlap above which the weaker of two detections of a class is dropped.
        device: What to compute with; None for the processor.
        spare: The network once more, for the processor, should the device fail.
    """

    def __init__(
        self,
        network: Network,
        card: ModelCard,
        identity: str,
        proposer: Proposer,
        nms_iou: float = NMS_IOU,
        device: Device | None = None,
        spare: Network | None = None,
    ) -> None:
        self._computing = Computing(network, device, spare)
        self._neighbours = network.spec.neighbours
        self._card = card
        self._identity = identity
        self._proposer = proposer
        self._nms_iou = nms_iou
        self._size = int(card.network["image_size"])
        known = card.calibration
        self._scores = ScoreScale(known["scale"], known["shift"]) if known else ScoreScale()
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="propose")
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

    @property
    def computed_on(self) -> str:
        """What computes by now: "cpu", "cuda" or "mps"."""
        return self._computing.device.kind

    @property
    def neighbours(self) -> int:
        """How many slices on either side the model sees."""
        return self._neighbours

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
        """Run on one slice; regions are found on one core while the trunk runs on another.

        Raises:
            Cancelled: The token was set.
            InputError: The slice is not a two-dimensional, non-empty array, or a neighbour has another shape.
        """
        start = time.perf_counter()
        cancel.check()
        check_slice(request.image)
        finding = self._aside.submit(self._proposals, request, cancel)

        def work(network: Network) -> Judged:
            embedding, (scale,) = self._embed(network, [request])
            return self._judge(network, embedding, scale, request, finding.result(), cancel)

        try:
            judged = self._computing(work)
            proposals = finding.result()
        finally:
            # Whatever happened, no thread keeps the image.
            wait([finding])
        return replace(self._result(request, proposals, judged), milliseconds=_since(start))

    def detect_many(
        self, requests: Iterable[DetectRequest], *, cancel: CancelToken
    ) -> Iterator[DetectResult]:
        """Run on slices in turn: a few through the trunk at once, two such batches side by side.

        The numbers are those of `detect`, up to rounding. A result's time is its share of its batch.

        Raises:
            Cancelled: The token was set.
            InputError: A slice is not a two-dimensional, non-empty array, or a neighbour has another shape.
        """
        waiting = iter(requests)
        batches = iter(lambda: list(islice(waiting, _TOGETHER)), [])
        with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="detect") as pool:
            running = deque(pool.submit(self._batch, b, cancel) for b in islice(batches, _SIDE_BY_SIDE))
            try:
                while running:
                    # One more than threads, so that none waits for the reader of the results.
                    running.extend(pool.submit(self._batch, b, cancel) for b in islice(batches, 1))
                    yield from running.popleft().result()
            finally:
                for later in running:
                    later.cancel()

    def _batch(self, requests: Sequence[DetectRequest], cancel: CancelToken) -> list[DetectResult]:
        start = time.perf_counter()
        cancel.check()
        for request in requests:
            check_slice(request.image)

        def work(network: Network) -> list[DetectResult]:
            embedding, scales = self._embed(network, requests)
            results = []
            for index, request in enumerate(requests):
                proposals = self._proposals(request, cancel)
                judged = self._judge(
                    network, embedding.only(index), scales[index], request, proposals, cancel
                )
                results.append(self._result(request, proposals, judged))
            return results

        results = self._computing(work)
        return [replace(r, milliseconds=_since(start) / len(requests)) for r in results]

    def _proposals(self, request: DetectRequest, cancel: CancelToken) -> Proposals:
        if request.proposals is not None:
            return request.proposals
        found = self._proposer.propose(request.image, cancel=cancel)
        # Results are kept for every slice; regions take megabytes, and ten milliseconds to find again.
        return replace(found, regions=None)

    @torch.inference_mode()
    def _embed(self, network: Network, requests: Sequence[DetectRequest]) -> tuple[Embedding, list[float]]:
        """The slices through the trunk, and working pixels per pixel of each."""
        working = [network_input(r.image, r.beside, self._size, network.spec.inputs) for r in requests]
        weights = next(network.parameters())
        batch = torch.from_numpy(np.stack([w for w, _ in working])).to(weights.device, weights.dtype)
        embedding = network.embed(batch.contiguous(memory_format=torch.channels_last))
        return embedding, [scale for _, scale in working]

    @torch.inference_mode()
    def _judge(
        self,
        network: Network,
        embedding: Embedding,
        scale: float,
        request: DetectRequest,
        proposals: Proposals,
        cancel: CancelToken,
    ) -> Judged:
        cancel.check()
        rows, columns = request.image.shape
        regions = bx.to_array(proposals.boxes) * scale
        judged = judge_regions(network, embedding, regions, columns * scale, rows * scale, check=cancel.check)
        return replace(
            judged,
            boxes=bx.clip(judged.boxes / scale, columns, rows),
            # What was not judged stays at 0.
            probabilities=np.where(judged.probabilities > 0.0, self._scores.apply(judged.probabilities), 0.0),
        )

    def _result(self, request: DetectRequest, proposals: Proposals, judged: Judged) -> DetectResult:
        boxes = bx.from_array(judged.boxes)
        detections = tuple(
            Detection(
                box=boxes[region],
                label_id=self._label_ids[label],
                label=self.class_names[label],
                score=float(judged.probabilities[region, label]),
                proposal=proposals.boxes[region],
            )
            for region, label in class_detections(judged, self._nms_iou, LEAST_SCORE)
        )
        return DetectResult(
            request.slice_key, self.identity, detections, proposals, self._trace(judged, boxes)
        )

    def _trace(self, judged: Judged, boxes: Sequence[Box]) -> tuple[TraceRow, ...]:
        by, classes, scores = suppress(judged, self._nms_iou), judged.classes, judged.scores
        return tuple(
            TraceRow(
                proposal=index,
                label_id=self._label_ids[int(classes[index])],
                score=float(scores[index]),
                box=boxes[index],
                suppressed_by=None if by[index] == index else int(by[index]),
                scores=tuple(zip(self._label_ids, row, strict=True)) if any(row) else (),
                promise=float(judged.promise[index]),
            )
            for index, row in enumerate(judged.probabilities.tolist())
        )


def _since(start: float) -> float:
    """Milliseconds since a moment of perf_counter."""
    return (time.perf_counter() - start) * 1000.0


def load_detector(
    file: Path,
    *,
    name: str | None = None,
    threads: int | None = None,
    proposer: Proposer | None = None,
    precision: str = "auto",
    device: str = "auto",
) -> RcnnDetector:
    """A detector from a model file.

    Args:
        file: The .safetensors file.
        name: Name to go by; None for the card's.
        threads: Threads for torch (process-wide); None for half of the cores: the other half finds regions.
        proposer: Finds regions; None for the method the model was trained with.
        precision: "float32", "bfloat16", or "auto": bfloat16 where the device computes in it.
        device: "auto" for a graphics processor where there is one, "cpu" for the processor.

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
    cores = os.cpu_count() or 1
    torch.set_num_threads(min(threads or max(1, cores // 2), cores))
    chosen = choose_device(precision, device)
    network = _built(file, card, half=chosen.half)
    identity = f"{name or card.name}@{file_hash(file)[:_HASH_LENGTH]}"
    return RcnnDetector(
        network,
        card,
        identity,
        proposer or judged_proposer(card.proposer),
        device=chosen,
        spare=None if chosen.is_processor else _built(file, card, half=processor(precision).half),
    )


def _built(file: Path, card: ModelCard, *, half: bool) -> Network:
    """The network of a model file, ready to judge, on the processor.

    Raises:
        ModelDamaged: Its card describes no network, or its weights cannot be read.
    """
    try:
        network = build_network(NetworkSpec(**card.network))
    except Exception as error:
        raise ModelDamaged(f"{file}: its card describes no network that is known here ({error}).") from error
    load_weights(network, file, card.classes)
    return ready_to_judge(network, half=half)
