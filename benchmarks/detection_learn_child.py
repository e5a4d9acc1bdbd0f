"""One side of benchmarks.detection_learn, trained in a process of its own; goes on where it was stopped.

python -m benchmarks.detection_learn_child SPEC.json
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import detection_yolo as yolo
from benchmarks.detection_data import btod, choosing
from benchmarks.detection_runs import changes, finished, own_cache, tell
from core.detection.config import TrainConfig
from core.detection.train import train
from core.errors import InputError
from core.model import Dataset

OURS, PEER = "ours", "yolo"
SPEC_FILE = "spec.json"
_DONE_FILE = "done"
_TREE = "tree"


@dataclass(frozen=True, slots=True)
class Spec:
    """What one side is to do.

    Attributes:
        side: OURS or PEER.
        data: Folder of the public data sets.
        work: Folder of the part.
        minutes: Time budget.
        threads: For torch.
        core: The processor core to keep to, or None.
        classes: "one" or "all".
        share: Share of the groups of btod/train held out to choose the best weights on.
        seed: Of weights and order; not of the split.
        config: Options of TrainConfig, "name=value"; of them the peer uses the working size only.
    """

    side: str
    data: str
    work: str
    minutes: float
    threads: int
    core: int | None
    classes: str
    share: float
    seed: int
    config: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where this side's results go, by what it depends on."""
        what = asdict(self)
        del what["data"], what["work"]
        if self.side == PEER:
            what["config"] = self.train_config().image_size
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:8]
        return Path(self.work) / f"{self.side}-{digest}"

    @property
    def done(self) -> bool:
        """Whether this side has been trained to its end."""
        return finished(self.folder) if self.side == OURS else (self.folder / _DONE_FILE).is_file()

    def train_config(self) -> TrainConfig:
        """Our options."""
        wanted = {
            "classes": self.classes, "budget_minutes": self.minutes, "seed": self.seed,
            "threads": self.threads, "name": "btod-learn",
        }  # fmt: skip
        return TrainConfig(**{**wanted, **changes(self.config)})

    def parts(self) -> tuple[Dataset, Dataset]:
        """What is trained on, and what the best weights are chosen on: the same for both sides."""
        return choosing(btod(Path(self.data), "train"), self.share)


def write_spec(spec: Spec) -> Path:
    """Put a spec into its folder."""
    spec.folder.mkdir(parents=True, exist_ok=True)
    path = spec.folder / SPEC_FILE
    path.write_text(json.dumps(asdict(spec), indent=1), encoding="utf-8")
    return path


def read_spec(path: Path) -> Spec:
    """A spec as it was written."""
    plain = json.loads(path.read_text(encoding="utf-8"))
    return Spec(**{**plain, "config": tuple(plain["config"])})


def run(spec: Spec) -> None:
    """Train one side.

    Raises:
        InputError: The peer is not installed.
    """
    if spec.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {spec.core})
    chosen, held = spec.parts()
    config = spec.train_config()
    if spec.side == OURS:
        train([chosen], own_cache(config, spec.folder), spec.folder, valid=held, resume=True, progress=tell)
        return
    if not yolo.installed():
        raise InputError(yolo.HOW)
    tree = yolo.write_tree(chosen, held, spec.folder / _TREE, one_class=spec.classes == "one")
    yolo.train_peer(
        tree, spec.folder, minutes=spec.minutes, size=config.image_size, threads=spec.threads, seed=spec.seed
    )
    (spec.folder / _DONE_FILE).touch()


def main(arguments: Sequence[str]) -> None:
    """Train the side that a spec describes."""
    (path,) = arguments
    run(read_spec(Path(path)))


if __name__ == "__main__":
    main(sys.argv[1:])
