"""Opens a DICOM file up to its pixels: guards against lies and bombs, says what is not an image."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom import config, uid
from pydicom.dataset import Dataset
from pydicom.pixels.common import PhotometricInterpretation

from core.errors import UnreadableFile
from core.imaging.archive import open_binary
from core.imaging.base import check_shape
from core.imaging.dicom_objects import refuse_other_object
from core.imaging.dicom_parse import PIXEL_TAGS, UNDEFINED, read_header

# Odd values are common and are judged where they are used. pydicom's warnings quote them, and they may be a
# patient's: they go nowhere.
logging.getLogger("pydicom").propagate = False
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom\b")

_MAX_INFLATED = 256 << 20
_MAX_FRAMES = 100_000
_RATIO = 1000  # decoded bytes of a frame to bytes of the file
_SMALL_FRAME = 64 << 20  # below this the ratio does not matter
_BITS_ALLOCATED = (1, 8, 16, 32, 64)
PACKED_BITS = 12
"""Bits allocated of old files that pack two pixels into three bytes (ACR-NEMA 2.0)."""

_COLOURS = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_GREYS = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, slots=True)
class PixelPlace:
    """Where the pixel data lie.

    Attributes:
        keyword: PixelData, FloatPixelData or DoubleFloatPixelData.
        vr: Its value representation.
        offset: Where its value starts, in the data set's stream.
        length: Its length in bytes; -1 where it is encapsulated.
    """

    keyword: str
    vr: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class OpenDicom:
    """A data set without its pixels.

    Attributes:
        dataset: The header.
        syntax: Transfer syntax, guessed where the file does not say.
        place: Where the pixels are.
        frames: Number of frames.
        notes: Warnings about the file.
    """

    dataset: Dataset
    syntax: uid.UID
    place: PixelPlace
    frames: int
    notes: tuple[str, ...]


@contextmanager
def dicom_stream(path: Path) -> Iterator[BinaryIO]:
    """The file from its preamble on, inflated (within a bound) where its transfer syntax is deflated.

    A file whose preamble was cut off, so that it begins with "DICM", is given an empty one.

    Raises:
        UnreadableFile: The deflated data are damaged or larger than the bound.
    """
    with open_binary(path) as file:
        if file.read(4) == b"DICM":
            file.seek(0)
            yield io.BytesIO(bytes(128) + file.read())
            return
        file.seek(0)
        deflated_at = _deflated_at(file)
        file.seek(0)
        if deflated_at is None:
            yield file
            return
        head = file.read(deflated_at)
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        body = inflater.decompress(file.read(), _MAX_INFLATED)
        if inflater.unconsumed_tail:
            raise UnreadableFile(path, f"deflated data larger than {_MAX_INFLATED >> 20} MiB")
        # The same length, so that the group length before it stays right; the value is padded by a null.
        old, new = uid.DeflatedExplicitVRLittleEndian.encode(), uid.ExplicitVRLittleEndian.encode()
        yield io.BytesIO(head.replace(old, new.ljust(len(old), b"\0"), 1) + body)


def _deflated_at(file: BinaryIO) -> int | None:
    head = file.read(132)
    if head[128:] != b"DICM":
        return None
    # Group 0002 is always explicit little endian: (0002,0000) UL 4, then as many bytes as it says.
    group = file.read(12)
    if group[:8] != b"\x02\x00\x00\x00UL\x04\x00" or len(group) < 12:
        return None
    length = struct.unpack("<I", group[8:])[0]
    meta = file.read(min(length, 1 << 16))
    return 144 + length if uid.DeflatedExplicitVRLittleEndian.encode() in meta else None


def open_dicom(path: Path, stream: BinaryIO, size: int, *, bare: bool) -> OpenDicom:
    """Parse the header and find the pixels; nothing is decoded.

    Args:
        path: The file, for messages.
        stream: From `dicom_stream`.
        size: Length of the stream in bytes.
        bare: The file has no preamble, so that more is demanded before it counts as DICOM.

    Raises:
        UnreadableFile: Not an image, truncated, or announcing more pixels than the file can hold.
    """
    dataset, skipped = read_header(path, stream, bare)
    sop_class = str(dataset.get("SOPClassUID", "") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    acr_nema = bare and str(dataset.get("RecognitionCode", "")).startswith("ACR-NEMA")
    if bare and not acr_nema and (not sop_class or uid.UID(sop_class).name == sop_class):
        raise UnreadableFile(path, "not a DICOM or image file")
    place = _find_pixels(path, stream, dataset)
    has_pixels = place is not None and "Rows" in dataset and "Columns" in dataset
    refuse_other_object(path, dataset, sop_class, has_pixels=has_pixels)
    if place is None or not has_pixels:
        cut = " (cut short, or damaged before it)" if "Rows" in dataset else ""
        raise UnreadableFile(path, f"DICOM without pixel data{cut}")
    notes = ["ACR-NEMA file, older than DICOM"] if acr_nema else []
    notes += ["an element of unknown kind was left out"] if skipped else []
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax or not uid.UID(syntax).is_transfer_syntax:
        implicit, little = dataset.original_encoding
        syntax = uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
        syntax = syntax if little else uid.ExplicitVRBigEndian
        if not acr_nema:
            notes.append("transfer syntax missing or unknown: guessed")
    frames = _checked_frames(path, dataset, place, uid.UID(syntax), size, stream)
    return OpenDicom(dataset, uid.UID(syntax), place, frames, tuple(notes))


def _find_pixels(path: Path, stream: BinaryIO, dataset: Dataset) -> PixelPlace | None:
    """Read the pixel element's own header, at which `read_partial` stopped."""
    implicit, little = dataset.original_encoding
    order = "<" if little else ">"
    head = stream.read(8)
    if len(head) < 8:
        return None
    group, element = struct.unpack(order + "HH", head[:4])
    keyword = PIXEL_TAGS.get(group << 16 | element)
    if keyword is None:
        return None
    vr = "OW"
    length: int = struct.unpack(order + "I", head[4:])[0]
    if not implicit:
        vr = head[4:6].decode("latin-1")
        if vr in ("OB", "OW", "OF", "OD", "UN"):
            length = struct.unpack(order + "I", stream.read(4))[0]
        else:
            length = struct.unpack(order + "H", head[6:])[0]
    if length == 0:
        return None
    return PixelPlace(
        keyword, "OW" if vr == "UN" else vr, stream.tell(), -1 if length == UNDEFINED else length
    )


def _checked_frames(
    path: Path, dataset: Dataset, place: PixelPlace, syntax: uid.UID, size: int, stream: BinaryIO
) -> int:
    rows, columns = (whole_number(path, dataset, name, 0) for name in ("Rows", "Columns"))
    check_shape(path, rows, columns)
    bits, samples = _checked_samples(path, dataset, place, syntax)
    frames = whole_number(path, dataset, "NumberOfFrames", 1)
    if not 1 <= frames <= _MAX_FRAMES:
        raise UnreadableFile(path, f"NumberOfFrames {frames} is not possible")
    frame_bytes = rows * columns * samples * bits // 8
    if syntax.is_compressed and syntax != uid.DeflatedExplicitVRLittleEndian:
        if frame_bytes > max(_SMALL_FRAME, _RATIO * size):
            raise UnreadableFile(path, f"announces {columns} × {rows} pixels: more than the file can hold")
        fragments = _count_fragments(path, stream, place, size)
        if fragments < frames:
            raise UnreadableFile(path, f"truncated DICOM: {frames} frames announced, {fragments} found")
        return frames
    needed = _native_bytes(dataset, frame_bytes, frames, bits)
    there = min(place.length if place.length >= 0 else size, size - place.offset)
    if there < needed:
        raise UnreadableFile(path, f"truncated DICOM: {there} of {needed} bytes of pixel data are there")
    return frames


def whole_number(path: Path, dataset: Dataset, name: str, default: int) -> int:
    """An attribute as a whole number, or the default where it is absent or empty.

    Raises:
        UnreadableFile: It is something else.
    """
    try:
        value = dataset.get(name)
        return default if value is None or value == "" else int(value)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as error:
        raise UnreadableFile(path, f"damaged DICOM: {name} is not a whole number") from error


def _checked_samples(path: Path, dataset: Dataset, place: PixelPlace, syntax: uid.UID) -> tuple[int, int]:
    """Bits allocated and samples per pixel.

    Raises:
        UnreadableFile: The header describes pixels that there cannot be.
    """
    samples = whole_number(path, dataset, "SamplesPerPixel", 1)
    if place.keyword != "PixelData":
        return (32 if place.keyword == "FloatPixelData" else 64), samples
    bits = whole_number(path, dataset, "BitsAllocated", 16)
    stored = whole_number(path, dataset, "BitsStored", bits)
    packed = bits == PACKED_BITS and samples == 1 and not syntax.is_encapsulated
    if samples not in (1, 3) or (bits not in _BITS_ALLOCATED and not packed):
        raise UnreadableFile(path, f"unsupported pixels: {samples} samples of {bits} bits")
    if not 1 <= stored <= bits:
        raise UnreadableFile(path, f"damaged DICOM: {stored} bits stored in {bits} allocated")
    if whole_number(path, dataset, "PixelRepresentation", 0) not in (0, 1):
        raise UnreadableFile(path, "damaged DICOM: PixelRepresentation is neither 0 nor 1")
    photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2")
    one = photometric in _GREYS or photometric == "PALETTE COLOR"
    if (samples == 1) != one or photometric not in (*_GREYS, *_COLOURS):
        known = photometric if photometric in {str(p) for p in PhotometricInterpretation} else "unknown"
        raise UnreadableFile(path, f"unsupported colours: {samples} samples, {known}")
    return bits, samples


def _native_bytes(dataset: Dataset, frame_bytes: int, frames: int, bits: int) -> int:
    if bits == 1:
        return (int(dataset.Rows) * int(dataset.Columns) * frames + 7) // 8
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        return frame_bytes * frames * 2 // 3
    return frame_bytes * frames


def _count_fragments(path: Path, stream: BinaryIO, place: PixelPlace, size: int) -> int:
    """Fragments after the offset table. Only their headers are read.

    Raises:
        UnreadableFile: A fragment ends behind the file.
    """
    if place.length >= 0:
        raise UnreadableFile(path, "damaged DICOM: compressed pixel data with a fixed length")
    at, count = place.offset, -1  # the first item is the offset table
    while at + 8 <= size:
        stream.seek(at)
        group, element, length = struct.unpack("<HHI", stream.read(8))
        if (group, element) != (0xFFFE, 0xE000):
            break
        at += 8 + length
        if at > size:
            raise UnreadableFile(path, "truncated DICOM: the pixel data end too early")
        count += 1
    return max(count, 0)
