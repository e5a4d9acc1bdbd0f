"""What the ranking looks at: two dozen numbers of each region, all from sums, no second look at pixels.

Only sums, quotients and square roots, which IEEE 754 defines to the last bit; and nothing that changes when a
slice is flipped or transposed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.proposals.compiled import kernel
from core.proposals.forest import AREA, BARE, CONTACTS, GREY, ROUGH, SQUARES, STEP, X1, X2, Y1, Y2, Forest
from core.proposals.working import LEVELS, WorkingImage

NAMES = (
    "area", "side", "short side", "long side", "fill", "grey", "spread", "bare outline", "roughness", "step",
    "one-sidedness", "roundness", "likeness", "likeness lost", "share of parent", "from centre",
    "over surround", "box over surround", "spread of surround", "over head", "asymmetry", "greater asymmetry",
)  # fmt: skip
SOURCES = 5
_FIRST_SOURCE = len(NAMES)
COLUMNS = len(NAMES) + SOURCES


def features(image: WorkingImage, forest: Forest) -> NDArray[np.float32]:
    """(N, COLUMNS) of a forest's regions; the last SOURCES columns say which kind of source it is."""
    return _features(image.tables, forest.sums, forest.parent, forest.alike, forest.source)


@kernel
def _inside(tables: NDArray[np.int64], t: int, x1: int, y1: int, x2: int, y2: int) -> float:
    """Sum of table t over a box."""
    return float(tables[t, y2, x2] - tables[t, y1, x2] - tables[t, y2, x1] + tables[t, y1, x1])


@kernel
def _mean(tables: NDArray[np.int64], x1: int, y1: int, x2: int, y2: int) -> float:
    """Mean grey of the foreground in a box."""
    return _inside(tables, 1, x1, y1, x2, y2) / max(1.0, _inside(tables, 0, x1, y1, x2, y2))


@kernel
def _head(tables: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Box of the foreground."""
    rows, columns = tables.shape[1] - 1, tables.shape[2] - 1
    x1, x2, y1, y2 = 0, columns, 0, rows
    while x1 < columns - 1 and tables[0, rows, x1 + 1] == 0:
        x1 += 1
    while x2 > x1 + 1 and tables[0, rows, x2 - 1] == tables[0, rows, columns]:
        x2 -= 1
    while y1 < rows - 1 and tables[0, y1 + 1, columns] == 0:
        y1 += 1
    while y2 > y1 + 1 and tables[0, y2 - 1, columns] == tables[0, rows, columns]:
        y2 -= 1
    return x1, y1, x2, y2


@kernel
def _features(
    tables: NDArray[np.int64],
    sums: NDArray[np.int64],
    parent: NDArray[np.int32],
    alike: NDArray[np.float64],
    source: int,
) -> NDArray[np.float32]:
    n = len(sums)
    rows, columns = tables.shape[1] - 1, tables.shape[2] - 1
    out = np.zeros((n, COLUMNS), dtype=np.float32)
    x1, y1, x2, y2 = _head(tables)
    total = max(1.0, float(tables[0, rows, columns]))
    radius = np.sqrt(total)
    head = tables[1, rows, columns] / total
    spread = np.sqrt(max(1.0, tables[2, rows, columns] / total - head * head))
    for i in range(n):
        area = float(sums[i, AREA])
        a, b, c, d = sums[i, X1], sums[i, Y1], sums[i, X2], sums[i, Y2]
        width, height = float(c - a), float(d - b)
        contacts, bare = float(sums[i, CONTACTS]), float(sums[i, BARE])
        outline = max(1.0, contacts + bare)
        grey = sums[i, GREY] / area
        out[i, 0] = np.sqrt(area / total)
        out[i, 1] = np.sqrt(width * height / total)
        out[i, 2] = min(width, height) / radius
        out[i, 3] = max(width, height) / radius
        out[i, 4] = area / (width * height)
        out[i, 5] = grey / LEVELS
        out[i, 6] = np.sqrt(max(0.0, sums[i, SQUARES] / area - grey * grey)) / LEVELS
        out[i, 7] = bare / outline
        out[i, 8] = sums[i, ROUGH] / max(1.0, contacts) / LEVELS
        out[i, 9] = sums[i, STEP] / max(1.0, contacts) / LEVELS
        out[i, 10] = sums[i, STEP] / max(1.0, float(sums[i, ROUGH]))
        out[i, 11] = 4.0 * np.sqrt(area) / outline
        out[i, 12] = alike[i]
        up = parent[i]
        out[i, 13] = alike[i] - alike[up] if up >= 0 else 1.0
        out[i, 14] = area / sums[up, AREA] if up >= 0 else 1.0
        dx, dy = 0.5 * (a + c - x1 - x2), 0.5 * (b + d - y1 - y2)
        out[i, 15] = np.sqrt(dx * dx + dy * dy) / radius
        mx, my = max(2, (c - a) // 4), max(2, (d - b) // 4)
        e, f, g, h = max(0, a - mx), max(0, b - my), min(columns, c + mx), min(rows, d + my)
        box = _inside(tables, 0, a, b, c, d), _inside(tables, 1, a, b, c, d), _inside(tables, 2, a, b, c, d)
        ring = max(1.0, _inside(tables, 0, e, f, g, h) - box[0])
        around = (_inside(tables, 1, e, f, g, h) - box[1]) / ring
        rough = (_inside(tables, 2, e, f, g, h) - box[2]) / ring - around * around
        mean = box[1] / max(1.0, box[0])
        out[i, 16] = (grey - around) / LEVELS
        out[i, 17] = (mean - around) / LEVELS
        out[i, 18] = np.sqrt(max(0.0, rough)) / LEVELS
        out[i, 19] = (grey - head) / spread
        across = mean - _mean(tables, max(0, x1 + x2 - c), b, max(1, min(columns, x1 + x2 - a)), d)
        down = mean - _mean(tables, a, max(0, y1 + y2 - d), c, max(1, min(rows, y1 + y2 - b)))
        less = abs(across) < abs(down)
        out[i, 20] = (across if less else down) / LEVELS
        out[i, 21] = (down if less else across) / LEVELS
        out[i, _FIRST_SOURCE + source] = 1.0
    return out
