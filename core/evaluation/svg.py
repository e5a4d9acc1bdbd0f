"""Line plots as SVG text, with what an evaluation needs and nothing else.

Colours come from the page's style sheet (STYLE), so that a plot follows light and dark. Lines differ by dash
and marker as well as by colour, and carry their name at their end instead of in a legend.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 480, 344
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 118, 14, 60
_NAME_STEP = 15  # lines of text that stand above each other
_LONGEST = 18  # letters of a name that fit beside the plot
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "4 2", "12 4")
SERIES = len(_DASHES)
"""How many lines can be told apart."""

# Okabe and Ito's colours, which the common kinds of colour blindness leave distinct; lighter on dark.
_LIGHT = ("#0072b2", "#c04a00", "#007a58", "#a3508a", "#7a5c00", "#3a3f44")
_DARK = ("#62b6ea", "#ff9d5c", "#3fcfa3", "#e59ac9", "#f0c342", "#c9d1d9")
STYLE = "\n".join(
    [
        "svg.plot { max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }",
        "svg.plot .axis { stroke: var(--muted); fill: none; }",
        "svg.plot .grid { stroke: var(--line); fill: none; }",
        "svg.plot text { fill: var(--text); }",
        "svg.plot .soft { fill: var(--muted); font-size: 10px; }",
        "svg.plot .ideal { stroke: var(--muted); stroke-dasharray: 3 4; fill: none; }",
        "svg.plot .line { fill: none; stroke-width: 2; stroke-linejoin: round; }",
        *(f"svg.plot .s{i} {{ stroke: var(--s{i}); }}" for i in range(SERIES)),
        *(f"svg.plot .m{i}, svg.plot text.m{i} {{ fill: var(--s{i}); }}" for i in range(SERIES)),
    ]
)
LIGHT_COLORS = " ".join(f"--s{i}: {color};" for i, color in enumerate(_LIGHT))
DARK_COLORS = " ".join(f"--s{i}: {color};" for i, color in enumerate(_DARK))


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    Attributes:
        title: What it measures, with its unit.
        ticks: Value and text of each; the first and last are the ends of the axis.
        logarithmic: Equal ratios are equal lengths.
    """

    title: str
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies, 0 at the lower end to 1 at the upper; beyond the ends it stays at them."""
        scaled: Callable[[float], float] = math.log if self.logarithmic else float
        low, high = self.ticks[0][0], self.ticks[-1][0]
        inside = min(max(value, low), high)
        return (scaled(inside) - scaled(low)) / (scaled(high) - scaled(low))


SHARES = tuple((k / 5, f"{k / 5:.1f}") for k in range(6))
"""Ticks of an axis from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. Points that are not finite are left out.

    Attributes:
        name: Written at its end.
        points: (x, y), x rising.
        bars: (x, low, high) of intervals.
        markers: Draw a marker at each point.
    """

    name: str
    points: Sequence[tuple[float, float]]
    bars: Sequence[tuple[float, float, float]] = ()
    markers: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot.

    Attributes:
        title: For those who cannot see it.
        x: Axis to the right.
        y: Axis upwards.
        lines: At most SERIES; more are left out.
        ideal: Draw the diagonal.
        notes: (x, text) of small remarks under the ticks.
    """

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    ideal: bool = False
    notes: Sequence[tuple[float, str]] = ()


def draw(plot: Plot) -> str:
    """The plot as an SVG element."""
    lines = [_finite(line) for line in plot.lines[:SERIES]]
    parts = [
        f'<svg class="plot" xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" aria-label="{escape(plot.title)}">',
        *_axes(plot),
    ]
    if plot.ideal:
        parts.append(f'<path class="ideal" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>')
    parts += [_text(_x(plot.x.place(x)), _y(0) + 31, text, "middle", "soft") for x, text in plot.notes]
    for index, line in enumerate(lines):
        parts += _line(plot, line, index)
    parts += _names(plot, lines)
    if not any(line.points for line in lines):
        parts.append(_text(_x(0.5), _y(0.5), "no figure: nothing to measure", "middle"))
    return "".join([*parts, "</svg>"])


def _axes(plot: Plot) -> list[str]:
    parts = []
    for value, text in plot.x.ticks:
        x = _x(plot.x.place(value))
        parts.append(f'<path class="grid" d="M{x} {_y(0)}V{_y(1)}"/>')
        parts.append(_text(x, _y(0) + 17, text, "middle"))
    for value, text in plot.y.ticks:
        y = _y(plot.y.place(value))
        parts.append(f'<path class="grid" d="M{_x(0)} {y}H{_x(1)}"/>')
        parts.append(_text(_x(0) - 8, y + 4, text, "end"))
    parts.append(f'<path class="axis" d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}"/>')
    parts.append(_text(_x(0.5), HEIGHT - 8, plot.x.title, "middle"))
    parts.append(
        f'<text transform="translate(14 {_y(0.5)}) rotate(-90)" text-anchor="middle">'
        f"{escape(plot.y.title)}</text>"
    )
    return parts


def _line(plot: Plot, line: Line, index: int) -> list[str]:
    if not line.points:
        return []
    at = [(_x(plot.x.place(x)), _y(plot.y.place(y))) for x, y in line.points]
    dash = f' stroke-dasharray="{_DASHES[index]}"' if _DASHES[index] else ""
    path = "L".join(f"{x} {y}" for x, y in at)
    parts = [f'<path class="line s{index}"{dash} d="M{path}"/>']
    for value, low, high in line.bars:
        # Bars of several lines stand beside each other.
        x = round(_x(plot.x.place(value)) + 3 * index, 2)
        top, bottom = _y(plot.y.place(high)), _y(plot.y.place(low))
        parts.append(f'<path class="line s{index}" style="stroke-width:1" d="M{x} {bottom}V{top}"/>')
    if line.markers:
        parts += [_marker(x, y, index) for x, y in at]
    return parts


def _marker(x: float, y: float, index: int) -> str:
    if index % 2 == 0:
        return f'<circle class="m{index}" cx="{x}" cy="{y}" r="3.5"/>'
    return f'<rect class="m{index}" x="{x - 3.5:.2f}" y="{y - 3.5:.2f}" width="7" height="7"/>'


def _names(plot: Plot, lines: Sequence[Line]) -> list[str]:
    """Each line's name at the height of its last point, pushed apart where they would overlap."""
    wanted = sorted(
        (_y(plot.y.place(line.points[-1][1])), index) for index, line in enumerate(lines) if line.points
    )
    heights: list[float] = []
    for y, _ in wanted:
        heights.append(max(y, heights[-1] + _NAME_STEP) if heights else y)
    over = max(heights[-1] - _y(0), 0.0) if heights else 0.0
    parts = []
    for (_, index), y in zip(wanted, heights, strict=True):
        name = lines[index].name
        short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
        parts.append(_text(_x(1) + 8, y - over + 4, short, "start", f"m{index}"))
    return parts


def _finite(line: Line) -> Line:
    points = [p for p in line.points if all(map(math.isfinite, p))]
    bars = [b for b in line.bars if all(map(math.isfinite, b))]
    return Line(line.name, points, bars, line.markers)


def _text(x: float, y: float, text: str, anchor: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x}" y="{round(y, 2)}" text-anchor="{anchor}">{escape(text)}</text>'


def _x(share: float) -> float:
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 2)


def _y(share: float) -> float:
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 2)
