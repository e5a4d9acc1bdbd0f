"""Decodes one DICOM frame to stored values: sign and unused bits right, colour as red, green and blue."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut

from core.errors import UnreadableFile
from core.imaging import dicom_codecs
from core.imaging.dicom_decode import DecodeFailed
from core.imaging.dicom_file import PACKED_BITS, OpenDicom
from core.imaging.dicom_frame import text

dicom_codecs.register()


def check_decoder(path: Path, syntax: uid.UID) -> None:
    """Refuse a transfer syntax that nothing here decodes.

    Raises:
        UnreadableFile: It is video, or unknown.
    """
    try:
        get_decoder(syntax)
    except NotImplementedError as error:
        raise UnreadableFile(path, f"no decoder for its transfer syntax ({syntax.name})") from error


def stored_values(path: Path, stream: BinaryIO, opened: OpenDicom, index: int) -> NDArray[np.generic]:
    """Stored values of a frame, (rows, columns), or (rows, columns, 3) in colour.

    Raises:
        UnreadableFile: The frame cannot be decoded, and why.
        Exception: What pydicom makes of a damaged file.
    """
    if opened.dataset.get("BitsAllocated") == PACKED_BITS and not opened.syntax.is_encapsulated:
        return _unpacked_12(stream, opened, index)
    refusals: list[str] = []
    options = {**_options(opened), dicom_codecs.REFUSALS: refusals}
    stream.seek(opened.place.offset)
    plugin = dicom_codecs.plugin_for(opened.syntax)
    try:
        if dicom_codecs.is_jpeg_2000(opened.syntax):
            _check_boxes(stream, index, options)
        array, _ = get_decoder(opened.syntax).as_array(stream, index=index, decoding_plugin=plugin, **options)
    except DecodeFailed as error:
        raise UnreadableFile(path, f"frame {index + 1} ({opened.syntax.name}): {error}") from error
    except RuntimeError as error:  # what pydicom makes of a decoder's refusal
        if isinstance(error, RecursionError) or not opened.syntax.is_encapsulated:
            raise
        reason = refusals[-1] if refusals else "the compressed data are damaged or too short"
        raise UnreadableFile(path, f"frame {index + 1} ({opened.syntax.name}): {reason}") from error
    if text(opened.dataset, "PhotometricInterpretation") == "PALETTE COLOR":
        return np.asarray(apply_color_lut(array, opened.dataset))
    return np.asarray(array)


def _check_boxes(stream: BinaryIO, index: int, options: dict[str, Any]) -> None:
    """Look at a frame before pydicom does, which walks the boxes of a damaged JP2 file for ever.

    Raises:
        DecodeFailed: The frame is wrapped in such a file.
    """
    at = stream.tell()
    source = get_frame(
        stream,
        index,
        number_of_frames=options["number_of_frames"],
        extended_offsets=options.get("extended_offsets"),
    )
    stream.seek(at)
    dicom_codecs.code_stream_at(source)


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


def _unpacked_12(stream: BinaryIO, opened: OpenDicom, index: int) -> NDArray[np.generic]:
    """Pixels of 12 bits in words of 16, the first in the lowest bits (ACR-NEMA 2.0; PS3.5-1993 Annex D)."""
    rows, columns = int(opened.dataset.Rows), int(opened.dataset.Columns)
    count = rows * columns
    pair, odd = divmod(index * count, 2)  # a frame may begin in the middle of a pair
    stream.seek(opened.place.offset + 3 * pair)
    data = stream.read((count + odd + 1) // 2 * 3)
    data += bytes(-len(data) % 3)
    three = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.uint16)
    pairs = np.stack([three[:, 0] | (three[:, 1] & 15) << 8, three[:, 1] >> 4 | three[:, 2] << 4], axis=1)
    values = pairs.ravel()[odd : odd + count].reshape(rows, columns)
    if int(opened.dataset.get("PixelRepresentation") or 0) == 1:
        return (values << 4).view(np.int16) >> 4
    return values
