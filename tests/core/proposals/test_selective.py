"""What our selective search is for: lesions of every look. That it stops; what stands in for it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.errors import Cancelled
from core.jobs import CancelToken
from core.model import Box
from core.proposals.registry import make_proposer
from tests.core.proposals.samples import Mask, best_overlaps, box_of, brain, disc, phantom_slice, propose

FIRST, OVERLAP = 50, 0.7


def _ring(image: NDArray[np.float64], size: int, x: float, y: float, radius: float) -> Mask:
    rim = disc(size, x, y, radius, radius * 0.85)
    image[rim] = 1000.0
    image[disc(size, x, y, radius * 0.65, radius * 0.5)] = 200.0
    return rim


def _dark(image: NDArray[np.float64], size: int, x: float, y: float, radius: float) -> Mask:
    lesion = disc(size, x, y, radius, radius * 0.8)
    image[lesion] = 180.0
    return lesion


def _hanging(image: NDArray[np.float64], size: int, x: float, y: float, radius: float) -> Mask:
    """A bright lesion with a bright vessel beside it, and a bridge of two or three pixels between."""
    lesion = disc(size, x, y, radius, radius)
    unit = size // 128
    vessel = int(x - radius) - 8 * unit
    image[int(y) - 40 * unit : int(y) + 40 * unit, vessel : vessel + 4 * unit] = 950.0
    image[int(y) : int(y) + unit, vessel : int(x)] = 950.0
    image[lesion] = 950.0
    return lesion


@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("radius", [0.04, 0.07, 0.12])
@pytest.mark.parametrize("paint", [_ring, _dark, _hanging])
def test_a_lesion_is_among_the_first(size: int, radius: float, paint: object) -> None:
    assert callable(paint)
    image, _, noise = brain(size)
    lesion = paint(image, size, size * 0.6, size * 0.45, size * radius)
    found = propose(make_proposer("fast"), (image + noise).clip(0, 4095).astype(np.uint16))
    best = best_overlaps((Box(*map(float, box_of(lesion))),), found.boxes[:FIRST])
    assert best[0] >= OVERLAP


@pytest.mark.parametrize("name", ["fast", "quality"])
def test_phantom_lesions_are_among_the_first(name: str) -> None:
    image, lesions = phantom_slice()
    assert len(lesions) > 1
    found = propose(make_proposer(name), image)
    assert (best_overlaps(lesions, found.boxes[:FIRST]) >= 0.5).all()


@pytest.mark.parametrize("name", ["fast", "quality"])
def test_no_more_than_the_preset_gives(name: str) -> None:
    found = propose(make_proposer(name), phantom_slice()[0])
    assert 100 < len(found.boxes) <= {"fast": 400, "quality": 1000}[name]


class _StopsAt(CancelToken):
    """Set from the n-th time it is asked."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.left = n

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.cancel()
        super().check()


@pytest.mark.parametrize("name", ["fast", "quality", "opencv-fast", "opencv-quality"])
def test_cancelled_at_any_step(name: str) -> None:
    proposer, image = make_proposer(name), phantom_slice()[0][:128, 64:192]
    counting = _StopsAt(0)
    plain = proposer.propose(image, cancel=counting)
    steps = -counting.left
    assert steps >= (3 if name.startswith("opencv-") else 10)
    for n in range(1, steps + 1):
        with pytest.raises(Cancelled):
            proposer.propose(image, cancel=_StopsAt(n))
    assert proposer.propose(image, cancel=_StopsAt(steps + 1)) == plain


@pytest.mark.parametrize("name", ["fast", "quality"])
def test_cancelled_from_another_thread(name: str) -> None:
    proposer, image = make_proposer(name), phantom_slice()[0]
    begun, token = threading.Event(), CancelToken()

    class Watched(CancelToken):
        def check(self) -> None:
            begun.set()
            token.check()

    def cancel_soon() -> None:
        begun.wait()
        token.cancel()

    other = threading.Thread(target=cancel_soon)
    other.start()

    def search_on() -> None:
        # The thread may come late for one slice, not for all that follow.
        for _ in range(1000):
            proposer.propose(image, cancel=Watched())

    with pytest.raises(Cancelled):
        search_on()
    other.join()


def test_without_numba_opencv_stands_in_under_its_own_name() -> None:
    code = """
        import sys

        sys.modules["numba"] = None  # what an import of a package that is not there finds
        from core.jobs import CancelToken
        from core.proposals.compiled import available
        from core.proposals.registry import PROPOSERS, make_proposer
        from tests.core.proposals.samples import head

        print(available())
        for name in PROPOSERS:
            proposer = make_proposer(name, 5)
            found = proposer.propose(head(), cancel=CancelToken())
            print(proposer.name, found.method, len(found.boxes))
        assert "core.proposals.selective" not in sys.modules
        """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.split("\n")
    assert lines[0] == "False"
    fast, quality = "opencv-fast opencv-fast 5", "opencv-quality opencv-quality 5"
    assert lines[1:6] == [fast, quality, fast, fast, quality]


def test_a_start_without_proposals_does_not_load_numba() -> None:
    code = "import sys, core.proposals.registry; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_slice_from_the_cache_compiles_nothing_that_the_warm_up_did_not(tmp_path: Path) -> None:
    """In a process of its own: another test may have compiled for arrays of every kind."""
    Image.fromarray(phantom_slice()[0].astype(np.uint16)).save(tmp_path / "slice.png")
    code = f"""
        from pathlib import Path
        from core.imaging.catalog import scan
        from core.imaging.pixels import PixelCache
        from core.jobs import CancelToken
        from core.proposals.registry import make_proposer, warm_up
        from core.proposals.working import _prepared
        warm_up(CancelToken())
        before = len(_prepared.signatures)
        (series,) = scan([Path({str(tmp_path)!r})]).series
        image = PixelCache(1 << 24).get(series.slices[0])
        assert make_proposer("fast").propose(image, cancel=CancelToken()).boxes
        assert len(_prepared.signatures) == before == 1, _prepared.signatures
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=110)
