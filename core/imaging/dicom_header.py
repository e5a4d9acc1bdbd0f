"""What a DICOM header says about each frame: identity, place, kind; and about its series."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from core.imaging.base import Heading
from core.imaging.dicom_file import OpenDicom
from core.imaging.dicom_frame import Frame, integer, numbers, text
from core.imaging.dicom_traits import dimension_names, place_by_dimension, traits_of
from core.imaging.dicom_values import colour_bits, padding_of, value_maps_of, windows_of
from core.model import Geometry, SliceRef, Vector


def heading(opened: OpenDicom, frames: Sequence[Frame]) -> Heading:
    """What the file says about its series."""
    top = opened.dataset
    names = dimension_names(top)
    return Heading(
        study_uid=text(top, "StudyInstanceUID"),
        study_order=text(top, "StudyDate") + text(top, "StudyTime"),
        study_label=_study_label(text(top, "PatientID"), text(top, "StudyDate")),
        modality=text(top, "Modality"),
        description=text(top, "SeriesDescription") or text(top, "ProtocolName"),
        number=integer(top, "SeriesNumber"),
        traits=tuple(traits_of(f, names) for f in frames),
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
    colour = colour_bits(top) > 0
    names = dimension_names(top)
    refs = []
    for index, frame in enumerate(frames):
        geometry = _geometry(frame)
        spacing = (geometry.row_spacing, geometry.column_spacing) if geometry else _spacing(frame)
        refs.append(
            SliceRef(
                key=f"dicom:{identity}#{index}",
                path=path,
                frame=index,
                rows=int(top.Rows),
                columns=int(top.Columns),
                series_uid=series,
                geometry=geometry,
                spacing=spacing,
                aspect=1.0 if spacing else _aspect(frame),
                dimension=place_by_dimension(frame, names),
                windows=windows_of(frame),
                inverted=inverted,
                patient=pseudonym,
                frame_of_reference=text(top, "FrameOfReferenceUID"),
                instance_number=integer(top, "InstanceNumber"),
                padding=padding_of(frame),
                colour=colour,
                value_maps=value_maps_of(frame),
            )
        )
    return tuple(refs)


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


def _aspect(frame: Frame) -> float:
    """Height over width of a pixel, where no spacing says it (PS3.3 C.7.6.3.1.7)."""
    found = numbers(frame.top, "PixelAspectRatio")
    return found[0] / found[1] if len(found) == 2 and min(found) > 0 else 1.0


def _warnings(top: Dataset) -> tuple[str, ...]:
    notes = []
    if text(top, "LossyImageCompression") == "01":
        notes.append("lossy compressed")
    if text(top, "ImageType").partition("\\")[0] == "DERIVED":
        notes.append("derived: not the scanner's own pixels")
    if text(top, "BurnedInAnnotation") == "YES":
        notes.append("annotation burned into the pixels")
    return tuple(notes)


def _study_label(patient_id: str, date: str) -> str:
    """Patient id and date (PS3.5 6.2, DA: YYYYMMDD) as a person reads them."""
    day = f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) == 8 and date.isdigit() else date
    return " · ".join(part for part in (patient_id, day) if part)
