from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.models import resnet18

from core.detection import trainer
from core.detection.checkpoint import read_checkpoint
from core.detection.config import TrainConfig
from core.detection.detector import load_detector
from core.detection.loss import batch_loss
from core.detection.network import Network, NetworkSpec, build_network
from core.detection.sampling import Truth
from core.detection.train import train
from core.detection.trainer import Trainer
from core.detection.weights import lasting, load_weights
from core.errors import Cancelled, InputError, NotEnoughData, TrainingDiverged, TrainingError, UnreadableFile
from core.jobs import CancelToken
from core.model import Box, LabelClass, LabelledBox, LabelSchema, SliceRef
from tests.core.detection.conftest import Trained
from tests.core.detection.samples import blobs, reader, tiny


def _weights(path: Path) -> dict[str, NDArray[np.float32]]:
    return {k: v.float().numpy() for k, v in load_file(path).items()}


def test_the_same_seed_gives_the_same_model(trained: Trained, tmp_path: Path) -> None:
    config = tiny(tmp_path, name="again")
    again = train([trained.dataset], config, tmp_path / "out", load=reader(trained.pixels))
    other = train([trained.dataset], replace(config, seed=1), tmp_path / "o2", load=reader(trained.pixels))
    first, second, third = (_weights(r.model_file) for r in (trained.result, again, other))
    assert all(np.array_equal(first[k], second[k]) for k in first)
    assert not all(np.array_equal(first[k], third[k]) for k in first)


def test_metrics_are_streamed_and_checkpoints_removed(trained: Trained) -> None:
    rows = [json.loads(line) for line in (trained.folder / "metrics.jsonl").read_text().splitlines()]
    assert any("valid_ap50" in r for r in rows)
    assert {"valid_ap50", "loss", "epochs", "steps", "minutes"} <= set(trained.result.metrics)
    assert not (trained.folder / "checkpoint").exists()


def test_plain_rcnn_trains_by_the_same_loop(tmp_path: Path) -> None:
    dataset, pixels = blobs(8)
    config = tiny(tmp_path, architecture="rcnn", epochs=1, regions=6, image_size=64)
    result = train([dataset], config, tmp_path / "out", load=reader(pixels))
    assert result.card.network["architecture"] == "rcnn"
    assert load_detector(result.model_file).class_names == ("round", "long")


def test_one_class(tmp_path: Path) -> None:
    dataset, pixels = blobs(8)
    result = train([dataset], tiny(tmp_path, classes="one", epochs=1), tmp_path / "out", load=reader(pixels))
    assert result.card.classes == ("tumour",)


def test_progress_reports_loss_and_ap(tmp_path: Path) -> None:
    dataset, pixels = blobs(12)
    seen: set[str] = set()

    def progress(done: float, total: float, text: str = "", **metrics: float) -> None:
        assert 0 <= done <= total
        seen.update(metrics)

    train([dataset], tiny(tmp_path, epochs=5), tmp_path / "out", load=reader(pixels), progress=progress)
    assert {"loss", "valid_ap50"} <= seen


def test_the_budget_ends_the_run(tmp_path: Path) -> None:
    dataset, pixels = blobs(12)
    start = time.monotonic()
    config = tiny(tmp_path, epochs=None, budget_minutes=0.15)
    train([dataset], config, tmp_path / "out", load=reader(pixels))
    assert time.monotonic() - start < 9.0 + 3.0


def test_a_budget_too_small_for_one_step_says_so(tmp_path: Path) -> None:
    dataset, pixels = blobs(12)

    def slow(ref: SliceRef) -> NDArray[np.float32]:
        time.sleep(0.2)
        return pixels[ref.key]

    with pytest.raises(TrainingError, match="used up"):
        train([dataset], tiny(tmp_path, budget_minutes=0.01), tmp_path / "out", load=slow)


def test_too_little_data_fails_before_anything_is_read(tmp_path: Path) -> None:
    dataset, _ = blobs(3)
    with pytest.raises(NotEnoughData, match="3 slices"):
        train([dataset], tiny(tmp_path), tmp_path / "out", load=reader({}))
    assert not (tmp_path / "out").exists()


def test_unreadable_slices_are_left_out_and_counted(tmp_path: Path) -> None:
    dataset, pixels = blobs(12)
    broken = dataset.slices[0].ref.key

    def load(ref: SliceRef) -> NDArray[np.float32]:
        if ref.key == broken:
            raise UnreadableFile(ref.path, "cut short")
        return pixels[ref.key]

    result = train([dataset], tiny(tmp_path, epochs=1), tmp_path / "out", load=load)
    assert "1 unreadable" in result.card.split


def test_no_readable_slice_is_an_error(tmp_path: Path) -> None:
    dataset, _ = blobs(12)

    def load(ref: SliceRef) -> NDArray[np.float32]:
        raise UnreadableFile(ref.path, "gone")

    with pytest.raises(NotEnoughData, match=r"none of the .* can be read"):
        train([dataset], tiny(tmp_path), tmp_path / "out", load=load)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    dataset, pixels = blobs(12)
    with pytest.raises(TrainingDiverged, match="learning rate"):
        train([dataset], tiny(tmp_path, learning_rate=1e30), tmp_path / "out", load=reader(pixels))
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_cancel_leaves_the_previous_model(tmp_path: Path) -> None:
    dataset, pixels = blobs(12)
    out = tmp_path / "out"
    first = train([dataset], tiny(tmp_path, epochs=1), out, load=reader(pixels))
    before = first.model_file.read_bytes()
    token = CancelToken()

    def progress(done: float, total: float, text: str = "", **metrics: float) -> None:
        if "loss" in metrics:
            token.cancel()

    with pytest.raises(Cancelled):
        train([dataset], tiny(tmp_path, epochs=50), out, load=reader(pixels), progress=progress, cancel=token)
    assert first.model_file.read_bytes() == before
    assert list(out.glob("*.tmp")) == []


_RUN = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
import core.detection.trainer as trainer
from core.detection.train import train
from tests.core.detection.samples import blobs, reader, tiny
trainer._CHECKPOINT_SECONDS = 0.0
folder = Path(sys.argv[1])
dataset, pixels = blobs(12)
train([dataset], tiny(folder, epochs=6, budget_minutes=5.0), folder / "out", load=reader(pixels), resume=True)
"""


def test_resume_after_kill_gives_the_same_model(tmp_path: Path) -> None:
    """Killed in the middle of an epoch and resumed: the weights are those of a run without the kill."""
    dataset, pixels = blobs(12)
    whole = train(
        [dataset], tiny(tmp_path, epochs=6, budget_minutes=5.0), tmp_path / "whole", load=reader(pixels)
    )
    child = subprocess.Popen([sys.executable, "-c", _RUN, str(tmp_path)], cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 60
    folder = tmp_path / "out" / "checkpoint"
    while time.monotonic() < deadline and child.poll() is None:
        state = folder / "state.json"
        if state.exists() and json.loads(state.read_text())["step"] >= 5:
            break
        time.sleep(0.005)
    assert child.poll() is None, "the run ended before it could be killed"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    checkpoint = read_checkpoint(folder)
    assert checkpoint is not None
    assert checkpoint.state["step"] >= 5
    config = tiny(tmp_path, epochs=6, budget_minutes=5.0)
    resumed = train([dataset], config, tmp_path / "out", load=reader(pixels), resume=True)
    first, second = _weights(whole.model_file), _weights(resumed.model_file)
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key], err_msg=key)


def _interrupted(tmp_path: Path) -> Path:
    """An output folder with a checkpoint of a cancelled run."""
    dataset, pixels = blobs(12)
    token = CancelToken()

    def progress(done: float, total: float, text: str = "", **metrics: float) -> None:
        if "valid_ap50" in metrics:
            token.cancel()

    with pytest.raises(Cancelled):
        train(
            [dataset],
            tiny(tmp_path, epochs=4000),
            tmp_path / "out",
            load=reader(pixels),
            progress=progress,
            cancel=token,
        )
    return tmp_path / "out"


def test_resume_with_other_options_or_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    out = _interrupted(tmp_path)
    dataset, pixels = blobs(12)
    with pytest.raises(InputError, match="other options"):
        train([dataset], tiny(tmp_path, epochs=9), out, load=reader(pixels), resume=True)
    tensors = next((out / "checkpoint").glob("*.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:1000])
    with pytest.raises(InputError, match="checkpoint cannot be read"):
        train([dataset], tiny(tmp_path, epochs=4000), out, load=reader(pixels), resume=True)


def test_resume_with_other_data_is_refused(tmp_path: Path) -> None:
    out = _interrupted(tmp_path)
    dataset, pixels = blobs(12)
    fewer = replace(dataset, slices=dataset.slices[1:])
    with pytest.raises(InputError, match="other slices or boxes"):
        train([fewer], tiny(tmp_path, epochs=4000), out, load=reader(pixels), resume=True)
    renamed = LabelSchema("other", tuple(replace(c, name=f"other {c.name}") for c in dataset.schema.classes))
    with pytest.raises(InputError, match="other slices or boxes"):
        train(
            [replace(dataset, schema=renamed)],
            tiny(tmp_path, epochs=4000),
            out,
            load=reader(pixels),
            resume=True,
        )
    assert read_checkpoint(out / "checkpoint") is not None


def test_a_run_from_the_start_leaves_no_older_checkpoint_to_resume(tmp_path: Path) -> None:
    out = _interrupted(tmp_path)
    dataset, pixels = blobs(12)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        train([dataset], tiny(tmp_path, epochs=4000), out, load=reader(pixels), cancel=token)
    assert read_checkpoint(out / "checkpoint") is None


def test_preparing_stops_when_the_budget_is_used_up(tmp_path: Path) -> None:
    dataset, pixels = blobs(40)
    asked: list[str] = []

    def slow(ref: SliceRef) -> NDArray[np.float32]:
        asked.append(ref.key)
        time.sleep(0.1)
        return pixels[ref.key]

    with pytest.raises(TrainingError, match=r"budget of 0\.01 minutes"):
        train([dataset], tiny(tmp_path, budget_minutes=0.01), tmp_path / "out", load=slow)
    assert len(asked) < 30


def test_fine_tuning_starts_from_a_model_and_takes_classes_by_name(trained: Trained, tmp_path: Path) -> None:
    dataset, pixels = blobs(12)
    schema = LabelSchema("more", (LabelClass(1, "long"), LabelClass(2, "new"), LabelClass(3, "round")))
    relabelled = replace(
        dataset,
        schema=schema,
        slices=tuple(
            replace(s, boxes=tuple(LabelledBox(b.box, {2: 3, 5: 1}[b.label_id]) for b in s.boxes))
            for s in dataset.slices
        ),
    )
    extra = replace(relabelled.slices[0], boxes=(LabelledBox(Box(5, 5, 25, 25), 2),))
    relabelled = replace(relabelled, slices=(extra, *relabelled.slices[1:]))
    config = tiny(tmp_path, epochs=1, learning_rate=1e-9, init_from=trained.result.model_file)
    tuned = train([relabelled], config, tmp_path / "out", load=reader(pixels))
    assert tuned.card.classes == ("round", "long", "new"), "its own classes first"
    old, new = _weights(trained.result.model_file), _weights(tuned.model_file)
    np.testing.assert_allclose(new["score.weight"][:3], old["score.weight"], atol=1e-3)
    np.testing.assert_allclose(new["fc1.weight"], old["fc1.weight"], atol=1e-3)


def test_a_model_that_goes_on_keeps_its_network_and_its_classes(trained: Trained, tmp_path: Path) -> None:
    dataset, pixels = blobs(16)
    long = tuple(replace(s, boxes=tuple(replace(b, label_id=5) for b in s.boxes)) for s in dataset.slices)
    config = tiny(tmp_path, epochs=1, width=0.5, init_from=trained.result.model_file)
    tuned = train([replace(dataset, slices=long)], config, tmp_path / "out", load=reader(pixels))
    assert tuned.card.classes == trained.result.card.classes
    assert tuned.card.network == trained.result.card.network


def test_most_of_a_model_that_goes_on_stays(trained: Trained, tmp_path: Path) -> None:
    card = trained.result.card
    network = build_network(NetworkSpec(**card.network))
    load_weights(network, trained.result.model_file, card.classes)
    before = lasting(network, same_classes=True)
    becoming = Trainer(tiny(tmp_path), network, tmp_path, {k: v + 1.0 for k, v in before.items()})
    for name, value in becoming.best_weights().items():
        if name in before:
            np.testing.assert_allclose(value.numpy(), before[name].numpy() + 0.8, atol=1e-5)
    assert "score.weight" not in lasting(network, same_classes=False), "a new class has nothing to keep"


def test_imagenet_weights_are_taken_from_a_file(tmp_path: Path) -> None:
    dataset, pixels = blobs(8)
    given = tmp_path / "resnet18.safetensors"
    save_file(resnet18(weights=None).state_dict(), given)
    config = tiny(tmp_path, depth=18, width=1.0, epochs=1, batch=8, learning_rate=1e-9, pretrained=given)
    result = train([dataset], config, tmp_path / "out", load=reader(pixels))
    expected = load_file(given)["layer3.1.conv2.weight"].numpy()
    np.testing.assert_allclose(
        _weights(result.model_file)["trunk.layer3.1.conv2.weight"], expected, atol=1e-3
    )


def test_pretrained_weights_that_are_none_are_named(tmp_path: Path) -> None:
    given = tmp_path / "weights.safetensors"
    given.write_bytes(b"no")
    dataset, pixels = blobs(8)
    with pytest.raises(InputError, match=r"weights\.safetensors"):
        train([dataset], tiny(tmp_path, pretrained=given), tmp_path / "out", load=reader(pixels))


@pytest.mark.parametrize(
    "options",
    [{"architecture": "yolo"}, {"classes": "two"}, {"image_size": 100}, {"batch": 1}, {"precision": "int4"}],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        TrainConfig(**options)  # type: ignore[arg-type]


def test_options_on_a_card_hold_no_paths() -> None:
    plain = TrainConfig(init_from=Path("/home/someone/secret.safetensors"), cache=Path("/home/x/c")).as_dict()
    assert "/home" not in json.dumps(plain)


def _short_of_memory(monkeypatch: pytest.MonkeyPatch, at_most: int) -> list[int]:
    """Let batches of more slices fail as the processor's allocator does; how many slices each try had."""
    tried: list[int] = []

    def loss(
        network: Network, images: Tensor, regions: Sequence[Tensor], truths: Sequence[Truth]
    ) -> tuple[Tensor, Tensor, Tensor]:
        tried.append(len(images))
        if len(images) > at_most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return batch_loss(network, images, regions, truths)

    monkeypatch.setattr(trainer, "batch_loss", loss)
    return tried


def test_a_batch_too_large_for_memory_is_taken_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _short_of_memory(monkeypatch, 1)
    dataset, pixels = blobs(12)
    result = train([dataset], tiny(tmp_path, epochs=1), tmp_path / "out", load=reader(pixels))
    assert tried[0] > 1
    assert max(tried[-4:]) <= 1, "it does not try the large batch again"
    assert math.isfinite(result.metrics["loss"])


def test_too_little_memory_for_any_batch_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _short_of_memory(monkeypatch, 0)
    dataset, pixels = blobs(12)
    with pytest.raises(TrainingError, match=r"not enough memory for one slice.*smaller image size"):
        train([dataset], tiny(tmp_path, epochs=1), tmp_path / "out", load=reader(pixels))


@dataclass(frozen=True)
class _Checked:
    ap50: float
    ap50_95: float = 0.1


def test_a_run_that_no_longer_improves_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    falling = iter(range(1000, 0, -1))
    monkeypatch.setattr(trainer, "validate", lambda *_: _Checked(next(falling) / 1000))
    dataset, pixels = blobs(12)
    result = train([dataset], tiny(tmp_path, epochs=20), tmp_path / "out", load=reader(pixels))
    assert 7 <= result.metrics["epochs"] <= 10
    assert result.metrics["valid_ap50"] == 1.0


def test_a_run_that_improves_goes_on_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rising = iter(range(1, 1000))
    monkeypatch.setattr(trainer, "validate", lambda *_: _Checked(next(rising) / 1000))
    dataset, pixels = blobs(12)
    result = train([dataset], tiny(tmp_path, epochs=12), tmp_path / "out", load=reader(pixels))
    assert result.metrics["epochs"] == 12


def test_few_checks_end_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three epochs: a third of the run passes between two checks, and nothing has failed to improve."""
    falling = iter(range(1000, 0, -1))
    monkeypatch.setattr(trainer, "validate", lambda *_: _Checked(next(falling) / 1000))
    dataset, pixels = blobs(12)
    result = train([dataset], tiny(tmp_path, epochs=3), tmp_path / "out", load=reader(pixels))
    assert result.metrics["epochs"] == 3
