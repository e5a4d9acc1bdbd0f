from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.detection.config import TrainResult
from core.detection.train import train
from core.model import Dataset
from tests.core.detection.samples import blobs, reader, tiny


@dataclass(frozen=True)
class Trained:
    """A finished tiny run."""

    folder: Path
    dataset: Dataset
    pixels: Mapping[str, NDArray[np.float32]]
    result: TrainResult


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # Tiny tensors: more threads only wait for each other.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One tiny model for all tests that only need some model."""
    folder = tmp_path_factory.mktemp("trained")
    dataset, pixels = blobs(12)
    result = train([dataset], tiny(folder, name="tiny"), folder / "out", load=reader(pixels))
    return Trained(folder / "out", dataset, pixels, result)
