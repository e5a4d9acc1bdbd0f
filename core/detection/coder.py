"""Bounding-box regression targets as in R-CNN (Girshick et al. 2014, appendix C).

For a proposal P and a true box G, with centres (x, y) and sides (w, h):

    t_x = (G_x - P_x) / P_w    t_y = (G_y - P_y) / P_h    t_w = log(G_w / P_w)    t_h = log(G_h / P_h)

divided by fixed deviations so that the four have about unit variance (Fast R-CNN). Decoding inverts this.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

DEVIATIONS = (0.1, 0.1, 0.2, 0.2)

# A proposal of 16 px grows at most to 1000 px: without the clamp one wild prediction early in training
# overflows exp() and the box, its loss and then every weight become inf or NaN.
LOG_SIDE_LIMIT = math.log(1000.0 / 16.0)


def encode(proposals: Tensor, truth: Tensor) -> Tensor:
    """Targets that turn each proposal into its true box.

    Args:
        proposals: (N, 4) corners, positive sides.
        truth: (N, 4) corners, positive sides.

    Returns:
        (N, 4) targets (t_x, t_y, t_w, t_h) over the deviations.
    """
    p_center, p_side = _centre_form(proposals)
    t_center, t_side = _centre_form(truth)
    targets = torch.cat([(t_center - p_center) / p_side, torch.log(t_side / p_side)], dim=-1)
    return targets / targets.new_tensor(DEVIATIONS)


def decode(proposals: Tensor, deltas: Tensor) -> Tensor:
    """Boxes that the deltas make of the proposals; sides are clamped (see LOG_SIDE_LIMIT).

    Args:
        proposals: (N, 4) corners.
        deltas: (N, 4) or (N, C, 4) for one set per class.

    Returns:
        Corners, shaped as `deltas`.
    """
    center, side = _centre_form(proposals)
    if deltas.ndim == 3:
        center, side = center[:, None], side[:, None]
    deltas = deltas * deltas.new_tensor(DEVIATIONS)
    new_center = center + deltas[..., :2] * side
    half = 0.5 * side * torch.exp(deltas[..., 2:].clamp(max=LOG_SIDE_LIMIT))
    return torch.cat([new_center - half, new_center + half], dim=-1)


def _centre_form(boxes: Tensor) -> tuple[Tensor, Tensor]:
    side = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * side, side
