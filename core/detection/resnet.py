"""Our ResNet: residual blocks y = F(x) + x as in He et al. 2016.

At full width and standard depth names and shapes are torchvision's, so its ImageNet weights fit.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from core.errors import InputError

_LAYOUT: dict[int, tuple[int, tuple[int, int, int, int]]] = {
    10: (1, (1, 1, 1, 1)),
    18: (1, (2, 2, 2, 2)),
    34: (1, (3, 4, 6, 3)),
    50: (4, (3, 4, 6, 3)),
}
DEPTHS = tuple(_LAYOUT)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, relu(F(x) + x)."""
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        shortcut = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.relu(residual + shortcut)
        return y


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions around a shortcut; four times as many outputs as planes."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * 4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(inputs, planes * 4, stride)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, relu(F(x) + x)."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.relu(residual + shortcut)
        return y


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """The trunk: grey channels in, the maps of strides 4, 8, 16 and 32 out.

    Args:
        depth: 10, 18, 34 or 50.
        width: Factor on the standard channel counts; 1 is the standard network, 0.5 a quarter of the work.
        inputs: Input channels; of three the middle one is the slice, the others its neighbours in the stack.

    Raises:
        InputError: An unknown depth.
    """

    def __init__(self, depth: int = 18, width: float = 1.0, inputs: int = 1) -> None:
        super().__init__()
        if depth not in _LAYOUT:
            raise InputError(f"trunk depth {depth} is not one of {', '.join(map(str, DEPTHS))}")
        expansion, counts = _LAYOUT[depth]
        planes = [max(8, round(base * width)) for base in (64, 128, 256, 512)]
        self.conv1 = nn.Conv2d(inputs, planes[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        block = BasicBlock if expansion == 1 else Bottleneck
        channels = planes[0]
        stages = []
        for index, (count, width_here) in enumerate(zip(counts, planes, strict=True)):
            blocks = [block(channels, width_here, 1 if index == 0 else 2)]
            channels = width_here * expansion
            blocks += [block(channels, width_here, 1) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.channels = tuple(p * expansion for p in planes)
        _initialise(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The maps C2 … C5 of (N, inputs, H, W)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        c2 = self.layer1(x)
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return c2, c3, c4, self.layer4(c4)

    def load_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Take torchvision's ImageNet weights; the three colour filters are summed into the grey one.

        With three channels they stay as they are: a slice that stands in for its neighbours is then seen just
        as the grey one would be.

        Raises:
            InputError: The weights are of another depth or width; names the first tensor that differs.
        """
        own = self.state_dict()
        given = {k: v for k, v in weights.items() if not k.startswith("fc.")}
        stem = given.get("conv1.weight")
        if stem is not None and stem.ndim == 4 and stem.shape[1] == 3 and self.conv1.in_channels == 1:
            given["conv1.weight"] = stem.sum(dim=1, keepdim=True)
        for key, value in own.items():
            if key not in given or given[key].shape != value.shape:
                found = tuple(given[key].shape) if key in given else "nothing"
                raise InputError(
                    f"pretrained weights do not fit this trunk: {key} needs {tuple(value.shape)}, "
                    f"the file has {found}. Use the torchvision ResNet of the same depth, with width 1."
                )
        self.load_state_dict({key: given[key] for key in own})


def among_neighbours(filters: Tensor, inputs: int) -> Tensor:
    """First filters that know one slice, for so many channels: in the middle one, zeros for the neighbours.

    What they find is then the same whatever the neighbours are.

    Args:
        filters: (F, 1, k, k).
        inputs: Channels, odd.
    """
    wide = filters.new_zeros(len(filters), inputs, *filters.shape[2:])
    wide[:, inputs // 2] = filters[:, 0]
    return wide


def _initialise(trunk: nn.Module) -> None:
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    # Each block starts as the identity (last scale 0): trains faster from scratch (Goyal et al. 2017).
    for module in trunk.modules():
        if isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)
        elif isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
