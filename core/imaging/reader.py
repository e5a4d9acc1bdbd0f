"""Opens a file by its content; the suffix only decides how a refusal is worded."""

from __future__ import annotations

from pathlib import Path

from core.errors import UnreadableFile
from core.imaging import archive
from core.imaging.base import Container, Heading, OtherObject, Reader, check_regular, file_boundary
from core.imaging.dicom import DicomReader
from core.imaging.dicom_objects import DIRECTORY
from core.imaging.dicomdir import read_dicomdir
from core.imaging.nifti import NiftiReader, nifti_head
from core.imaging.nifti_header import HEAD_BYTES, is_analyze
from core.imaging.raster import RasterReader, raster_format
from core.model import Skipped

__all__ = ["Container", "Heading", "OtherObject", "Reader", "open_content", "open_reader"]

_HEAD = max(132, HEAD_BYTES)
_IMAGE_SUFFIXES = {
    ".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".bmp", ".dib", ".zip",
    ".nii", ".gz", ".hdr",
}  # fmt: skip
# First element of a data set written without preamble: group 0002 or 0008, either byte order.
_BARE_DICOM = (b"\x08\x00", b"\x02\x00", b"\x00\x08", b"\x00\x02")
# Names by which zip archives are known that are something else: office documents, programs.
_PACKAGES = ("[Content_Types].xml", "META-INF/", "mimetype", "AndroidManifest.xml")


def open_reader(path: Path) -> Reader:
    """The reader for a file: its header is parsed, its pixels are not decoded.

    Raises:
        OtherObject: It is DICOM, but not an image.
        UnreadableFile: Not a DICOM or image file, or damaged; the reason carries no patient data.
    """
    found = open_content(path)
    if isinstance(found, Container):
        raise UnreadableFile(path, "holds or lists other files, and is no slice itself")
    return found


def open_content(path: Path) -> Reader | Container:
    """A file's reader; or, for a zip archive or a DICOMDIR, the files in it.

    Raises:
        OtherObject: It is DICOM, but not an image.
        UnreadableFile: Not a DICOM or image file, or damaged; the reason carries no patient data.
    """
    check_regular(path)
    with file_boundary(path, "file"), archive.open_binary(path) as file:
        head = file.read(_HEAD)
    if head[128:132] == b"DICM" or head[:4] == b"DICM":  # the preamble may have been cut off
        return _dicom(path)
    if raster_format(head) is not None:
        return RasterReader(path)
    if nifti_head(head, path) is not None:
        return NiftiReader(path)
    if is_analyze(head):
        raise UnreadableFile(path, "ANALYZE 7.5 does not say which side is left: convert it to NIfTI")
    if head.startswith(archive.MAGICS):
        return _zip(path)
    if head[:2] in _BARE_DICOM:
        return _dicom(path, bare=True)
    raise UnreadableFile(path, not_an_image(path))


def _dicom(path: Path, *, bare: bool = False) -> Reader | Container:
    try:
        return DicomReader(path, bare=bare)
    except OtherObject as error:
        if error.object.sop_class == DIRECTORY:
            return read_dicomdir(path)
        raise


def _zip(path: Path) -> Container:
    with file_boundary(path, "zip archive"):
        if archive.archive_place(path) is not None:
            raise UnreadableFile(path, "a zip archive inside another one: unpack the outer one first")
        found = archive.read_archive(path)
    if any(name.startswith(_PACKAGES) or name.endswith(".npy") for name in found.members):
        raise UnreadableFile(path, not_an_image(path))
    if not found.members and not found.refused:
        raise UnreadableFile(path, "zip archive without files")
    return Container(
        path,
        tuple(path / name for name in found.members),
        tuple(Skipped(path / name, reason) for name, reason in found.refused),
    )


def not_an_image(path: Path) -> str:
    """Why a file of unknown content is left out: said in full where its name promises an image."""
    if path.suffix.lower() == ".img" and path.with_suffix(".hdr").exists():
        return f"the voxels of {path.stem}.hdr, which is opened instead"
    promises = path.suffix.lower() in _IMAGE_SUFFIXES
    return "not a DICOM or image file" if promises else "not an image"
