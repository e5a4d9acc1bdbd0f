"""What proposals find: our methods and OpenCV's presets over whole data sets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

import cv2
import numpy as np

from benchmarks.proposal_metrics import BUDGETS, Lesions, best_overlaps, by_part, intervals, summary
from benchmarks.proposal_presets import SIZES as WORKING_SIZES
from benchmarks.proposal_presets import Found, Preset, found_by
from benchmarks.proposal_sets import PLANE_NAMES, TrueSet, TrueSlice, planes_of
from core.boxes import to_array
from core.evaluation.parts import SIZES, sizes_of
from core.imaging.base import Pixels
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.proposals.base import Proposer

RESAMPLES = 2000
_PIXEL_BYTES = 64 << 20

Row = dict[str, Any]  # a result as it goes into the JSON file


def propose_all(proposer: Proposer, true_set: TrueSet) -> dict[str, Found]:
    """A method's boxes on every slice, by the slice's name; the first slice is done twice, to warm up."""
    pixels, cancel = PixelCache(_PIXEL_BYTES), CancelToken()
    proposer.propose(pixels.get(true_set.slices[0].ref), cancel=cancel)
    return {s.name: _propose(proposer, pixels.get(s.ref), cancel) for s in true_set.slices}


def _propose(proposer: Proposer, image: Pixels, cancel: CancelToken) -> Found:
    start = time.perf_counter()
    proposals = proposer.propose(image, cancel=cancel)
    milliseconds = (time.perf_counter() - start) * 1000
    return Found(to_array(proposals.boxes), milliseconds)


def lesions_of(slices: Iterable[TrueSlice], found: Mapping[str, Found], planes: Mapping[str, str]) -> Lesions:
    """The lesions of the slices a method was run on, with the best overlaps."""
    done = [s for s in slices if s.name in found]
    best = [best_overlaps(s.boxes, found[s.name].boxes) for s in done]
    return Lesions(
        np.concatenate([np.zeros((0, len(BUDGETS))), *best]),
        tuple(s.group for s in done for _ in s.boxes),
        tuple(planes.get(s.name, "") for s in done for _ in s.boxes),
        tuple(SIZES[k] for s in done for k in sizes_of(s.boxes, s.ref.rows, s.ref.columns)),
    )


def figures(true_set: TrueSet, found: Mapping[str, Found]) -> Row:
    """All figures of one method on one set.

    Times are of this pass alone, beside decoding: for comparisons there is benchmarks.proposal_time.
    """
    lesions = lesions_of(true_set.slices, found, planes_of(true_set))
    counts = [len(f.boxes) for f in found.values()]
    return {
        "slices": len(found),
        "boxes_median": float(np.median(counts)),
        "boxes_most": max(counts),
        "ms_median": round(float(np.median([f.milliseconds for f in found.values()])), 2),
        "overall": {**summary(lesions), "ci95": intervals(lesions, RESAMPLES)},
        "plane": by_part(lesions, lesions.planes, PLANE_NAMES),
        "size": by_part(lesions, lesions.sizes, SIZES),
    }


def measure_set(
    true_set: TrueSet, proposers: Sequence[Proposer], tell: Callable[[str, Row], None] | None = None
) -> Row:
    """All methods on one set: ours now, the presets as far as their cache goes.

    Args:
        true_set: The slices.
        proposers: Ours.
        tell: Told of every method as soon as it is measured.
    """
    cv2.setNumThreads(1)
    methods: dict[str, Row] = {}

    def note(name: str, found: Mapping[str, Found]) -> None:
        methods[name] = figures(true_set, found)
        if tell is not None:
            tell(name, methods[name])

    for proposer in proposers:
        note(proposer.name, propose_all(proposer, true_set))
    for size in WORKING_SIZES:
        for preset in get_args(Preset):
            if found := found_by(true_set, preset, size):
                note(preset_name(preset, size), found)
    planes = Counter(planes_of(true_set).get(s.name, "unknown") for s in true_set.slices)
    return {
        "slices": len(true_set.slices),
        "lesions": sum(len(s.boxes) for s in true_set.slices),
        "resampled_by": "slice" if true_set.grouped_by == "file" else true_set.grouped_by,
        "groups": len({s.group for s in true_set.slices}),
        "planes": dict(sorted(planes.items())),
        "methods": methods,
    }


def preset_name(preset: str, size: int) -> str:
    """How a preset of OpenCV's is called in results."""
    return f"cv2 {preset} {size}"
