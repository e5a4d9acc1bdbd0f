"""Fetching ahead: the right slices, the right way, within the cache, and no longer than it is wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Cancelled
from core.imaging.pixels import PixelCache
from core.imaging.prefetch import AHEAD, Trail, fetch, order, wanted
from core.imaging.reader import open_reader
from core.jobs import CancelToken
from core.model import SliceRef
from tests.core.imaging.files import ramp, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
ONE = ramp().size * 4


@pytest.fixture(scope="module")
def refs(tmp_path_factory: pytest.TempPathFactory) -> list[SliceRef]:
    folder = tmp_path_factory.mktemp("ahead")
    paths = [write_dicom(folder / f"{i}", ramp() + np.uint16(i)) for i in range(40)]
    return [open_reader(p).slices()[0] for p in paths]


@given(st.integers(0, 99), st.sampled_from([1, -1]), st.integers(0, 20), st.integers(0, 6))
def test_every_neighbour_once_and_the_way_ahead_first(index: int, step: int, ahead: int, behind: int) -> None:
    found = order(index, step, 100, ahead, behind)
    forth = {index + step * k for k in range(1, ahead + 1)} & set(range(100))
    back = {index - step * k for k in range(1, behind + 1)} & set(range(100))
    assert sorted(found) == sorted(forth | back)
    on_the_way = [i for i in found if i in forth]
    assert on_the_way == sorted(forth, reverse=step < 0), "nearest first"
    if ahead > behind and forth:
        assert found[0] == index + step


def test_the_way_is_the_readers() -> None:
    trail = Trail()
    assert [trail.step("a", i) for i in (5, 6, 9, 8, 8, 7, 20)] == [1, 1, 1, -1, -1, -1, 1]
    assert trail.step("a", 3) == -1
    assert trail.step("b", 0) == 1, "another series begins downwards"


def test_what_is_kept_is_not_fetched_and_the_cache_is_not_washed_out(refs: list[SliceRef]) -> None:
    large = PixelCache(100 * ONE)
    large.get(refs[21])
    found = wanted(refs, 20, 1, large)
    assert refs[21] not in found
    assert found[0] == refs[22]
    assert refs[20 + AHEAD] in found
    assert refs[19] in found
    assert len(wanted(refs, 20, 1, PixelCache(8 * ONE))) == 4, "half of the cache at most"
    assert wanted(refs, 20, 1, PixelCache(ONE)) == []


def test_fetched_slices_are_there_and_a_bad_one_stops_nothing(refs: list[SliceRef], tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "bad", ramp())
    (bad,) = open_reader(path).slices()
    path.unlink()
    cache = PixelCache(100 * ONE)
    fetch([refs[0], bad, refs[1]], cache, CancelToken())
    assert cache.peek(refs[0]) is not None
    assert cache.peek(refs[1]) is not None


def test_superseded_it_stops_at_once(refs: list[SliceRef]) -> None:
    token = CancelToken()

    class Stopping(PixelCache):
        def get(self, ref: SliceRef) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            found = super().get(ref)
            token.cancel()
            return found

    cache = Stopping(100 * ONE)
    with pytest.raises(Cancelled):
        fetch(refs[:9], cache, token)
    assert cache.nbytes == ONE
