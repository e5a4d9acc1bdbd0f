"""Made-up truth and detections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from core.evaluation.ranking import Truth
from core.model import Box, Detection, Geometry, LabelClass, LabelSchema, SliceRef

SCHEMA = LabelSchema("s", (LabelClass(1, "glioma"), LabelClass(4, "pituitary")))
PLANES = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}

Scene = tuple[list[Truth], list[list[Detection]]]


def detection(box: Box, score: float, label: int = 1) -> Detection:
    return Detection(box, label, SCHEMA.name_of(label), score)


def ref(index: int = 0, side: int = 512, plane: str | None = None) -> SliceRef:
    geometry = Geometry((0.0, 0.0, float(index)), *PLANES[plane], 1.0, 1.0) if plane else None
    return SliceRef(f"raster:{index}#0", Path(f"{index:03}.png"), 0, side, side, "s", geometry)


def scene(
    rng: np.random.Generator, slices: int, *, ties: bool = True, widest: float = 38.0, reach: float = 60.0
) -> Scene:
    """Boxes of two classes; of each, two detections near it, and some strays."""

    def box() -> Box:
        x, y = rng.uniform(0, reach, 2)
        w, h = rng.uniform(8, widest, 2)
        return Box(float(x), float(y), float(x + w), float(y + h))

    def score() -> float:
        return float(rng.integers(1, 6)) / 5 if ties else float(rng.random())

    truth: list[Truth] = []
    found: list[list[Detection]] = []
    for _ in range(slices):
        boxes = [box() for _ in range(rng.integers(0, 4))]
        truth.append([(b, int(rng.choice([1, 4]))) for b in boxes])
        near = [b.moved(*(float(v) for v in rng.normal(0, 2, 2))) for b in boxes for _ in range(2)]
        stray = [box() for _ in range(rng.integers(0, 4))]
        found.append([detection(b, score(), int(rng.choice([1, 4]))) for b in [*near, *stray]])
    return truth, found


@st.composite
def scenes(draw: st.DrawFn, widest: float = 38.0, reach: float = 60.0) -> Scene:
    """Few distinct scores, so that ties occur."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    return scene(rng, draw(st.integers(1, 5)), widest=widest, reach=reach)
