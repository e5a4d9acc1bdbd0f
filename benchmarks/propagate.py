"""How far a box carries through a stack: `python -m benchmarks.propagate`, minutes.

On every volume of progression, from the true box of each lesion on its middle slice: of its boxes on the
other slices how many are found (IoU ≥ .75, ≥ .5), of the boxes made how many fit, and how many lie on slices
where the lesion has none. Patients 01 to 03 are what the rule was chosen on; 04 to 06 were left out. The
bundled model was trained on all of progression, so its scores are better here than on new patients: the
same without its scores (proposals only) is the lower bound.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.build_model import TARGET
from benchmarks.real_data import arguments, machine, progression
from core.boxes import iou
from core.detection.base import DetectResult
from core.detection.detector import load_detector
from core.detection.findings import link
from core.detection.requests import make_request
from core.imaging.neighbours import ALONE, beside_each
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Box, Detection, LabelledSlice
from core.review.propagate import SliceView, propagate

RESULT = Path(__file__).parent / "results" / "propagate.json"
CHOSEN_ON = ("01", "02", "03")
_PIXEL_BYTES = 64 << 20


@dataclass
class Tally:
    """Counts over lesions with a box on two slices or more."""

    lesions: int = 0
    wanted: int = 0
    hits75: int = 0
    hits50: int = 0
    made: int = 0
    beyond: int = 0

    def row(self) -> dict[str, Any]:
        """Shares."""
        return {
            "lesions": self.lesions,
            "boxes_wanted": self.wanted,
            "found_75": round(self.hits75 / max(self.wanted, 1), 3),
            "found_50": round(self.hits50 / max(self.wanted, 1), 3),
            "boxes_made": self.made,
            "fit_75": round(self.hits75 / max(self.made, 1), 3),
            "fit_50": round(self.hits50 / max(self.made, 1), 3),
            "beyond_the_lesion": round(self.beyond / max(self.made, 1), 3),
        }


def lesions(slices: Sequence[LabelledSlice]) -> list[dict[int, Box]]:
    """The true boxes of one volume by lesion: linked as the findings are."""
    detections = [[Detection(b.box, b.label_id, "lesion", 1.0) for b in s.boxes] for s in slices]
    return [dict(one.boxes) for one in link(detections, [s.ref for s in slices])]


def note(
    tally: Tally, lesion: dict[int, Box], slices: Sequence[LabelledSlice], views: list[SliceView]
) -> None:
    """Carry one lesion from its middle slice and count."""
    start = sorted(lesion)[len(lesion) // 2]
    made = propagate(start, lesion[start], len(slices), lambda k: views[k])
    tally.lesions += 1
    tally.wanted += len(lesion) - 1
    for one in made.boxes:
        tally.made += 1
        if one.slice not in lesion:
            tally.beyond += 1
            continue
        overlap = iou(one.box, lesion[one.slice])
        tally.hits75 += overlap >= 0.75
        tally.hits50 += overlap >= 0.5


def without_scores(result: DetectResult) -> DetectResult:
    """As if nothing had been judged: proposals only."""
    boxes = result.proposals.boxes
    trace = tuple(replace(t, score=0.0, scores=(), box=boxes[t.proposal]) for t in result.trace)
    return replace(result, trace=trace, detections=())


def main(arguments_given: Sequence[str] | None = None) -> int:
    """Measure and write the results."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", type=Path, default=next(iter(sorted(TARGET.glob("*.safetensors")))))
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(arguments_given)
    detector, cache = load_detector(options.model), PixelCache(_PIXEL_BYTES)
    volumes: dict[str, list[LabelledSlice]] = {}
    for one in progression(options.data).slices:
        volumes.setdefault(one.ref.path.parent.name, []).append(one)
    sets: dict[str, dict[str, Tally]] = {}
    for name, slices in volumes.items():
        around = beside_each([s.ref for s in slices]) if detector.neighbours else [ALONE] * len(slices)
        requests = [make_request(s.ref, cache.get, b) for s, b in zip(slices, around, strict=True)]
        results = [detector.detect(r, cancel=CancelToken()) for r in requests]
        part = "chosen on" if name.split("-")[0] in CHOSEN_ON else "left out"
        for how, said in (("detector", results), ("proposals only", [without_scores(r) for r in results])):
            views = [SliceView(r, q.image) for r, q in zip(said, requests, strict=True)]
            for lesion in lesions(slices):
                if len(lesion) > 1:
                    tally = sets.setdefault(how, {}).setdefault(part, Tally())
                    note(tally, lesion, slices, views)
    rows = {how: {part: t.row() for part, t in parts.items()} for how, parts in sets.items()}
    print(json.dumps(rows, indent=1))
    report = {"machine": machine(), "model": detector.identity, "sets": rows}
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
