"""What the models said of slices: a little of all in memory, the whole of a few, the rest on disk."""

from __future__ import annotations

from collections import OrderedDict

from core.detection.base import DetectResult
from core.review.result_cache import ResultCache
from core.review.shortlist import Shortlist

WHOLE = 64
"""Results kept whole in memory; some 100 kB each."""

SHORT = 20_000
"""Slices of which the judged regions are kept in memory; some 4 kB each."""

_At = tuple[str, str]  # model, slice


class Results:
    """One result for a slice and model, whoever asked and however often.

    Args:
        disk: Where whole results lie.
    """

    def __init__(self, disk: ResultCache) -> None:
        self.disk = disk
        self._short: OrderedDict[_At, Shortlist] = OrderedDict()
        self._whole: OrderedDict[_At, DetectResult] = OrderedDict()
        self._keys: dict[_At, str] = {}
        self._failed: dict[_At, str] = {}

    def put(self, result: DetectResult, content: str = "") -> None:
        """Keep a result in place of what there was of its slice and model.

        Args:
            result: By the slice and model it is for.
            content: Its key on disk, or "" where it is not there.
        """
        at = (result.model, result.slice_key)
        self._failed.pop(at, None)
        self._short[at] = Shortlist.of(result)
        self._short.move_to_end(at)
        self._hold(at, result)
        if content:
            self._keys[at] = content
        while len(self._short) > SHORT:
            old, _ = self._short.popitem(last=False)
            self._keys.pop(old, None)

    def short(self, model: str, slice_key: str) -> Shortlist | None:
        """The judged regions of a slice, or None where it has not been computed."""
        return self._short.get((model, slice_key))

    def whole(self, model: str, slice_key: str) -> DetectResult | None:
        """All that the model said of a slice; from disk where it is long ago."""
        at = (model, slice_key)
        found = self._whole.get(at)
        if found is None and at in self._short and at in self._keys:
            found = self.disk.read(self._keys[at], slice_key, model)
        if found is not None:
            self._hold(at, found)
        return found

    def fail(self, model: str, slice_key: str, text: str) -> None:
        """Note why a slice could not be computed; what was known of it is no longer so."""
        at = (model, slice_key)
        self._failed[at] = text
        self._short.pop(at, None)
        self._whole.pop(at, None)

    def failure(self, model: str, slice_key: str) -> str:
        """Why a slice could not be computed, or ""."""
        return self._failed.get((model, slice_key), "")

    def forgive(self, model: str, slice_key: str | None = None) -> None:
        """Forget a failure, or all of a model: it will be tried again."""
        for at in [a for a in self._failed if a[0] == model and slice_key in (None, a[1])]:
            del self._failed[at]

    def spare(self) -> None:
        """Give back what memory can be given back without losing anything."""
        self._whole.clear()

    def models_of(self, slice_key: str) -> tuple[str, ...]:
        """Every model that has said something of a slice."""
        return tuple(model for model, key in self._short if key == slice_key)

    def _hold(self, at: _At, result: DetectResult) -> None:
        self._whole[at] = result
        self._whole.move_to_end(at)
        while len(self._whole) > WHOLE:
            self._whole.popitem(last=False)
