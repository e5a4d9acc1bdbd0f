"""Decodes compressed frames in child processes that may die, hang or run out of memory instead of us.

A child is kept and used again, so that ordinary decoding costs two copies through a pipe. It is started when
first needed, by at most as many threads as decode at once, and ends with the application.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from io import FileIO
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from core.imaging import dicom_worker as protocol

JPEG, JPEG_LS, JPEG_2000 = protocol.JPEG, protocol.JPEG_LS, protocol.JPEG_2000

DEADLINE_S = 4
"""Of processor time, for a frame of up to two million samples; a second more for each further million."""

_PATIENCE = 4 if hasattr(signal, "setitimer") else 1  # seconds on the clock to one of processor time

_SCRIPT = Path(__file__).with_name("dicom_worker.py")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_ONE_THREAD = dict.fromkeys(_THREADS, "1")
_PIPE_BYTES = 1 << 20
_GRACE_S = 0.5


class DecodeFailed(Exception):  # noqa: N818 - said of a frame
    """A frame was not decoded; the text is the reason, for people."""


def deadline(samples: int) -> int:
    """Seconds of processor time that decoding a frame of so many samples may take."""
    return DEADLINE_S + max(0, samples // 1_000_000 - 2)


class Worker:
    """One child process; one frame at a time.

    Attributes:
        pid: Its process id.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT)],  # -P: modules of ours must not hide those of libraries
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,  # Ctrl+C in a terminal is for the application to handle
        )
        self._requests = cast("FileIO", self._process.stdin)
        self._replies = cast("FileIO", self._process.stdout)
        self.pid = self._process.pid
        self._late = False
        _widen(self._requests)
        _widen(self._replies)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def decode(self, kind: int, source: bytes, samples: int, seconds: int) -> NDArray[np.generic]:
        """Decode one frame.

        Args:
            kind: JPEG, JPEG_LS or JPEG_2000.
            source: The code stream.
            samples: Samples per pixel that the header announces.
            seconds: Processor time after which the process ends itself. Where it cannot, or the machine is so
                busy that it does not get to it, the clock decides.

        Returns:
            (rows, columns) or (rows, columns, samples), the caller's own.

        Raises:
            DecodeFailed: The stream is damaged, or the process died of it or was killed; then it is not
                `alive` any more.
        """
        self._late = False
        watch = threading.Timer(seconds * _PATIENCE, self._too_late)
        watch.daemon = True
        watch.start()
        try:
            status, code, shape, body = self._ask(kind, source, samples, seconds)
        except OSError as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_S)  # how it ended is told a moment after its pipes are closed
            self.stop()
            raise DecodeFailed(self._last_words(seconds)) from error
        except BaseException:
            self.stop()  # in the middle of a reply it is of no use to anybody
            raise
        finally:
            watch.cancel()
        if status == protocol.NO_MEMORY:
            raise DecodeFailed(f"needs more than {protocol.MEMORY_LIMIT >> 30} GiB to decode")
        if status != protocol.DONE:
            raise DecodeFailed("the code stream is damaged")
        flat = np.frombuffer(body, dtype=np.dtype(code.rstrip(b"\0").decode()))
        return flat.reshape(shape[:2] if shape[2] == 1 else shape)

    def _ask(
        self, kind: int, source: bytes, samples: int, seconds: int
    ) -> tuple[int, bytes, tuple[int, int, int], bytearray]:
        """Status, dtype, shape and body of the reply.

        Raises:
            OSError: The process died.
        """
        _send(self._requests, protocol.REQUEST.pack(kind, samples, min(seconds, 65000), len(source)))
        _send(self._requests, source)
        head = _exactly(self._replies, protocol.REPLY.size)
        status, code, rows, columns, depth, length = protocol.REPLY.unpack(head)
        if length > protocol.MEMORY_LIMIT:  # its memory was overwritten
            raise BrokenPipeError
        return status, code, (rows, columns, depth), _exactly(self._replies, length)

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for stream in (self._requests, self._replies):
            with contextlib.suppress(OSError):
                stream.close()

    def _too_late(self) -> None:
        self._late = True
        self._process.kill()

    def _last_words(self, seconds: int) -> str:
        if self._late or self._process.returncode == -getattr(signal, "SIGPROF", 0):
            return f"decoding took longer than {seconds} s and was stopped"
        return "the decoder crashed on this frame"


class DecodePool:
    """Workers for as many threads as decode at once, up to a bound.

    Args:
        most: Largest number of child processes.
    """

    def __init__(self, most: int) -> None:
        self._free: list[Worker] = []
        self._room = threading.Semaphore(most)
        self._lock = threading.Lock()

    def decode(self, kind: int, source: bytes, samples: int, expected: int) -> NDArray[np.generic]:
        """Decode one frame in a child process; any thread may call.

        Args:
            kind: JPEG, JPEG_LS or JPEG_2000.
            source: The code stream.
            samples: Samples per pixel that the header announces.
            expected: Samples of the whole frame, for the deadline.

        Raises:
            DecodeFailed: The frame cannot be decoded.
        """
        with self._room:
            worker = self._take()
            try:
                return worker.decode(kind, source, samples, deadline(expected))
            finally:
                if worker.alive:
                    with self._lock:
                        self._free.append(worker)
                else:
                    worker.stop()

    def pids(self) -> list[int]:
        """Process ids of the workers that wait for a frame."""
        with self._lock:
            return [worker.pid for worker in self._free]

    def close(self) -> None:
        """End the workers that wait; they are started again when needed."""
        with self._lock:
            waiting, self._free = self._free, []
        for worker in waiting:
            worker.stop()

    def forget(self) -> None:
        """Leave the workers to the process that started them; for a fork of it."""
        self._free = []
        self._lock = threading.Lock()

    def _take(self) -> Worker:
        with self._lock:
            while self._free:
                worker = self._free.pop()
                if worker.alive:
                    return worker
                worker.stop()
        return Worker()


def _widen(pipe: FileIO) -> None:
    """Let a whole slice into the pipe at once, where the system can."""
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - there is none on Windows

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _send(pipe: FileIO, data: bytes) -> None:
    view, at = memoryview(data), 0
    while at < len(view):
        at += pipe.write(view[at:]) or 0


def _exactly(pipe: FileIO, length: int) -> bytearray:
    buffer = bytearray(length)
    view, at = memoryview(buffer), 0
    while at < length:
        got = pipe.readinto(view[at:])
        if not got:
            raise BrokenPipeError
        at += got
    return buffer


pool = DecodePool(max(1, min(4, os.cpu_count() or 1)))
"""The application's one pool."""

atexit.register(pool.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.forget)
