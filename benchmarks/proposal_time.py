"""How long proposals take: our methods and OpenCV's presets, slice by slice in one process on one core."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.proposal_presets import Preset, as_grey, preset_search
from benchmarks.proposal_recall import Row, preset_name
from benchmarks.proposal_sets import evenly, load_set
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.proposals.registry import PROPOSERS, make_proposer

SET = "btod/valid"
SIDE = 512
# Ours take milliseconds, and one hiccup of the machine as many; a slice's time is the median of so many runs.
OUR_RUNS = 5
_PIXEL_BYTES = 64 << 20

Image = NDArray[np.generic]
Call = Callable[[Image], object]


def one_core() -> None:
    """Keep this process, whatever threads a library starts, on one core."""
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def measure_time(data: Path, slices: int, methods: Sequence[str] = PROPOSERS) -> Row:
    """Times per slice, paired: every method on the same slices, in turn.

    Ours are timed from the slice as the reader gives it to proposals, normalisation included; the presets on
    the 8-bit picture that was made for them before the clock started.

    Args:
        data: Folder of the public data sets.
        slices: How many of those of 512 × 512, evenly spaced by name.
        methods: Ours.
    """
    one_core()
    found = [s for s in load_set(data, SET).slices if (s.ref.rows, s.ref.columns) == (SIDE, SIDE)]
    cache = PixelCache(_PIXEL_BYTES)
    images = [cache.get(s.ref) for s in evenly(found, slices)]
    ours = {name: our_call(name) for name in methods}
    peers = {preset_name(p, SIDE): _preset(p) for p in get_args(Preset)}
    times: dict[str, list[float]] = {name: [] for name in (*ours, *peers)}
    for call in ours.values():
        call(images[0])
    for image in images:
        for name, call in ours.items():
            times[name].append(median_ms(call, image, OUR_RUNS))
        grey = as_grey(image)
        for name, call in peers.items():
            times[name].append(median_ms(call, grey, 1))
    return {
        "set": SET,
        "slices": len(images),
        "side": SIDE,
        "runs_per_slice": {"ours": OUR_RUNS, "cv2": 1},
        "ms": {name: spread(values) for name, values in times.items()},
        "times_faster": {o: {p: ratios(times[p], times[o]) for p in peers} for o in ours},
    }


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """n, median, quartiles, least and greatest."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    listed = {"median": middle, "q1": low, "q3": high, "min": min(values), "max": max(values)}
    return {"n": len(values)} | {name: round(float(v), 3) for name, v in listed.items()}


def ratios(above: Sequence[float], below: Sequence[float]) -> dict[str, float | int]:
    """Spread of the ratio slice by slice."""
    return spread([a / b for a, b in zip(above, below, strict=True)])


def median_ms(call: Call, image: Image, runs: int) -> float:
    """Milliseconds of a call: the median of so many."""
    spans = []
    for _ in range(runs):
        start = time.perf_counter()
        call(image)
        spans.append(time.perf_counter() - start)
    return float(np.median(spans)) * 1000


def our_call(method: str) -> Call:
    """A method of the registry as a function of the slice."""
    proposer, cancel = make_proposer(method), CancelToken()
    return lambda image: proposer.propose(image, cancel=cancel)


def _preset(preset: Preset) -> Call:
    return lambda image: preset_search(image.astype(np.uint8, copy=False), preset)
