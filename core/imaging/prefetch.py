"""Which slices to decode before they are asked for: ahead of the direction of scroll, nearest first."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import UnreadableFile
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import SliceRef

AHEAD, BEHIND = 12, 3
_SHARE = 2  # of the cache, at most one part in so many is fetched ahead: the rest is what was seen


class Trail:
    """Which way the reader goes through a series."""

    def __init__(self) -> None:
        self._last = ("", 0)
        self._step = 1

    def step(self, series_uid: str, index: int) -> int:
        """Note where the reader is now.

        Returns:
            1 downwards, -1 upwards; in a series newly opened, downwards.
        """
        uid, before = self._last
        if uid != series_uid:
            self._step = 1
        elif index != before:
            self._step = 1 if index > before else -1
        self._last = (series_uid, index)
        return self._step


def order(index: int, step: int, count: int, ahead: int = AHEAD, behind: int = BEHIND) -> list[int]:
    """Indices to fetch, most wanted first: where the reader goes, with a look back now and then.

    Args:
        index: The slice in view; it is not among them.
        step: 1 or -1, the way the reader goes.
        count: Slices in the series.
        ahead: How many on the way.
        behind: How many on the way back.
    """
    forth = [index + step * k for k in range(1, ahead + 1)]
    back = [index - step * k for k in range(1, behind + 1)]
    mixed: list[int] = []
    for k, there in enumerate(forth):
        mixed.append(there)
        # One back after every few forth: who turns round finds a slice ready.
        if (k + 1) % max(ahead // max(behind, 1), 1) == 0 and back:
            mixed.append(back.pop(0))
    return [i for i in (*mixed, *back) if 0 <= i < count]


def wanted(slices: Sequence[SliceRef], index: int, step: int, cache: PixelCache) -> list[SliceRef]:
    """The slices to fetch that are not kept yet, most wanted first, within a share of the cache."""
    found: list[SliceRef] = []
    room = cache.max_bytes // _SHARE
    for i in order(index, step, len(slices)):
        ref = slices[i]
        room -= ref.rows * ref.columns * 4
        if room < 0:
            break
        if cache.peek(ref) is None:
            found.append(ref)
    return found


def fetch(slices: Sequence[SliceRef], cache: PixelCache, cancel: CancelToken) -> None:
    """Decode slices into the cache. One that cannot be read says so when it is shown, not here.

    Raises:
        Cancelled: The token was set; it is looked at between slices.
    """
    for ref in slices:
        cancel.check()
        try:
            cache.get(ref)
        except UnreadableFile:
            continue
