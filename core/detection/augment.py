"""Changes that leave an MR slice plausible: mirror, turn, scale, shift, coil shading, grey curve, noise."""

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
    """One slice's change.

    In coordinates of -1 … 1 across the image: input = turn(angle) · factor · output + offset.

    Attributes:
        factor: Scale along x and y; negative mirrors.
        offset: Shift.
        angle: Turn, in radians.
        gamma: Exponent of the grey curve.
        gain: Factor on grey.
        shading: Logarithm of the coil's sensitivity: coefficients of x, y, x², y² and xy.
        noise: Standard deviation.
    """

    factor: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    gamma: float = 1.0
    gain: float = 1.0
    shading: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    noise: float = 0.0

    def matrix(self) -> NDArray[np.float64]:
        """(2, 2), from output to input."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        return np.asarray(turn @ np.diag(self.factor))

    def moved(self, boxes: Boxes, size: float) -> Boxes:
        """Boxes carried along, corners in order, not clipped.

        A turned box becomes the box around the turned ellipse that filled it: lesions are rounder than boxes.
        """
        back = np.linalg.inv(self.matrix())
        unit = boxes * 2.0 / size - 1.0
        center = ((unit[:, :2] + unit[:, 2:]) / 2.0 - np.array(self.offset)) @ back.T
        half = np.sqrt((((unit[:, 2:] - unit[:, :2]) / 2.0) ** 2) @ (back**2).T)
        return (np.concatenate([center - half, center + half], axis=1) + 1.0) * size / 2.0

    def carried(self, points: NDArray[np.float64], size: float) -> NDArray[np.float64]:
        """(P, 2) points carried along."""
        unit = points * 2.0 / size - 1.0
        moved = (unit - np.array(self.offset)) @ np.linalg.inv(self.matrix()).T
        return np.asarray((moved + 1.0) * size / 2.0)


def draw_change(rng: np.random.Generator) -> Change:
    """A random change."""
    scale = float(np.exp(rng.uniform(-0.25, 0.25)))
    stretch = np.exp(rng.uniform(-0.06, 0.06, 2)) * scale
    mirror = np.array([-1.0 if rng.random() < 0.5 else 1.0, -1.0 if rng.random() < 0.1 else 1.0])
    factor = mirror * stretch
    offset = rng.uniform(-0.15, 0.15, 2)
    a, b, c, d, e = rng.uniform(-0.2, 0.2, 5).tolist()
    return Change(
        factor=(float(factor[0]), float(factor[1])),
        offset=(float(offset[0]), float(offset[1])),
        angle=float(rng.normal(0.0, 0.12)),
        gamma=float(np.exp(rng.uniform(-0.35, 0.35))),
        gain=float(np.exp(rng.uniform(-0.2, 0.2))),
        shading=(a, b, c, d, e),
        noise=float(max(0.0, rng.uniform(-0.02, 0.04))),
    )


def apply_changes(images: Tensor, changes: list[Change], rng: np.random.Generator) -> Tensor:
    """Change a batch.

    Args:
        images: (B, C, S, S) in [0, 1]; the channels of a slice are changed alike, each with noise of its own.
        changes: One per slice.
        rng: Source of the noise.
    """
    theta = torch.zeros(len(changes), 2, 3)
    for i, change in enumerate(changes):
        theta[i, :, :2] = torch.from_numpy(change.matrix())
        theta[i, 0, 2], theta[i, 1, 2] = change.offset
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    gamma, gain, noise = (_column([getattr(c, name) for c in changes]) for name in ("gamma", "gain", "noise"))
    curved = moved.clamp(0.0, 1.0).pow(gamma) * gain * _shading(changes, images.shape[-1])
    grain = torch.from_numpy(rng.standard_normal(tuple(images.shape), dtype=np.float32))
    return (curved + noise * grain).clamp(0.0, 1.2)


def _shading(changes: list[Change], size: int) -> Tensor:
    """(B, 1, S, S) smooth factors around 1."""
    line = (torch.arange(size) + 0.5) * 2.0 / size - 1.0
    y, x = torch.meshgrid(line, line, indexing="ij")
    terms = torch.stack([x, y, x * x, y * y, x * y])
    weights = torch.tensor([c.shading for c in changes], dtype=torch.float32)
    return torch.einsum("bk,kyx->byx", weights, terms).exp().unsqueeze(1)


def _column(values: list[float]) -> Tensor:
    array: NDArray[np.float32] = np.array(values, dtype=np.float32)
    return torch.from_numpy(array).view(-1, 1, 1, 1)
