"""The gradients of a batch, its parts computed side by side, one thread each.

torch's own threads wait for each other at every layer. Threads of ours, each with its part of the batch
through the whole network, do so once a step. Each has the same weights and batch statistics of its own (ghost
batch normalisation, Hoffer et al. 2017); what these remember is averaged after every step. Parts and their
order are fixed, so equal seeds give equal numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise

import torch
from torch import Tensor

from core.detection.device import Device, is_out_of_memory, processor
from core.detection.network import Network
from core.detection.sampling import Truth
from core.errors import DeviceFailed, TrainingError

Batch = tuple[Tensor, list[Tensor], list[Truth]]
"""Images (B, C, S, S), regions per slice, truth per slice."""

Loss = Callable[[Network, Batch], tuple[Tensor, ...]]
"""The parts of the loss, each a mean over the batch; they are added up."""

PARTS = 2
"""Parts of a batch, and threads that compute them."""


class Gradients:
    """Computes gradients of a network, in fewer or smaller parts at once where memory is short.

    A context: leaving it ends the threads. The network must have its weights by then.

    Args:
        network: Its parameters receive the gradients.
        loss: Of a part of a batch.
        device: Where the network is. A graphics processor computes the parts one after the other: it needs
            no threads to be busy, and the numbers are of the same parts everywhere.
    """

    def __init__(self, network: Network, loss: Loss, device: Device | None = None) -> None:
        self._network = network
        self._loss = loss
        self._twins = [network, *(_twin(network) for _ in range(PARTS - 1))]
        self._parameters = list(network.parameters())
        self._pool = ThreadPoolExecutor(PARTS, thread_name_prefix="gradients")
        self._pieces = PARTS
        self._device = device or processor()
        self._at_once = PARTS if self._device.is_processor else 1

    def __enter__(self) -> Gradients:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def compute(self, batch: Batch, seed: int = 0) -> tuple[float, ...]:
        """Put the gradients of a batch into the parameters; gives the parts of its loss.

        Args:
            batch: The slices.
            seed: Of the values that the network drops.

        Raises:
            TrainingError: Not even one slice at a time fits into memory.
            DeviceFailed: Nor into that of a graphics processor.
        """
        while True:
            try:
                return self._in_pieces(batch, seed)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                short = error
            if self._at_once > 1:
                self._at_once = 1
            elif self._pieces >= len(batch[1]):
                if not self._device.is_processor:
                    raise DeviceFailed(self._device.fallen("out of memory")) from short
                raise TrainingError(
                    f"there is not enough memory for one slice of {batch[0].shape[-1]} pixels. Close other "
                    "programs, or train with a smaller image size or fewer regions; the previous model is "
                    "untouched."
                )
            else:
                self._pieces = min(2 * self._pieces, len(batch[1]))

    def _in_pieces(self, batch: Batch, seed: int) -> tuple[float, ...]:
        for twin in self._twins:
            twin.train()
        pieces = _cut(batch, min(self._pieces, len(batch[1])))
        jobs = [(self._twins[i % PARTS], piece, len(batch[1]), seed + i) for i, piece in enumerate(pieces)]
        if self._at_once == 1:
            done = [self._one(*job) for job in jobs]
        else:
            futures = [self._pool.submit(self._one, *job) for job in jobs]
            wait(futures)  # all of them, also where one fails: the next try needs the memory
            done = [future.result() for future in futures]
        for index, parameter in enumerate(self._parameters):
            parameter.grad = _sum([gradients[index] for _, gradients in done])
        _level(self._twins)
        return tuple(sum(values) for values in zip(*(losses for losses, _ in done), strict=True))

    def _one(
        self, network: Network, piece: Batch, whole: int, seed: int
    ) -> tuple[list[float], tuple[Tensor | None, ...]]:
        network.seed = seed
        losses = [part * (len(piece[1]) / whole) for part in self._loss(network, piece)]
        total = torch.stack(losses).sum()
        gradients = torch.autograd.grad(total, self._parameters, allow_unused=True)
        return [part.item() for part in losses], gradients


def _twin(network: Network) -> Network:
    """The same parameters, with buffers of its own."""
    return copy.deepcopy(network, {id(p): p for p in network.parameters()})


def _cut(batch: Batch, pieces: int) -> list[Batch]:
    images, regions, truths = batch
    ends = [at * len(images) // pieces for at in range(pieces + 1)]
    parts = [slice(*both) for both in pairwise(ends)]
    return [(images[p], regions[p], truths[p]) for p in parts]


def _sum(tensors: Sequence[Tensor | None]) -> Tensor | None:
    known = [t for t in tensors if t is not None]
    return torch.stack(known).sum(dim=0) if known else None


@torch.no_grad()
def _level(twins: Sequence[Network]) -> None:
    for buffers in zip(*(twin.buffers() for twin in twins), strict=True):
        if buffers[0].is_floating_point():
            mean = torch.stack(buffers).mean(dim=0)
            for buffer in buffers:
                buffer.copy_(mean)
