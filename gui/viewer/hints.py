"""Boxes that explain something, as the canvas is told them: to look at, never to click."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.model import Box
from gui.viewer.measures import Point


class HintRole(StrEnum):
    """What a box is in the explanation; each has a line of its own."""

    PROPOSAL = "proposal"
    REGRESSED = "regressed"
    SUPPRESSOR = "suppressor"


@dataclass(frozen=True, slots=True)
class Hint:
    """A box with what there is to say of it."""

    role: HintRole
    box: Box
    text: str


@dataclass(frozen=True, slots=True)
class Hints:
    """An explanation on the slice.

    Attributes:
        boxes: In drawing order.
        spot: The point that was asked about, (x, y) in image pixels; None where a box was.
    """

    boxes: tuple[Hint, ...] = ()
    spot: Point | None = None


NO_HINTS = Hints()
