"""What a click snaps to, without a detector: `python -m benchmarks.snap`, minutes.

For every true box a point at its centre and one up to a fifth of its size away: how often the first candidate
and one of the first three have IoU ≥ .75, the ceiling over all proposals, how often the answer is said to be
poor and is right to be, and how long it takes with the proposals at hand. Beside them points where there is
no lesion. The ranking of the proposals never saw the five blocks of cheng/train nor btod; the order of the
candidates was tuned on both (core/review/snap.py); progression and blocks 8 23 33 43 were not looked at
for it, but the ranking was trained on those blocks.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.build_model import HELD_BLOCKS
from benchmarks.build_ranking import HELD
from benchmarks.proposal_sets import TrueSlice, evenly, load_set
from benchmarks.proposal_time import spread
from benchmarks.real_data import arguments, machine
from core.boxes import Boxes, iou_matrix, to_array
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Proposals
from core.proposals.registry import DEFAULT_PROPOSER, make_proposer
from core.review.snap import POOR, Snap, snap_at

RESULT = Path(__file__).parent / "results" / "snap.json"
ENOUGH = 0.75
FIRST = 3
AWAY = 0.2
_PIXEL_BYTES = 16 << 20


@dataclass
class Tally:
    """What happened at the points of one kind."""

    first: list[bool] = field(default_factory=list)
    one_of_three: list[bool] = field(default_factory=list)
    ceiling: list[bool] = field(default_factory=list)
    poor: list[bool] = field(default_factory=list)

    def note(self, snap: Snap, every: Boxes, truth: Boxes) -> None:
        """Count one answer for one true box (1, 4)."""
        shown = iou_matrix(truth, to_array(c.box for c in snap.candidates[:FIRST]))[0] >= ENOUGH
        self.first.append(bool(shown[:1].any()))
        self.one_of_three.append(bool(shown.any()))
        self.ceiling.append(bool((iou_matrix(truth, every)[0] >= ENOUGH).any()))
        self.poor.append(snap.is_poor)

    def row(self) -> dict[str, Any]:
        """Shares."""
        first, poor = np.array(self.first), np.array(self.poor)
        return {
            "points": len(first),
            "first": _share(first),
            "one_of_three": _share(np.array(self.one_of_three)),
            "ceiling": _share(np.array(self.ceiling)),
            "said_poor": _share(poor),
            "first_where_poor": _share(first[poor]),
            "first_where_not": _share(first[~poor]),
        }


def _share(values: np.ndarray[Any, np.dtype[np.bool_]]) -> float | None:
    return round(float(values.mean()), 3) if len(values) else None


def measure(slices: Sequence[TrueSlice], method: str) -> dict[str, Any]:
    """All figures of one set."""
    proposer, cache, cancel = make_proposer(method), PixelCache(_PIXEL_BYTES), CancelToken()
    centre, away, nothing, times = Tally(), Tally(), [], []
    for one in slices:
        image = cache.get(one.ref)
        proposals = proposer.propose(image, cancel=cancel)
        every = to_array(proposals.boxes)
        rng = np.random.default_rng(zlib.crc32(one.name.encode()))
        for truth in one.boxes:
            middle, size = (truth[:2] + truth[2:]) / 2, truth[2:] - truth[:2]
            for tally, point in ((centre, middle), (away, middle + rng.uniform(-AWAY, AWAY, 2) * size)):
                snap, milliseconds = _timed(proposals, point, image.shape)
                times.append(milliseconds)
                tally.note(snap, every, truth[None])
        if (off := _off_lesion(image, one.boxes, rng)) is not None:
            nothing.append(_timed(proposals, off, image.shape)[0].is_poor)
    return {
        "slices": len(slices), "centre": centre.row(), "near_centre": away.row(),
        "off_lesion": {"points": len(nothing), "said_poor": _share(np.array(nothing))},
        "ms": spread(times), "ms_p95": round(float(np.percentile(times, 95)), 2),
    }  # fmt: skip


def _timed(
    proposals: Proposals, point: np.ndarray[Any, np.dtype[np.float64]], shape: tuple[int, ...]
) -> tuple[Snap, float]:
    start = time.perf_counter()
    snap = snap_at(proposals, float(point[0]), float(point[1]), shape[0], shape[1])
    return snap, (time.perf_counter() - start) * 1000.0


def _off_lesion(
    image: np.ndarray[Any, np.dtype[np.float32]], boxes: Boxes, rng: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """A point in what is not background and in no true box."""
    head = image > 0.1 * np.percentile(image, 99)
    for x1, y1, x2, y2 in boxes.astype(int).tolist():
        head[y1 : y2 + 1, x1 : x2 + 1] = False
    rows, columns = np.nonzero(head)
    if not len(rows):
        return None
    k = int(rng.integers(len(rows)))
    return np.array([columns[k] + 0.5, rows[k] + 0.5])


def main(arguments_given: Sequence[str] | None = None) -> int:
    """Measure and write the results."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--method", default=DEFAULT_PROPOSER)
    parser.add_argument("--sample", type=int, default=0, help="slices of each set, evenly spaced; 0 for all")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(arguments_given)
    parts = {
        "cheng/train, blocks 3 10 31 38 45": ("cheng/train", HELD),
        "cheng/train, blocks 8 23 33 43": ("cheng/train", HELD_BLOCKS),
        "btod/train": ("btod/train", None),
        "progression": ("progression", None),
    }
    sets = {}
    for title, (name, groups) in parts.items():
        found = load_set(options.data, name).slices
        kept = [s for s in found if groups is None or s.group in groups]
        sets[title] = measure(evenly(kept, options.sample), options.method)
        print(title, json.dumps(sets[title]), flush=True)
    report = {"machine": machine(), "method": options.method, "poor_below": POOR, "sets": sets}
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
