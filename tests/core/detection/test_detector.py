from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.detection.base import Detector, DetectRequest
from core.detection.detector import RcnnDetector, load_detector
from core.detection.inference import PROMISING
from core.detection.network import NetworkSpec, build_network
from core.detection.regions import judged_proposer
from core.detection.train import train
from core.detection.weights import load_weights, ready_to_judge
from core.errors import Cancelled, InputError, ModelMismatch
from core.evaluation.calibration import ScoreScale
from core.jobs import CancelToken
from core.model import Box, LabelClass, LabelSchema, Proposals
from tests.core.detection.conftest import Trained
from tests.core.detection.samples import SCHEMA, blobs, reader, tiny


@pytest.fixture
def detector(trained: Trained) -> RcnnDetector:
    made = load_detector(trained.result.model_file)
    made.bind(SCHEMA)
    return made


def _image(trained: Trained, index: int = 0) -> NDArray[np.float32]:
    return trained.pixels[trained.dataset.slices[index].ref.key]


def test_it_is_a_detector(detector: RcnnDetector) -> None:
    seam: Detector = detector
    assert seam.class_names == ("round", "long")
    name, _, digest = seam.identity.partition("@")
    assert name == "tiny"
    assert len(digest) == 12


def test_the_result_carries_slice_model_proposals_and_trace(detector: RcnnDetector, trained: Trained) -> None:
    result = detector.detect(DetectRequest("key 7", _image(trained)), cancel=CancelToken())
    assert result.slice_key == "key 7"
    assert result.model == detector.identity
    assert len(result.trace) == len(result.proposals.boxes) > 0
    assert result.milliseconds > 0
    scores = [d.score for d in result.detections]
    assert scores == sorted(scores, reverse=True)
    assert all(s >= 0.01 for s in scores)
    for detection in result.detections:
        assert detection.label_id in {2, 5}
        assert detection.proposal in result.proposals.boxes
        assert 0 <= detection.box.x1 < detection.box.x2 <= 64
    for index, row in enumerate(result.trace):
        assert row.proposal == index
        assert row.promise is not None
        assert row.suppressed_by != index
        if row.scores:
            assert (row.label_id, row.score) in row.scores
            assert row.score == max(score for _, score in row.scores)
        else:
            assert (row.score, row.box) == (0.0, result.proposals.boxes[index])
        if row.suppressed_by is not None:
            assert result.trace[row.suppressed_by].score >= row.score > 0


def test_only_the_promising_regions_are_judged(detector: RcnnDetector, trained: Trained) -> None:
    trace = detector.detect(DetectRequest("k", _image(trained)), cancel=CancelToken()).trace
    judged = {row.proposal for row in trace if row.scores}
    assert len(trace) > len(judged)
    assert 0 < len(judged) <= PROMISING
    promised = {row.proposal: row.promise or 0.0 for row in trace}
    assert max(judged, key=promised.__getitem__) == max(promised, key=promised.__getitem__)
    assert np.mean([promised[k] for k in judged]) > np.mean([promised[k] for k in promised])


def test_the_same_slice_gives_the_same_result(detector: RcnnDetector, trained: Trained) -> None:
    first, second = (
        detector.detect(DetectRequest("k", _image(trained)), cancel=CancelToken()) for _ in range(2)
    )
    assert first.detections == second.detections
    assert first.trace == second.trace


def test_many_slices_give_what_each_gives(detector: RcnnDetector, trained: Trained) -> None:
    """A batch rounds otherwise than a single slice; order, slices and proposals are the same."""
    requests = [DetectRequest(f"k{i}", _image(trained, i)) for i in range(6)]
    many = list(detector.detect_many(iter(requests), cancel=CancelToken()))
    assert [m.slice_key for m in many] == [r.slice_key for r in requests]
    for request, found in zip(requests, many, strict=True):
        alone = detector.detect(request, cancel=CancelToken())
        assert found.proposals == alone.proposals
        scores = [row.score for row in alone.trace]
        assert [row.score for row in found.trace] == pytest.approx(scores, abs=0.02)


def test_many_slices_are_taken_a_few_ahead_only(detector: RcnnDetector, trained: Trained) -> None:
    taken = 0

    def requests() -> Iterator[DetectRequest]:
        nonlocal taken
        while True:
            taken += 1
            yield DetectRequest(f"k{taken}", _image(trained))

    results = detector.detect_many(requests(), cancel=CancelToken())
    assert [next(results).slice_key for _ in range(3)] == ["k1", "k2", "k3"]
    assert taken < 20


def test_cancelling_many_slices(detector: RcnnDetector, trained: Trained) -> None:
    token = CancelToken()
    results = detector.detect_many([DetectRequest("k", _image(trained))] * 20, cancel=token)
    next(results)
    token.cancel()
    with pytest.raises(Cancelled):
        list(results)


def test_scores_are_on_the_scale_of_the_card(trained: Trained) -> None:
    known = trained.result.card.calibration
    assert known["scale"] > 0
    raw = replace(trained.result.card, calibration={})
    network = build_network(NetworkSpec(**raw.network))
    load_weights(network, trained.result.model_file, raw.classes)
    plain = RcnnDetector(ready_to_judge(network), raw, "raw@0", judged_proposer(raw.proposer))
    scaled = load_detector(trained.result.model_file, precision="float32")
    request = DetectRequest("k", _image(trained))
    before, after = (d.detect(request, cancel=CancelToken()) for d in (plain, scaled))
    scale = ScoreScale(known["scale"], known["shift"])
    expected = scale.apply(np.array([row.score for row in before.trace if row.scores]))
    assert [row.score for row in after.trace if row.scores] == pytest.approx(expected.tolist())


def test_given_proposals_are_judged_instead_of_own(detector: RcnnDetector, trained: Trained) -> None:
    given = Proposals((Box(10, 10, 30, 30), Box(0, 0, 64, 64)), (1.0, 0.5), "by hand")
    result = detector.detect(DetectRequest("k", _image(trained), given), cancel=CancelToken())
    assert result.proposals == given
    assert len(result.trace) == 2


@pytest.mark.parametrize(
    "image",
    [np.zeros((64, 64)), np.full((1, 1), 3.0), np.full((32, 32), np.nan), np.ones((3, 500))],
    ids=["constant", "one pixel", "nan", "a line"],
)
def test_nothing_to_see_gives_nothing(detector: RcnnDetector, image: NDArray[np.float32]) -> None:
    result = detector.detect(DetectRequest("k", image.astype(np.float32)), cancel=CancelToken())
    assert result.detections == ()


@pytest.mark.parametrize("shape", [(40, 130), (200, 64), (64, 64)])
def test_any_shape_keeps_boxes_inside(detector: RcnnDetector, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(100, 10, shape).astype(np.float32)
    image[10:30, 10:30] += 300
    result = detector.detect(DetectRequest("k", image), cancel=CancelToken())
    assert result.trace
    for row in result.trace:
        assert row.box.clipped(shape[1], shape[0]) == row.box


def test_cancel(detector: RcnnDetector, trained: Trained) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        detector.detect(DetectRequest("k", _image(trained)), cancel=token)


def test_a_wrong_shape_is_refused(detector: RcnnDetector) -> None:
    with pytest.raises(InputError, match="shape"):
        detector.detect(DetectRequest("k", np.zeros((2, 3, 4), dtype=np.float32)), cancel=CancelToken())


def test_a_missing_class_is_named_with_the_way_out(detector: RcnnDetector) -> None:
    with pytest.raises(ModelMismatch, match=r"long.*round.*Add the class"):
        detector.bind(LabelSchema("half", (LabelClass(1, "round"),)))


def test_binding_maps_by_name(detector: RcnnDetector, trained: Trained) -> None:
    request = DetectRequest("k", _image(trained))
    before = detector.detect(request, cancel=CancelToken())
    detector.bind(LabelSchema("other", (LabelClass(70, "long"), LabelClass(71, "round"), LabelClass(1, "x"))))
    after = detector.detect(request, cancel=CancelToken())
    names = {2: 71, 5: 70}
    assert [names[d.label_id] for d in before.detections] == [d.label_id for d in after.detections]


def test_it_runs_in_a_worker_thread(detector: RcnnDetector, trained: Trained) -> None:
    request = DetectRequest("k", _image(trained))
    expected = detector.detect(request, cancel=CancelToken())
    results = []
    worker = threading.Thread(target=lambda: results.append(detector.detect(request, cancel=CancelToken())))
    worker.start()
    worker.join(20)
    assert results[0].detections == expected.detections


def test_it_learns_to_find_blobs(tmp_path: Path) -> None:
    """A real, small training run finds what it was shown; on untrained weights this fails."""
    dataset, pixels = blobs(16)
    config = tiny(tmp_path, epochs=30, classes="one", learning_rate=3e-3)
    result = train([dataset], config, tmp_path / "out", load=reader(pixels))
    fresh, fresh_pixels = blobs(8, seed=5)
    detector = load_detector(result.model_file)
    found = 0
    with_boxes = [s for s in fresh.slices if s.boxes]
    for labelled in with_boxes:
        request = DetectRequest(labelled.ref.key, fresh_pixels[labelled.ref.key])
        detections = detector.detect(request, cancel=CancelToken()).detections
        truth = labelled.boxes[0].box
        best = detections[0].box if detections else Box(0, 0, 1, 1)
        overlap = Box.clipped(best, 64, 64)
        assert overlap is not None
        found += abs(best.x1 - truth.x1) < 5 and abs(best.y2 - truth.y2) < 5
    assert found >= len(with_boxes) - 1
