"""Jobs: plain callables of a progress sink and a cancel token, run inline or by gui.runner."""

from __future__ import annotations

import threading
from typing import Protocol, TypeVar

from core.errors import Cancelled

T_co = TypeVar("T_co", covariant=True)


class Progress(Protocol):
    """Where a job reports. Cheap to call; callable from any thread."""

    def __call__(self, done: float, total: float, text: str = "", **metrics: float) -> None:
        """Report that `done` of `total` is done (total 0: unknown), with optional metrics."""


class CancelToken:
    """A flag that asks a job to stop. Set from any thread, polled by the job."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the job to stop."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the job has been asked to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Return, or stop the job here.

        Raises:
            Cancelled: The job has been asked to stop.
        """
        if self._event.is_set():
            raise Cancelled


class Job(Protocol[T_co]):
    """A unit of work: frozen request in (its closure), frozen result out, no Qt object inside."""

    def __call__(self, progress: Progress, cancel: CancelToken) -> T_co:
        """Do the work.

        Raises:
            Cancelled: The token was set.
        """


def no_progress(done: float, total: float, text: str = "", **metrics: float) -> None:
    """A progress sink for callers that do not care."""
