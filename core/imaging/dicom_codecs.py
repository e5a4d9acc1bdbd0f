"""The decoder of compressed transfer syntaxes, as a plug-in of pydicom's: it decodes in a child process.

DECODER_DEPENDENCIES, `is_available` and `decode_frame` are pydicom's plug-in interface. pydicom's other
plug-ins for these syntaxes are never asked: they would run codecs in this process. RLE is pydicom's own, in
Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydicom import uid
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.pixels.decoders import base
from pydicom.pixels.decoders.base import get_decoder

from core.imaging.dicom_decode import JPEG, JPEG_2000, JPEG_LS, DecodeFailed, pool
from core.imaging.dicom_worker import frame_header

NAME = "overread"
REFUSALS = "overread_refusals"
"""Decode option: a list to which `decode_frame` adds why it refused, as pydicom keeps no reason."""

_JP2 = b"\0\0\0\x0cjP  "
_JPEG_2000 = (
    uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL, uid.HTJ2K,
)  # fmt: skip
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)

DECODER_DEPENDENCIES: Mapping[uid.UID, tuple[str, ...]] = MappingProxyType(
    dict.fromkeys((*_JPEG_2000, *_JPEG_LS, *_JPEG), ("imagecodecs",))
)


def is_available(syntax: str) -> bool:
    """Whether the plug-in decodes a transfer syntax; asked by pydicom."""
    return syntax in DECODER_DEPENDENCIES


def plugin_for(syntax: uid.UID) -> str:
    """The plug-in to ask for a transfer syntax: ours, pydicom's for RLE, or "" where nothing is compressed.

    Raises:
        NotImplementedError: No decoder for the transfer syntax.
    """
    if syntax == uid.RLELossless:
        return "pydicom"
    return NAME if NAME in get_decoder(syntax).available_plugins else ""


def is_jpeg_2000(syntax: uid.UID) -> bool:
    """Whether frames of a transfer syntax are JPEG 2000 code streams."""
    return syntax in _JPEG_2000


def decode_frame(src: bytes, runner: base.DecodeRunner) -> bytes:
    """Decode one frame; called by pydicom.

    Raises:
        DecodeFailed: The code stream announces another size than the header, or cannot be decoded.
    """
    try:
        return _decode(src, runner)
    except DecodeFailed as error:
        runner.get_option(REFUSALS, []).append(str(error))
        raise


def _decode(src: bytes, runner: base.DecodeRunner) -> bytes:
    size = announced_size(src)
    if size is not None and size != (runner.rows, runner.columns):
        says = f"the header says {runner.columns} × {runner.rows}"
        raise DecodeFailed(f"the code stream holds {size[1]} × {size[0]} pixels, {says}")
    expected = runner.rows * runner.columns * runner.samples_per_pixel
    array = pool.decode(_kind(runner.transfer_syntax), src, runner.samples_per_pixel, expected)
    if array.size != expected:
        raise DecodeFailed("the code stream holds another number of samples than the header says")
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
        if runner.transfer_syntax in _JPEG_2000:
            runner.set_option("photometric_interpretation", PhotometricInterpretation.RGB)
    runner.set_option("bits_allocated", 8 * array.dtype.itemsize)
    return array.tobytes()


def _kind(syntax: uid.UID) -> int:
    if syntax in _JPEG_2000:
        return JPEG_2000
    return JPEG_LS if syntax in _JPEG_LS else JPEG


def code_stream_at(src: bytes) -> int:
    """Where a JPEG 2000 code stream begins: behind the boxes of a JP2 file, where it is wrapped in one.

    Raises:
        DecodeFailed: A box is shorter than its own header. pydicom would look at it for ever.
    """
    if not src.startswith(_JP2):
        return 0
    at = 12
    while at < len(src):
        length, kind = int.from_bytes(src[at : at + 4], "big"), src[at + 4 : at + 8]
        if kind == b"jp2c":
            return at + 8
        if length < 8:
            break
        at += length
    raise DecodeFailed("the code stream is damaged")


def announced_size(src: bytes) -> tuple[int, int] | None:
    """(rows, columns) that a code stream announces, read before anything is allocated for it.

    Raises:
        DecodeFailed: It is wrapped in a JP2 file that holds none.
    """
    begin = code_stream_at(src)
    size = src[begin : begin + 24]
    if size[:4] == b"\xff\x4f\xff\x51" and len(size) == 24:  # JPEG 2000: SOC, SIZ
        x1, y1, x0, y0 = (int.from_bytes(size[i : i + 4], "big") for i in (8, 12, 16, 20))
        return y1 - y0, x1 - x0
    found = frame_header(src)
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
