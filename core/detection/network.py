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

from core.detection.resnet import ResNet
from core.detection.roi import align
from core.errors import InputError

ARCHITECTURES = ("fast-rcnn", "rcnn")
STRIDE = 8
INPUTS = (1, 3)
# The head sees a quarter of the region's side beyond each edge: an edge is known by both of its sides.
_MARGIN = 0.25
# Share of what the head knows of a region that is dropped at each of its layers while training: channels of
# the map, then hidden values. A head this wide learns patients by heart.
_DROPPED = 0.2
# A network that has seen nothing expects about one cell in twenty to lie in a lesion.
_BACKGROUND_BIAS = 3.0


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
        inputs: Channels: 1 the slice; 3 the slice between its neighbours in the stack.
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
    inputs: int = 1

    @property
    def neighbours(self) -> int:
        """Slices seen on either side."""
        return self.inputs // 2

    def as_dict(self) -> dict[str, str | int | float]:
        """Plain values, for a model card."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Embedding:
    """What is computed once per slice and shared by its regions.

    Attributes:
        maps: (N, C, h, w); for plain R-CNN the images themselves.
        context: (N, D) the slice as a whole; D is 0 for plain R-CNN.
        lesions: (N, K + 1, h, w) logits of what each cell of the map lies in, background first; None for
            plain R-CNN.
    """

    maps: Tensor
    context: Tensor
    lesions: Tensor | None = None

    def only(self, index: int) -> Embedding:
        """That of one slice."""
        part = slice(index, index + 1)
        lesions = None if self.lesions is None else self.lesions[part]
        return Embedding(self.maps[part], self.context[part], lesions)


class Network(nn.Module):
    """Judges regions of a batch of slices. Boxes are in working-image pixels."""

    spec: NetworkSpec
    trunk: ResNet
    # How many regions are judged before a cancel is looked for.
    portion = 1024
    # Of the values dropped in training. Not torch's own source of chance: threads would share it.
    seed = 0

    def embed(self, images: Tensor) -> Embedding:
        """What is computed once per slice, of (N, inputs, S, S) normalised pixels."""
        raise NotImplementedError

    def judge(self, embedding: Embedding, regions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
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
    """ResNet, pyramid, lesion map, RoIAlign, two fully connected layers, scores, class-specific regression.

    The lesion map says of every cell what it lies in. Its loss teaches the trunk at all cells of a slice,
    where the heads learn from a few dozen regions only; the heads see its probability of any lesion.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = ResNet(spec.depth, spec.width, spec.inputs)
        self.pyramid = Pyramid(self.trunk.channels[1:], spec.pyramid)
        self.lesions = nn.Conv2d(spec.pyramid, spec.classes + 1, 1)
        seen = (spec.pyramid + 1) * spec.pool * spec.pool
        self.fc1 = nn.Linear(seen, spec.hidden)
        self.context = nn.Linear(self.trunk.channels[-1], spec.hidden, bias=False)
        self.place = nn.Linear(4, spec.hidden, bias=False)
        self.fc2 = nn.Linear(spec.hidden, spec.hidden)
        self.score = nn.Linear(spec.hidden, spec.classes + 1)
        self.regress = nn.Linear(spec.hidden, spec.classes * 4)
        _start_small(self.score, self.regress)
        nn.init.normal_(self.lesions.weight, std=0.01)
        bias = torch.zeros(spec.classes + 1)
        bias[0] = _BACKGROUND_BIAS
        self.lesions.bias = nn.Parameter(bias)

    def embed(self, images: Tensor) -> Embedding:
        """The shared map of stride 8, its lesion map, and the slice as a whole."""
        maps = self.trunk(images)
        merged = self.pyramid(maps[1:])
        lesions = self.lesions(merged)
        # Of any class: the heads' shape must not depend on the classes, so that a model can learn new ones.
        lesion = 1.0 - lesions.softmax(dim=1)[:, :1]
        shared = torch.cat([merged, lesion.to(merged.dtype)], dim=1)
        return Embedding(shared, self.context(maps[-1].mean(dim=(2, 3))), lesions)

    def judge(self, embedding: Embedding, regions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """RoIAlign and the head."""
        regions = [r.to(embedding.maps.device) for r in regions]
        # Gradients of many regions meet in a cell: half precision would round them away.
        maps = embedding.maps.float() if self.training else embedding.maps
        pooled = align(maps, [widened(r, _MARGIN) for r in regions], self.spec.pool, STRIDE)
        sizes = torch.tensor([len(r) for r in regions], device=pooled.device)
        whole = embedding.context.repeat_interleave(sizes, dim=0)
        place = _place(torch.cat(list(regions)), self.spec.image_size).to(pooled.dtype)
        chance = torch.Generator("cpu").manual_seed(self.seed)
        pooled = self._partly(pooled, (len(pooled), 1, pooled.shape[2]), chance)
        hidden = functional.relu(self.fc1(pooled.flatten(1)) + whole + self.place(place))
        hidden = self._partly(hidden, tuple(hidden.shape), chance)
        hidden = functional.relu(self.fc2(hidden))
        hidden = self._partly(hidden, tuple(hidden.shape), chance)
        return self.score(hidden), self.regress(hidden).unflatten(1, (self.spec.classes, 4))

    def _partly(self, values: Tensor, shape: tuple[int, ...], chance: torch.Generator) -> Tensor:
        """In training, values with a random share dropped, the rest scaled up (Srivastava et al. 2014)."""
        if not self.training:
            return values
        # On the processor: the same values are dropped whatever the device.
        kept = (torch.rand(shape, generator=chance, device="cpu") >= _DROPPED).to(values.device)
        return values * (kept / (1.0 - _DROPPED)).to(values.dtype)


def widened(regions: Tensor, share: float) -> Tensor:
    """Boxes with a margin of that share of their sides at each edge."""
    margin = (regions[:, 2:] - regions[:, :2]) * share
    return torch.cat([regions[:, :2] - margin, regions[:, 2:] + margin], dim=1)


def _place(regions: Tensor, size: int) -> Tensor:
    """Centre (-1 … 1 across the image) and logarithm of the sides (in images) of (R, 4) boxes."""
    unit = regions / size
    sides = (unit[:, 2:] - unit[:, :2]).clamp(min=0.01)
    return torch.cat([unit[:, :2] + unit[:, 2:] - 1.0, sides.log()], dim=1)


class PlainRcnn(Network):
    """Every region cropped with some context, resized, through the ResNet, classified and regressed."""

    portion = 48
    # R-CNN warps with 16 px of context around a 227 px crop.
    _CONTEXT = 16.0 / 227.0

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = ResNet(spec.depth, spec.width, spec.inputs)
        self.score = nn.Linear(self.trunk.channels[-1], spec.classes + 1)
        self.regress = nn.Linear(self.trunk.channels[-1], spec.classes * 4)
        _start_small(self.score, self.regress)

    def embed(self, images: Tensor) -> Embedding:
        """Nothing is shared: the images themselves."""
        return Embedding(images, images.new_zeros(len(images), 0))

    def judge(self, embedding: Embedding, regions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Crop, resize, trunk, heads."""
        from torchvision.ops import roi_align  # noqa: PLC0415 - takes 170 MB, and only this network needs it

        wide = [widened(r.to(embedding.maps.device), self._CONTEXT) for r in regions]
        crops = roi_align(embedding.maps, wide, output_size=self.spec.crop, sampling_ratio=2, aligned=True)
        hidden = self.trunk(crops)[-1].mean(dim=(2, 3))
        return self.score(hidden), self.regress(hidden).unflatten(1, (self.spec.classes, 4))


def build_network(spec: NetworkSpec) -> Network:
    """The network of a specification.

    Raises:
        InputError: An unknown architecture, depth or number of channels.
    """
    if spec.inputs not in INPUTS:
        raise InputError(f"inputs {spec.inputs!r} is neither 1 (a slice) nor 3 (with its neighbours)")
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
