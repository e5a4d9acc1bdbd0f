"""Models that see the slices before and after: what they are shown, and that single pictures work as well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.detection.augment import Change, apply_changes
from core.detection.base import DetectRequest, DetectResult, Pair
from core.detection.batches import make_batch, shown_as
from core.detection.card import ModelCard, read_card
from core.detection.config import TrainConfig, TrainResult
from core.detection.detector import RcnnDetector, load_detector
from core.detection.network import NetworkSpec, build_network
from core.detection.regions import ProposalCache, SliceSource, WorkingSlice, judged_proposer, network_input
from core.detection.requests import make_request
from core.detection.samples import Sample, prepare_samples
from core.detection.sampling import Truth
from core.detection.train import train
from core.detection.transplant import Transplants
from core.detection.weights import load_weights, ready_to_judge
from core.errors import InputError, ModelMismatch, UnreadableFile
from core.exchange.evaluating import evaluate_model
from core.imaging.neighbours import beside_each
from core.imaging.phantom import LABELS, PhantomSpec, make_phantom
from core.jobs import CancelToken, no_progress
from core.model import Dataset, Geometry, LabelClass, LabelledBox, LabelledSlice, LabelSchema, SliceRef
from core.proposals.normalise import grey_limits, scaled
from tests.core.detection.conftest import Trained
from tests.core.detection.samples import tiny

Pixels = Mapping[str, NDArray[np.float32]]
_NONE = np.zeros((0, 4))


def phantom_series(heads: int = 3) -> tuple[Dataset, Pixels]:
    """Stacks of phantom heads, their slices mixed, and the pixels by slice key."""
    slices: list[LabelledSlice] = []
    pixels: dict[str, NDArray[np.float32]] = {}
    for seed in range(heads):
        made = make_phantom(PhantomSpec(size=64, slices=12, lesions=4, seed=seed))
        for index, image in enumerate(made.volume):
            z = made.origin[2] + index * made.slice_spacing
            place = Geometry((0.0, 0.0, z), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), *made.spacing)
            key = f"dicom:{seed}.{index}#0"
            ref = SliceRef(key, Path(f"/nowhere/{seed}-{index}"), 0, 64, 64, f"head {seed}", place)
            boxes = [LabelledBox(b.box, LABELS.index(b.label) + 1) for b in made.boxes if b.slice == index]
            slices.append(LabelledSlice(ref, tuple(boxes), f"patient {seed}"))
            pixels[key] = image
    schema = LabelSchema("heads", tuple(LabelClass(i, name) for i, name in enumerate(LABELS, 1)))
    order = np.random.default_rng(0).permutation(len(slices))
    return Dataset("heads", schema, tuple(slices[i] for i in order), "patient"), pixels


@dataclass(frozen=True)
class Stacks:
    """A tiny model that sees neighbours, and what it was trained on."""

    result: TrainResult
    dataset: Dataset
    pixels: Pixels

    def load(self, ref: SliceRef) -> NDArray[np.float32]:
        """As a reader does."""
        return self.pixels[ref.key]


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Stacks:
    folder = tmp_path_factory.mktemp("stacks")
    dataset, pixels = phantom_series()
    config = tiny(folder, name="stacks", neighbours=1, epochs=3)
    result = train([dataset], config, folder / "out", load=lambda ref: pixels[ref.key])
    return Stacks(result, dataset, pixels)


def _image(stacks: Stacks, index: int = 0) -> NDArray[np.float32]:
    return stacks.pixels[stacks.dataset.slices[index].ref.key]


def _scores(detector: RcnnDetector, image: NDArray[np.float32], beside: Pair = (None, None)) -> list[float]:
    result = detector.detect(DetectRequest("k", image, beside=beside), cancel=CancelToken())
    return [row.score for row in result.trace]


# -- what the network is shown -----------------------------------------------------------------------


def test_neighbours_are_on_the_grey_scale_of_the_slice_in_the_order_of_the_stack() -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(0.0, 100.0, (64, 64)).astype(np.float32)
    seen, scale = network_input(image, (0.5 * image, 1.5 * image), 64, 3)
    assert (seen.shape, scale) == ((3, 64, 64), 1.0)
    middle = (seen[1] > 0.2) & (seen[1] < 0.6)
    assert (seen[0][middle] < seen[1][middle]).all()
    assert (seen[2][middle] > seen[1][middle]).all()
    np.testing.assert_array_equal(seen[1], network_input(image, (None, None), 64, 1)[0][0])


def test_the_slice_stands_in_for_a_neighbour_that_is_not_there() -> None:
    image = np.random.default_rng(1).uniform(0.0, 9.0, (40, 64)).astype(np.float32)
    seen, _ = network_input(image, (None, 2.0 * image), 64, 3)
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[2], seen[1])


def test_a_neighbour_of_another_shape_is_refused() -> None:
    image = np.ones((8, 8), dtype=np.float32)
    with pytest.raises(InputError, match="shape"):
        network_input(image, (None, np.ones((8, 9), dtype=np.float32)), 64, 3)


def test_a_change_moves_all_channels_alike() -> None:
    image = torch.rand(2, 1, 32, 32)
    change = Change(factor=(-1.1, 0.9), offset=(0.1, 0.0), angle=0.2, gamma=1.3, shading=(0.1, 0, 0, 0, 0.2))
    both = apply_changes(image.repeat(1, 3, 1, 1), [change] * 2, np.random.default_rng(0))
    alone = apply_changes(image, [change] * 2, np.random.default_rng(0))
    for channel in range(3):
        torch.testing.assert_close(both[:, channel : channel + 1], alone)


def _sample(beside: tuple[float | None, float | None], boxes: int = 1) -> Sample:
    """A round grey head; its neighbours are as grey as said."""

    def head(grey: float) -> NDArray[np.float16]:
        y, x = np.mgrid[:64, :64] + 0.5
        return np.where((x - 32) ** 2 + (y - 32) ** 2 < 28**2, grey, 0.0).astype(np.float16)

    before, after = (None if grey is None else head(grey) for grey in beside)
    image = head(0.4)
    true = np.array([[20.0, 20, 34, 34]])[:boxes].reshape(-1, 4)
    for x1, y1, x2, y2 in true.astype(int):
        image[y1:y2, x1:x2] = 0.8
    working = WorkingSlice(image, 1.0, 64.0, 64.0, np.array([[20.0, 20, 40, 40]]), (before, after))
    return Sample(working, Truth(true, np.ones(boxes, dtype=np.int64), _NONE, _NONE), (), 0)


def test_what_stands_in_has_the_noise_of_the_slice() -> None:
    """It is the slice itself, as it will be when a single picture is judged."""
    samples = [_sample((None, 0.3)), _sample((None, None)), _sample((0.3, 0.5))]
    images, _, _ = make_batch(samples, 4, np.random.default_rng(3), 3)
    assert images.shape == (3, 3, 64, 64)
    assert torch.equal(images[0, 0], images[0, 1])
    assert not torch.equal(images[0, 2], images[0, 1])
    assert torch.equal(images[1, 0], images[1, 1])
    assert torch.equal(images[1, 2], images[1, 1])
    means = images[2].mean(dim=(1, 2))
    assert means[0] < means[1] < means[2], "before, slice, after"


def test_slices_with_neighbours_are_sometimes_shown_alone_and_only_then_get_a_transplant() -> None:
    sample, donor = _sample((0.3, 0.5), boxes=0), _sample((0.3, 0.5))
    transplants = Transplants([sample, donor], 1.0)
    shown = [shown_as(sample, 3, transplants, np.random.default_rng(i)) for i in range(300)]
    counts = {
        pair: sum(tuple(b is not None for b in s.working.beside) == pair for s in shown)
        for pair in [(True, True), (False, False), (True, False), (False, True)]
    }
    assert counts[True, True] > 150
    assert counts[False, False] > 60
    assert min(counts[True, False], counts[False, True]) > 5
    grown = [s for s in shown if len(s.truth.boxes)]
    assert grown, "some get a transplant"
    assert all(s.working.beside == (None, None) for s in grown)
    assert all(b is not None for b in sample.working.beside), "the sample itself is not changed"


def test_single_slices_get_transplants_as_before() -> None:
    sample, donor = _sample((None, None), boxes=0), _sample((None, None))
    transplants = Transplants([sample, donor], 0.7)
    for seed in range(20):
        rngs = [np.random.default_rng(seed) for _ in range(2)]
        expected = transplants.apply(sample, rngs[0])
        found = shown_as(sample, 1, transplants, rngs[1])
        np.testing.assert_array_equal(found.working.image, expected.working.image)
        assert rngs[0].random() == rngs[1].random(), "no chance is drawn that was not drawn before"


# -- models ------------------------------------------------------------------------------------------


def test_a_model_that_sees_neighbours_says_so(stacks: Stacks) -> None:
    card = read_card(stacks.result.model_file)
    assert card.network["inputs"] == 3
    assert "between its two neighbours" in card.to_markdown()
    assert load_detector(stacks.result.model_file).neighbours == 1


def test_single_pictures_and_ends_are_judged_as_if_the_slice_were_its_own_neighbour(stacks: Stacks) -> None:
    detector, image = load_detector(stacks.result.model_file, precision="float32"), _image(stacks)
    alone = _scores(detector, image)
    assert alone == _scores(detector, image, (image, image)) == _scores(detector, image, (None, image))


def test_neighbours_count_and_their_order_too(stacks: Stacks) -> None:
    detector, image = load_detector(stacks.result.model_file, precision="float32"), _image(stacks)
    dark, bright = 0.5 * image, 1.5 * image
    found = [_scores(detector, image, pair) for pair in ((None, None), (dark, bright), (bright, dark))]
    assert found[0] != found[1] != found[2]


def test_batches_are_shown_their_own_neighbours(stacks: Stacks) -> None:
    detector = load_detector(stacks.result.model_file, precision="float32")
    refs = [s.ref for s in stacks.dataset.slices[:6]]
    requests = [make_request(r, stacks.load, b) for r, b in zip(refs, beside_each(refs), strict=True)]
    assert any(other is not None for r in requests for other in r.beside)
    for many, request in zip(detector.detect_many(requests, cancel=CancelToken()), requests, strict=True):
        alone = detector.detect(request, cancel=CancelToken())
        assert [t.score for t in many.trace] == pytest.approx([t.score for t in alone.trace], abs=0.02)


def test_a_model_of_single_slices_takes_no_notice_of_neighbours(trained: Trained) -> None:
    detector = load_detector(trained.result.model_file)
    image = trained.pixels[trained.dataset.slices[0].ref.key]
    assert detector.neighbours == 0
    assert _scores(detector, image, (2.0 * image, image[::-1])) == _scores(detector, image)


def test_a_card_without_the_number_of_channels_is_of_a_model_of_single_slices(trained: Trained) -> None:
    plain = json.loads(trained.result.card.to_json())
    del plain["network"]["inputs"]
    card = ModelCard.from_json(json.dumps(plain))
    assert NetworkSpec(**card.network).inputs == 1
    assert "one slice at a time" in card.to_markdown()


def test_a_neighbour_that_cannot_be_read_costs_only_itself(stacks: Stacks) -> None:
    refs = [s.ref for s in stacks.dataset.slices]
    ref, (before, after) = next((r, b) for r, b in zip(refs, beside_each(refs), strict=True) if None not in b)

    def load(asked: SliceRef) -> NDArray[np.float32]:
        if asked is before:
            raise UnreadableFile(asked.path, "cut short")
        return stacks.load(asked)

    request = make_request(ref, load, (before, after))
    assert request.beside[0] is None
    assert request.beside[1] is not None


# -- training ----------------------------------------------------------------------------------------


def test_training_sees_neighbours_of_its_own_side_and_data_set_only(stacks: Stacks, tmp_path: Path) -> None:
    """Slices 0 to 5 of a stack are trained on, the rest is held out: 6 is not even seen beside 5."""
    by_key = {s.ref.key: s for s in stacks.dataset.slices}
    stack = [by_key[f"dicom:0.{i}#0"] for i in range(12)]
    cache = ProposalCache(tmp_path, judged_proposer("coarse"))
    source = SliceSource(stacks.load, cache, 64, 3)
    part = [(0, s) for s in stack[:6]] + [(1, stack[6])]
    classes = ("glioma", "meningioma")
    samples, _ = prepare_samples(part, [stacks.dataset] * 2, classes, source, no_progress, CancelToken())
    seen = [tuple(other is not None for other in s.working.beside) for s in samples]
    assert seen == [(False, True), *[(True, True)] * 4, (True, False), (False, False)]
    limits = grey_limits(stacks.load(stack[2].ref))
    expected = scaled(stacks.load(stack[3].ref), limits).astype(np.float16)
    np.testing.assert_array_equal(samples[2].working.beside[1], expected)


def test_evaluation_brings_neighbours_only_where_the_model_sees_them(
    trained: Trained, stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought: list[int] = []
    detect_many = RcnnDetector.detect_many

    def counted(
        self: RcnnDetector, requests: Iterable[DetectRequest], *, cancel: CancelToken
    ) -> Iterator[DetectResult]:
        for request in list(requests):
            brought.append(sum(other is not None for other in request.beside))
            yield from detect_many(self, [request], cancel=cancel)

    monkeypatch.setattr(RcnnDetector, "detect_many", counted)
    for file, expected in ((stacks.result.model_file, {1, 2}), (trained.result.model_file, {0})):
        brought.clear()
        detector = load_detector(file, precision="float32")
        report = evaluate_model(stacks.dataset, detector, stacks.load, one_class=True, resamples=0)
        assert report["n_images"] == len(stacks.dataset.slices) == len(brought)
        assert set(brought) == expected


def test_the_same_seed_gives_the_same_model_with_neighbours(stacks: Stacks, tmp_path: Path) -> None:
    config = tiny(tmp_path, name="stacks", neighbours=1, epochs=3)
    again = train([stacks.dataset], config, tmp_path / "out", load=stacks.load)
    assert again.card.calibration == stacks.result.card.calibration
    assert again.metrics["loss"] == stacks.result.metrics["loss"]


def test_going_on_from_single_slices_says_at_first_what_the_model_said(trained: Trained) -> None:
    """Its filters go to the slice's own channel: whatever the neighbours, nothing changes before training."""
    card = trained.result.card
    networks = []
    for inputs in (1, 3):
        network = build_network(NetworkSpec(**{**card.network, "inputs": inputs}))
        load_weights(network, trained.result.model_file, card.classes, partly=True)
        networks.append(network)
    image = trained.pixels[trained.dataset.slices[0].ref.key]
    wide = replace(card, network={**card.network, "inputs": 3})
    before, after = (
        RcnnDetector(ready_to_judge(n), c, "x@0", judged_proposer("coarse"))
        for n, c in zip(networks, (card, wide), strict=True)
    )
    expected = _scores(before, image)
    assert _scores(after, image, (2.0 * image, image[::-1].copy())) == pytest.approx(expected, abs=1e-5)


def test_a_model_that_goes_on_gets_neighbours_or_keeps_them(
    trained: Trained, stacks: Stacks, tmp_path: Path
) -> None:
    config = tiny(tmp_path, epochs=1, neighbours=1, init_from=trained.result.model_file)
    wider = train([stacks.dataset], config, tmp_path / "wider", load=stacks.load)
    assert wider.card.network["inputs"] == 3
    config = tiny(tmp_path, epochs=1, init_from=stacks.result.model_file)
    kept = train([stacks.dataset], config, tmp_path / "kept", load=stacks.load)
    assert kept.card.network["inputs"] == 3, "the everyday retraining does not make it blind"


def test_weights_with_neighbours_do_not_fit_a_network_without(stacks: Stacks) -> None:
    card = stacks.result.card
    network = build_network(NetworkSpec(**{**card.network, "inputs": 1}))
    with pytest.raises(ModelMismatch, match="do not fit"):
        load_weights(network, stacks.result.model_file, card.classes, partly=True)


def test_other_numbers_of_neighbours_are_refused() -> None:
    with pytest.raises(InputError, match="neighbours 2"):
        TrainConfig(neighbours=2)
    with pytest.raises(InputError, match="inputs 2"):
        build_network(NetworkSpec(inputs=2))


def test_plain_rcnn_sees_neighbours_as_well(stacks: Stacks, tmp_path: Path) -> None:
    config = tiny(tmp_path, architecture="rcnn", epochs=1, regions=6, neighbours=1)
    result = train([stacks.dataset], config, tmp_path / "out", load=stacks.load)
    assert load_detector(result.model_file).neighbours == 1
