"""Checkpoints that survive `kill -9`: safetensors and JSON, each written whole and renamed. No pickle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from core.detection.atomic import write_whole
from core.errors import InputError

_STATE = "state.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run at one moment.

    Attributes:
        tensors: Weights, averaged weights, best weights and optimiser state, by prefixed name.
        state: Everything else, plain JSON.
    """

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


def write_checkpoint(folder: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Put a checkpoint in place of the previous one.

    The JSON names the tensor file it belongs to and is renamed last, so the pair always matches.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{int(state['step']):08d}.safetensors"
    blob = save({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
    write_whole(folder / name, blob)
    write_whole(folder / _STATE, json.dumps({**state, "tensors": name}).encode())
    for old in folder.glob("step-*.safetensors"):
        if old.name != name:
            old.unlink(missing_ok=True)


def has_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint."""
    return (folder / _STATE).exists()


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint in a folder, or None where there is none.

    Raises:
        InputError: There is one, but it cannot be read.
    """
    path = folder / _STATE
    if not has_checkpoint(folder):
        return None
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        return Checkpoint(load_file(folder / str(state["tensors"])), state)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputError(
            f"{folder}: the checkpoint cannot be read ({type(error).__name__}). Remove it to start anew."
        ) from error


def remove_checkpoint(folder: Path) -> None:
    """Take the checkpoint away once the run is done."""
    shutil.rmtree(folder, ignore_errors=True)


def pack_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as named tensors."""
    packed = {}
    for index, entries in optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            packed[f"{index}/{name}"] = torch.as_tensor(value)
    return packed


def unpack_optimizer(optimizer: torch.optim.Optimizer, packed: Mapping[str, Tensor]) -> None:
    """Give an optimiser the state that `pack_optimizer` took from it."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in packed.items():
        index, name = key.split("/", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names under a prefix."""
    return {f"{prefix}:{key}": value for key, value in tensors.items()}


def under_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    start = f"{prefix}:"
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
