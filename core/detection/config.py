"""What a training run is asked for and what it gives back. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.detection.card import ModelCard
from core.errors import InputError
from core.model import SliceRef

Load = Callable[[SliceRef], NDArray[np.float32]]

_ARCHITECTURES = ("fast-rcnn", "rcnn")
_CLASSES = ("one", "all")
# torch 2.14.1 corrupts memory in the backward pass of a strided, channels-last 1 × 1 convolution of 8
# channels; two threads are enough.
LEAST_WIDTH = 0.25
_PRECISIONS = ("auto", "float32", "bfloat16")
_DEVICES = ("auto", "cpu")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Options of a training run.

    Attributes:
        architecture: "fast-rcnn" (one shared feature map) or "rcnn" (every region cropped and resized).
        depth: Depth of the ResNet trunk.
        width: Factor on its standard channels; 1 is needed for pretrained weights.
        neighbours: 1 shows the network the slices before and after each in its stack as well, 0 the slice
            only. A model that goes on keeps those it has.
        image_size: Longer side that slices are resized to, in pixels; a multiple of 32.
        classes: "all" keeps the classes of the data, "one" calls every box a tumour.
        budget_minutes: Wall time for everything, proposals included.
        epochs: Stop after so many passes even if time is left; None lets time decide.
        seed: Of the split, the weights, the order and the augmentation.
        batch: Slices per step.
        regions: Regions sampled per slice.
        transplants: Share of the slices that are shown with a lesion of another slice put in.
        learning_rate: At its peak.
        weight_decay: AdamW's.
        valid_share: Share of the groups held out where no validation set is given.
        repeat: How often each data set is seen in an epoch, in their order; empty for once each.
        proposer: Proposal method.
        pretrained: torchvision ResNet weights (safetensors) for the trunk.
        init_from: A model of ours to go on from: its network, its classes, smaller steps, and most of its
            weights stays in the new ones.
        precision: "float32", "bfloat16" for the forward pass, or "auto": bfloat16 where the processor has it.
        device: "auto" computes with a graphics processor where there is one, "cpu" with the processor.
        threads: Threads in all; 0 for one per core.
        cache: Folder for cached proposals; None for Overread's own.
        name: Name on the model card.
    """

    architecture: str = "fast-rcnn"
    depth: int = 18
    width: float = 0.5
    neighbours: int = 0
    image_size: int = 256
    classes: str = "all"
    budget_minutes: float = 10.0
    epochs: int | None = None
    seed: int = 0
    batch: int = 8
    regions: int = 96
    transplants: float = 0.5
    learning_rate: float = 1e-3
    weight_decay: float = 0.3
    valid_share: float = 0.15
    repeat: tuple[int, ...] = ()
    proposer: str = "coarse"
    pretrained: Path | None = None
    init_from: Path | None = None
    precision: str = "auto"
    device: str = "auto"
    threads: int = 0
    cache: Path | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.architecture not in _ARCHITECTURES:
            raise InputError(f"architecture {self.architecture!r} is not one of {', '.join(_ARCHITECTURES)}")
        if self.classes not in _CLASSES:
            raise InputError(f"classes {self.classes!r} is not one of {', '.join(_CLASSES)}")
        if self.width < LEAST_WIDTH:
            raise InputError(f"width {self.width} is below {LEAST_WIDTH}")
        if self.neighbours not in (0, 1):
            raise InputError(f"neighbours {self.neighbours} is neither 0 nor 1")
        if self.precision not in _PRECISIONS:
            raise InputError(f"precision {self.precision!r} is not one of {', '.join(_PRECISIONS)}")
        if self.device not in _DEVICES:
            raise InputError(f"device {self.device!r} is not one of {', '.join(_DEVICES)}")
        if self.image_size < 32 or self.image_size % 32:
            raise InputError(f"image_size {self.image_size} is not a multiple of 32")
        if self.budget_minutes <= 0 or self.batch < 2 or self.regions < 4:
            raise InputError("budget_minutes must be above 0, batch at least 2, regions at least 4")
        if not 0.0 <= self.transplants <= 1.0:
            raise InputError(f"transplants {self.transplants} is not within 0 … 1")

    def as_dict(self) -> dict[str, object]:
        """Plain values, for a card or a checkpoint. Paths become their names: a folder may name a person."""
        plain = asdict(self)
        for key in ("pretrained", "init_from", "cache"):
            value = plain[key]
            plain[key] = value.name if isinstance(value, Path) else None
        plain["repeat"] = list(self.repeat)
        return plain


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A finished run.

    Attributes:
        model_file: The model (safetensors with its card inside).
        card: The card.
        metrics: Last figures: "loss", "valid_ap50", "epochs", "minutes", …
    """

    model_file: Path
    card: ModelCard
    metrics: Mapping[str, float]
