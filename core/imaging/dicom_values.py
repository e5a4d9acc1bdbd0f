"""What the values of a DICOM frame mean: rescaling, padding, windows and VOI tables, real-world values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from core.imaging.base import Pixels
from core.imaging.dicom_frame import ODD, Frame, integer, numbers, sequence_items, text
from core.model import ValueMap, VoiTable, Window

_FUNCTIONS = {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
_MOST_ENTRIES = 65536
_MOST_WINDOWS = 32
_NO_UNIT = {"", "1", "no units"}


def rescale(frame: Frame) -> tuple[float, float] | None:
    """Slope and intercept of a frame, or None where its transform is a look-up table.

    Enhanced objects carry them per frame (PixelValueTransformationSequence), and they do differ between the
    frames of one file.
    """
    source = frame.within("PixelValueTransformationSequence")
    if source is frame.top and any(
        len(numbers(item, "LUTDescriptor")) == 3 and item.get("LUTData") is not None
        for item in sequence_items(frame.top, "ModalityLUTSequence")[:1]
    ):
        return None
    slope, intercept = numbers(source, "RescaleSlope"), numbers(source, "RescaleIntercept")
    found = (slope[0] if slope else 1.0, intercept[0] if intercept else 0.0)
    return (1.0, found[1]) if found[0] == 0.0 else found  # a slope of 0 would erase the image


def rescaled(stored: NDArray[np.generic], frame: Frame) -> Pixels:
    """Stored values after the frame's own modality transform."""
    transform = rescale(frame)
    if transform is None:
        return np.asarray(apply_modality_lut(stored, frame.top), dtype=np.float32)
    slope, intercept = transform
    if (slope, intercept) == (1.0, 0.0):
        return np.array(stored, dtype=np.float32)
    return np.asarray(stored.astype(np.float64) * slope + intercept, dtype=np.float32)


def padding_of(frame: Frame) -> tuple[float, float] | None:
    """The padding range (PixelPaddingValue to PixelPaddingRangeLimit) in rescaled values."""
    top = frame.top
    first = numbers(top, "PixelPaddingValue")
    if len(first) != 1:
        return None
    last = numbers(top, "PixelPaddingRangeLimit")
    ends = [_as_stored(v, top) for v in (first[0], last[0] if len(last) == 1 else first[0])]
    transform = rescale(frame)
    if transform is None:
        return _padding_of_table(ends, top)
    low, high = sorted(v * transform[0] + transform[1] for v in ends)
    slack = 1e-3 * abs(transform[0])  # pixels are float32
    return (low - slack, high + slack)


def _padding_of_table(ends: Sequence[float], top: Dataset) -> tuple[float, float] | None:
    try:
        values = apply_modality_lut(np.array(ends, dtype=np.int32), top)
    except ODD:
        return None
    return (float(np.min(values)), float(np.max(values)))


def _as_stored(value: float, top: Dataset) -> float:
    """A padding value written unsigned although the pixels are signed."""
    bits = integer(top, "BitsAllocated") or 16
    if integer(top, "PixelRepresentation") == 1 and value >= 2 ** (bits - 1):
        return value - float(2**bits)
    return value


def colour_bits(top: Dataset) -> int:
    """Bits of a channel of a colour image; 0 for grey."""
    if text(top, "PhotometricInterpretation") == "PALETTE COLOR":
        descriptor = numbers(top, "RedPaletteColorLookupTableDescriptor")
        return 16 if len(descriptor) == 3 and descriptor[2] > 8 else 8
    if (integer(top, "SamplesPerPixel") or 1) < 3:
        return 0
    return integer(top, "BitsStored") or integer(top, "BitsAllocated") or 8


def windows_of(frame: Frame) -> tuple[Window, ...]:
    """A frame's VOI transforms, the default first: tables, then windows, each by its name (PS3.3 C.11.2).

    A colour image has one window, which shows it as it is stored.
    """
    bits = colour_bits(frame.top)
    if bits:
        most = float(2**bits - 1)
        return (Window(most / 2, most, "as stored"),)
    source = frame.within("FrameVOILUTSequence")
    tables = [_table_window(item, frame) for item in sequence_items(source, "VOILUTSequence")[:_MOST_WINDOWS]]
    return (*(t for t in tables if t is not None), *_plain_windows(source))


def _plain_windows(source: Dataset) -> list[Window]:
    centres, widths = numbers(source, "WindowCenter"), numbers(source, "WindowWidth")
    names = text(source, "WindowCenterWidthExplanation").split("\\")
    function = text(source, "VOILUTFunction") or "LINEAR"
    function = function if function in _FUNCTIONS else "LINEAR"
    windows: list[Window] = []
    for i, (centre, width) in enumerate(zip(centres[:_MOST_WINDOWS], widths, strict=False)):
        if width <= 0:
            continue
        exact = function == "LINEAR" and width < 1  # LINEAR is not defined there
        name = names[i] if i < len(names) else ""
        if not name and any((w.center, w.width) == (centre, width) for w in windows):
            continue  # the same again, without a name of its own
        name = name or f"file {i + 1}"
        windows.append(Window(centre, width, name, "LINEAR_EXACT" if exact else function))
    return windows


def _table_window(item: Dataset, frame: Frame) -> Window | None:
    """A VOI look-up table (PS3.3 C.11.2.1.1), or None where it is malformed.

    As a window it reaches from its first entry to its last, so that centre and width say what it shows.
    """
    descriptor = numbers(item, "LUTDescriptor")
    if len(descriptor) != 3:
        return None
    count, first, bits = (int(v) for v in descriptor)
    entries = lut_entries(item, count or _MOST_ENTRIES, bits)
    if entries is None:
        return None
    if first >= 32768 and _may_be_negative(frame):
        first -= 65536  # written unsigned although values below 0 are meant
    most = int(entries.max())
    top = 2**bits - 1 if 1 <= bits <= 16 and most < 2**bits else 2 ** max(most.bit_length(), 1) - 1
    table = _shared(entries.astype("<u2").tobytes(), top)
    return Window(first + len(entries) / 2, float(len(entries)), _table_name(item), "TABLE", table)


def lut_entries(item: Dataset, count: int, bits: int) -> NDArray[np.uint16] | None:
    """The entries of a LUTData element, or None where there are too few.

    It may be numbers, or words in the byte order of the file; two 8-bit entries may share a word.
    """
    try:
        data = item.get("LUTData")
    except ODD:
        return None
    if not 1 <= count <= _MOST_ENTRIES or data is None:
        return None
    if not isinstance(data, bytes):
        given = numbers(item, "LUTData")
        words = np.array(given, dtype=np.float64).astype(np.uint16)
    else:
        little = item.original_encoding[1] if item.original_encoding[1] is not None else True
        if len(data) < 2 * count and bits <= 8 and len(data) >= count:
            entries = np.frombuffer(data, np.uint8)
            even = len(entries) // 2 * 2
            entries = entries if little else entries[:even].reshape(-1, 2)[:, ::-1].ravel()
            return entries[:count].astype(np.uint16) if len(entries) >= count else None
        words = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little else ">u2").astype(np.uint16)
    if len(words) < count and bits <= 8 and 2 * len(words) >= count:
        words = words.astype("<u2").view(np.uint8).astype(np.uint16)
    return words[:count] if len(words) >= count else None


def _may_be_negative(frame: Frame) -> bool:
    transform = rescale(frame)
    return integer(frame.top, "PixelRepresentation") == 1 or (transform is not None and transform[1] < 0)


def _table_name(item: Dataset) -> str:
    return text(item, "LUTExplanation") or "VOI table"


@lru_cache(maxsize=64)
def _shared(levels: bytes, top: int) -> VoiTable:
    """One table for all slices of a series that carry the same."""
    return VoiTable(levels, top)


def value_maps_of(frame: Frame) -> tuple[ValueMap, ...]:
    """Real-world value maps (PS3.3 C.7.6.16.2.11), from rescaled values to a quantity and its unit.

    Maps that leave the value alone and name no unit say nothing, and are left out.
    """
    transform = rescale(frame)
    if transform is None:
        return ()
    name = "RealWorldValueMappingSequence"
    items = frame.items(name) or sequence_items(frame.top, name)
    found = [_value_map(item, *transform) for item in items[:_MOST_WINDOWS]]
    return tuple(m for m in found if m is not None)


def _value_map(item: Dataset, slope: float, intercept: float) -> ValueMap | None:
    first = numbers(item, "DoubleFloatRealWorldValueFirstValueMapped") or numbers(
        item, "RealWorldValueFirstValueMapped"
    )
    last = numbers(item, "DoubleFloatRealWorldValueLastValueMapped") or numbers(
        item, "RealWorldValueLastValueMapped"
    )
    if len(first) != 1 or len(last) != 1 or last[0] < first[0]:
        return None
    units = sequence_items(item, "MeasurementUnitsCodeSequence")[:1]
    unit = text(units[0], "CodeValue") if units else ""
    label = text(item, "LUTExplanation") or text(item, "LUTLabel")
    ends = (first[0] * slope + intercept, last[0] * slope + intercept)
    low, high = sorted(ends)
    table = numbers(item, "RealWorldValueLUTData")
    if table:
        if len(table) != last[0] - first[0] + 1 or len(table) > _MOST_ENTRIES:
            return None
        return ValueMap(low, high, 0.0, 0.0, unit, label, table if slope > 0 else table[::-1])
    a, b = numbers(item, "RealWorldValueSlope"), numbers(item, "RealWorldValueIntercept")
    if len(a) != 1 or len(b) != 1:
        return None
    gain, offset = a[0] / slope, b[0] - a[0] * intercept / slope
    same = abs(gain - 1) < 1e-9 and abs(offset) < 1e-9
    if same and (unit.lower() in _NO_UNIT or text(units[0], "CodeMeaning").lower() in _NO_UNIT):
        return None
    return ValueMap(low, high, gain, offset, unit, label)
