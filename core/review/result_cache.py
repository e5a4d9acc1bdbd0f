"""What a model said of a slice, on disk: a case is never computed twice, also after a restart.

An entry is known by the pixels that the model saw, the model's hash and the classes it was bound to, so a
file that changed or another model never meets an old result. The folder can be removed at any time: what
cannot be read, is damaged or cannot be written is as if it had never been there.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np

from core import __version__
from core.detection.base import DetectRequest, DetectResult
from core.review.results_codec import DamagedResultError, decode, encode

log = logging.getLogger(__name__)
_SUFFIX = ".result"
_KEPT_SHARE = 0.9  # after dropping: not one file out for each that comes in
_TAGS = {"slice_key"}  # what of a request says nothing about the answer


def content_key(request: DetectRequest, model: str, classes: Iterable[tuple[str, int]]) -> str:
    """Name of the entry for a request: by everything that the answer depends on.

    Args:
        request: With the pixels as the model sees them.
        model: "name@hash".
        classes: Name and id of each class of the model, as bound to the label schema.
    """
    digest = hashlib.blake2b(digest_size=20)
    digest.update(repr((__version__, model, tuple(classes))).encode())
    for field in fields(request):
        if field.name not in _TAGS:
            _feed(digest, getattr(request, field.name))
    return digest.hexdigest()


def _feed(digest: hashlib.blake2b, value: object) -> None:
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype.str} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, tuple):
        digest.update(f"tuple {len(value)}".encode())
        for part in value:
            _feed(digest, part)
    else:
        digest.update(f"{type(value).__name__} {value!r}".encode())


class ResultCache:
    """Results in a folder, the least recently used dropped beyond a bound. Any thread may use it.

    Args:
        folder: Made on the first write.
        max_bytes: Bound on the files together; 0 keeps nothing.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None  # not counted yet
        self._said = False

    def read(self, key: str, slice_key: str, model: str) -> DetectResult | None:
        """The entry of a key, or None where there is none that is sound; a damaged one is removed."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            result = decode(data, slice_key, model)
            os.utime(path)
        except OSError:
            return None
        except DamagedResultError:
            log.warning("a cached result is damaged and will be computed again")
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return result

    def write(self, key: str, result: DetectResult) -> bool:
        """Keep a result.

        Returns:
            Whether it is on disk; where not, nothing is lost but time.
        """
        if not self._max_bytes:
            return False
        path = self._path(key)
        try:
            data = encode(result)
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as stream:
                stream.write(data)
            os.replace(stream.name, path)
        except (OSError, ValueError) as error:
            if not self._said:
                log.warning("results cannot be kept on disk (%s)", type(error).__name__)
            self._said = True
            return False
        with self._lock:
            if self._bytes is not None:
                self._bytes += len(data)
            if self._bytes is None or self._bytes > self._max_bytes:
                self._drop_old()
        return True

    def _drop_old(self) -> None:
        known = sorted(_entries(self._folder))
        total = sum(size for _, size, _ in known)
        if total > self._max_bytes:
            for _, size, path in known:
                if total <= self._max_bytes * _KEPT_SHARE:
                    break
                with contextlib.suppress(OSError):
                    path.unlink()
                    total -= size
        self._bytes = total

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}{_SUFFIX}"


def _entries(folder: Path) -> Iterable[tuple[int, int, Path]]:
    """Last use, size and place of every file, also of those that a crash left half written."""
    for path in folder.glob("??/*"):
        with contextlib.suppress(OSError):
            status = path.stat()
            yield status.st_mtime_ns, status.st_size, path
