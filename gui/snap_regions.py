"""Proposals with their regions, found when a reader points at a slice and kept for a few slices."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from core.imaging.pixels import PixelCache
from core.imaging.window import without_padding
from core.jobs import CancelToken, Progress
from core.model import Proposals, SliceRef
from core.proposals.base import Proposer
from core.proposals.registry import DEFAULT_PROPOSER, make_proposer
from gui.runner import JobOutcome, JobRunner, Lane, error_text

KEPT = 6
"""Slices; their regions take a few megabytes each."""
JOB = "regions"


class SliceRegions(QObject):
    """Finds the proposals of a slice in the background.

    Not those of the engine's results: these come without regions, and from a coarser search that the model
    makes up for. Not in the engine's thread either, where a slice at work would keep the reader waiting.

    Signals:
        arrived: (slice key) They are there, or it is known that there will be none.
    """

    arrived = Signal(str)

    def __init__(self, runner: JobRunner, cache: PixelCache) -> None:
        super().__init__()
        self._runner, self._cache = runner, cache
        self._kept: dict[str, Proposals] = {}
        self._failed: dict[str, str] = {}
        self._proposer: Proposer | None = None
        self._wanted = ""

    def of(self, ref: SliceRef) -> Proposals | None:
        """The proposals of a slice; None while they are being found, which this begins."""
        found = self._kept.pop(ref.key, None)
        if found is not None:
            self._kept[ref.key] = found  # the last one asked for goes last
        elif ref.key not in self._failed and ref.key != self._wanted:
            self._find(ref)
        return found

    def has(self, ref: SliceRef) -> bool:
        """Whether the proposals of a slice are there."""
        return ref.key in self._kept

    def failure(self, ref: SliceRef) -> str:
        """Why there are none, or ""."""
        return self._failed.get(ref.key, "")

    def _find(self, ref: SliceRef) -> None:
        self._wanted = ref.key

        def job(progress: Progress, cancel: CancelToken) -> Proposals:
            if self._proposer is None:  # one job at a time: the lane has one thread
                self._proposer = make_proposer(DEFAULT_PROPOSER)
            return self._proposer.propose(without_padding(self._cache.get(ref), ref.padding), cancel=cancel)

        self._runner.submit(job, key=JOB, lane=Lane.QUICK, done=lambda outcome: self._found(ref.key, outcome))

    def _found(self, slice_key: str, outcome: JobOutcome[Proposals]) -> None:
        if outcome.cancelled:
            return  # another slice is wanted by now
        self._wanted = ""
        if outcome.result is not None:
            self._kept[slice_key] = outcome.result
            while len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        elif outcome.error is not None:
            self._failed[slice_key] = error_text(outcome.error)
        self.arrived.emit(slice_key)
