"""What each part of selective search brings: `fast` with a part left out, on slices the ranking never saw.

On 300 slices of btod/train, of which the ranking was trained on none, and on the blocks of cheng/train that
were kept from it: these may be looked at as often as one likes. Whether the proposals of the neighbouring
slices help is measured on progression, the only set that is a series.

    python -m benchmarks.proposal_ablation [--data DIR]
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.build_ranking import HELD
from benchmarks.proposal_metrics import ALL, best_overlaps, summary
from benchmarks.proposal_presets import Found
from benchmarks.proposal_recall import Row, lesions_of, propose_all
from benchmarks.proposal_sets import TrueSet, load_set
from benchmarks.real_data import arguments, machine, progression
from core.boxes import Boxes, to_array
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Dataset
from core.proposals.base import Proposer
from core.proposals.ranking import chosen
from core.proposals.selective import PRESETS, Preset, SelectiveSearch, candidates

RESULT = Path(__file__).parent / "results" / "proposal_ablation.json"
_SAMPLE = 300
_MOST = 400
_NEIGHBOURS = ((400, 0), (300, 50), (200, 100))


def variants() -> dict[str, Preset]:
    """The preset `fast`, and what is left of it without each part."""
    (search,) = PRESETS["fast"].searches
    bright, dark, opened = search.thresholds
    searches = {
        "fast": search,
        "segments and grouping only": replace(search, thresholds=()),
        "component trees only": replace(search, scales=()),
        "without bright components": replace(search, thresholds=(dark, opened)),
        "without dark components": replace(search, thresholds=(bright, opened)),
        "without opened components": replace(search, thresholds=(bright, dark)),
        "one grouping (all four measures)": replace(search, groupings=search.groupings[:1]),
        "one grouping (mean grey)": replace(search, groupings=search.groupings[1:]),
        **{f"scale k = {k} only": replace(search, scales=(k,)) for k in search.scales},
        "working size 160": replace(search, size=160),
        "working size 320": replace(search, size=320),
    }
    return {name: Preset((one,), _MOST) for name, one in searches.items()}


def by_chance(true_set: TrueSet) -> dict[str, Found]:
    """The candidates of `fast` in a random order, as Uijlings et al. break theirs up, copies left out."""
    pixels, cancel, rng = PixelCache(16 << 20), CancelToken(), np.random.default_rng(0)
    found = {}
    for one in true_set.slices:
        boxes = candidates(pixels.get(one.ref), PRESETS["fast"], cancel).boxes
        score = np.sort(rng.uniform(0.01, 1.0, len(boxes)))[::-1]
        shuffled = boxes[rng.permutation(len(boxes))]
        order, _ = chosen(shuffled, score, _MOST)
        found[one.name] = Found(shuffled[order], 0.0)
    return found


def row(true_set: TrueSet, found: Mapping[str, Found]) -> Row:
    """Recall and tightness with all proposals and with the first 20 and 100, and the time."""
    times = [f.milliseconds for f in found.values()]
    return {
        "proposals": float(np.median([len(f.boxes) for f in found.values()])),
        "ms": round(float(np.median(times)), 2),
        "figures": summary(lesions_of(true_set.slices, found, {}), (20, 100, ALL)),
    }


def with_neighbours(dataset: Dataset, proposer: Proposer, shares: Sequence[tuple[int, int]]) -> Row:
    """Recall when some of a slice's proposals give way to the best of the slices before and after it."""
    pixels, cancel = PixelCache(64 << 20), CancelToken()
    found: list[Boxes] = [
        to_array(proposer.propose(pixels.get(s.ref), cancel=cancel).boxes) for s in dataset.slices
    ]
    series = [s.ref.path.parent for s in dataset.slices]
    answer: Row = {}
    for own, each in shares:
        best = []
        for i, labelled in enumerate(dataset.slices):
            near = [j for j in (i - 1, i + 1) if 0 <= j < len(series) and series[j] == series[i]]
            boxes = np.concatenate([found[i][:own], *(found[j][:each] for j in near)])
            truth = to_array(b.box for b in labelled.boxes)
            best += best_overlaps(truth, boxes, (ALL,))[:, 0].tolist()
        overlap = np.array(best)
        answer[f"{own} own, {each} of each neighbour"] = [
            round(float(v), 4) for v in ((overlap >= 0.5).mean(), (overlap >= 0.7).mean(), overlap.mean())
        ]
    return answer


def main() -> None:
    """Measure and write the result."""
    options = arguments("Measure what each part of selective search brings.").parse_args()
    cv2.setNumThreads(1)
    held = load_set(options.data, "cheng/train")
    sets = (
        load_set(options.data, "btod/train", _SAMPLE),
        TrueSet("cheng/train", tuple(s for s in held.slices if s.group in HELD), held.grouped_by),
    )
    result: Row = {"command": "python -m benchmarks.proposal_ablation", **machine(), "sets": {}}
    for one in sets:
        rows = {
            name: row(one, propose_all(SelectiveSearch("fast", preset=preset), one))
            for name, preset in variants().items()
        }
        rows["order by chance"] = row(one, by_chance(one))
        result["sets"][one.name] = {"slices": len(one.slices), "rows": rows}
        print(one.name, json.dumps(rows, indent=1), flush=True)
    result["neighbours"] = with_neighbours(progression(options.data), SelectiveSearch("fast"), _NEIGHBOURS)
    print(json.dumps(result["neighbours"], indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
