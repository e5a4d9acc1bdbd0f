"""The contract of core.proposals.base.Proposer, for every registered method."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.boxes import iou_matrix, to_array
from core.errors import Cancelled, InputError
from core.jobs import CancelToken
from core.model import Box, Proposals
from core.proposals.base import Proposer
from core.proposals.opencv import OpenCvProposer
from core.proposals.registry import PROPOSERS, make_proposer


@pytest.fixture(params=PROPOSERS)
def proposer(request: pytest.FixtureRequest) -> Proposer:
    return make_proposer(str(request.param))


def _head(rows: int = 120, columns: int = 90, seed: int = 0) -> NDArray[np.float32]:
    """A grey ellipse with a bright blob at (50 … 70, 30 … 46)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    inside = ((x - columns / 2) / (columns * 0.42)) ** 2 + ((y - rows / 2) / (rows * 0.45)) ** 2 < 1
    image = np.where(inside, 400.0, 10.0)
    blob = ((x - 60) / 10.0) ** 2 + ((y - 38) / 8.0) ** 2 < 1
    image[blob] = 900.0
    return (image + rng.normal(0, 10, image.shape)).astype(np.float32)


def _propose(proposer: Proposer, image: NDArray[np.generic]) -> Proposals:
    return proposer.propose(image, cancel=CancelToken())


def test_a_blob_is_found(proposer: Proposer) -> None:
    found = to_array(_propose(proposer, _head()).boxes)
    truth = to_array([Box(50, 30, 70, 46)])
    assert iou_matrix(found, truth).max() > 0.7


def test_boxes_lie_inside_are_distinct_and_ranked(proposer: Proposer) -> None:
    proposals = _propose(proposer, _head())
    boxes = to_array(proposals.boxes)
    assert len(boxes) > 3
    assert (boxes >= 0).all()
    assert (boxes[:, 2] <= 90).all()
    assert (boxes[:, 3] <= 120).all()
    assert len(set(proposals.boxes)) == len(boxes)
    assert list(proposals.scores) == sorted(proposals.scores, reverse=True)
    assert all(0.0 <= s <= 1.0 for s in proposals.scores)
    assert proposals.method == proposer.name


def test_the_same_pixels_give_the_same_boxes(proposer: Proposer) -> None:
    assert _propose(proposer, _head()) == _propose(proposer, _head())


def test_scanner_units_do_not_matter(proposer: Proposer) -> None:
    image = _head().round()
    # A power of two and an offset that float32 holds exactly.
    assert _propose(proposer, image * 4 + 1024).boxes == _propose(proposer, image).boxes


@pytest.mark.parametrize(
    "image",
    [np.full((64, 64), 7.0), np.full((64, 64), np.nan), np.ones((1, 1)), np.arange(12.0).reshape(3, 4)],
    ids=["constant", "nan", "one pixel", "tiny"],
)
def test_nothing_to_find_is_no_error(proposer: Proposer, image: NDArray[np.generic]) -> None:
    assert _propose(proposer, image).boxes == ()


def test_not_finite_pixels_are_ignored(proposer: Proposer) -> None:
    image = _head()
    image[:3, :3] = np.nan
    assert len(_propose(proposer, image).boxes) > 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float64, np.bool_])
def test_any_real_dtype(proposer: Proposer, dtype: type[np.generic]) -> None:
    image = (_head() / 4).clip(0, 255) > 150 if dtype is np.bool_ else (_head() / 4).clip(0, 255)
    assert len(_propose(proposer, image.astype(dtype)).boxes) > 0


@pytest.mark.parametrize("shape", [(0, 5), (4,), (2, 3, 4)])
def test_a_wrong_shape_is_refused(proposer: Proposer, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"shape"):
        _propose(proposer, np.zeros(shape))


def test_cancel(proposer: Proposer) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        proposer.propose(_head(), cancel=token)


def test_large_slices_are_searched_small_but_answered_in_their_own_pixels() -> None:
    large = np.kron(_head(120, 90), np.ones((5, 5), dtype=np.float32))
    found = to_array(_propose(OpenCvProposer("fast", working_size=120), large).boxes)
    assert (found % 5 == 0).all()
    assert iou_matrix(found, to_array([Box(250, 150, 350, 230)])).max() > 0.7


def test_limit() -> None:
    every = _propose(OpenCvProposer("fast"), _head()).boxes
    assert _propose(OpenCvProposer("fast", limit=3), _head()).boxes == every[:3]


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'slow'.*opencv-fast"):
        make_proposer("slow")
