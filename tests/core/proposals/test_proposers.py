"""The contract of core.proposals.base.Proposer, for every registered method."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from core.boxes import iou_matrix, to_array
from core.errors import Cancelled, InputError
from core.jobs import CancelToken
from core.model import Box, Proposals
from core.proposals.base import Proposer
from core.proposals.opencv import OpenCvProposer
from core.proposals.registry import DEFAULT_PROPOSER, PROPOSERS, make_proposer
from tests.core.proposals.samples import check_proposals, head, propose


@pytest.fixture(params=PROPOSERS)
def proposer(request: pytest.FixtureRequest) -> Proposer:
    return make_proposer(str(request.param))


def test_the_methods() -> None:
    assert PROPOSERS == ("fast", "quality", "coarse", "opencv-fast", "opencv-quality")
    assert DEFAULT_PROPOSER in PROPOSERS
    assert tuple(make_proposer(name).name for name in PROPOSERS) == PROPOSERS


def test_a_blob_is_found(proposer: Proposer) -> None:
    found = to_array(propose(proposer, head()).boxes)
    truth = to_array([Box(50, 30, 70, 46)])
    assert iou_matrix(found, truth).max() > 0.7


def test_boxes_lie_inside_are_distinct_and_ranked(proposer: Proposer) -> None:
    proposals = propose(proposer, head())
    assert len(proposals.boxes) > 3
    check_proposals(proposals, 120, 90)
    assert proposals.method == proposer.name


def test_the_same_pixels_give_the_same_boxes(proposer: Proposer) -> None:
    first = propose(proposer, head())
    assert all(propose(proposer, head()) == first for _ in range(3))
    assert propose(make_proposer(proposer.name), head()) == first


def test_another_slice_in_between_changes_nothing(proposer: Proposer) -> None:
    first = propose(proposer, head())
    propose(proposer, head(77, 133, seed=5))
    assert propose(proposer, head()) == first


def test_two_threads_give_what_one_gives(proposer: Proposer) -> None:
    slices = [head(seed=1), head(100, 110, seed=2)]
    alone = [propose(proposer, image) for image in slices]
    together: list[list[Proposals]] = [[], []]
    start = threading.Barrier(2)

    def work(k: int) -> None:
        start.wait()
        together[k].extend(propose(proposer, slices[k]) for _ in range(3))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [[alone[0]] * 3, [alone[1]] * 3]


def test_scanner_units_do_not_matter(proposer: Proposer) -> None:
    image = head().round()
    # A power of two and an offset that float32 holds exactly.
    assert propose(proposer, image * 4 + 1024).boxes == propose(proposer, image).boxes


@pytest.mark.parametrize(
    "image",
    [np.full((64, 64), 7.0), np.full((64, 64), np.nan), np.ones((1, 1)), np.arange(12.0).reshape(3, 4)],
    ids=["constant", "nan", "one pixel", "tiny"],
)
def test_nothing_to_find_is_no_error(proposer: Proposer, image: NDArray[np.generic]) -> None:
    assert propose(proposer, image).boxes == ()


def test_not_finite_pixels_are_ignored(proposer: Proposer) -> None:
    image = head()
    image[:3, :3] = np.nan
    assert len(propose(proposer, image).boxes) > 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float64, np.bool_])
def test_any_real_dtype(proposer: Proposer, dtype: type[np.generic]) -> None:
    image = (head() / 4).clip(0, 255) > 150 if dtype is np.bool_ else (head() / 4).clip(0, 255)
    assert len(propose(proposer, image.astype(dtype)).boxes) > 0


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, ">u2", ">f4", np.float64])
def test_the_dtype_does_not_matter_where_it_holds_the_values(proposer: Proposer, dtype: str) -> None:
    image = (head() / 4).clip(0, 255).round()
    assert propose(proposer, image.astype(dtype)).boxes == propose(proposer, image).boxes


def _every_third(image: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = np.full((3 * image.shape[0], 3 * image.shape[1]), -7.0, dtype=image.dtype)
    wide[::3, ::3] = image
    return wide[::3, ::3]


LAYOUTS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "read-only": lambda a: np.frombuffer(a.tobytes(), dtype=a.dtype).reshape(a.shape),
    "strided": _every_third,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "Fortran order": np.asfortranarray,
    "rows backwards": lambda a: a[::-1].copy()[::-1],
    "columns backwards": lambda a: a[:, ::-1].copy()[:, ::-1],
    "a window of a larger slice": lambda a: np.pad(a, 5, constant_values=1e4)[5:-5, 5:-5],
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_how_pixels_lie_in_memory_does_not_matter(
    proposer: Proposer, layout: Callable[[NDArray[np.generic]], NDArray[np.generic]], dtype: type[np.generic]
) -> None:
    plain = head().clip(0, None).round().astype(dtype)
    image = layout(plain)
    assert np.array_equal(image, plain)
    assert propose(proposer, image).boxes == propose(proposer, plain).boxes
    assert np.array_equal(image, plain)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (), (4,), (2, 3, 4), (64, 64, 3), (1, 64, 64)])
def test_a_wrong_shape_is_refused_and_named(proposer: Proposer, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as refused:
        propose(proposer, np.zeros(shape))
    assert "shape" in str(refused.value)
    assert str(shape) in str(refused.value)


def test_cancel(proposer: Proposer) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        proposer.propose(head(), cancel=token)


@pytest.mark.parametrize("name", PROPOSERS)
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20, 50, 110, 5000])
def test_limit_keeps_the_best_of_the_same_list(name: str, limit: int) -> None:
    every = propose(make_proposer(name), head())
    fewer = propose(make_proposer(name, limit), head())
    assert fewer.boxes[:limit] == every.boxes[:limit]
    assert len(fewer.boxes) <= limit
    if not name.startswith("opencv-"):
        assert fewer.scores == every.scores[: len(fewer.scores)]


def test_large_slices_are_searched_small_but_answered_in_their_own_pixels() -> None:
    large = np.kron(head(120, 90), np.ones((5, 5), dtype=np.float32))
    found = to_array(propose(OpenCvProposer("fast", working_size=120), large).boxes)
    assert (found % 5 == 0).all()
    assert iou_matrix(found, to_array([Box(250, 150, 350, 230)])).max() > 0.7


@pytest.mark.parametrize("name", ["fast", "quality"])
def test_a_large_slice_is_answered_in_its_own_pixels(name: str) -> None:
    large = np.kron(head(120, 90), np.ones((8, 8), dtype=np.float32))
    found = propose(make_proposer(name), large)
    check_proposals(found, 960, 720)
    assert iou_matrix(to_array(found.boxes), to_array([Box(400, 240, 560, 368)])).max() > 0.7


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'slow'.*fast, quality, coarse, opencv-fast, opencv-quality"):
        make_proposer("slow")
