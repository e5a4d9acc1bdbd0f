"""Encodes frames in every transfer syntax that the readers open, for the phantom and for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID

Frame = NDArray[np.uint16]

NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)
_STORED_BITS = 12


def _jpeg(bits: int) -> Callable[[Any], bytes]:
    return lambda frame: bytes(imagecodecs.jpeg8_encode(frame, level=95, bitspersample=bits))


def _lossless_jpeg(frame: Frame) -> bytes:
    return bytes(imagecodecs.ljpeg_encode(frame, bitspersample=16))


def _jpeg_ls(error: int) -> Callable[[Any], bytes]:
    return lambda frame: bytes(imagecodecs.jpegls_encode(frame, level=error))


def _jpeg_2000(frame: Frame) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True, bitspersample=16)
    )


def _lossy_jpeg_2000(frame: Frame) -> bytes:
    # The level is the ratio of peak signal to noise in dB, of 12 bits here.
    return bytes(imagecodecs.jpeg2k_encode(frame, level=65, codecformat="j2k", bitspersample=_STORED_BITS))


def _htj2k(frame: Frame) -> bytes:
    return bytes(imagecodecs.htj2k_encode(frame))


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    uid.JPEGBaseline8Bit: _jpeg(8),
    uid.JPEGExtended12Bit: _jpeg(12),
    uid.JPEGLossless: _lossless_jpeg,
    uid.JPEGLosslessSV1: _lossless_jpeg,
    uid.JPEGLSLossless: _jpeg_ls(0),
    uid.JPEGLSNearLossless: _jpeg_ls(2),
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.JPEG2000: _lossy_jpeg_2000,
    uid.HTJ2KLossless: _htj2k,
    uid.HTJ2KLosslessRPCL: _htj2k,
}
LOSSY = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000)
LOSSLESS = (*NATIVE, uid.RLELossless, *(UID(s) for s in _ENCODERS if s not in LOSSY))
SYNTAXES = (*LOSSLESS, *LOSSY)


def encode_pixels(dataset: FileDataset, frames: Sequence[Frame]) -> None:
    """Put frames into a data set, in the transfer syntax of its file meta information.

    Sets the attributes that describe the pixels but for what they mean. Baseline JPEG holds 8 bits: there
    values are divided by 16.

    Args:
        dataset: To be written with that transfer syntax.
        frames: uint16 values below 4096, or in an enhanced object any; all of one shape.

    Raises:
        ValueError: The transfer syntax is not one of SYNTAXES.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax not in SYNTAXES:
        raise ValueError(f"transfer syntax {syntax} cannot be written")
    eight = syntax == uid.JPEGBaseline8Bit
    if eight:
        frames = [np.asarray(frame >> 4, dtype=np.uint8) for frame in frames]
    largest = max(int(frame.max(initial=0)) for frame in frames)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = frames[0].shape
    dataset.BitsAllocated = 8 if eight else 16
    dataset.BitsStored = 8 if eight else _STORED_BITS if largest < 1 << _STORED_BITS else 16
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    if syntax in NATIVE:
        order = ">u2" if syntax == uid.ExplicitVRBigEndian else "<u2"
        dataset.PixelData = b"".join(frame.astype(order).tobytes() for frame in frames)
        dataset["PixelData"].VR = "OW"
        return
    if syntax == uid.RLELossless:
        packed = [_run_lengths(dataset, frame) for frame in frames]
    else:
        packed = [_ENCODERS[syntax](np.ascontiguousarray(frame)) for frame in frames]
    dataset.PixelData = encapsulate(packed)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    if syntax in LOSSY:
        raw = sum(frame.nbytes for frame in frames)
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionRatio = f"{raw / sum(map(len, packed)):.2f}"


def _run_lengths(dataset: FileDataset, frame: Frame) -> bytes:
    return get_encoder(uid.RLELossless).encode(
        frame.astype("<u2").tobytes(),
        encoding_plugin="pydicom",
        rows=dataset.Rows,
        columns=dataset.Columns,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=16,
        bits_stored=dataset.BitsStored,
        pixel_representation=0,
        number_of_frames=1,
    )
