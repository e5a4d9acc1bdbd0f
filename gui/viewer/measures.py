"""Distances and angles on a slice: what was drawn, and what it says. Display only; never in the journal."""

from __future__ import annotations

import math
from dataclasses import dataclass

Point = tuple[float, float]
Line = tuple[Point, Point]


@dataclass(frozen=True, slots=True)
class Measure:
    """What was drawn on a slice.

    Attributes:
        lines: One line is a distance, two are the angle between them; in image pixels.
        text: What it says, with its unit.
    """

    lines: tuple[Line, ...]
    text: str = ""


def measure(lines: tuple[Line, ...], spacing: tuple[float, float] | None) -> Measure:
    """The measure of one line, or of the angle between two.

    Args:
        lines: One or two, in image pixels.
        spacing: (row, column) in mm, or None where unknown: then lengths are in pixels and the angle is taken
            on square pixels, and says so.
    """
    if len(lines) == 1:
        length = math.hypot(*_vector(lines[0], spacing))
        return Measure(lines, f"{length:.1f} mm" if spacing else f"{length:.1f} px")
    angle = angle_between(_vector(lines[0], spacing), _vector(lines[1], spacing))
    return Measure(lines, f"{angle:.1f}°" if spacing else f"{angle:.1f}° (square pixels)")


def angle_between(a: Point, b: Point) -> float:
    """The angle between two directions in degrees, 0 to 180; 0 where one has no length."""
    return abs(math.degrees(math.atan2(a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1])))


def _vector(line: Line, spacing: tuple[float, float] | None) -> Point:
    (x1, y1), (x2, y2) = line
    row, column = spacing or (1.0, 1.0)
    return ((x2 - x1) * column, (y2 - y1) * row)
