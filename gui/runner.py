"""The only place that knows threads: runs jobs, brings everything home through one queued signal."""

from __future__ import annotations

import itertools
import logging
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from core.errors import Cancelled, OverreadError
from core.jobs import CancelToken, Job

T = TypeVar("T")
log = logging.getLogger(__name__)

PROGRESS_INTERVAL = 0.05
"""Seconds between two progress reports of one job that reach the window; metrics always do."""


class Lane(Enum):
    """Jobs of one lane share its threads.

    READ decodes slices; ENGINE holds the detector, so one thread; QUICK is for fractions of a second that a
    panel waits for; LONG is for scans, exports and the supervision of child processes, which must not keep
    a slice waiting.
    """

    READ = ("read", 2)
    ENGINE = ("engine", 1)
    QUICK = ("quick", 1)
    LONG = ("long", 3)

    @property
    def threads(self) -> int:
        """How many it has."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is; total 0 means unknown."""

    job_id: int
    title: str
    done: float
    total: float
    text: str
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class JobOutcome(Generic[T]):
    """How a job ended: with a result, an error, or cancelled."""

    job_id: int
    key: str
    title: str
    result: T | None = None
    error: Exception | None = None
    cancelled: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.error is None and not self.cancelled


def error_text(error: Exception) -> str:
    """What to tell the reader: our own messages as they are, others by kind, without their contents."""
    if isinstance(error, OverreadError):
        return str(error)
    if isinstance(error, MemoryError):
        return "Out of memory. Close other programs or lower cache.pixels_mb, then try again."
    return f"An unexpected {type(error).__name__} in the background. Work goes on; please report it."


@dataclass(slots=True)
class _Running:
    key: str
    title: str
    token: CancelToken
    future: Future[None] | None
    done: Callable[[JobOutcome[Any]], None] | None


class JobRunner(QObject):
    """Runs jobs in worker threads.

    Signals:
        started: (job id, title) of a job worth showing.
        progressed: JobProgress.
        finished: JobOutcome, exactly once per job.
    """

    started = Signal(int, str)
    progressed = Signal(object)
    finished = Signal(object)
    _home = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pools = {
            lane: ThreadPoolExecutor(lane.threads, thread_name_prefix=f"overread-{lane.value[0]}")
            for lane in Lane
        }
        self._running: dict[int, _Running] = {}
        self._ids = itertools.count(1)
        self._closed = False
        self._home.connect(self._arrive, Qt.ConnectionType.QueuedConnection)

    @Slot(object)
    def _arrive(self, delivery: Callable[[], None]) -> None:
        if not self._closed:
            delivery()

    def channel(self, receive: Callable[[T], None]) -> Callable[[T], None]:
        """A function that any thread may call to have `receive` called on the main thread."""

        def send(value: T) -> None:
            self._home.emit(lambda: receive(value))

        return send

    def submit(
        self,
        job: Job[T],
        *,
        key: str,
        lane: Lane,
        title: str = "",
        done: Callable[[JobOutcome[T]], None] | None = None,
    ) -> int:
        """Run a job; an unfinished one of the same key is cancelled. Once shut down, nothing is run any more.

        Args:
            job: What to run; it holds no Qt object.
            key: What the job is for.
            lane: Which threads it may use.
            title: Shown with its progress; a job without one is not shown.
            done: Called on the main thread with the outcome, after `finished`.

        Returns:
            The job's id.
        """
        job_id = next(self._ids)
        if self._closed:
            return job_id  # a timer that was set while the window closed
        self.cancel(key)
        running = _Running(key, title, CancelToken(), None, done)
        self._running[job_id] = running
        if title:
            self.started.emit(job_id, title)
        running.future = self._pools[lane].submit(self._run, job_id, running, job)
        return job_id

    def cancel(self, key: str) -> None:
        """Ask the unfinished job of that key to stop."""
        for running in self._running.values():
            if running.key == key:
                running.token.cancel()

    def cancel_job(self, job_id: int) -> None:
        """Ask one job to stop."""
        if job_id in self._running:
            self._running[job_id].token.cancel()

    def busy(self, key: str) -> bool:
        """Whether a job of that key is unfinished and was not cancelled."""
        return any(r.key == key and not r.token.cancelled for r in self._running.values())

    def shut_down(self, timeout_s: float = 5.0) -> bool:
        """Cancel everything and wait; nothing is delivered afterwards.

        Returns:
            Whether every thread ended in time.
        """
        for running in self._running.values():
            running.token.cancel()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        # `wait` would never see the end of those that had not begun and were cancelled here.
        futures = [
            r.future for r in self._running.values() if r.future is not None and not r.future.cancelled()
        ]
        unfinished = wait(futures, timeout=timeout_s).not_done
        self._closed = True
        return not unfinished

    def _run(self, job_id: int, running: _Running, job: Job[T]) -> None:
        outcome: JobOutcome[T] = JobOutcome(job_id, running.key, running.title, cancelled=True)
        try:
            running.token.check()
            result = job(self._reporter(job_id, running.title), running.token)
            outcome = JobOutcome(job_id, running.key, running.title, result=result)
        except Cancelled:
            pass
        except Exception as error:  # noqa: BLE001 - a worker must never take the session down
            if not isinstance(error, OverreadError):
                # Where, not what: an exception's text may quote a patient's data.
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("%s failed with %s\n%s", running.title or "a job", type(error).__name__, where)
            outcome = JobOutcome(job_id, running.key, running.title, error=error)
        finally:
            self._home.emit(lambda: self._finish(outcome))

    def _reporter(self, job_id: int, title: str) -> Callable[..., None]:
        last = 0.0

        def report(done: float, total: float, text: str = "", **metrics: float) -> None:
            nonlocal last
            now = time.monotonic()
            if not metrics and now - last < PROGRESS_INTERVAL and done < total:
                return
            last = now
            progress = JobProgress(job_id, title, done, total, text, metrics)
            self._home.emit(lambda: self.progressed.emit(progress))

        return report

    def _finish(self, outcome: JobOutcome[Any]) -> None:
        running = self._running.pop(outcome.job_id)
        self.finished.emit(outcome)
        if running.done is not None:
            running.done(outcome)
