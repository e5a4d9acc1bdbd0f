"""Opens a file by its content; the suffix only decides how a refusal is worded."""

from __future__ import annotations

from pathlib import Path

from core.errors import UnreadableFile
from core.imaging.base import Heading, Reader, check_regular, file_boundary
from core.imaging.dicom import DicomReader
from core.imaging.raster import RasterReader, raster_format

__all__ = ["Heading", "Reader", "open_reader"]

_HEAD = 132
_IMAGE_SUFFIXES = {
    ".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".bmp", ".dib",
}  # fmt: skip
# First element of a data set written without preamble: group 0002 or 0008, either byte order.
_BARE_DICOM = (b"\x08\x00", b"\x02\x00", b"\x00\x08", b"\x00\x02")


def open_reader(path: Path) -> Reader:
    """The reader for a file: its header is parsed, its pixels are not decoded.

    Raises:
        UnreadableFile: Not a DICOM or image file, or damaged; the reason carries no patient data.
    """
    check_regular(path)
    with file_boundary(path, "file"), path.open("rb") as file:
        head = file.read(_HEAD)
    if head[128:132] == b"DICM":
        return DicomReader(path)
    if raster_format(head) is not None:
        return RasterReader(path)
    if head[:2] in _BARE_DICOM:
        return DicomReader(path, bare=True)
    raise UnreadableFile(path, not_an_image(path))


def not_an_image(path: Path) -> str:
    """Why a file of unknown content is left out: said in full where its name promises an image."""
    promises = path.suffix.lower() in _IMAGE_SUFFIXES
    return "not a DICOM or image file" if promises else "not an image"
