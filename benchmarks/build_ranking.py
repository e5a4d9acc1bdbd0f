"""Train the ranking of proposals anew: `make ranking`, about ten minutes on one core.

Trains on cheng/train only, whose terms allow the weights to be shipped: each slice as it is, and once more
with scalp and skull cut away, since the method has to order both kinds of study. Five of its 32 blocks are
left out, to judge changes on. Writes resources/proposals/fast.safetensors and quality.safetensors.

    python -m benchmarks.build_ranking [--data DIR] [--epochs 40] [--seed 0]
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import nn

from benchmarks.real_data import arguments, by_groups, cheng
from core.boxes import Boxes, iou_matrix, to_array
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Dataset
from core.proposals.base import Mode
from core.proposals.features import COLUMNS
from core.proposals.selective import PRESETS, candidates

TARGET = Path(__file__).resolve().parents[1] / "resources" / "proposals"
HELD = {f"train: block {n}" for n in (3, 10, 31, 38, 45)}
_HIDDEN, _BATCH, _RATE, _DECAY = 32, 2048, 4e-3, 1e-4
# The target rises from 0 to 1 between these overlaps with a lesion; what lies above the first is kept, and
# so many others of a slice.
_POOR, _GOOD, _OTHERS = 0.3, 0.9, 150
_CACHE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Examples:
    """Features (N, COLUMNS) and overlaps with the nearest lesion (N,)."""

    features: NDArray[np.float32]
    overlap: NDArray[np.float32]


def stripped(image: NDArray[np.float32], boxes: Boxes) -> tuple[NDArray[np.float32], Boxes] | None:
    """The slice with what lies near the head's outline cut away and the rest filling the frame.

    Returns:
        None where the lesion would be cut.
    """
    head = _head(image)
    if head is None:
        return None
    depth = cv2.distanceTransform(np.pad(head, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    kept = depth > 0.16 * np.sqrt(head.sum() / np.pi)
    for x1, y1, x2, y2 in boxes.astype(int):
        if kept[y1:y2, x1:x2].mean() < 0.95:
            return None
    rows, columns = np.nonzero(kept)
    left, top = max(0, columns.min() - 12), max(0, rows.min() - 12)
    side = int(max(columns.max() + 12 - left, rows.max() + 12 - top))
    brain = np.pad(np.where(kept, image, 0), ((0, side), (0, side)))[top : top + side, left : left + side]
    factor = max(image.shape) / side
    shape = (max(image.shape),) * 2
    large = np.asarray(cv2.resize(brain, shape, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return large, (boxes - np.array([left, top, left, top])) * factor


def _head(image: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """The largest thing in the slice, its holes filled."""
    bright = (image > 0.06 * image.max()).astype(np.uint8)
    closed = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    lines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not lines:
        return None
    head = np.zeros(image.shape, dtype=np.uint8)
    cv2.drawContours(head, [max(lines, key=cv2.contourArea)], -1, 1, -1)
    return head


def examples(dataset: Dataset, mode: Mode, rng: np.random.Generator) -> Examples:
    """Regions of every slice with their overlap, all that meet a lesion and some that do not."""
    cache, token = PixelCache(_CACHE_BYTES), CancelToken()
    features: list[NDArray[np.float32]] = []
    overlaps: list[NDArray[np.float32]] = []
    for labelled in dataset.slices:
        truth = to_array(b.box for b in labelled.boxes)
        image = cache.get(labelled.ref).astype(np.float32)
        for pixels, boxes in filter(None, ((image, truth), stripped(image, truth))):
            found = candidates(pixels, PRESETS[mode], token)
            if not len(found.boxes):
                continue
            overlap = iou_matrix(found.boxes, boxes).max(axis=1)
            others = rng.permutation(np.flatnonzero(overlap <= _POOR))[:_OTHERS]
            kept = np.concatenate([np.flatnonzero(overlap > _POOR), others])
            features.append(found.features[kept])
            overlaps.append(overlap[kept].astype(np.float32))
    return Examples(np.concatenate(features), np.concatenate(overlaps))


def fit(rows: Examples, epochs: int, seed: int) -> tuple[nn.Sequential, torch.Tensor, torch.Tensor]:
    """Train the network; the features' means and the inverse of their spreads beside it."""
    torch.manual_seed(seed)
    mean = torch.from_numpy(rows.features.mean(0))
    scale = 1.0 / torch.from_numpy(rows.features.std(0)).clamp(min=1e-3)
    inputs = ((torch.from_numpy(rows.features) - mean) * scale).clamp(-6.0, 6.0)
    target = ((torch.from_numpy(rows.overlap) - _POOR) / (_GOOD - _POOR)).clamp(0.0, 1.0)
    network = nn.Sequential(
        nn.Linear(COLUMNS, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1)
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    steps = len(inputs) // _BATCH
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=epochs * steps + 1)
    for _ in range(epochs):
        order = torch.randperm(len(inputs))
        for step in range(steps):
            batch = order[step * _BATCH : (step + 1) * _BATCH]
            loss = _loss(network(inputs[batch])[:, 0], target[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    return network, mean, scale


def _loss(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    # The sigmoid of core.proposals.ranking, which has no exponential.
    likely = (0.5 + 0.5 * answer / (1.0 + answer.abs())).clamp(1e-4, 1.0 - 1e-4)
    return nn.functional.binary_cross_entropy(likely, target)


def write(mode: Mode, network: nn.Sequential, mean: torch.Tensor, scale: torch.Tensor, told: str) -> None:
    """Write a network as core.proposals.ranking reads it."""
    arrays: dict[str, NDArray[np.float32]] = {"mean": mean.numpy(), "scale": scale.numpy()}
    for name, layer in (("first", network[0]), ("second", network[2]), ("third", network[4])):
        assert isinstance(layer, nn.Linear)
        weight = layer.weight.detach().numpy().T
        arrays[name] = np.ascontiguousarray(weight[:, 0] if name == "third" else weight)
        arrays[f"{name}_bias"] = layer.bias.detach().numpy()
    TARGET.mkdir(parents=True, exist_ok=True)
    save_file(arrays, TARGET / f"{mode}.safetensors", metadata={"card": told})


def main() -> None:
    """Train both networks."""
    parser = arguments("Train the ranking of proposals.")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    every = cheng(options.data, "train")
    trained_on = by_groups(every, HELD, name="cheng/train", inside=False)
    for mode in PRESETS:
        rows = examples(trained_on, mode, np.random.default_rng(options.seed))
        network, mean, scale = fit(rows, options.epochs, options.seed)
        card = {
            "data": "cheng/train (Cheng 2015, figshare 1512427, CC BY 4.0 as listed there)",
            "left out": sorted(HELD),
            "slices": len(trained_on.slices),
            "regions": len(rows.overlap),
            "epochs": options.epochs,
            "seed": options.seed,
        }
        write(mode, network, mean, scale, json.dumps(card))
        print(mode, card, flush=True)


if __name__ == "__main__":
    main()
