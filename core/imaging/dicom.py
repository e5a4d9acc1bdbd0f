"""DICOM slices: any image storage class, one frame or many, native or compressed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableFile
from core.imaging.base import Pixels, check_regular, file_boundary, finite, luma
from core.imaging.dicom_file import dicom_stream, open_dicom
from core.imaging.dicom_frame import frames_of, text
from core.imaging.dicom_header import heading, slice_refs
from core.imaging.dicom_pixels import check_decoder, stored_values
from core.imaging.dicom_values import rescaled
from core.model import SliceRef

_HEADER, _PIXELS = "DICOM header", "DICOM pixel data"


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
            with file_boundary(path, _HEADER), dicom_stream(path) as stream:
                self._opened = open_dicom(path, stream, _size(stream), bare=bare)
                check_decoder(path, self._opened.syntax)
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
        with file_boundary(self._path, _PIXELS), dicom_stream(self._path) as stream:
            stored = stored_values(self._path, stream, self._opened, index)
            pixels = luma(stored) if stored.ndim == 3 else rescaled(stored, frame)
        return finite(self._path, pixels)

    def colour(self, index: int) -> NDArray[np.generic] | None:
        """Decode one frame in colour: (rows, columns, 3), red first, as stored; None where it is grey.

        Raises:
            UnreadableFile: The pixels cannot be decoded.
            IndexError: There is no such frame.
        """
        if not self._slices[index].colour:
            return None
        with file_boundary(self._path, _PIXELS), dicom_stream(self._path) as stream:
            return stored_values(self._path, stream, self._opened, index)


def _size(stream: BinaryIO) -> int:
    at = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(at)
    return size


def _digest(stream: BinaryIO) -> str:
    stream.seek(0)
    return hashlib.blake2b(stream.read(), digest_size=16).hexdigest()
