"""Writing a model: weights at half precision, the card inside, the digest over both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from core.detection.atomic import write_whole
from core.detection.card import METADATA_KEY, ModelCard, seal
from core.detection.config import TrainConfig, TrainResult
from core.detection.network import NetworkSpec
from core.detection.samples import Plan
from core.proposals.normalise import NORMALISATION

MODEL_FILE = "model.safetensors"
CARD_FILE = "card.md"

_LIMITS = (
    "Not a medical device; for research and dataset work.",
    "Any scanner, sequence, plane or disease that is not in the data above.",
)


def export_model(
    weights: Mapping[str, Tensor],
    spec: NetworkSpec,
    config: TrainConfig,
    plan: Plan,
    figures: Mapping[str, float],
    calibration: Mapping[str, object],
    out: Path,
    computed_on: str,
) -> TrainResult:
    """Write model.safetensors and card.md to `out`.

    The card tells by `computed_on` which device trained it: equal seeds give equal numbers on one only.

    Raises:
        OSError: The files cannot be written; a previous model is still whole.
    """
    names = {p.name for p in plan.used}
    card = ModelCard(
        name=config.name or "+".join(sorted(names)) or "model",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        classes=plan.classes,
        network=spec.as_dict(),
        normalisation=NORMALISATION,
        proposer=config.proposer,
        training={**config.as_dict(), "computed on": computed_on},
        data=plan.used,
        split=plan.split,
        figures={f"held-out {k}" if k.startswith("ap") else k: v for k, v in figures.items()},
        limits=_LIMITS,
        parameters=sum(
            v.numel() for k, v in weights.items() if "running_" not in k and "num_batches" not in k
        ),
        minutes=round(figures.get("minutes", 0.0), 2),
        calibration=calibration,
    )
    path = out / MODEL_FILE
    card = write_model(path, weights, card)
    write_whole(out / CARD_FILE, card.to_markdown().encode())
    metrics = {("valid_" + k if k.startswith("ap") else k): v for k, v in figures.items()}
    return TrainResult(path, card, metrics)


def write_model(path: Path, weights: Mapping[str, Tensor], card: ModelCard) -> ModelCard:
    """Write weights and card to one file; gives the card as written, with its digest.

    Raises:
        OSError: The file cannot be written; a previous one is still whole.
    """
    tensors = {name: _compact(name, value) for name, value in weights.items()}
    sealed = seal(card, save(tensors))
    write_whole(path, save(tensors, metadata={METADATA_KEY: sealed.to_json()}))
    return sealed


def _compact(name: str, value: Tensor) -> Tensor:
    # Running variances can exceed half precision's range and are few.
    keep = "running_" in name or not value.is_floating_point()
    return value.detach().contiguous().to(value.dtype if keep else torch.float16)
