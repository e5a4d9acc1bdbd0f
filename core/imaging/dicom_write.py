"""Writes the phantom as DICOM: classic or enhanced MR, any transfer syntax, several echoes, gaps."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from core.imaging.dicom_encode import encode_pixels
from core.imaging.phantom import Phantom
from core.imaging.phantom_cuts import at_echo, slice_position

_NAMESPACE = uuid.UUID("6f1c1c35-0d0a-5c56-9d1e-0a1f3c0b7e21")
_ECHO_MS = 3.2


def write_phantom_dicom(
    phantom: Phantom,
    folder: Path,
    *,
    shuffled: bool = True,
    syntax: str = ExplicitVRLittleEndian,
    left_out: Sequence[int] = (),
    echoes: Sequence[float] = (),
) -> list[Path]:
    """Write one file per slice (MR Image Storage).

    The same phantom gives the same UIDs and pixels. Stored values are the volume's own.

    Args:
        phantom: What to write.
        folder: Made where it does not exist.
        shuffled: Give file names and InstanceNumbers out of slice order, as real exports do; only the
            position tells the order then.
        syntax: Transfer syntax, one of `dicom_encode.SYNTAXES`.
        left_out: Slices that are not written: gaps.
        echoes: Echo times in ms, all in one series; the phantom's own echo where there are none.

    Returns:
        The files in slice order, lowest first; echo by echo.

    Raises:
        OSError: The folder cannot be written.
        ValueError: The transfer syntax cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    indices = [i for i in range(len(phantom.volume)) if i not in left_out]
    count = len(indices) * max(len(echoes), 1)
    numbers = np.arange(count)
    names = np.arange(count)
    if shuffled:
        rng = np.random.default_rng([phantom.spec.seed, count])
        rng.shuffle(numbers)
        rng.shuffle(names)
    paths = [folder / f"IM{int(name):04d}.dcm" for name in names]
    at = 0
    for echo in range(max(len(echoes), 1)):
        shown = at_echo(phantom, echoes[echo]) if echoes else phantom
        for index in indices:
            kind = f"slice {index}" if not echoes else f"slice {index} echo {echo}"
            dataset = classic_dataset(phantom, kind, int(numbers[at]) + 1, syntax)
            _add_plane(dataset, phantom, index)
            _add_window(dataset, shown.volume)
            if echoes:
                dataset.EchoTime = decimal(echoes[echo])
                dataset.EchoNumbers = echo + 1
            encode_pixels(dataset, [shown.volume[index].astype(np.uint16)])
            pydicom.dcmwrite(paths[at], dataset, enforce_file_format=True)
            at += 1
    return paths


def phantom_uid(phantom: Phantom, kind: str) -> UID:
    """A UID derived from a UUID (PS3.5 B.2), the same each time for the same phantom.

    Two time points differ in study, series and slices; a phantom that is cut or lies otherwise differs in
    series and slices.
    """
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, f'{_identity(phantom, kind)} {kind}').int}")


def _identity(phantom: Phantom, kind: str) -> str:
    # As the record printed itself when the first demos were written: their annotations hang on these UIDs.
    spec = phantom.spec
    names = ("size", "slices", "lesions", "seed", "noise", "bias")
    words = f"PhantomSpec({', '.join(f'{name}={getattr(spec, name)!r}' for name in names)})"
    if spec.growth != 1.0:
        words += f" growth={spec.growth!r}"
    axial = phantom.plane == "axial" and phantom.row_cosine == (1.0, 0.0, 0.0)
    whole = phantom.volume.shape == (spec.slices, spec.size, spec.size)
    if kind in ("study", "frame of reference") or (
        axial and whole and phantom.column_cosine == (0.0, 1.0, 0.0)
    ):
        return words
    place = (phantom.plane, phantom.volume.shape, phantom.origin, phantom.row_cosine, phantom.column_cosine)
    return f"{words} {place}"


def classic_dataset(phantom: Phantom, kind: str, number: int, syntax: str) -> FileDataset:
    """A data set of the phantom's study and series, without plane and pixels.

    Args:
        phantom: The phantom.
        kind: Of which of its instances, for the UID.
        number: InstanceNumber.
        syntax: Transfer syntax.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = phantom_uid(phantom, kind)
    meta.TransferSyntaxUID = UID(syntax)
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.InstanceNumber = number
    _add_patient_and_study(dataset, phantom)
    _add_series(dataset, phantom)
    return dataset


def _add_patient_and_study(dataset: FileDataset, phantom: Phantom) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Phantom^Overread"
    dataset.PatientID = f"PHANTOM-{phantom.spec.seed:04d}"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Simulated: there is no patient"
    dataset.StudyInstanceUID = phantom_uid(phantom, "study")
    dataset.StudyDate = study_date(phantom)
    dataset.StudyTime = "120000"
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Overread phantom"


def study_date(phantom: Phantom) -> str:
    """1 January 2026 for a growth of 1; half a year earlier for smaller lesions, later for larger ones."""
    growth = phantom.spec.growth
    return "20260101" if growth == 1.0 else "20250701" if growth < 1.0 else "20260701"


def _add_series(dataset: FileDataset, phantom: Phantom) -> None:
    dataset.Modality = "MR"
    dataset.SeriesInstanceUID = phantom_uid(phantom, "series")
    dataset.SeriesNumber = 1 + ("axial", "coronal", "sagittal").index(phantom.plane)
    of = "" if phantom.plane == "axial" else f" {phantom.plane}"
    dataset.SeriesDescription = f"T1 post contrast{of} (simulated)"
    dataset.BodyPartExamined = "HEAD"
    dataset.PatientPosition = "HFS"
    dataset.Manufacturer = "Overread"
    dataset.ManufacturerModelName = "Phantom"
    dataset.FrameOfReferenceUID = phantom_uid(phantom, "frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.ScanningSequence = "GR"
    dataset.SequenceVariant = "SP"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "3D"
    dataset.RepetitionTime = 8.2
    dataset.EchoTime = _ECHO_MS
    dataset.EchoTrainLength = 1
    dataset.FlipAngle = 12
    dataset.MagneticFieldStrength = 3
    dataset.ContrastBolusAgent = "simulated"


def _add_plane(dataset: FileDataset, phantom: Phantom, index: int) -> None:
    dataset.ImageType = ["DERIVED", "PRIMARY", "M", "OTHER"]
    dataset.ContentDate = study_date(phantom)
    dataset.ContentTime = "120000"
    dataset.ImagePositionPatient = [decimal(v) for v in slice_position(phantom, index)]
    dataset.ImageOrientationPatient = [decimal(v) for v in (*phantom.row_cosine, *phantom.column_cosine)]
    dataset.PixelSpacing = [decimal(v) for v in phantom.spacing]
    dataset.SliceThickness = decimal(phantom.slice_spacing)
    dataset.SpacingBetweenSlices = decimal(phantom.slice_spacing)


def phantom_window(volume: np.ndarray) -> tuple[float, float]:
    """Centre and width that show a head well."""
    low, high = (round(float(v)) for v in np.percentile(volume, (1.0, 99.7)))
    return (low + high) / 2, max(high - low, 1)


def _add_window(dataset: FileDataset, volume: np.ndarray) -> None:
    centre, width = phantom_window(volume)
    if dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50":  # 8 bits: values are divided by 16
        centre, width = centre / 16, width / 16
    dataset.WindowCenter = decimal(centre)
    dataset.WindowWidth = decimal(width)
    dataset.WindowCenterWidthExplanation = "T1 post contrast"


def decimal(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2)."""
    return next(text for digits in range(15, 5, -1) if len(text := f"{value:.{digits}g}") <= 16)
