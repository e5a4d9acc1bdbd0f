from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.detection.gradients import PARTS, Batch, Gradients
from core.detection.loss import batch_loss
from core.detection.network import Network, NetworkSpec, build_network
from core.detection.sampling import Truth
from core.errors import TrainingError

_NONE = np.zeros((0, 4))


def _network() -> Network:
    torch.manual_seed(0)
    return build_network(NetworkSpec(depth=10, width=0.25, classes=2, image_size=64))


def _batch(slices: int = 4) -> Batch:
    torch.manual_seed(1)
    truth = Truth(np.array([[8.0, 8, 30, 30]]), np.array([1]), _NONE, _NONE)
    regions = torch.tensor([[8.0, 8, 30, 30], [6, 9, 28, 33], [40, 40, 60, 60], [0, 0, 64, 64]])
    return torch.rand(slices, 1, 64, 64), [regions] * slices, [truth] * slices


def _loss(network: Network, batch: Batch) -> tuple[Tensor, ...]:
    return batch_loss(network, *batch)


def _gradients(network: Network) -> list[Tensor]:
    return [p.grad for p in network.parameters() if p.grad is not None]


def test_parts_together_have_the_gradient_of_the_mean_over_parts() -> None:
    """Batch norms see their own part only, so the reference is each part by itself."""
    network, batch = _network(), _batch()
    expected: list[Tensor] = []
    for part in range(PARTS):
        half = slice(part * 2, part * 2 + 2)
        alone = _network().train()
        alone.zero_grad()
        alone.seed = 7 + part
        losses = _loss(alone, (batch[0][half], batch[1][half], batch[2][half]))
        torch.autograd.backward(torch.stack(losses).sum() / PARTS)
        found = _gradients(alone)
        expected = [a + b for a, b in zip(expected, found, strict=True)] if expected else found
    with Gradients(network, _loss) as gradients:
        gradients.compute(batch, 7)
    for ours, theirs in zip(_gradients(network), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_equal_batches_give_equal_numbers() -> None:
    runs = []
    for _ in range(2):
        network = _network()
        with Gradients(network, _loss) as gradients:
            losses = gradients.compute(_batch())
        runs.append((losses, _gradients(network), [b.clone() for b in network.buffers()]))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(a, b) for a, b in zip(runs[0][1], runs[1][1], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(runs[0][2], runs[1][2], strict=True))


def test_what_is_dropped_depends_on_the_seed() -> None:
    losses = []
    for seed in (1, 1, 2):
        with Gradients(_network(), _loss) as gradients:
            losses.append(gradients.compute(_batch(), seed))
    assert losses[0] == losses[1] != losses[2]


def test_norms_remember_all_parts() -> None:
    network, batch = _network(), _batch()
    batch[0][2:] += 5.0
    with Gradients(network, _loss) as gradients:
        gradients.compute(batch)
    norm = network.trunk.bn1
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    seen = [_network().train() for _ in range(2)]
    for part, alone in enumerate(seen):
        alone.embed(batch[0][part * 2 : part * 2 + 2])
    means = [n.trunk.bn1.running_mean for n in seen]
    assert means[0] is not None
    assert means[1] is not None
    torch.testing.assert_close(norm.running_mean, (means[0] + means[1]) / 2)


def test_slices_without_any_region_do_not_spoil_the_loss() -> None:
    """A part of a batch may hold empty slices only; a mean over nothing is NaN."""
    images, regions, truths = _batch()
    nothing = Truth(_NONE, np.zeros(0, dtype=np.int64), _NONE, _NONE)
    batch = (images, [torch.zeros(0, 4)] * 2 + regions[2:], [nothing] * 2 + truths[2:])
    network = _network()
    with Gradients(network, _loss) as gradients:
        assert all(np.isfinite(gradients.compute(batch)))
    assert all(bool(torch.isfinite(g).all()) for g in _gradients(network))


def test_an_error_that_is_not_for_want_of_memory_is_passed_on() -> None:
    def broken(network: Network, batch: Batch) -> tuple[Tensor, ...]:
        raise RuntimeError("something else")

    with Gradients(_network(), broken) as gradients, pytest.raises(RuntimeError, match="something else"):
        gradients.compute(_batch())


def test_memory_is_asked_for_less_and_less_and_then_given_up() -> None:
    sizes: list[int] = []

    def hungry(network: Network, batch: Batch) -> tuple[Tensor, ...]:
        sizes.append(len(batch[1]))
        raise MemoryError

    with (
        Gradients(_network(), hungry) as gradients,
        pytest.raises(TrainingError, match="one slice of 64 pixels"),
    ):
        gradients.compute(_batch())
    assert sizes[-1] == 1
    assert sizes == sorted(sizes, reverse=True)
