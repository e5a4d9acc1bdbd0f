"""The cache: bounded, shared by threads, and never wrong about which slice it holds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UnreadableFile
from core.imaging.pixels import PixelCache
from core.imaging.reader import open_reader
from core.model import SliceRef
from tests.core.imaging.files import ramp, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
ONE = ramp().size * 4  # bytes of a decoded slice


@pytest.fixture(scope="module")
def refs(tmp_path_factory: pytest.TempPathFactory) -> list[SliceRef]:
    path = write_dicom(
        tmp_path_factory.mktemp("pixels") / "a.dcm", np.stack([ramp() + 100 * i for i in range(6)])
    )
    return list(open_reader(path).slices())


@settings(deadline=None)
@given(asked=st.lists(st.integers(0, 5), max_size=30), room=st.integers(0, 4))
def test_right_pixels_within_the_bound_in_any_order(
    refs: list[SliceRef], asked: list[int], room: int
) -> None:
    cache = PixelCache(room * ONE + ONE // 2)
    for i in asked:
        assert np.array_equal(cache.get(refs[i]), ramp() + 100.0 * i)
        assert cache.nbytes <= room * ONE + ONE // 2


def test_a_kept_slice_is_not_decoded_again_and_is_read_only(refs: list[SliceRef]) -> None:
    cache = PixelCache(10 * ONE)
    first = cache.get(refs[0])
    assert cache.get(refs[0]) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1


def test_the_least_recently_used_goes_first(refs: list[SliceRef]) -> None:
    cache = PixelCache(2 * ONE)
    kept, dropped = cache.get(refs[0]), cache.get(refs[1])
    cache.get(refs[0])
    cache.get(refs[2])
    assert cache.get(refs[0]) is kept
    assert cache.get(refs[1]) is not dropped


def test_threads_share_one_decoding(refs: list[SliceRef]) -> None:
    cache = PixelCache(10 * ONE)
    start = threading.Barrier(8)
    got: list[object] = []

    def ask() -> None:
        start.wait()
        got.append(cache.get(refs[3]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(got) == 8
    assert all(g is got[0] for g in got)


def test_a_file_replaced_by_another_is_refused(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", ramp())
    (ref,) = open_reader(path).slices()
    write_dicom(path, ramp() + 1)
    with pytest.raises(UnreadableFile, match="changed since it was opened"):
        PixelCache(1 << 20).get(ref)


def test_a_file_that_is_gone_is_named_and_can_come_back(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", ramp())
    (ref,) = open_reader(path).slices()
    data = path.read_bytes()
    path.unlink()
    cache = PixelCache(1 << 20)
    with pytest.raises(UnreadableFile, match="does not exist"):
        cache.get(ref)
    path.write_bytes(data)
    assert np.array_equal(cache.get(ref), ramp())


def test_a_reference_of_another_shape_is_refused(refs: list[SliceRef]) -> None:
    with pytest.raises(UnreadableFile, match="another shape"):
        PixelCache(1 << 20).get(replace(refs[0], rows=7))


def test_a_file_cut_short_under_an_open_reader_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", np.stack([ramp(256, 256)] * 8))
    reader = open_reader(path)
    whole = path.stat().st_size
    os.truncate(path, whole // 4)
    with pytest.raises(UnreadableFile):
        reader.pixels(7)
    # Why files are not mapped (docs/adr/0009): the same through a map ends the process.
    mapped = (
        "import mmap, os, sys\n"
        "with open(sys.argv[1], 'r+b') as file:\n"
        "    view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "    os.truncate(sys.argv[1], 10)\n"
        "    print(view[-1])\n"
    )
    ended = subprocess.run([sys.executable, "-c", mapped, str(path)], check=False, capture_output=True)
    if sys.platform == "linux":
        assert ended.returncode == -signal.SIGBUS
