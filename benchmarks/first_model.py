"""How good the bundled model is: cheng/valid (never seen) and progression (seen in training, and said so).

python -m benchmarks.first_model [--data DIR] [--model FILE] [--out benchmarks/results/first_model.json]
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from benchmarks.real_data import arguments, cheng, machine, progression
from core.boxes import iou
from core.detection.base import Detector, DetectRequest
from core.detection.detector import load_detector
from core.detection.registry import ModelRegistry
from core.exchange.evaluating import evaluate_model
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Dataset, LabelledSlice
from core.settings import home

RESULT = Path(__file__).parent / "results" / "first_model.json"
_LARGE = 20.0
_CACHE_BYTES = 256 << 20
_RESAMPLES = 1000


def top_box_hits(dataset: Dataset, detector: Detector) -> dict[str, float | int]:
    """On how many slices with a lesion over 20×20 px the best detection overlaps a true box (IoU ≥ .5)."""
    cache, cancel = PixelCache(_CACHE_BYTES), CancelToken()
    hits, slices, times = 0, 0, []
    for labelled in (s for s in dataset.slices if _has_large(s)):
        found = detector.detect(DetectRequest(labelled.ref.key, cache.get(labelled.ref)), cancel=cancel)
        times.append(found.milliseconds)
        slices += 1
        if found.detections:
            best = found.detections[0].box
            hits += max(iou(best, b.box) for b in labelled.boxes) >= 0.5
    return {
        "slices": slices,
        "hits": hits,
        "share": hits / max(1, slices),
        "ms_per_slice_median": round(statistics.median(times), 1),
    }


def measure(model: Path, data: Path) -> dict[str, object]:
    """All figures of a model file."""
    detector = load_detector(model, name=model.stem)
    cache = PixelCache(_CACHE_BYTES)
    valid = cheng(data, "valid")
    return {
        "model": detector.identity,
        "parameters": detector.card.parameters,
        "file_mb": round(model.stat().st_size / 1e6, 2),
        "training_minutes": detector.card.minutes,
        "cheng/valid, three classes": evaluate_model(valid, detector, cache.get, resamples=_RESAMPLES),
        "cheng/valid, any class": evaluate_model(
            valid, detector, cache.get, one_class=True, resamples=_RESAMPLES
        ),
        "progression, top detection (in-sample: trained on)": top_box_hits(progression(data), detector),
    }


def _has_large(labelled: LabelledSlice) -> bool:
    return any(b.box.width > _LARGE and b.box.height > _LARGE for b in labelled.boxes)


def main() -> None:
    """Measure and write the result."""
    parser = arguments("Measure the bundled model.")
    parser.add_argument("--model", type=Path, help="model file; default: the current model")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    current = ModelRegistry(home() / "models").current()
    model = options.model or (current.path if current else None)
    if model is None:
        sys.exit("there is no model: give one with --model")
    result = {"command": "python -m benchmarks.first_model", **machine(), **measure(model, options.data)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
