"""The training loss: cross-entropy on regions, smooth L1 on boxes, and the lesion map's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from core.detection.coder import encode
from core.detection.lesion_map import lesion_loss
from core.detection.network import STRIDE, Network
from core.detection.sampling import Targets, Truth, assign

_LESION_SHARE = 1.0


def batch_loss(
    network: Network, images: Tensor, regions: Sequence[Tensor], truths: Sequence[Truth]
) -> tuple[Tensor, Tensor, Tensor]:
    """Classification, regression and lesion-map loss of a batch; the last is 0 for plain R-CNN.

    Args:
        network: In training mode.
        images: (B, C, S, S), where the network is.
        regions: Per slice (R_i, 4), on the processor.
        truths: Per slice.
    """
    embedding = network.embed(images)
    logits, deltas = network.judge(embedding, regions)
    classification, regression = region_loss(logits.float(), deltas.float(), regions, truths)
    drawn = embedding.lesions
    lesions = images.new_zeros(()) if drawn is None else lesion_loss(drawn.float(), truths, STRIDE)
    return classification, regression, _LESION_SHARE * lesions


def region_loss(
    logits: Tensor, deltas: Tensor, regions: Sequence[Tensor], truths: Sequence[Truth]
) -> tuple[Tensor, Tensor]:
    """Classification and regression, per sampled region."""
    targets = _joined([assign(r, t) for r, t in zip(regions, truths, strict=True)])
    boxes, device = torch.cat(list(regions)), logits.device
    counted = int((targets.labels >= 0).sum())
    # A mean over nothing would be NaN: a part of a batch may hold slices without a single region.
    classification = functional.cross_entropy(
        logits, targets.labels.to(device), ignore_index=-1, reduction="sum"
    ) / max(1, counted)
    rows = torch.nonzero(targets.regressed).flatten()
    chosen = deltas[rows.to(device), (targets.matched[rows] - 1).to(device)]
    wanted = encode(boxes[rows], targets.boxes[rows]).to(device)
    regression = functional.smooth_l1_loss(chosen, wanted, reduction="sum") / max(1, len(boxes))
    return classification, regression


def _joined(parts: Sequence[Targets]) -> Targets:
    return Targets(
        torch.cat([p.labels for p in parts]),
        torch.cat([p.boxes for p in parts]),
        torch.cat([p.matched for p in parts]),
        torch.cat([p.regressed for p in parts]),
    )
