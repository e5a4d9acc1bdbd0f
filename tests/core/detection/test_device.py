"""What computes: chosen by what is there, and left for the processor where it fails.

There is no graphics processor here. Its edge is faked in two ways: one is said to be there, and torch then
really fails to use it; or "cuda" stands for the processor's own memory, so that all that is done for a device
is done, with errors as torch gives them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from core.detection import detector as detector_module
from core.detection import device as device_module
from core.detection import trainer
from core.detection.base import DetectRequest
from core.detection.computing import Computing
from core.detection.config import TrainConfig
from core.detection.detector import RcnnDetector, load_detector
from core.detection.device import Device, choose_device, processor
from core.detection.gradients import Gradients
from core.detection.loss import batch_loss
from core.detection.network import ARCHITECTURES, Embedding, Network, NetworkSpec, build_network
from core.detection.sampling import Truth
from core.detection.train import train
from core.errors import DeviceFailed, InputError
from core.jobs import CancelToken
from tests.core.detection.conftest import Trained
from tests.core.detection.samples import reader, tiny

FAKE = Device("cuda", torch.device("cpu"))
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.\nSee the documentation.")
GONE = RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be ...")


def _there(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in kinds)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in kinds)


def _claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell the choice alone that there is CUDA; torch itself asks, too, at each step of an optimiser."""
    monkeypatch.setattr(device_module, "_is_there", lambda kind: kind == "cuda")


def _fake_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (trainer, detector_module):
        monkeypatch.setattr(module, "choose_device", lambda *_: FAKE)


def _weights(path: Path) -> dict[str, NDArray[np.float32]]:
    return {k: v.float().numpy() for k, v in load_file(path).items()}


# -- choosing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "expected"), [((), "cpu"), (("mps",), "mps"), (("cuda",), "cuda"), (("cuda", "mps"), "cuda")]
)
def test_a_graphics_processor_is_used_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...], expected: str
) -> None:
    _there(monkeypatch, *kinds)
    chosen = choose_device("float32")
    assert (chosen.kind, chosen.torch.type, chosen.half) == (expected, expected, False)
    assert choose_device("float32", "cpu").is_processor, "unless it is not wanted"


def test_precision_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    _there(monkeypatch, "cuda")
    assert choose_device("auto").half
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: False)
    assert not choose_device("auto").half
    _there(monkeypatch, "mps")
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: major <= 13)
    assert not choose_device("auto").half
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert processor("auto").half
    assert not processor("float32").half
    assert processor("bfloat16").half


def test_mixed_precision_is_that_of_the_device() -> None:
    a = torch.ones(2, 2)
    with Device("cpu", torch.device("cpu"), half=True).mixed():
        assert (a @ a).dtype is torch.bfloat16
    with processor("float32").mixed():
        assert (a @ a).dtype is torch.float32


def test_other_devices_are_refused() -> None:
    with pytest.raises(InputError, match="device 'tpu'"):
        TrainConfig(device="tpu")


# -- failing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NO_MEMORY, "out of memory"),
        (RuntimeError("MPS backend out of memory (allocated 9 GB)"), "out of memory"),
        (GONE, "an illegal memory access was encountered"),
        (NotImplementedError("The operator 'aten::x' is not implemented for MPS"), "aten::x"),
        (AssertionError("Torch not compiled with CUDA enabled"), "not compiled"),
    ],
)
def test_what_a_device_fails_with_becomes_one_line(error: Exception, said: str) -> None:
    with pytest.raises(DeviceFailed, match=said) as caught, FAKE.guarded():
        raise error
    assert "\n" not in str(caught.value)
    assert "going on with the processor" in str(caught.value)
    with pytest.raises(type(error)), processor().guarded():
        raise error


def test_errors_for_people_are_not_taken_for_the_device() -> None:
    with pytest.raises(InputError, match="mine"), FAKE.guarded():
        raise InputError("mine")


def test_memory_of_a_device_is_asked_for_less_and_then_the_processor_is() -> None:
    sizes: list[int] = []

    def hungry(network: Network, batch: tuple[Tensor, list[Tensor], list[Truth]]) -> tuple[Tensor, ...]:
        sizes.append(len(batch[1]))
        raise NO_MEMORY

    none = np.zeros((0, 4))
    truth = Truth(none, np.zeros(0, dtype=np.int64), none, none)
    batch = (torch.rand(4, 1, 64, 64), [torch.zeros(0, 4)] * 4, [truth] * 4)
    network = build_network(NetworkSpec(depth=10, width=0.25, image_size=64))
    with Gradients(network, hungry, FAKE) as gradients, pytest.raises(DeviceFailed, match="out of memory"):
        gradients.compute(batch)
    assert sizes == [2, 1], "one part after the other, then single slices"


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_that_is_computed_is_computed_on_the_device(architecture: str, training: bool) -> None:
    """torch's fake tensors have a device and refuse to mix two, without there being one."""
    regions = [torch.tensor([[4.0, 4, 40, 50], [1, 2, 30, 30]])] * 2
    with FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True), torch.device("cuda"):
        spec = NetworkSpec(architecture, depth=10, width=0.25, classes=2, image_size=64, inputs=3)
        network = build_network(spec).train(training)
        images = torch.zeros(2, 3, 64, 64)
        with torch.set_grad_enabled(training):
            logits, deltas = network.judge(network.embed(images), regions)
    assert (logits.device.type, deltas.device.type) == ("cuda", "cuda")
    assert logits.shape == (4, 3)


# -- training ----------------------------------------------------------------------------------------


def test_a_device_computes_the_same_parts(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is done for a device (moves, parts one after the other) leaves the numbers as they are."""
    _fake_device(monkeypatch)
    config = tiny(tmp_path, name="tiny")
    result = train([trained.dataset], config, tmp_path / "out", load=reader(trained.pixels))
    assert result.card.training["computed on"] == "cuda"
    ours, theirs = _weights(result.model_file), _weights(trained.result.model_file)
    assert all(np.array_equal(ours[k], theirs[k]) for k in theirs)


def _failing(monkeypatch: pytest.MonkeyPatch, error: Exception, after: int) -> list[int]:
    """Let the loss fail once, at a call."""
    calls: list[int] = []

    def loss(
        network: Network, images: Tensor, regions: Sequence[Tensor], truths: Sequence[Truth]
    ) -> tuple[Tensor, Tensor, Tensor]:
        calls.append(len(images))
        if len(calls) == after:
            raise error
        return batch_loss(network, images, regions, truths)

    monkeypatch.setattr(trainer, "batch_loss", loss)
    return calls


@pytest.mark.parametrize("after", [1, 6])
def test_a_run_whose_device_fails_goes_on_with_the_processor_to_the_same_model(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    _fake_device(monkeypatch)
    _failing(monkeypatch, GONE, after)
    said: list[str] = []

    def progress(done: float, total: float, text: str = "", **metrics: float) -> None:
        said.append(text)

    config = tiny(tmp_path, name="tiny")
    result = train(
        [trained.dataset], config, tmp_path / "out", load=reader(trained.pixels), progress=progress
    )
    assert any("illegal memory access" in text and "processor" in text for text in said)
    assert result.card.training["computed on"] == "cuda, then cpu"
    ours, theirs = _weights(result.model_file), _weights(trained.result.model_file)
    assert all(np.array_equal(ours[k], theirs[k]) for k in theirs)
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert any("illegal memory access" in str(row.get("message")) for row in rows)


def test_a_device_short_of_memory_takes_smaller_parts_first(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_device(monkeypatch)
    calls = _failing(monkeypatch, NO_MEMORY, 1)
    config = tiny(tmp_path, epochs=1)
    result = train([trained.dataset], config, tmp_path / "out", load=reader(trained.pixels))
    assert calls[0] > calls[1] == 1
    assert result.card.training["computed on"] == "cuda"


def test_training_with_a_device_that_torch_cannot_use_ends_on_the_processor(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Really: torch fails as it does without a driver."""
    _claimed(monkeypatch)
    config = tiny(tmp_path, name="tiny")
    result = train([trained.dataset], config, tmp_path / "out", load=reader(trained.pixels))
    assert result.card.training["computed on"] == "cuda, then cpu"
    ours, theirs = _weights(result.model_file), _weights(trained.result.model_file)
    assert all(np.array_equal(ours[k], theirs[k]) for k in theirs)


def test_the_processor_is_used_where_it_is_asked_for(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _claimed(monkeypatch)
    config = replace(tiny(tmp_path, epochs=1), device="cpu")
    result = train([trained.dataset], config, tmp_path / "out", load=reader(trained.pixels))
    assert result.card.training["computed on"] == "cpu"


# -- detecting ---------------------------------------------------------------------------------------


def _request(trained: Trained, index: int = 0) -> DetectRequest:
    return DetectRequest(f"k{index}", trained.pixels[trained.dataset.slices[index].ref.key])


def _loaded(trained: Trained) -> RcnnDetector:
    return load_detector(trained.result.model_file, precision="float32")


def test_a_detector_whose_device_torch_cannot_use_is_on_the_processor(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = _loaded(trained).detect(_request(trained), cancel=CancelToken())
    _claimed(monkeypatch)
    with caplog.at_level(logging.WARNING):
        detector = _loaded(trained)
    assert detector.computed_on == "cpu"
    assert "going on with the processor" in caplog.text
    assert detector.detect(_request(trained), cancel=CancelToken()).trace == expected.trace


def test_a_detector_whose_device_fails_answers_with_the_processor(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = [_loaded(trained).detect(_request(trained, i), cancel=CancelToken()) for i in range(6)]
    _fake_device(monkeypatch)
    detector = _loaded(trained)
    assert detector.computed_on == "cuda"
    assert detector.detect(_request(trained), cancel=CancelToken()).trace == expected[0].trace
    on_device = detector._computing.network

    def broken(images: Tensor) -> Embedding:
        raise GONE

    monkeypatch.setattr(on_device, "embed", broken)
    with caplog.at_level(logging.WARNING):
        found = list(detector.detect_many([_request(trained, i) for i in range(6)], cancel=CancelToken()))
    assert caplog.text.count("illegal memory access") == 1, "said once, however many threads were at work"
    assert detector.computed_on == "cpu"
    assert [f.slice_key for f in found] == [f"k{i}" for i in range(6)]
    for ours, theirs in zip(found, expected, strict=True):
        assert [t.score for t in ours.trace] == pytest.approx([t.score for t in theirs.trace], abs=0.02)


def test_work_that_fails_on_the_processor_too_fails() -> None:
    network = build_network(NetworkSpec(depth=10, width=0.25, image_size=64))
    computing = Computing(network, FAKE, network)

    def wrong(network: Network) -> None:
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        computing(wrong)
    assert computing.device.is_processor
