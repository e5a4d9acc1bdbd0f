"""YOLO11n of ultralytics 8.4 as the peer: never a dependency (AGPL-3.0), used where somebody installed it.

    pip install "ultralytics>=8.4,<8.5"

It is kept off the network and to its defaults; what differs is said beside it. Its own checkpoints are read
by itself only; the weights that are kept for measuring are safetensors.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from core.model import Box, Dataset, Detection, LabelSchema

NAME = "YOLO11n"
ARCHITECTURE = "yolo11n.yaml"
HOW = (
    "ultralytics is not installed, so there is no YOLO11n to compare with. It is no dependency of Overread; "
    'in an environment of its own: pip install --editable . "ultralytics>=8.4,<8.5"'
)
LEAST_SCORE = 0.001  # as ultralytics validates
SHOWN_SCORE = 0.25  # as ultralytics predicts
EPOCHS_FILE = "epochs.jsonl"
BATCH = 16

Picture = NDArray[np.uint8]


def installed() -> bool:
    """Whether the peer can be measured."""
    return importlib.util.find_spec("ultralytics") is not None


def ultralytics(work: Path, threads: int) -> Any:  # noqa: ANN401 - a library without types
    """The library, off the network, with its settings in the work folder.

    Args:
        work: Folder for its settings.
        threads: For libraries that read it from the environment.
    """
    settings = work / "ultralytics"
    settings.mkdir(parents=True, exist_ok=True)
    os.environ.update(YOLO_OFFLINE="true", YOLO_CONFIG_DIR=str(settings), OMP_NUM_THREADS=str(threads))
    library = importlib.import_module("ultralytics")
    _give_a_font(importlib.import_module("ultralytics.utils").USER_CONFIG_DIR)
    library.settings.update({"sync": False})
    set_threads(threads)  # it has set OpenCV to one
    return library


def set_threads(threads: int) -> None:
    """Threads of torch and of OpenCV, which ultralytics sets to its own when it loads or sets up a model."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


class Peer:
    """A YOLO11n that predicts.

    Args:
        work: Folder for the library's settings.
        schema: Classes; its first is YOLO's 0.
        weights: safetensors that `train_peer` left; None for random ones.
        threads: For torch.
    """

    def __init__(
        self, work: Path, schema: LabelSchema, weights: Path | None = None, threads: int = 2
    ) -> None:
        self._threads = threads
        self._schema = schema
        library = ultralytics(work, threads)
        logging.getLogger("ultralytics").setLevel(logging.WARNING)
        tasks = importlib.import_module("ultralytics.nn.tasks")
        torch.manual_seed(0)
        self._network = tasks.DetectionModel(ARCHITECTURE, ch=3, nc=len(schema.classes), verbose=False)
        if weights is not None:
            given = {k: v.float() if v.is_floating_point() else v for k, v in load_file(weights).items()}
            self._network.load_state_dict(given)
        self._network.eval()
        self._yolo = library.YOLO(ARCHITECTURE, task="detect", verbose=False)
        self._yolo.model = self._network

    @torch.inference_mode()
    def raise_scores(self, picture: Picture, size: int, count: int) -> None:
        """Add a constant to the class bias so that `count` anchors of the picture pass SHOWN_SCORE.

        Without it random weights pass none, and suppression would have nothing to do.
        """
        small = cv2.resize(picture, (size, size)).astype(np.float32) / 255.0
        batch = torch.from_numpy(small).permute(2, 0, 1)[None]
        scores = self._network(batch)[0][0, 4:].amax(dim=0).double()
        least = float(torch.topk(torch.logit(scores), count).values[-1])
        shift = math.log(SHOWN_SCORE / (1.0 - SHOWN_SCORE)) - least
        for branch in self._network.model[-1].cv3:
            branch[-1].bias += shift

    def predict(self, picture: Picture, size: int, least_score: float) -> tuple[tuple[Detection, ...], float]:
        """Detections on a BGR picture, and the milliseconds that YOLO itself counts for them.

        It counts scaling, network and suppression, not the making of its result.
        """
        (result,) = self._yolo.predict(picture, imgsz=size, conf=least_score, device="cpu", verbose=False)
        found = tuple(_detections(result.boxes.data.double().numpy(), self._schema))
        return found, float(sum(result.speed.values()))

    def ready(self, picture: Picture, size: int) -> None:
        """Load the network and warm up, then take the threads back."""
        self.predict(picture, size, SHOWN_SCORE)
        set_threads(self._threads)
        self.predict(picture, size, SHOWN_SCORE)


def read_bgr(path: Path) -> Picture:
    """A picture as ultralytics reads it."""
    found = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if found is None:
        raise FileNotFoundError(f"{path}: cannot be read")
    return found.astype(np.uint8, copy=False)


def predict_all(
    peer: Peer, dataset: Dataset, size: int, least_score: float = LEAST_SCORE
) -> list[tuple[Detection, ...]]:
    """Detections on every slice of a data set of picture files."""
    peer.ready(read_bgr(dataset.slices[0].ref.path), size)
    return [peer.predict(read_bgr(s.ref.path), size, least_score)[0] for s in dataset.slices]


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch of the peer's training.

    Attributes:
        minutes: From the first step to its end, its own validation included.
        weights: Its averaged weights.
        fitness: What ultralytics chooses the best epoch by.
    """

    minutes: float
    weights: Path
    fitness: float


def train_peer(
    tree: Path, out: Path, *, minutes: float, size: int, threads: int, seed: int, batch: int = BATCH
) -> None:
    """Train from random weights for so many minutes; goes on where it was stopped.

    Defaults of ultralytics, but: no mixed precision (it is for GPUs), no plots, no early end, pictures kept
    in memory, and its deterministic mode off, which only costs time.

    Args:
        tree: From `write_tree`.
        out: Receives the weights of every epoch and EPOCHS_FILE.
        minutes: From the first step on; reading the pictures is not counted.
        size: Working size in pixels.
        threads: For torch.
        seed: Of the weights and the order.
        batch: Pictures a step.
    """
    library = ultralytics(out.parent, threads)
    out.mkdir(parents=True, exist_ok=True)
    last = out / "run" / "weights" / "last.pt"
    before = read_epochs(out)
    resumed = last.is_file() and bool(before)
    if not resumed:
        (out / EPOCHS_FILE).unlink(missing_ok=True)
    elapsed = before[-1].minutes * 60.0 if resumed else 0.0
    yolo = library.YOLO(str(last) if resumed else ARCHITECTURE, task="detect")

    def start(trainer: Any) -> None:  # noqa: ANN401 - a library without types
        set_threads(threads)

    def start_epoch(trainer: Any) -> None:  # noqa: ANN401
        # Its clock starts anew with every process, and counts epochs from the resumed one.
        if trainer.start_epoch:
            trainer.train_time_start -= elapsed
            trainer.start_epoch = 0

    def saved(trainer: Any) -> None:  # noqa: ANN401
        _keep_epoch(trainer, out)

    for event, call in (
        ("on_train_start", start),
        ("on_train_epoch_start", start_epoch),
        ("on_model_save", saved),
    ):
        yolo.add_callback(event, call)
    yolo.train(
        data=str(tree / "data.yaml"), imgsz=size, time=minutes / 60.0, batch=batch, seed=seed, device="cpu",
        workers=0, cache="ram", pretrained=False, amp=False, plots=False, patience=0, deterministic=False,
        project=str(out), name="run", exist_ok=True, resume=str(last) if resumed else False,
    )  # fmt: skip


def read_epochs(out: Path) -> list[Epoch]:
    """The epochs of a training run so far."""
    path = out / EPOCHS_FILE
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Epoch(r["minutes"], out / r["weights"], r["fitness"]) for r in rows]


def write_tree(train: Dataset, held: Dataset, folder: Path, *, one_class: bool) -> Path:
    """The two parts as a tree of ultralytics: links to the pictures, labels beside them.

    Returns:
        The folder.
    """
    shutil.rmtree(folder, ignore_errors=True)
    names = ["tumour"] if one_class else [c.name for c in train.schema.classes]
    ids = [c.id for c in train.schema.classes]
    for part, dataset in (("train", train), ("val", held)):
        images, labels = folder / "images" / part, folder / "labels" / part
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for labelled in dataset.slices:
            ref = labelled.ref
            (images / ref.path.name).symlink_to(ref.path)
            rows = [
                f"{0 if one_class else ids.index(b.label_id)} {_relative(b.box, ref.columns, ref.rows)}\n"
                for b in labelled.boxes
            ]
            (labels / f"{ref.path.stem}.txt").write_text("".join(rows), encoding="utf-8")
    listed = "".join(f"  {k}: {name}\n" for k, name in enumerate(names))
    text = f"path: {folder}\ntrain: images/train\nval: images/val\nnames:\n{listed}"
    (folder / "data.yaml").write_text(text, encoding="utf-8")
    return folder


def _keep_epoch(trainer: Any, out: Path) -> None:  # noqa: ANN401 - a library without types
    """Keep an epoch's averaged weights, at half precision as ultralytics itself keeps them."""
    name = f"epoch-{trainer.epoch + 1:03}.safetensors"
    state = trainer.ema.ema.state_dict()
    half = {k: v.detach().clone().half() if v.is_floating_point() else v.clone() for k, v in state.items()}
    save_file(half, out / name)
    row = {
        "minutes": round((time.time() - trainer.train_time_start) / 60.0, 4),
        "weights": name,
        "fitness": float(trainer.fitness),
    }
    with (out / EPOCHS_FILE).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")


def _detections(rows: NDArray[np.float64], schema: LabelSchema) -> list[Detection]:
    """From YOLO's rows of x1, y1, x2, y2, score, class; a box without area is none."""
    found = []
    for x1, y1, x2, y2, score, index in rows.tolist():
        if x2 > x1 and y2 > y1:
            label = schema.classes[int(index)]
            found.append(Detection(Box(x1, y1, x2, y2), label.id, label.name, score))
    return found


def _relative(box: Box, columns: int, rows: int) -> str:
    """Centre and size as shares of the picture."""
    values = (
        (box.x1 + box.x2) / 2 / columns,
        (box.y1 + box.y2) / 2 / rows,
        box.width / columns,
        box.height / rows,
    )
    return " ".join(f"{v:.6f}" for v in values)


def _give_a_font(folder: Path) -> None:
    """Put a font where ultralytics looks for one, which it would fetch from the network otherwise."""
    from matplotlib import get_data_path  # noqa: PLC0415 - wanted here only

    font = Path(folder) / "Arial.ttf"
    if not font.is_file():
        shutil.copy(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", font)


def sampled(epochs: Sequence[Epoch], count: int) -> list[Epoch]:
    """About `count` epochs, evenly over the minutes, the last among them."""
    if not epochs:
        return []
    marks = np.linspace(epochs[-1].minutes / count, epochs[-1].minutes, count)
    minutes = np.array([e.minutes for e in epochs])
    return [epochs[k] for k in sorted({int(np.abs(minutes - mark).argmin()) for mark in marks})]
