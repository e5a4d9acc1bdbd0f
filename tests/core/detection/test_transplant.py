from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.detection.regions import WorkingSlice
from core.detection.samples import Sample
from core.detection.sampling import Truth
from core.detection.transplant import Transplants

_SIZE = 64
_NONE = np.zeros((0, 4))


def _slice(box: tuple[int, int, int, int] | None, grey: float = 0.4, lesion: float = 0.8) -> Sample:
    """A round head, with a bright lesion or none."""
    y, x = np.mgrid[:_SIZE, :_SIZE] + 0.5
    image: NDArray[np.float64] = np.where((x - 32) ** 2 + (y - 32) ** 2 < 28**2, grey, 0.0)
    boxes = _NONE
    if box is not None:
        across, down = (
            (2 * x - box[0] - box[2]) / (box[2] - box[0]),
            (2 * y - box[1] - box[3]) / (box[3] - box[1]),
        )
        image[across**2 + down**2 <= 1.0] = lesion
        boxes = np.array([box], dtype=np.float64)
    working = WorkingSlice(image.astype(np.float16), 1.0, _SIZE, _SIZE, np.array([[20.0, 20, 40, 40]]))
    return Sample(working, Truth(boxes, np.full(len(boxes), 3), _NONE, _NONE), (), 0)


def _drawn(sample: Sample, donors: list[Sample], tries: int = 40) -> list[Sample]:
    transplants = Transplants([sample, *donors], 1.0)
    made = [transplants.apply(sample, np.random.default_rng(seed)) for seed in range(tries)]
    return [m for m in made if m is not sample]


def test_a_lesion_arrives_with_its_box_class_and_brightness() -> None:
    empty, donor = _slice(None), _slice((14, 22, 28, 36))
    for made in _drawn(empty, [donor]):
        (box,) = made.truth.boxes
        assert made.truth.labels.tolist() == [3]
        x1, y1, x2, y2 = box.round().astype(int)
        middle = made.working.image[(y1 + y2) // 2, (x1 + x2) // 2]
        assert middle == pytest.approx(0.8, abs=0.15)
        corner = made.working.image[2, 2]
        assert corner == 0.0


def test_most_tries_find_a_place() -> None:
    assert len(_drawn(_slice(None), [_slice((14, 22, 28, 36))])) > 20


def test_it_stays_inside_the_head() -> None:
    empty = _slice(None)
    y, x = np.mgrid[:_SIZE, :_SIZE] + 0.5
    outside = (x - 32) ** 2 + (y - 32) ** 2 > 30**2
    for made in _drawn(empty, [_slice((34, 40, 50, 54))]):
        assert not made.working.image[outside].any()


def test_no_lesion_is_covered() -> None:
    own = _slice((20, 20, 44, 44))
    for made in _drawn(own, [_slice((14, 22, 28, 36))]):
        first, second = made.truth.boxes
        overlap = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
        shared = float(np.prod(overlap.clip(min=0.0)))
        assert shared <= 0.06 * float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]))


def test_surroundings_of_another_brightness_are_matched_or_refused() -> None:
    for made in _drawn(_slice(None, grey=0.2), [_slice((14, 22, 28, 36))]):
        x1, y1, x2, y2 = made.truth.boxes[0].round().astype(int)
        assert made.working.image[(y1 + y2) // 2, (x1 + x2) // 2] == pytest.approx(0.4, abs=0.1)
    assert _drawn(_slice(None, grey=0.11), [_slice((14, 22, 28, 36))]) == []


def test_the_slice_itself_is_left_alone() -> None:
    empty = _slice(None)
    before = empty.working.image.copy()
    assert _drawn(empty, [_slice((14, 22, 28, 36))])
    assert np.array_equal(empty.working.image, before)
    assert len(empty.truth.boxes) == 0


def test_a_share_of_nothing_changes_nothing() -> None:
    empty, donor = _slice(None), _slice((14, 22, 28, 36))
    transplants = Transplants([empty, donor], 0.0)
    assert all(transplants.apply(empty, np.random.default_rng(s)) is empty for s in range(20))


def test_without_donors_nothing_happens() -> None:
    empty = _slice(None)
    assert Transplants([empty], 1.0).apply(empty, np.random.default_rng(0)) is empty


def test_proposals_of_the_lesion_come_along() -> None:
    donor = _slice((20, 20, 40, 40))
    for made in _drawn(_slice(None), [donor]):
        assert len(made.working.proposals) == 2
