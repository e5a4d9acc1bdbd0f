"""DICOM slices: any image storage class, one frame or many, native or compressed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

from core.errors import UnreadableFile
from core.imaging import dicom_codecs
from core.imaging.base import Pixels, check_regular, file_boundary, finite, luma
from core.imaging.dicom_file import OpenDicom, dicom_stream, open_dicom
from core.imaging.dicom_header import Frame, frames_of, heading, rescale, slice_refs, text
from core.model import SliceRef

dicom_codecs.register()

_WHAT = "DICOM"


class DicomReader:
    """One DICOM file. The header is read now, each frame's pixels when asked for.

    Args:
        path: The file.
        bare: It has no preamble; then SOP class, Rows and pixel data are demanded before it counts as DICOM.

    Raises:
        UnreadableFile: Not an image, truncated, damaged, or announcing more than the file can hold.
    """

    def __init__(self, path: Path, *, bare: bool = False) -> None:
        self._path = path
        check_regular(path)
        try:
            with file_boundary(path, _WHAT), dicom_stream(path) as stream:
                self._opened = open_dicom(path, stream, _size(stream), bare=bare)
                self._frames = frames_of(self._opened)
                fallback = "" if text(self._opened.dataset, "SOPInstanceUID") else _digest(stream)
                self._slices = slice_refs(path, self._opened, self._frames, fallback)
                self.heading = heading(self._opened, self._frames)
        except UnreadableFile as error:
            if bare and error.reason.startswith("damaged"):  # it only looked a little like DICOM
                raise UnreadableFile(path, "not a DICOM or image file") from error
            raise

    def slices(self) -> Sequence[SliceRef]:
        """The frames, in file order."""
        return self._slices

    def pixels(self, index: int) -> Pixels:
        """Decode one frame and apply its own modality transform.

        Raises:
            UnreadableFile: The pixels cannot be decoded.
            IndexError: There is no such frame.
        """
        frame = self._frames[index]
        with file_boundary(self._path, _WHAT), dicom_stream(self._path) as stream:
            stored = _stored_values(stream, self._opened, index)
            pixels = _rescaled(stored, frame)
        return finite(self._path, pixels)


def _size(stream: BinaryIO) -> int:
    at = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(at)
    return size


def _digest(stream: BinaryIO) -> str:
    stream.seek(0)
    return hashlib.blake2b(stream.read(), digest_size=16).hexdigest()


def _stored_values(stream: BinaryIO, opened: OpenDicom, index: int) -> NDArray[np.generic]:
    """Stored values of a frame, (rows, columns): sign and unused bits right, colour turned into luma."""
    options = _options(opened)
    decoder = get_decoder(opened.syntax)
    stream.seek(opened.place.offset)
    if dicom_codecs.NAME in decoder.available_plugins:
        try:
            array, _ = decoder.as_array(stream, index=index, decoding_plugin=dicom_codecs.NAME, **options)
        except RuntimeError:  # what pydicom makes of a decoder's refusal: ask the others
            stream.seek(opened.place.offset)
            array, _ = decoder.as_array(stream, index=index, decoding_plugin="", **options)
    else:
        array, _ = decoder.as_array(stream, index=index, **options)
    if text(opened.dataset, "PhotometricInterpretation") == PhotometricInterpretation.PALETTE_COLOR:
        return luma(apply_color_lut(array, opened.dataset))
    return luma(array) if array.ndim == 3 else array


def _options(opened: OpenDicom) -> dict[str, Any]:
    dataset, place = opened.dataset, opened.place
    options: dict[str, Any] = {
        "transfer_syntax_uid": opened.syntax,
        "pixel_keyword": place.keyword,
        "pixel_vr": place.vr,
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "number_of_frames": opened.frames,
        "samples_per_pixel": int(dataset.get("SamplesPerPixel") or 1),
        "photometric_interpretation": text(dataset, "PhotometricInterpretation") or "MONOCHROME2",
        "bits_allocated": int(dataset.get("BitsAllocated") or 16),
    }
    options["bits_stored"] = int(dataset.get("BitsStored") or options["bits_allocated"])
    if place.keyword == "PixelData":
        options["pixel_representation"] = int(dataset.get("PixelRepresentation") or 0)
    if options["samples_per_pixel"] > 1:
        options["planar_configuration"] = int(dataset.get("PlanarConfiguration") or 0)
    if "ExtendedOffsetTable" in dataset and "ExtendedOffsetTableLengths" in dataset:
        options["extended_offsets"] = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    return options


def _rescaled(stored: NDArray[np.generic], frame: Frame) -> Pixels:
    transform = rescale(frame)
    if transform is None:
        return np.asarray(apply_modality_lut(stored, frame.top), dtype=np.float32)
    slope, intercept = transform
    if (slope, intercept) == (1.0, 0.0):
        return np.array(stored, dtype=np.float32)
    return np.asarray(stored.astype(np.float64) * slope + intercept, dtype=np.float32)
