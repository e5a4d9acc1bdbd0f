"""Changes that leave an MR slice a plausible MR slice: mirror, scale, shift, grey-level curve, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.boxes import Boxes


@dataclass(frozen=True, slots=True)
class Change:
    """One slice's change. In coordinates of -1 … 1 across the image: input = factor · output + offset."""

    factor: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    gamma: float = 1.0
    gain: float = 1.0
    noise: float = 0.0

    def moved(self, boxes: Boxes, size: float) -> Boxes:
        """Boxes carried along, corners in order, not clipped."""
        factor = np.array(self.factor * 2)
        offset = np.array(self.offset * 2)
        placed = ((boxes * 2.0 / size - 1.0) - offset) / factor
        placed = (placed + 1.0) * size / 2.0
        return np.concatenate(
            [np.minimum(placed[:, :2], placed[:, 2:]), np.maximum(placed[:, :2], placed[:, 2:])], axis=1
        )


def draw_change(rng: np.random.Generator) -> Change:
    """A random change."""
    scale = float(np.exp(rng.uniform(-0.25, 0.25)))
    stretch = np.exp(rng.uniform(-0.06, 0.06, 2)) * scale
    mirror = np.array([-1.0 if rng.random() < 0.5 else 1.0, -1.0 if rng.random() < 0.1 else 1.0])
    factor = mirror * stretch
    offset = rng.uniform(-0.15, 0.15, 2)
    return Change(
        factor=(float(factor[0]), float(factor[1])),
        offset=(float(offset[0]), float(offset[1])),
        gamma=float(np.exp(rng.uniform(-0.35, 0.35))),
        gain=float(np.exp(rng.uniform(-0.2, 0.2))),
        noise=float(max(0.0, rng.uniform(-0.02, 0.04))),
    )


def apply_changes(images: Tensor, changes: list[Change], rng: np.random.Generator) -> Tensor:
    """Change a batch.

    Args:
        images: (B, 1, S, S) in [0, 1].
        changes: One per slice.
        rng: Source of the noise.
    """
    theta = torch.zeros(len(changes), 2, 3)
    for i, change in enumerate(changes):
        theta[i, 0, 0], theta[i, 1, 1] = change.factor
        theta[i, 0, 2], theta[i, 1, 2] = change.offset
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    gamma, gain, noise = (_column([getattr(c, name) for c in changes]) for name in ("gamma", "gain", "noise"))
    curved = moved.clamp(0.0, 1.0).pow(gamma) * gain
    grain = torch.from_numpy(rng.standard_normal(tuple(images.shape), dtype=np.float32))
    return (curved + noise * grain).clamp(0.0, 1.2)


def _column(values: list[float]) -> Tensor:
    array: NDArray[np.float32] = np.array(values, dtype=np.float32)
    return torch.from_numpy(array).view(-1, 1, 1, 1)
