"""Turned and mirrored, for display only: a slice's coordinates never change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.imaging.geometry import Letters

NumberT = TypeVar("NumberT", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a slice lies on the screen: mirrored left to right first, then turned.

    Attributes:
        turns: Quarter turns clockwise, 0 to 3.
        mirrored: Mirrored left to right before the turning.
    """

    turns: int = 0
    mirrored: bool = False

    def turned(self, by: int) -> Orientation:
        """Turned further by quarter turns clockwise."""
        return Orientation((self.turns + by) % 4, self.mirrored)

    def flipped(self, *, vertical: bool = False) -> Orientation:
        """Mirrored as it is on the screen: left to right, or top to bottom."""
        return Orientation(((2 if vertical else 0) - self.turns) % 4, not self.mirrored)

    def forward(self, x: NumberT, y: NumberT) -> tuple[NumberT, NumberT]:
        """A vector of the slice (or arrays of components) as it points on the screen."""
        x = -x if self.mirrored else x
        for _ in range(self.turns):
            x, y = -y, x
        return x, y

    def back(self, x: float, y: float) -> tuple[float, float]:
        """A vector of the screen as it points in the slice."""
        for _ in range(self.turns):
            x, y = y, -x
        return (-x if self.mirrored else x), y

    def pixels(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An image, (rows, columns), as it lies on the screen."""
        return np.rot90(grey[:, ::-1] if self.mirrored else grey, -self.turns)

    def letters(self, letters: Letters) -> Letters:
        """The letters at the edges of the screen."""
        left, right, top, bottom = letters.left, letters.right, letters.top, letters.bottom
        if self.mirrored:
            left, right = right, left
        for _ in range(self.turns):
            left, top, right, bottom = bottom, left, top, right
        return Letters(left=left, right=right, top=top, bottom=bottom)

    def words(self) -> str:
        """For corner text and readout; "" for upright."""
        said = ["mirrored"] if self.mirrored else []
        if self.turns:
            said.append(f"turned {self.turns * 90}°")
        return ", ".join(said)


UPRIGHT = Orientation()
