"""The pictures of docs/proposals.md: what the first N proposals find, ours and OpenCV's presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.proposal_presets import SIZES as WORKING_SIZES
from benchmarks.proposal_recall import preset_name
from core.proposals.registry import PROPOSERS

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
# Measure, file, name on the axis.
PICTURES = (
    ("recall50", "proposal-recall-50.png", "recall at IoU ≥ .5"),
    ("recall70", "proposal-recall-70.png", "recall at IoU ≥ .7"),
    ("best_iou", "proposal-best-iou.png", "mean best IoU"),
)
_MOST = 3000.0
_DPI = 160
_TEXT, _LARGE = 16, 18  # points; read at half the width of a page
_INK, _FAINT = "#222222", "#d9d9d9"
_OURS = ("#0072b2", "#c04a00")  # told apart by readers of any colour vision, and from grey by lightness
_PEERS = (("#707070", (0, (1.2, 1.2))), ("#303030", (0, (5, 2))))
_LABEL_GAP = 0.1  # of the axis' height


@dataclass(frozen=True, slots=True)
class _Line:
    method: str
    label: str
    color: str
    dash: object


def draw(result: Mapping[str, Any], folder: Path = IMAGES) -> list[Path]:
    """Draw every picture from the results; nothing where recall has not been measured."""
    if "recall" not in result:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    return [_picture(result["recall"], *row, folder) for row in PICTURES]


def _picture(recall: Mapping[str, Any], measure: str, name: str, axis: str, folder: Path) -> Path:
    sets = recall["sets"]
    figure = Figure(figsize=(10.5, 4.4), facecolor="white", layout="constrained")
    panels = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    for panel, (set_name, measured) in zip(panels, sets.items(), strict=True):
        ends = _curves(panel, recall["budgets"], measured["methods"], measure)
        _dress(panel, set_name)
        if panel is panels[-1]:
            _labels(panel, ends)
    panels[0].set_ylabel(axis, fontsize=_LARGE, color=_INK)
    figure.supxlabel("first N proposals   (dot: the median number of a slice)", fontsize=_LARGE, color=_INK)
    path = folder / name
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
    return path


def _lines() -> list[_Line]:
    """Ours, or while there is nothing of ours what stands in the registry; then OpenCV's two presets."""
    ours = [m for m in PROPOSERS if not m.startswith("opencv-")] or list(PROPOSERS)
    lines = [_Line(m, m, c, "solid") for m, c in zip(ours, _OURS, strict=False)]
    size = max(WORKING_SIZES)
    peers = [
        _Line(preset_name(p, size), f"OpenCV {p}", c, d)
        for p, (c, d) in zip(("fast", "quality"), _PEERS, strict=True)
    ]
    return lines + peers


def _curves(
    panel: Axes, budgets: Sequence[int | str], methods: Mapping[str, Any], measure: str
) -> list[tuple[_Line, float, float]]:
    """Draw the lines of a panel, a dot where the typical slice has no more proposals; where each ends."""
    ends = []
    for line in (x for x in _lines() if x.method in methods):
        row = methods[line.method]
        most, values = float(row["boxes_most"]), row["overall"][measure]
        counted = [(float(n), v) for n, v in zip(budgets, values, strict=True) if n != "all"]
        x, y = np.array([(n, v) for n, v in counted if n < most] + [(most, values[-1])]).T
        panel.plot(x, y, color=line.color, linestyle=line.dash, linewidth=2.8, solid_capstyle="round")
        median = float(row["boxes_median"])
        height = np.interp(np.log(median), np.log(x), y)
        panel.plot(median, height, "o", color=line.color, markersize=8, clip_on=False, zorder=5)
        ends.append((line, most, float(y[-1])))
    return ends


def _dress(panel: Axes, title: str) -> None:
    panel.set_title(title, fontsize=_LARGE, color=_INK, loc="left")
    panel.set_xscale("log")
    panel.set_xlim(1.0, _MOST)
    panel.set_ylim(0.0, 1.0)
    panel.xaxis.set_major_locator(FixedLocator([1, 10, 100, 1000]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.0f}"))
    panel.yaxis.set_major_locator(FixedLocator([0.0, 0.25, 0.5, 0.75, 1.0]))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}".removeprefix("0") or "0"))
    panel.tick_params(labelsize=_TEXT, colors=_INK, length=0, pad=6)
    panel.grid(color=_FAINT, linewidth=0.8)
    panel.set_axisbelow(True)
    for side in panel.spines.values():
        side.set_visible(False)


def _labels(panel: Axes, ends: Sequence[tuple[_Line, float, float]]) -> None:
    """Names right of the panel, each led to the end of its line, highest first and none over another."""
    ordered = sorted(ends, key=lambda e: -e[2])
    right, place = panel.get_xlim()[1], 1.0
    for line, x, y in ordered:
        place = min(place, y)
        panel.annotate(
            line.label,
            xy=(x, y),
            xytext=(right * 1.25, place),
            color=line.color,
            fontsize=_LARGE,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.color, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 4},
        )
        place -= _LABEL_GAP
