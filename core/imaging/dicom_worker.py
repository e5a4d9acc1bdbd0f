"""The child process in which compressed frames are decoded: codecs are C, and may die of hostile input.

Run as a file by `core.imaging.dicom_decode`: it imports nothing of Overread, so that it starts in a tenth of
a second. It reads requests from standard input and writes replies to standard
output until its input ends:

    request   kind (1 byte), samples (1), processor seconds allowed (2), length (8), then the code stream
    reply     status (1 byte), dtype (3), rows (4), columns (4), samples (4), length (8), then the samples,
              pixel by pixel, or on failure a message

All numbers are little endian.
"""

from __future__ import annotations

import io
import os
import signal
import struct
import sys
from collections.abc import Callable

import imagecodecs
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.generic]

REQUEST = struct.Struct("<BBHQ")
REPLY = struct.Struct("<B3sIIIQ")
JPEG, JPEG_LS, JPEG_2000 = 1, 2, 3
DONE, FAILED, NO_MEMORY = 0, 1, 2
MEMORY_LIMIT = 2 << 30  # bytes of address space
_SOT, _EOC = b"\xff\x90", b"\xff\xd9"


def decode(kind: int, samples: int, source: bytes) -> Samples:
    """Decode one frame to (rows, columns) or (rows, columns, samples).

    Colour JPEG comes in the colour space of the code stream, unless the stream itself (Adobe marker) says how
    it was transformed; colour JPEG 2000 comes as RGB.

    Raises:
        Exception: Whatever a codec makes of a damaged stream.
    """
    if kind == JPEG_2000:
        return _first_that_works(source, imagecodecs.jpeg2k_decode, _repaired_jpeg_2000, _openjpeg)
    if kind == JPEG_LS:
        if samples > 1:
            return _charls(source)
        return _first_that_works(source, imagecodecs.jpegls_decode, _charls)
    marker = frame_marker(source)
    if marker == 0xC3:
        return _first_that_works(source, imagecodecs.ljpeg_decode, imagecodecs.jpegsof3_decode)
    return _colour_jpeg(source) if samples > 1 else imagecodecs.jpeg8_decode(source)


def _first_that_works(source: bytes, *decoders: Callable[[bytes], Samples]) -> Samples:
    for decoder in decoders[:-1]:
        try:
            return decoder(source)
        except MemoryError:
            raise
        except Exception:  # noqa: S112, BLE001 - codecs raise anything; the next one is asked
            continue
    return decoders[-1](source)


def _repaired_jpeg_2000(source: bytes) -> Samples:
    """Decode the stream up to the end of its last tile-part: some writers put a comment behind it."""
    at = source.find(_SOT)
    while 0 <= at <= len(source) - 12 and source[at : at + 2] == _SOT:
        length = int.from_bytes(source[at + 6 : at + 10], "big")
        if length < 14:
            raise ValueError("a tile-part without a length")
        at += length
    if not 0 < at < len(source) or source[at : at + 2] == _EOC:
        raise ValueError("nothing to repair")
    return imagecodecs.jpeg2k_decode(source[:at] + _EOC)


def _openjpeg(source: bytes) -> Samples:
    import openjpeg  # noqa: PLC0415 - rarely needed, and the process is to start quickly

    array: Samples = openjpeg.decode(source)  # type: ignore[attr-defined]
    return array


def _charls(source: bytes) -> Samples:
    import jpeg_ls  # noqa: PLC0415

    buffer, info = jpeg_ls.decode_pixel_data(source)
    kind = np.uint8 if info["bits_per_sample"] <= 8 else np.dtype("<u2")
    rows, columns, samples = info["height"], info["width"], info["components"]
    flat = np.frombuffer(buffer, dtype=kind)
    if samples == 1:
        return flat.reshape(rows, columns)
    if info["interleave_mode"] == 0:  # plane by plane
        return flat.reshape(samples, rows, columns).transpose(1, 2, 0)
    return flat.reshape(rows, columns, samples)


def _colour_jpeg(source: bytes) -> Samples:
    from PIL import Image  # noqa: PLC0415

    with Image.open(io.BytesIO(source), formats=("JPEG",)) as image:
        if "adobe_transform" not in image.info:
            image.draft("YCbCr", image.size)  # leave the colour space alone
        return np.asarray(image)


def frame_header(source: bytes) -> tuple[int, int] | None:
    """Offset and code of the frame header marker (SOF) of a JPEG or JPEG-LS stream."""
    at = 2
    while at + 4 <= len(source) and source[:2] == b"\xff\xd8":
        if source[at] != 0xFF:
            return None
        code = source[at + 1]
        if code == 0xFF:  # fill byte
            at += 1
        elif code == 0xF7 or (0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC)):
            return at, code
        elif code == 0x01 or 0xD0 <= code <= 0xD7:  # without a length
            at += 2
        else:
            at += 2 + max(int.from_bytes(source[at + 2 : at + 4], "big"), 2)
    return None


def frame_marker(source: bytes) -> int | None:
    """Code of the frame header marker; files mislabel the kind of JPEG, the marker tells."""
    found = frame_header(source)
    return found[1] if found else None


def _reply(kind: int, samples: int, source: bytes) -> tuple[bytes, memoryview]:
    try:
        array = np.ascontiguousarray(decode(kind, samples, source))
        if array.ndim not in (2, 3) or array.dtype.kind not in "iu" or array.dtype.itemsize > 4:
            raise ValueError(f"{array.ndim} dimensions of {array.dtype}")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        rows, columns, depth = (*little.shape, 1)[:3]
        head = REPLY.pack(DONE, little.dtype.str[:3].encode(), rows, columns, depth, little.nbytes)
        return head, little.reshape(-1).view(np.uint8).data
    except MemoryError:
        return REPLY.pack(NO_MEMORY, b"", 0, 0, 0, 0), memoryview(b"")
    except Exception as error:  # noqa: BLE001 - codecs raise anything; the reader words it
        message = f"{type(error).__name__}: {error}".encode(errors="replace")[:500]
        return REPLY.pack(FAILED, b"", 0, 0, 0, len(message)), memoryview(message)


def _exactly(stream: io.FileIO, length: int) -> bytearray | None:
    buffer = bytearray(length)
    view, at = memoryview(buffer), 0
    while at < length:
        got = stream.readinto(view[at:])
        if not got:
            return None
        at += got
    return buffer


def _send(stream: io.FileIO, data: bytes | memoryview) -> None:
    view, at = memoryview(data), 0
    while at < len(view):
        at += stream.write(view[at:]) or 0


def _limit() -> None:
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:  # Windows: the deadline remains
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _allow(seconds: int) -> None:
    """Die when a decode has used so much of the processor, even when the application is gone; 0: no bound.

    Processor time and not the clock, so that a busy machine does not make sound files fail.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def main() -> None:
    """Serve until standard input ends."""
    _limit()
    requests = io.FileIO(sys.stdin.fileno(), "rb", closefd=False)
    replies = io.FileIO(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a codec prints must not reach the replies
    while True:
        head = _exactly(requests, REQUEST.size)
        if head is None:
            return
        kind, samples, deadline, length = REQUEST.unpack(head)
        source = _exactly(requests, length)
        if source is None:
            return
        _allow(deadline)
        header, body = _reply(kind, samples, bytes(source))
        _allow(0)
        _send(replies, header)
        _send(replies, body)


if __name__ == "__main__":
    main()
