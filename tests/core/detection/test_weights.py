from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from core.detection.network import ARCHITECTURES, NetworkSpec, build_network
from core.detection.weights import ready_to_judge


def _stirred(network: nn.Module) -> None:
    """Norms that have seen something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("depth", [18, 50])
def test_folded_norms_change_nothing(architecture: str, depth: int) -> None:
    torch.manual_seed(0)
    spec = NetworkSpec(architecture, depth=depth, width=0.25, classes=2, image_size=64, crop=32)
    network = build_network(spec).eval()
    _stirred(network)
    folded = ready_to_judge(copy.deepcopy(network))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    images, regions = torch.rand(2, 1, 64, 64), [torch.tensor([[4.0, 4, 40, 50]])] * 2
    with torch.inference_mode():
        expected = network.judge(network.embed(images), regions)
        found = folded.judge(folded.embed(images), regions)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_half_precision_says_nearly_the_same() -> None:
    torch.manual_seed(0)
    network = build_network(NetworkSpec(depth=10, width=0.25, classes=2, image_size=64)).eval()
    _stirred(network)
    nn.init.normal_(network.score.weight, std=0.1)  # type: ignore[union-attr, arg-type]
    half = ready_to_judge(copy.deepcopy(network), half=True)
    images, regions = torch.rand(1, 1, 64, 64), [torch.tensor([[4.0, 4, 40, 50], [10, 20, 30, 60]])]
    with torch.inference_mode():
        expected = network.judge(network.embed(images), regions)[0].softmax(dim=1)
        found = half.judge(half.embed(images.bfloat16()), regions)[0].float().softmax(dim=1)
    torch.testing.assert_close(found, expected, rtol=0.0, atol=0.03)
