"""A detector's result as bytes, and back: a header in JSON, columns of numbers, a checksum. No pickle.

Layout: magic, BLAKE2b-128 of the rest, zlib of (length of header, header, columns little-endian). Floating
point numbers are kept whole: a box that was accepted must be found to be the same one after a restart.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.boxes import to_array
from core.detection.base import DetectResult, TraceRow
from core.model import Box, Detection, Proposals

MAGIC = b"OVRESLT1"
_DIGEST = 16
_LARGEST = 256 << 20  # bytes unpacked; a result takes some ten thousand
_FLOATS, _INTS = np.dtype("<f8"), np.dtype("<i4")
_NONE = -1


class DamagedResultError(ValueError):
    """Bytes that are no result, or were altered."""


def encode(result: DetectResult) -> bytes:
    """A result as bytes; its slice and model are not in them.

    Raises:
        ValueError: It has labels or proposals that cannot be told apart later.
    """
    trace, found, given = result.trace, result.detections, result.proposals
    classes = tuple(dict.fromkeys(label for t in trace for label, _ in t.scores))
    floats = [
        _corners(given.boxes),
        np.array(given.scores, dtype=_FLOATS),
        _corners([t.box for t in trace]),
        np.array([t.score for t in trace], dtype=_FLOATS),
        np.array([_or_nan(t.promise) for t in trace], dtype=_FLOATS),
        np.array([[_or_nan(dict(t.scores).get(c)) for c in classes] for t in trace], dtype=_FLOATS),
        _corners([d.box for d in found]),
        np.array([d.score for d in found], dtype=_FLOATS),
        np.array([d.proposal.as_tuple() if d.proposal else [np.nan] * 4 for d in found], dtype=_FLOATS),
    ]
    ints = [
        [t.proposal for t in trace],
        [t.label_id for t in trace],
        [_NONE if t.suppressed_by is None else t.suppressed_by for t in trace],
        [d.label_id for d in found],
    ]
    header = json.dumps(
        {
            "proposals": len(given.boxes),
            "ranks": len(given.scores),
            "trace": len(trace),
            "found": len(found),
            "classes": classes,
            "labels": [d.label for d in found],
            "method": given.method,
            "ms": result.milliseconds,
        }
    ).encode()
    columns = b"".join(f.astype(_FLOATS).tobytes() for f in floats)
    columns += b"".join(np.array(i, dtype=_INTS).tobytes() for i in ints)
    body = zlib.compress(struct.pack("<I", len(header)) + header + columns, 1)
    return MAGIC + hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def decode(data: bytes, slice_key: str, model: str) -> DetectResult:
    """The result of a slice.

    Args:
        data: From `encode`.
        slice_key: The slice.
        model: "name@hash".

    Raises:
        DamagedResultError: Cut short, altered, or something else.
    """
    head = len(MAGIC) + _DIGEST
    if data[: len(MAGIC)] != MAGIC or len(data) <= head:
        raise DamagedResultError("not a result of this version")
    body = data[head:]
    if hashlib.blake2b(body, digest_size=_DIGEST).digest() != data[len(MAGIC) : head]:
        raise DamagedResultError("cut short or altered")
    try:
        unpacking = zlib.decompressobj()
        plain = unpacking.decompress(body, _LARGEST)
        if unpacking.unconsumed_tail:
            raise DamagedResultError("larger than any result")
        (length,) = struct.unpack_from("<I", plain)
        header = json.loads(plain[4 : 4 + length])
        return _result(header, _Columns(plain, 4 + length), slice_key, model)
    except (zlib.error, struct.error, KeyError, TypeError, IndexError, ValueError) as error:
        raise DamagedResultError(f"cannot be read ({type(error).__name__})") from error


class _Columns:
    """Takes columns off the bytes in the order they were written."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._at = data, start

    def floats(self, rows: int, columns: int = 1) -> NDArray[np.float64]:
        """(rows, columns), or (rows,) of one column."""
        found = self._take(_FLOATS, rows * columns).astype(np.float64)
        return found.reshape(rows, columns) if columns != 1 else found

    def ints(self, rows: int) -> list[int]:
        """As many integers."""
        found: list[int] = self._take(_INTS, rows).tolist()
        return found

    def boxes(self, rows: int) -> tuple[Box, ...]:
        """As many boxes."""
        return tuple(Box(*row) for row in self.floats(rows, 4).tolist())

    def _take(self, kind: np.dtype[Any], count: int) -> NDArray[Any]:
        found = np.frombuffer(self._data, kind, count, self._at)
        self._at += found.nbytes
        return found


def _result(header: dict[str, Any], columns: _Columns, slice_key: str, model: str) -> DetectResult:
    rows, classes = int(header["trace"]), tuple(header["classes"])
    proposals = columns.boxes(header["proposals"])
    ranks = tuple(columns.floats(header["ranks"]).tolist())
    boxes, scores = columns.boxes(rows), columns.floats(rows).tolist()
    promise = columns.floats(rows).tolist()
    by_class = columns.floats(rows, len(classes)).reshape(rows, len(classes)).tolist()
    found_boxes = columns.boxes(header["found"])
    found_scores = columns.floats(header["found"]).tolist()
    origins = columns.floats(header["found"], 4).tolist()
    of, labels, by = columns.ints(rows), columns.ints(rows), columns.ints(rows)
    found_labels = columns.ints(header["found"])
    return DetectResult(
        slice_key,
        model,
        tuple(
            Detection(box, label, name, score, None if isnan(origin[0]) else Box(*origin))
            for box, label, name, score, origin in zip(
                found_boxes, found_labels, header["labels"], found_scores, origins, strict=True
            )
        ),
        Proposals(proposals, ranks, header["method"]),
        tuple(
            TraceRow(
                of[i],
                labels[i],
                scores[i],
                boxes[i],
                None if by[i] == _NONE else by[i],
                tuple((c, v) for c, v in zip(classes, by_class[i], strict=True) if not isnan(v)),
                None if isnan(promise[i]) else promise[i],
            )
            for i in range(rows)
        ),
        float(header["ms"]),
    )


def _corners(boxes: Sequence[Box]) -> NDArray[np.float64]:
    return np.asarray(to_array(boxes), dtype=_FLOATS)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
