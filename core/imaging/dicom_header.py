"""What a DICOM header says about each frame: place, windows, rescaling, padding."""

from __future__ import annotations

import hashlib
import math
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from core.imaging.base import Heading
from core.imaging.dicom_file import OpenDicom
from core.model import Geometry, SliceRef, Vector, Window

_FUNCTIONS = {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
# What a header may break in: values of the wrong type, number, or range.
_ODD = (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Frame:
    """The header from one frame's point of view.

    An attribute is looked for in the frame's own functional groups, then in the shared ones, then at the top.

    Attributes:
        top: The whole data set.
        groups: Functional groups that apply, the frame's own first; empty for a classic object.
    """

    top: Dataset
    groups: tuple[Dataset, ...]

    def within(self, sequence: str) -> Dataset:
        """The first item of a functional group, or the top level where there is none."""
        for group in self.groups:
            items = sequence_items(group, sequence)
            if items:
                return items[0]
        return self.top


def frames_of(opened: OpenDicom) -> list[Frame]:
    """One view per frame."""
    top = opened.dataset
    shared = tuple(sequence_items(top, "SharedFunctionalGroupsSequence")[:1])
    per_frame = sequence_items(top, "PerFrameFunctionalGroupsSequence")
    return [
        Frame(top, ((per_frame[i],) if i < len(per_frame) else ()) + shared) for i in range(opened.frames)
    ]


def sequence_items(dataset: Dataset, name: str) -> Sequence[Dataset]:
    """The items of a sequence; none where it is absent or malformed."""
    try:
        value = dataset.get(name)
        return list(value) if value is not None and all(isinstance(v, Dataset) for v in value) else []
    except _ODD:
        return []


def numbers(dataset: Dataset, name: str) -> tuple[float, ...]:
    """The finite numbers of an attribute; none where it is absent or malformed."""
    try:
        value = dataset.get(name)
        if value is None or (isinstance(value, str | bytes) and not value):
            return ()
        given = [value] if isinstance(value, str | bytes | int | float) else list(value)
        found = tuple(float(v) for v in given)
    except _ODD:
        return ()
    return found if all(math.isfinite(v) for v in found) else ()


def text(dataset: Dataset, name: str) -> str:
    """An attribute as text, control characters removed; "" where it is absent or malformed."""
    try:
        value = dataset.get(name)
        words = "\\".join(map(str, value)) if isinstance(value, MutableSequence) else str(value or "")
    except _ODD:
        return ""
    return "".join(c for c in words if c.isprintable()).strip()


def integer(dataset: Dataset, name: str) -> int | None:
    """An attribute as a whole number, or None."""
    found = numbers(dataset, name)
    return int(found[0]) if found else None


def heading(opened: OpenDicom, frames: Sequence[Frame]) -> Heading:
    """What the file says about its series."""
    top = opened.dataset
    return Heading(
        study_uid=text(top, "StudyInstanceUID"),
        study_order=text(top, "StudyDate") + text(top, "StudyTime"),
        study_label=_study_label(text(top, "PatientID"), text(top, "StudyDate")),
        modality=text(top, "Modality"),
        description=text(top, "SeriesDescription") or text(top, "ProtocolName"),
        number=integer(top, "SeriesNumber"),
        stacks=tuple(_stack(f) for f in frames),
        notes=(*opened.notes, *_warnings(top)),
    )


def slice_refs(path: Path, opened: OpenDicom, frames: Sequence[Frame], fallback: str) -> tuple[SliceRef, ...]:
    """One reference per frame, in file order.

    Args:
        path: The file.
        opened: Its header.
        frames: From `frames_of`.
        fallback: Identity to use where the file has no SOPInstanceUID.
    """
    top = opened.dataset
    identity = text(top, "SOPInstanceUID") or fallback
    photometric = text(top, "PhotometricInterpretation")
    inverted = photometric == "MONOCHROME1" or text(top, "PresentationLUTShape") == "INVERSE"
    patient = text(top, "PatientID")
    pseudonym = hashlib.blake2b(patient.encode(), digest_size=6).hexdigest() if patient else ""
    series = text(top, "SeriesInstanceUID") or f"no-series-uid:{text(top, 'StudyInstanceUID')}"
    refs = []
    for index, frame in enumerate(frames):
        geometry = _geometry(frame)
        refs.append(
            SliceRef(
                key=f"dicom:{identity}#{index}",
                path=path,
                frame=index,
                rows=int(top.Rows),
                columns=int(top.Columns),
                series_uid=series,
                geometry=geometry,
                spacing=(geometry.row_spacing, geometry.column_spacing) if geometry else _spacing(frame),
                windows=_windows(frame),
                inverted=inverted,
                patient=pseudonym,
                frame_of_reference=text(top, "FrameOfReferenceUID"),
                instance_number=integer(top, "InstanceNumber"),
                padding=_padding(top, frame),
            )
        )
    return tuple(refs)


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


def _geometry(frame: Frame) -> Geometry | None:
    position = numbers(frame.within("PlanePositionSequence"), "ImagePositionPatient")
    cosines = numbers(frame.within("PlaneOrientationSequence"), "ImageOrientationPatient")
    spacing = _spacing(frame)
    if len(position) != 3 or len(cosines) != 6 or spacing is None:
        return None
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if min(lengths) < 0.5 or abs(float(row @ column)) > 0.1 * lengths[0] * lengths[1]:
        return None  # not two directions at right angles: no place is better than a wrong one
    return Geometry(_vector(position), _vector(row / lengths[0]), _vector(column / lengths[1]), *spacing)


def _vector(values: Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))


def _spacing(frame: Frame) -> tuple[float, float] | None:
    measures = frame.within("PixelMeasuresSequence")
    for name in ("PixelSpacing", "NominalScannedPixelSpacing", "ImagerPixelSpacing"):
        found = numbers(measures, name)
        if len(found) == 2 and min(found) > 0:
            return (found[0], found[1])
    return None


def _windows(frame: Frame) -> tuple[Window, ...]:
    source = frame.within("FrameVOILUTSequence")
    centres, widths = numbers(source, "WindowCenter"), numbers(source, "WindowWidth")
    names = text(source, "WindowCenterWidthExplanation").split("\\")
    function = text(source, "VOILUTFunction") or "LINEAR"
    function = function if function in _FUNCTIONS else "LINEAR"
    windows = []
    for i, (centre, width) in enumerate(zip(centres, widths, strict=False)):
        if width <= 0:
            continue
        exact = function == "LINEAR" and width < 1  # LINEAR is not defined there
        name = names[i] if i < len(names) and names[i] else f"file {i + 1}"
        windows.append(Window(centre, width, name, "LINEAR_EXACT" if exact else function))
    return tuple(windows) or _lut_as_window(source)


def _lut_as_window(source: Dataset) -> tuple[Window, ...]:
    """The range that a VOI look-up table covers, as a window: its curve is not kept, what it shows is."""
    for item in sequence_items(source, "VOILUTSequence"):
        descriptor = numbers(item, "LUTDescriptor")
        if len(descriptor) == 3:
            entries = descriptor[0] or 65536
            return (Window(descriptor[1] + entries / 2, entries, "VOI LUT (as window)"),)
    return ()


def _padding(top: Dataset, frame: Frame) -> tuple[float, float] | None:
    """The padding range in rescaled values."""
    first = numbers(top, "PixelPaddingValue")
    transform = rescale(frame)
    if len(first) != 1 or transform is None:
        return None
    last = numbers(top, "PixelPaddingRangeLimit")
    ends = [_as_stored(v, top) for v in (first[0], last[0] if len(last) == 1 else first[0])]
    low, high = sorted(v * transform[0] + transform[1] for v in ends)
    slack = 1e-3 * abs(transform[0])  # pixels are float32
    return (low - slack, high + slack)


def _as_stored(value: float, top: Dataset) -> float:
    """A padding value written unsigned although the pixels are signed."""
    bits = integer(top, "BitsAllocated") or 16
    if integer(top, "PixelRepresentation") == 1 and value >= 2 ** (bits - 1):
        return value - float(2**bits)
    return value


def _stack(frame: Frame) -> str:
    """What tells apart slices that share a position: image type, echo, diffusion weighting."""
    kinds = [text(frame.within("MRImageFrameTypeSequence"), name) for name in ("FrameType", "ImageType")]
    echo = numbers(frame.within("MREchoSequence"), "EffectiveEchoTime") or numbers(frame.top, "EchoTime")
    weight = numbers(frame.within("MRDiffusionSequence"), "DiffusionBValue")
    return "/".join([kinds[0] or kinds[1], *(f"{v:g}" for v in (*echo[:1], *weight[:1]))])


def _warnings(top: Dataset) -> tuple[str, ...]:
    notes = []
    if text(top, "LossyImageCompression") == "01":
        notes.append("lossy compressed")
    if text(top, "BurnedInAnnotation") == "YES":
        notes.append("annotation burned into the pixels")
    return tuple(notes)


def _study_label(patient_id: str, date: str) -> str:
    """Patient id and date (PS3.5 6.2, DA: YYYYMMDD) as a person reads them."""
    day = f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) == 8 and date.isdigit() else date
    return " · ".join(part for part in (patient_id, day) if part)
