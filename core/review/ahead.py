"""Which slice to compute next: the one in view, its neighbours in the direction of travel, then the rest."""

from __future__ import annotations

from collections.abc import Iterable

STRIDE = 2
"""Slices at a time up to which the reader travels; further is a jump, and says nothing of a direction."""


def direction(before: int, now: int, known: int) -> int:
    """The direction of travel after a move: 1, -1, or 0 where there is none.

    Args:
        before: Index of the slice that was in view.
        now: Of the one that is.
        known: The direction so far.
    """
    step = now - before
    if step == 0:
        return known
    if abs(step) > STRIDE:
        return 0
    return 1 if step > 0 else -1


def nearest(wanted: Iterable[int], at: int, travel: int) -> int | None:
    """The wanted slice that the reader is likely to see first; slices behind count as twice as far.

    Args:
        wanted: Indices.
        at: The slice in view.
        travel: 1, -1, or 0 for no direction.
    """

    def distance(index: int) -> tuple[float, int]:
        off = index - at
        behind = off * travel < 0
        return (2.0 * abs(off) + 0.5 if behind else float(abs(off)), index)

    return min(wanted, key=distance, default=None)
