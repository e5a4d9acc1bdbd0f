"""The two networks behind one face: `embed` a batch once, then `judge` any regions of it.

`FastRcnn` shares one feature map between all regions (Girshick 2015); `PlainRcnn` is the seed's: every region
is cropped, resized and sent through the whole ResNet (Girshick et al. 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align

from core.detection.resnet import ResNet
from core.errors import InputError

ARCHITECTURES = ("fast-rcnn", "rcnn")
_STRIDE = 8
# One sample a cell: torchvision's backward pass runs on one core; four took half of the time.
_SAMPLES = 1


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What has to be known to build the network that weights belong to.

    Attributes:
        architecture: "fast-rcnn" or "rcnn".
        depth: Depth of the trunk.
        width: Factor on the trunk's standard channels.
        classes: How many classes, without background.
        image_size: Longer side of the working image, in pixels.
        pyramid: Channels of the merged map (fast-rcnn).
        hidden: Width of the two fully connected layers (fast-rcnn).
        pool: Side of the grid that RoIAlign samples (fast-rcnn).
        crop: Side in pixels that each region is resized to (rcnn).
    """

    architecture: str = "fast-rcnn"
    depth: int = 18
    width: float = 0.5
    classes: int = 1
    image_size: int = 256
    pyramid: int = 96
    hidden: int = 256
    pool: int = 7
    crop: int = 64

    def as_dict(self) -> dict[str, str | int | float]:
        """Plain values, for a model card."""
        return asdict(self)


class Network(nn.Module):
    """Judges regions of a batch of slices. Boxes are in working-image pixels."""

    trunk: ResNet
    # How many regions are judged before a cancel is looked for.
    portion = 1024

    def embed(self, images: Tensor) -> Tensor:
        """What is computed once per slice, of (N, 1, S, S) normalised pixels."""
        raise NotImplementedError

    def judge(self, embedding: Tensor, regions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Scores and regression of regions.

        Args:
            embedding: From `embed`.
            regions: Per slice (R_i, 4) boxes.

        Returns:
            Logits (ΣR, K + 1), background first, and deltas (ΣR, K, 4), class-specific.
        """
        raise NotImplementedError


class Pyramid(nn.Module):
    """Merges C3 … C5 from the top down into one map of stride 8."""

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, outputs, 1) for c in channels)
        self.smooth = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """One map at the resolution of the first."""
        merged = self.lateral[-1](maps[-1])
        for lateral, fine in zip(reversed(self.lateral[:-1]), reversed(maps[:-1]), strict=True):
            merged = lateral(fine) + functional.interpolate(merged, size=fine.shape[-2:], mode="nearest")
        return functional.relu(self.norm(self.smooth(merged)))


class FastRcnn(Network):
    """ResNet, pyramid, RoIAlign, two fully connected layers, class scores and class-specific regression."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = ResNet(spec.depth, spec.width)
        self.pyramid = Pyramid(self.trunk.channels[1:], spec.pyramid)
        self.fc1 = nn.Linear(spec.pyramid * spec.pool * spec.pool, spec.hidden)
        self.fc2 = nn.Linear(spec.hidden, spec.hidden)
        self.score = nn.Linear(spec.hidden, spec.classes + 1)
        self.regress = nn.Linear(spec.hidden, spec.classes * 4)
        _start_small(self.score, self.regress)

    def embed(self, images: Tensor) -> Tensor:
        """The shared map of stride 8."""
        merged: Tensor = self.pyramid(self.trunk(images)[1:])
        return merged

    def judge(self, embedding: Tensor, regions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """RoIAlign and the head."""
        pooled = roi_align(
            embedding,
            list(regions),
            output_size=self.spec.pool,
            spatial_scale=1.0 / _STRIDE,
            sampling_ratio=_SAMPLES,
            aligned=True,
        )
        hidden = functional.relu(self.fc1(pooled.flatten(1)))
        hidden = functional.relu(self.fc2(hidden))
        return self.score(hidden), self.regress(hidden).unflatten(1, (self.spec.classes, 4))


class PlainRcnn(Network):
    """Every region cropped with some context, resized, through the ResNet, classified and regressed."""

    portion = 48
    # R-CNN warps with 16 px of context around a 227 px crop.
    _CONTEXT = 16.0 / 227.0

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = ResNet(spec.depth, spec.width)
        self.score = nn.Linear(self.trunk.channels[-1], spec.classes + 1)
        self.regress = nn.Linear(self.trunk.channels[-1], spec.classes * 4)
        _start_small(self.score, self.regress)

    def embed(self, images: Tensor) -> Tensor:
        """Nothing is shared: the images themselves."""
        return images

    def judge(self, embedding: Tensor, regions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Crop, resize, trunk, heads."""
        wide = [torch.cat([r[:, :2] - m, r[:, 2:] + m], 1) for r in regions for m in [self._margin(r)]]
        crops = roi_align(embedding, wide, output_size=self.spec.crop, sampling_ratio=2, aligned=True)
        hidden = self.trunk(crops)[-1].mean(dim=(2, 3))
        return self.score(hidden), self.regress(hidden).unflatten(1, (self.spec.classes, 4))

    def _margin(self, regions: Tensor) -> Tensor:
        return (regions[:, 2:] - regions[:, :2]) * self._CONTEXT


def build_network(spec: NetworkSpec) -> Network:
    """The network of a specification.

    Raises:
        InputError: An unknown architecture or depth.
    """
    if spec.architecture == "fast-rcnn":
        return FastRcnn(spec)
    if spec.architecture == "rcnn":
        return PlainRcnn(spec)
    raise InputError(f"architecture {spec.architecture!r} is not one of {', '.join(ARCHITECTURES)}")


def parameter_count(network: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(p.numel() for p in network.parameters())


def _start_small(score: nn.Linear, regress: nn.Linear) -> None:
    nn.init.normal_(score.weight, std=0.01)
    nn.init.normal_(regress.weight, std=0.001)
    nn.init.zeros_(score.bias)
    nn.init.zeros_(regress.bias)
