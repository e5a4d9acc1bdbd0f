"""How long a slice takes, beside YOLO11n, and how much faster a series goes as a batch."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import detection_yolo as yolo
from benchmarks.detection_data import btod
from benchmarks.detection_runs import PIXEL_BYTES, Row
from benchmarks.proposal_sets import evenly
from benchmarks.proposal_time import ratios, spread
from core.detection.base import DetectRequest, DetectResult, own_schema
from core.detection.detector import RcnnDetector, load_detector
from core.errors import InputError
from core.imaging.catalog import scan
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken

SET, SIDE = "btod/train", 512
PEER_SIZES = (640, 256)
THREADS = (1, 2)
SLICES = 20
ROUNDS = 5
# Anchors that pass the score of the untrained peer, so that its suppression has what a trained one's has.
CANDIDATES = 20
SERIES = Path("dicom") / "head-t1"
SERIES_SLICES = 200
SERIES_ROUNDS = 5
# Share of the slices whose best detection a batch must find as single calls do: half precision rounds
# otherwise in a batch, and of two regions that promise as much either may be judged.
_ALIKE = 0.9

_T = TypeVar("_T")
Call = Callable[[_T], float]
"""Does one thing, and gives the milliseconds that it counts for itself."""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds by name, one per item: the median of its rounds.

    Attributes:
        wall: By the clock around the call.
        own: As the call itself counts.
    """

    wall: Mapping[str, list[float]]
    own: Mapping[str, list[float]]


def measure_time(
    data: Path,
    model: Path,
    work: Path,
    *,
    slices: int = SLICES,
    rounds: int = ROUNDS,
    weights: Path | None = None,
) -> Row:
    """Our detector and YOLO11n on the same slices, in one process, with one thread and with two.

    Ours from the slice as the reader gives it: normalising, proposals, network, suppression, trace. YOLO
    from the 8-bit BGR picture, made beforehand: its own scaling, network, suppression, result.
    Ours has one thread of torch's and one that finds regions; YOLO as many of torch's as it has cores.

    Args:
        data: Folder of the public data sets.
        model: Our model file.
        work: Folder for the peer's settings.
        slices: How many of those of 512 × 512, evenly spaced.
        rounds: How often each is timed with each detector.
        weights: Of a trained peer with as many classes as our model; None for random ones.
    """
    found = [s.ref for s in btod(data, "train").slices if (s.ref.rows, s.ref.columns) == (SIDE, SIDE)]
    chosen = evenly(sorted(found, key=lambda r: r.path.name), slices)
    detector = load_detector(model)
    cache = PixelCache(PIXEL_BYTES)
    requests = [DetectRequest(ref.key, cache.get(ref)) for ref in chosen]
    pictures = [yolo.read_bgr(ref.path) for ref in chosen]
    ours = f"{detector.card.network['architecture']}"
    row: Row = {
        "set": SET, "slices": len(chosen), "side": SIDE, "rounds": rounds, "model": detector.identity,
        "ours": ours, "peer": _peer_words(weights), "threads": {},
    }  # fmt: skip
    for threads in THREADS:
        use_cores(threads)
        calls: dict[str, Call[int]] = {ours: lambda k: _own_ms(detector, requests[k], 1)}
        for size in PEER_SIZES if yolo.installed() else ():
            calls[f"{yolo.NAME} {size}"] = peer_call(detector, pictures, size, threads, work, weights)
        use_cores(threads)
        times = paired_times(calls, range(len(chosen)), rounds, np.random.default_rng(threads))
        row["threads"][str(threads)] = time_row(times, ours)
    return row


def time_row(times: Times, ours: str) -> Row:
    """Spreads, and ratios of ours to every other, item by item."""
    peers = [name for name in times.wall if name != ours]
    return {
        "ms": {name: spread(values) for name, values in times.wall.items()},
        "own_ms": {name: spread(values) for name, values in times.own.items()},
        "ratio": {p: ratios(times.wall[ours], times.wall[p]) for p in peers},
        "own_ratio": {p: ratios(times.own[ours], times.own[p]) for p in peers},
    }


def paired_times(
    calls: Mapping[str, Call[_T]],
    items: Sequence[_T],
    rounds: int,
    rng: np.random.Generator,
    clock: Callable[[], float] = time.perf_counter,
) -> Times:
    """Time every call on every item: in each round the items in random order, and the calls on each.

    Each call is made once before, to warm up.
    """
    wall = {name: np.zeros((rounds, len(items))) for name in calls}
    own = {name: np.zeros((rounds, len(items))) for name in calls}
    for call in calls.values():
        call(items[0])
    for turn in range(rounds):
        for index in rng.permutation(len(items)).tolist():
            for name in rng.permutation(list(calls)).tolist():
                start = clock()
                own[name][turn, index] = calls[name](items[index])
                wall[name][turn, index] = (clock() - start) * 1000.0
    return Times(_medians(wall), _medians(own))


def peer_call(
    detector: RcnnDetector,
    pictures: Sequence[yolo.Picture],
    size: int,
    threads: int,
    work: Path,
    weights: Path | None,
) -> Call[int]:
    """The peer at a working size, as a function of the slice's number."""
    peer = yolo.Peer(work, own_schema(detector), weights, threads)
    if weights is None:
        peer.raise_scores(pictures[0], size, CANDIDATES)
    peer.ready(pictures[0], size)

    def predict(k: int) -> float:
        torch.set_num_threads(threads)
        return peer.predict(pictures[k], size, yolo.SHOWN_SCORE)[1]

    return predict


def measure_series(
    data: Path, model: Path, *, threads: int, slices: int = SERIES_SLICES, rounds: int = SERIES_ROUNDS
) -> Row:
    """Slices a second over a series: one call after another, and as a batch (`detect_many`).

    Pixels are decoded beforehand. A series shorter than `slices` is begun anew.

    Raises:
        InputError: The batch does not find what single calls find.
    """
    use_cores(threads)
    # A thread of torch's for each of ours, as the application has it on two cores.
    detector = load_detector(model, threads=1)
    (series,) = scan([data / SERIES]).series
    cache = PixelCache(PIXEL_BYTES)
    refs = list(itertools.islice(itertools.cycle(series.slices), slices))
    requests = [DetectRequest(ref.key, cache.get(ref)) for ref in refs]
    alone = [detector.detect(r, cancel=CancelToken()) for r in requests]  # warms up too
    together = list(detector.detect_many(iter(requests), cancel=CancelToken()))
    if len(alone) != len(together) or np.mean([*map(alike, alone, together)]) < _ALIKE:
        raise InputError("detect_many does not find what detect finds; a time for it is worth nothing")

    def one_by_one(_: int) -> float:
        return sum(_own_ms(detector, r, 1) for r in requests)

    def batch(_: int) -> float:
        torch.set_num_threads(1)
        return sum(r.milliseconds for r in detector.detect_many(iter(requests), cancel=CancelToken()))

    calls: dict[str, Call[int]] = {"single": one_by_one, "batch": batch}
    wall = paired_times(calls, range(rounds), 1, np.random.default_rng(0)).wall
    rates = {name: [slices * 1000.0 / ms for ms in of] for name, of in wall.items()}
    rows, columns = series.slices[0].rows, series.slices[0].columns
    return {
        "series": SERIES.as_posix(), "slices": slices, "rows": rows, "columns": columns, "threads": threads,
        "model": detector.identity, "slices_per_second": {name: spread(of) for name, of in rates.items()},
        "ratio": ratios(rates["batch"], rates["single"]),
    }  # fmt: skip


_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def use_cores(threads: int) -> None:
    """Keep this process on so many cores, and torch and OpenCV at as many threads.

    Threads that run already keep the cores they were begun with, so each is moved by itself.
    """
    tasks = Path("/proc/self/task")
    running = [int(task.name) for task in tasks.iterdir()] if tasks.is_dir() else [0]
    for task in running if _CORES else ():
        with contextlib.suppress(ProcessLookupError):  # a thread may have ended meanwhile
            os.sched_setaffinity(task, set(_CORES[-threads:]))
    yolo.set_threads(threads)


def alike(one: DetectResult, other: DetectResult) -> bool:
    """Whether two results are of one slice and have the same best detection, but for rounding."""
    if one.slice_key != other.slice_key or bool(one.detections) != bool(other.detections):
        return False
    if not one.detections:
        return True
    a, b = one.detections[0], other.detections[0]
    return np.allclose(a.box.as_tuple(), b.box.as_tuple(), atol=0.5) and abs(a.score - b.score) < 0.01


def _medians(rounds: Mapping[str, NDArray[np.float64]]) -> dict[str, list[float]]:
    """Of (rounds, items) by name."""
    return {name: np.median(of, axis=0).tolist() for name, of in rounds.items()}


def _own_ms(detector: RcnnDetector, request: DetectRequest, threads: int) -> float:
    torch.set_num_threads(threads)  # the peer has its own number
    return detector.detect(request, cancel=CancelToken()).milliseconds


def _peer_words(weights: Path | None) -> str:
    if not yolo.installed():
        return "not installed"
    return (
        f"trained weights; score ≥ {yolo.SHOWN_SCORE}"
        if weights
        else f"random weights; score ≥ {yolo.SHOWN_SCORE}, a constant added to the class bias lets "
        f"{CANDIDATES} anchors of the first slice pass"
    )
