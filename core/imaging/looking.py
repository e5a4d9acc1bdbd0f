"""Looks into files without decoding them: in this process, or in several children for thousands of files.

Parsing headers is Python, which threads do not speed up. A child that dies of a file, or does not come to an
end with it, costs that file and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TextIO

import core
from core.errors import UnreadableFile
from core.imaging.base import Container, OtherObject
from core.imaging.reader import open_content
from core.imaging.records import Contents, decode, encode
from core.jobs import CancelToken

PARALLEL_FROM = 1500
"""So many files are looked into in this process before children pay: each takes a second to start."""

_MOST_CHILDREN = 8
_BATCH = 48
_DEADLINE_S = 60.0  # for a batch
_MEMORY = 3 << 30  # bytes of address space of a child
_NICE = 3  # the reader waits for it, but the window comes first
_COMMAND = ("-m", "core.imaging.looking")
_DIED = "reading its header ended the process that read it"


def look_into(path: Path) -> Contents:
    """What a file holds: its header is read, no pixel is decoded. Never raises for a bad file."""
    try:
        found = open_content(path)
    except UnreadableFile as error:
        # What the disk or this machine's memory said may be otherwise next time.
        durable = not isinstance(error.__cause__, OSError | MemoryError) and os.access(path, os.R_OK)
        what = error.object if isinstance(error, OtherObject) else None
        return Contents(reason=error.reason, object=what, durable=durable)
    if isinstance(found, Container):
        return Contents(members=found.members, skipped=found.skipped, durable=False)
    return Contents(tuple(found.slices()), found.heading)


def look_into_all(
    paths: Sequence[Path], cancel: CancelToken, children: int | None = None
) -> Iterator[Contents]:
    """What each file holds, in order.

    Args:
        paths: The files.
        cancel: Stops it; children are gone by the time the iterator has ended.
        children: How many processes; None for as many as pay, 0 for none.

    Raises:
        Cancelled: The token was set.
    """
    if children is None:
        children = min(os.cpu_count() or 1, _MOST_CHILDREN) if len(paths) >= PARALLEL_FROM else 0
    if children < 1:
        for path in paths:
            cancel.check()
            yield look_into(path)
        return
    with _Lookers(children) as lookers:
        for batch in lookers.look(paths, cancel):
            cancel.check()
            yield from batch


class _Lookers:
    """Children and the threads that feed them."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="overread-look")
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        self._all = [_Child() for _ in range(count)]
        for child in self._all:
            self._idle.put(child)

    def __enter__(self) -> _Lookers:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in self._all:
            child.end()
        self._threads.shutdown(wait=True)

    def look(self, paths: Sequence[Path], cancel: CancelToken) -> Iterator[Sequence[Contents]]:
        """Batch by batch, in order."""

        def look(batch: Sequence[Path]) -> Sequence[Contents]:
            child = self._idle.get()
            try:
                return child.look(batch, cancel)
            finally:
                self._idle.put(child)

        batches = [paths[i : i + _BATCH] for i in range(0, len(paths), _BATCH)]
        return self._threads.map(look, batches)


class _Child:
    """One process that looks into files; started anew when it dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._ended = False

    def look(self, batch: Sequence[Path], cancel: CancelToken) -> list[Contents]:
        """What each file of a batch holds; the file of which the process died is refused."""
        found: list[Contents] = []
        while len(found) < len(batch) and not cancel.cancelled and not self._ended:
            before = len(found)
            try:
                found += self._ask(batch[before:])
            except OSError:  # no process to be had: do it here
                found += [look_into(path) for path in batch[before:]]
            if len(found) < len(batch) and not self._ended:
                self._stop()
                found.append(Contents(reason=_DIED, durable=False))
        return found

    def end(self) -> None:
        """Stop the process for good."""
        self._ended = True
        self._stop()

    def _ask(self, batch: Sequence[Path]) -> list[Contents]:
        """What came back before the process ended, if it did."""
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(_DEADLINE_S, process.kill)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps([str(p) for p in batch]) + "\n")
                process.stdin.flush()
            return list(_replies(process.stdout, len(batch)))
        finally:
            timer.cancel()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _replies(stream: IO[str], count: int) -> Iterator[Contents]:
    for _ in range(count):
        try:
            line = stream.readline()
            if not line.endswith("\n"):
                return
            yield decode(line)
        except ValueError:  # closed under our hands, or cut short
            return


def _start() -> subprocess.Popen[str]:
    root = str(Path(core.__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, *_COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="ascii",
        env=environment,
        creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
    )
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + _NICE)
    return process


def answer(requests: Iterable[str], replies: TextIO) -> None:
    """Be the child: one line of paths in, one line of contents per path out."""
    for line in requests:
        for path in json.loads(line):
            replies.write(encode(look_into(Path(path))) + "\n")
            replies.flush()


def _bound_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


if __name__ == "__main__":
    _bound_memory()
    answer(sys.stdin, sys.stdout)
