"""imagecodecs as a decoder of pydicom's, for the compressed transfer syntaxes.

It is the one decoder that opened every sound JPEG, JPEG Lossless, JPEG-LS and JPEG 2000 file tried, and
survived every damaged one. It is asked first; pydicom's other plug-ins remain as second opinion.
DECODER_DEPENDENCIES, `is_available` and `decode_frame` are pydicom's plug-in interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.pixels.decoders import base
from pydicom.pixels.decoders.base import get_decoder

NAME = "imagecodecs"
_JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)

DECODER_DEPENDENCIES: Mapping[uid.UID, tuple[str, ...]] = MappingProxyType(
    dict.fromkeys((*_JPEG_2000, *_JPEG_LS, *_JPEG), ("imagecodecs",))
)


def is_available(syntax: str) -> bool:
    """Whether the plug-in decodes a transfer syntax; asked by pydicom."""
    return syntax in DECODER_DEPENDENCIES


def decode_frame(src: bytes, runner: base.DecodeRunner) -> bytes:
    """Decode one frame; called by pydicom.

    Raises:
        ValueError: The code stream announces another size than the header, or cannot be decoded.
        NotImplementedError: A case left to another plug-in.
    """
    size = _announced_size(src)
    if size is not None and size != (runner.rows, runner.columns):
        raise ValueError("the code stream and the header differ in size")
    array = _decoder_for(runner)(src)
    expected = runner.rows * runner.columns * runner.samples_per_pixel
    if array.size != expected:
        raise ValueError("the code stream and the header differ in size")
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
        if runner.transfer_syntax in _JPEG_2000:
            runner.set_option("photometric_interpretation", PhotometricInterpretation.RGB)
    runner.set_option("bits_allocated", 8 * array.dtype.itemsize)
    return array.tobytes()


def _decoder_for(runner: base.DecodeRunner) -> Callable[[bytes], NDArray[np.generic]]:
    syntax = runner.transfer_syntax
    if syntax in _JPEG_2000:
        return imagecodecs.jpeg2k_decode
    if runner.samples_per_pixel > 1 and syntax not in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        # Colour JPEG: which transform was applied is decided better by the other plug-ins.
        raise NotImplementedError("colour is left to another decoder")
    return imagecodecs.jpegls_decode if syntax in _JPEG_LS else _jpeg


def _jpeg(src: bytes) -> NDArray[np.generic]:
    """Baseline, extended (8 and 12 bit) or lossless JPEG: the frame header tells, as files mislabel them."""
    marker = _frame_marker(src)
    if marker == 0xC3:
        return np.asarray(imagecodecs.ljpeg_decode(src))
    return np.asarray(imagecodecs.jpeg8_decode(src))


def _frame_header(src: bytes) -> tuple[int, int] | None:
    """Offset and code of a JPEG or JPEG-LS stream's frame header marker (SOF)."""
    at = 2
    while at + 4 <= len(src) and src[:2] == b"\xff\xd8":
        if src[at] != 0xFF:
            return None
        code = src[at + 1]
        if code == 0xFF:  # fill byte
            at += 1
        elif code == 0xF7 or (0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC)):
            return at, code
        elif code == 0x01 or 0xD0 <= code <= 0xD7:  # without a length
            at += 2
        else:
            at += 2 + max(int.from_bytes(src[at + 2 : at + 4], "big"), 2)
    return None


def _frame_marker(src: bytes) -> int | None:
    found = _frame_header(src)
    return found[1] if found else None


def _announced_size(src: bytes) -> tuple[int, int] | None:
    """(rows, columns) that a code stream announces, read before anything is allocated for it."""
    if src[:4] == b"\xff\x4f\xff\x51" and len(src) >= 24:  # JPEG 2000: SOC, SIZ
        x1, y1, x0, y0 = (int.from_bytes(src[i : i + 4], "big") for i in (8, 12, 16, 20))
        return y1 - y0, x1 - x0
    found = _frame_header(src)
    if found is None or found[0] + 9 > len(src):
        return None
    at = found[0] + 5
    rows, columns = int.from_bytes(src[at : at + 2], "big"), int.from_bytes(src[at + 2 : at + 4], "big")
    return (rows, columns) if rows else None  # 0: said later, by a DNL marker


def register() -> None:
    """Add the plug-in to pydicom's decoders. Not thread-safe, so called at import of the reader."""
    for syntax in DECODER_DEPENDENCIES:
        decoder = get_decoder(syntax)
        if NAME not in decoder.available_plugins:
            decoder.add_plugin(NAME, (__name__, decode_frame.__name__))
