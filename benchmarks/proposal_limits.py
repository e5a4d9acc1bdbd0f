"""Where proposals might break a promise: large slices, memory, a process's first call, thousands in a row."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.proposal_recall import Row
from benchmarks.proposal_sets import load_set
from benchmarks.proposal_time import Image, median_ms, one_core, our_call, ratios, spread
from core.imaging.base import Pixels
from core.imaging.pixels import PixelCache
from core.proposals.registry import PROPOSERS

# Of training parts: nothing here looks at what finds are judged on.
SETS = ("btod/train", "cheng/train")
SMALL, LARGE = 512, 2048
IN_A_ROW = 4096
LARGE_SLICES = 5
STARTS = 9
_RUNS = 3
_ROW_SLICES = 64
_NOISE = 0.02
_DEPTH = 4095.0
_PIXEL_BYTES = 64 << 20
_ROOT = Path(__file__).resolve().parents[1]


def measure_limits(
    data: Path,
    methods: Sequence[str] = PROPOSERS,
    *,
    large: int = LARGE_SLICES,
    starts: int = STARTS,
    in_a_row: int = IN_A_ROW,
) -> Row:
    """All limits of each method.

    Args:
        data: Folder of the public data sets.
        methods: Names in the registry.
        large: How many slices of 2048 × 2048.
        starts: How many fresh processes of each kind.
        in_a_row: How many slices one process does for the figure of memory.
    """
    one_core()
    small = [_deep(image) for image in _slices(data, "cheng/train", large)]
    big = [enlarged(image, LARGE, seed) for seed, image in enumerate(small)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "small.npy", small[0])
        for dtype in (np.uint16, np.float32):
            np.save(folder / f"large-{np.dtype(dtype).name}.npy", big[0].astype(dtype))
        (folder / "row").mkdir()
        for index, image in enumerate(_mixed(data)):
            np.save(folder / "row" / f"{index:03}.npy", image)
        return {
            method: {
                "large": _large(method, small, big),
                "memory_of_one_call": {d: _peak(method, folder, d) for d in ("uint16", "float32")},
                "fresh_process_ms": _starts(method, folder, starts),
                "memory_in_a_row": _in_a_row(method, folder, in_a_row),
            }
            for method in methods
        }


def enlarged(image: Image, side: int, seed: int) -> NDArray[np.uint16]:
    """A 12-bit slice at another size: cubic interpolation, and fresh noise of 2 % of the range."""
    wide = cv2.resize(image.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(seed).normal(0.0, _NOISE * _DEPTH, wide.shape)
    deep: NDArray[np.uint16] = np.clip(np.rint(wide + noise), 0.0, _DEPTH).astype(np.uint16)
    return deep


def _large(method: str, small: Sequence[Image], big: Sequence[Image]) -> Row:
    call = our_call(method)
    call(small[0])
    small_ms = [median_ms(call, image, _RUNS) for image in small]
    big_ms = [median_ms(call, image, _RUNS) for image in big]
    return {
        "sides": [SMALL, LARGE],
        "ms": {str(SMALL): spread(small_ms), str(LARGE): spread(big_ms)},
        "times_slower": ratios(big_ms, small_ms),
    }


def _peak(method: str, folder: Path, dtype: str) -> Row:
    found = _child("peak", method, str(folder / f"large-{dtype}.npy"))
    extra = found["peak"] - found["before"]
    return {
        "side": LARGE,
        "image_mb": round(found["image"] / 1e6, 2),
        "extra_mb": round(extra / 1e6, 1),
        "extra_in_images": round(extra / found["image"], 1),
    }


def _starts(method: str, folder: Path, starts: int) -> Row:
    _child("fresh", method, str(folder / "small.npy"))  # makes the compile cache where there is none
    kinds: Row = {}
    for kind in ("fresh", "loaded"):
        runs = [_child(kind, method, str(folder / "small.npy")) for _ in range(starts)]
        kinds[kind] = {name: spread([r[name] for r in runs]) for name in runs[0]}
    return kinds


def _in_a_row(method: str, folder: Path, count: int) -> Row:
    found = _child("row", method, str(count), str(folder / "row"))
    megabytes = {done: round(resident / 1e6, 1) for done, resident in found.items()}
    values = list(megabytes.values())
    return {"resident_mb_after": megabytes, "growth_mb": round(values[-1] - values[0], 1)}


def _child(*arguments: str) -> dict[str, float]:
    """One measurement of benchmarks.proposal_child."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.proposal_child", *arguments],
        cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _slices(data: Path, name: str, count: int) -> list[Pixels]:
    cache = PixelCache(_PIXEL_BYTES)
    return [cache.get(s.ref) for s in load_set(data, name, count).slices]


def _mixed(data: Path) -> list[Image]:
    """Real slices of many shapes, every other one as 12-bit integers."""
    found = [image for name in SETS for image in _slices(data, name, _ROW_SLICES // len(SETS))]
    return [_deep(image) if index % 2 else image for index, image in enumerate(found)]


def _deep(image: Pixels) -> NDArray[np.uint16]:
    """An 8-bit picture stretched to 12 bits, as scanners give them."""
    deep: NDArray[np.uint16] = np.rint(image * (_DEPTH / 255.0)).astype(np.uint16)
    return deep
