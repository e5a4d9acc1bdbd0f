"""Filling a network from a model file, and getting it ready to judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core.detection.card import verify_model
from core.detection.network import Network
from core.detection.resnet import among_neighbours
from core.errors import ModelDamaged, ModelMismatch

# Tensors with rows per class, and how many.
_PER_CLASS = {
    "score.weight": 1,
    "score.bias": 1,
    "lesions.weight": 1,
    "lesions.bias": 1,
    "regress.weight": 4,
    "regress.bias": 4,
}
_STEM = "trunk.conv1.weight"
# Convolutions and the norms behind them, by attribute.
_PAIRS = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"), ("smooth", "norm"))


def load_weights(network: Network, file: Path, classes: Sequence[str], *, partly: bool = False) -> None:
    """Fill a network from a model file.

    Args:
        network: To be filled.
        file: The model.
        classes: Classes of the network in output order.
        partly: Take the heads' outputs class by class, by name; a class the file lacks stays as it is. The
            first filters of a model of single slices fit a network that sees neighbours, too.

    Raises:
        ModelNotFound: There is no such file.
        ModelDamaged: Not a sound model.
        ModelMismatch: Sound, but of another shape.
    """
    card = verify_model(file)
    try:
        # In half precision, as they are kept: filling the network widens them one by one.
        weights = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ModelDamaged(f"{file}: the weights cannot be read ({error}).") from error
    if partly and tuple(classes) != card.classes:
        weights = _by_name(network, weights, classes, card.classes)
    if partly:
        weights = _with_neighbours(network, weights)
    own = network.state_dict()
    wrong = [k for k, v in own.items() if k not in weights or weights[k].shape != v.shape]
    if wrong:
        raise ModelMismatch(
            f"{file}: its weights do not fit this network ({wrong[0]} and {len(wrong) - 1} more differ). "
            "Use the same architecture, depth and width, and a model of this Overread."
        )
    network.load_state_dict({k: weights[k] for k in own})


def lasting(network: Network, *, same_classes: bool) -> dict[str, torch.Tensor]:
    """A copy of the weights that a model keeps a share of when it goes on.

    Args:
        network: As it was before.
        same_classes: Whether no class was added: a new class has no weights yet that are worth a share.
    """
    return {
        name: value.clone()
        for name, value in network.state_dict().items()
        if value.is_floating_point() and (same_classes or name not in _PER_CLASS)
    }


def _with_neighbours(network: Network, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    stem = weights.get(_STEM)
    if stem is None or stem.ndim != 4 or stem.shape[1] != 1 or network.spec.inputs == 1:
        return weights
    return {**weights, _STEM: among_neighbours(stem, network.spec.inputs)}


def _by_name(
    network: Network, weights: dict[str, torch.Tensor], classes: Sequence[str], given: Sequence[str]
) -> dict[str, torch.Tensor]:
    merged = dict(weights)
    own = network.state_dict()
    for key, rows in _PER_CLASS.items():
        if key not in own or key not in weights:
            continue
        # Background has a score and a place on the lesion map, but no box.
        first = 0 if key.startswith("regress") else 1
        mine = own[key].clone()
        mine[:first] = weights[key][:first]
        for index, name in enumerate(classes):
            if name in given:
                source = first + list(given).index(name) * rows
                target = first + index * rows
                mine[target : target + rows] = weights[key][source : source + rows]
        merged[key] = mine
    return merged


def ready_to_judge(network: Network, *, half: bool = False) -> Network:
    """The network frozen, its norms folded into the convolutions before them.

    Args:
        network: Is changed.
        half: Compute in bfloat16; worth it only where the processor does.
    """
    network.eval().requires_grad_(False)
    for module in list(network.modules()):
        for convolution, norm in _PAIRS:
            if isinstance(getattr(module, norm, None), nn.BatchNorm2d):
                _fold(module, convolution, norm)
        if isinstance(module, nn.Sequential) and len(module) == 2 and isinstance(module[1], nn.BatchNorm2d):
            _fold(module, "0", "1")
    network = network.to(torch.bfloat16 if half else torch.float32)
    return network.to(memory_format=torch.channels_last)


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    merged = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
    setattr(module, convolution, merged)
    setattr(module, norm, nn.Identity())
