from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.ops import roi_align

from core.detection.roi import align


def _regions(seed: int, count: int, low: float, high: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = low + torch.rand(count, 2, generator=generator) * (high - low)
    return torch.cat([corner, corner + 1.0 + torch.rand(count, 2, generator=generator) * 60.0], dim=1)


def _theirs(maps: Tensor, regions: list[Tensor], pool: int, stride: float) -> Tensor:
    grid: Tensor = roi_align(maps, regions, pool, 1.0 / stride, 1, aligned=True)
    return grid.flatten(2).transpose(1, 2)


@pytest.mark.parametrize("learning", [True, False])
@pytest.mark.parametrize("pool", [1, 3, 7])
def test_it_samples_what_torchvision_samples(pool: int, learning: bool) -> None:
    """Also where regions leave the map, and by both of its ways."""
    torch.manual_seed(0)
    maps = torch.randn(3, 5, 12, 9).to(memory_format=torch.channels_last)
    regions = [_regions(1, 20, -40.0, 80.0), torch.zeros(0, 4), _regions(2, 7, 0.0, 40.0)]
    with torch.set_grad_enabled(learning):
        found = align(maps, regions, pool, 8.0)
    torch.testing.assert_close(found, _theirs(maps, regions, pool, 8.0), rtol=1e-4, atol=1e-5)


def test_its_gradient_is_torchvisions() -> None:
    torch.manual_seed(0)
    ours = torch.randn(2, 4, 8, 8, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    regions = [_regions(3, 9, -10.0, 50.0), _regions(4, 5, 0.0, 30.0)]
    align(ours, regions, 7, 8.0).square().sum().backward()
    _theirs(theirs, regions, 7, 8.0).square().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


def test_a_linear_ramp_is_read_off_exactly() -> None:
    """Cell (i, j) has its value in its middle: a map of x says where each sample lies."""
    ramp = (torch.arange(16.0) + 0.5).repeat(16, 1)[None, None] * 8.0
    (samples,) = align(ramp, [torch.tensor([[20.0, 30.0, 62.0, 72.0]])], 7, 8.0)
    expected = 20.0 + (torch.arange(7) + 0.5) * 6.0
    torch.testing.assert_close(samples.view(7, 7), expected.repeat(7, 1))
