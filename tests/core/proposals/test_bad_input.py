"""Anything that is an array: a defined answer or a clear refusal, never a crash in compiled code."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from core.proposals.registry import PROPOSERS, make_proposer
from tests.core.proposals.samples import check_proposals, check_regions, head, propose

DTYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64", "bool")
EXAMPLES = {"coarse": 40, "fast": 120, "quality": 40, "opencv-fast": 30, "opencv-quality": 15}
LARGEST = (70, 90)

sides = st.sampled_from([1, 2, 7, 8, 9]) | st.integers(1, 70)
shapes = st.one_of(
    st.tuples(sides, sides),
    st.tuples(st.just(1), st.integers(1, 90)),
    st.tuples(st.integers(1, 90), st.just(1)),
    st.just(LARGEST),
)


def _checkerboard(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    period = int(rng.integers(1, 9))
    y, x = np.mgrid[: shape[0], : shape[1]] // period
    return np.asarray((x + y) % 2, dtype=np.float64)


def _gradient(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    a, b = rng.normal(size=2)
    return np.asarray(a * x + b * y)


def _specks(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    image = np.zeros(shape)
    period = int(rng.integers(2, 6))
    image[::period, ::period] = rng.random(image[::period, ::period].shape)
    return image


PATTERNS: dict[str, Callable[[tuple[int, int], np.random.Generator], NDArray[np.float64]]] = {
    "noise": lambda shape, rng: rng.random(shape),
    "heavy tails": lambda shape, rng: rng.standard_cauchy(shape),
    "two-valued": lambda shape, rng: (rng.random(shape) < 0.5).astype(np.float64),
    "constant": lambda shape, rng: np.full(shape, rng.normal()),
    "checkerboard": _checkerboard,
    "gradient": _gradient,
    "specks": _specks,
    "head": lambda shape, rng: head(*shape, seed=int(rng.integers(99))).astype(np.float64),
}
RANGES = {
    "uint8": (0.0, 255.0),
    "int16": (-32768.0, 32767.0),
    "uint16": (0.0, 65535.0),
    "int32": (-(2.0**31), 2.0**31 - 1),
}
SPANS = (1.0, 1e-30, 255.0, 4095.0, 1e6, 1e38)
ODD = (float("nan"), float("inf"), float("-inf"), -1.0, 0.0)


@st.composite
def slices(draw: st.DrawFn) -> NDArray[np.generic]:
    """A pattern brought to a dtype's range or part of it, with holes; now and then raw values."""
    shape, dtype = draw(shapes), draw(st.sampled_from(DTYPES))
    if draw(st.integers(0, 5)) == 0:
        small = (min(shape[0], 12), min(shape[1], 12))
        return draw(hnp.arrays(dtype, small))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    image = PATTERNS[draw(st.sampled_from(sorted(PATTERNS)))](shape, rng)
    if dtype == "bool":
        return image > np.median(image)
    if dtype in RANGES:
        low, high = RANGES[dtype]
        if draw(st.booleans()):
            low, high = low / 16, high / 16
        unit = (image - image.min()) / (np.ptp(image) or 1.0)
        return np.asarray(low + unit * (high - low)).clip(*RANGES[dtype]).astype(dtype)
    spans = (*SPANS, 1e300) if dtype == "float64" else SPANS
    image = image.clip(-1, 1) * draw(st.sampled_from(spans))
    if draw(st.booleans()):
        holes = rng.random(shape) < draw(st.sampled_from([0.01, 0.3, 0.99]))
        image[holes] = rng.choice(ODD, size=int(holes.sum()))
    return image.astype(dtype)


def _check(name: str, image: NDArray[np.generic]) -> None:
    before = image.copy()
    found = propose(make_proposer(name), image)
    check_proposals(found, *image.shape)
    assert image.tobytes() == before.tobytes()
    if found.regions is not None:
        check_regions(found, most=12)


@pytest.mark.parametrize("name", PROPOSERS)
def test_any_slice_has_an_answer(name: str) -> None:
    @given(slices())
    @settings(
        max_examples=EXAMPLES[name],
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def answered(image: NDArray[np.generic]) -> None:
        _check(name, image)

    answered()


@pytest.mark.parametrize("name", PROPOSERS)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_pattern_in_every_dtype(name: str, pattern: str, dtype: str) -> None:
    image = PATTERNS[pattern](LARGEST, np.random.default_rng(7))
    image = (image - image.min()) / (np.ptp(image) or 1.0)
    _check(name, image > 0.5 if dtype == "bool" else (image * 250).astype(dtype))


@pytest.mark.parametrize("name", PROPOSERS)
@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (8, 3000), (3000, 8), (9, 500), (500, 9)])
def test_long_and_narrow(name: str, shape: tuple[int, int]) -> None:
    _check(name, np.random.default_rng(1).integers(0, 4096, shape).astype(np.uint16))


@pytest.mark.parametrize("name", PROPOSERS)
@pytest.mark.parametrize(
    "image",
    [
        np.where(np.random.default_rng(0).random((40, 40)) < 0.5, -1.7e308, 1.7e308),
        np.where(np.random.default_rng(0).random((40, 40)) < 0.5, -3.4e38, 3.4e38).astype(np.float32),
        np.random.default_rng(0).random((40, 40)) * 5e-324,
        np.random.default_rng(0).random((40, 40)) * 1e-45,
        np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (40, 40), dtype=np.int64),
        np.random.default_rng(0).integers(0, 2**64 - 1, (40, 40), dtype=np.uint64),
        np.random.default_rng(0).random((40, 40)).astype(np.float16) * np.float16(6e4),
    ],
    ids=["±1.7e308", "±3.4e38", "smallest", "small", "int64", "uint64", "float16"],
)
def test_the_ends_of_the_number_line(name: str, image: NDArray[np.generic]) -> None:
    _check(name, image)


@pytest.mark.parametrize("name", ["fast", "quality"])
@pytest.mark.parametrize(
    ("rows", "columns"), [(450, 450), (225, 225), (457, 457), (400, 202), (202, 400), (400, 204), (500, 481)]
)
def test_boxes_at_the_edge_lie_inside_to_the_last_bit(name: str, rows: int, columns: int) -> None:
    """Working pixels scaled back may exceed the slice by a rounding: 224 * (450 / 224) > 450."""
    image = np.full((rows, columns), 400.0, dtype=np.float32)
    image += np.random.default_rng(0).normal(0, 10, image.shape)
    part = min(rows, columns) // 6
    for k in range(0, 5, 2):
        image[k * part : (k + 1) * part, -part:] = 900 + 50 * k
        image[-part:, k * part : (k + 1) * part] = 50 + 40 * k
    found = propose(make_proposer(name), image)
    check_proposals(found, rows, columns)
    assert max(b.x2 for b in found.boxes) == columns
    assert max(b.y2 for b in found.boxes) == rows


def _uncompiled(code: str) -> subprocess.CompletedProcess[str]:
    """Run code with the kernels as plain Python, where an index out of bounds is an error, not a crash."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_specks_stay_within_the_rooms_of_the_component_tree() -> None:
    """Sparse foreground: more components than half its pixels.

    Single pixels are each their own; of crosses of five pixels, cut from the dark end, four come first.
    """
    run = _uncompiled(
        """
        import numpy as np
        from core.proposals.levels import component_tree
        from core.proposals.working import working_image

        single = np.zeros((90, 90), np.float32)
        single[1::3, 1::3] = 0.24
        single[:6] = 0.0
        single[:3] = 1.0
        single[-3:] = 0.07
        crosses = np.zeros((70, 90))
        crosses[::4, ::4] = np.random.default_rng(0).random((18, 23))
        for image in (single, crosses):
            w = working_image(image, 224)
            for dark in (False, True):
                sums, *_ = component_tree(w.grey, w.grey, w.inside, 16, dark, 1)
                print(len(sums))
        """
    )
    assert run.returncode == 0, run.stderr
    assert [int(n) > 300 for n in run.stdout.split()] == [True] * 4


def test_many_crossing_segments_stay_within_the_rooms_of_the_contacts() -> None:
    """Segments hang together across corners, so lines can cross and each touch all others."""
    run = _uncompiled(
        """
        import numpy as np
        from core.proposals import graph, grouping

        y, x = np.mgrid[:80, :80]
        i, j = (x - y) // 2, (x + y - 80) // 2
        down = ((x - y) % 2 == 0) & (abs(i) <= 10)
        up = ((x + y) % 2 == 1) & (abs(j) <= 10)
        grey = np.zeros((80, 80), np.uint16)
        grey[down], grey[up] = (1500 + 20 * i)[down], (3000 + 20 * j)[up]
        codes, start = graph.sorted_edges(grey, down | up)
        labels, n = graph.segment(codes, start, down | up, 160, 8, 1500)
        pairs = {
            (min(a, b), max(a, b))
            for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:]))
            for a, b in zip(one.ravel().tolist(), other.ravel().tolist())
            if a != b and min(a, b) >= 0
        }
        ends, _ = grouping._contacts(grey, labels, n)
        print(n, len(pairs), {tuple(e) for e in ends.tolist()} == pairs)
        """
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["42", "441", "True"]


def test_no_kernel_leaves_its_arrays() -> None:
    run = _uncompiled(
        """
        import numpy as np
        from core.jobs import CancelToken
        from core.proposals.registry import make_proposer

        rng = np.random.default_rng(0)
        specks = np.zeros((24, 30))
        specks[::3, ::3] = rng.random((8, 10))
        for image in (rng.random((16, 24)), specks, rng.random((30, 9)) < 0.5, np.mgrid[:20, :20].sum(0) % 2):
            made = make_proposer("fast").propose(image, cancel=CancelToken())
            print(made.method, len(made.boxes) > 0)
        """
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[::2] == ["fast"] * 4
