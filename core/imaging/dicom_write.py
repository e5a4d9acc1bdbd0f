"""Writes the phantom as a valid MR series (MR Image Storage, Explicit VR Little Endian)."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from core.imaging.phantom import Phantom

_NAMESPACE = uuid.UUID("6f1c1c35-0d0a-5c56-9d1e-0a1f3c0b7e21")


def write_phantom_dicom(phantom: Phantom, folder: Path, *, shuffled: bool = True) -> list[Path]:
    """Write one file per slice.

    The same phantom gives the same UIDs and pixels. Stored values are the volume's own.

    Args:
        phantom: What to write.
        folder: Made where it does not exist.
        shuffled: Give file names and InstanceNumbers out of slice order, as real exports do; only the
            position tells the order then.

    Returns:
        The files in slice order, lowest first.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = len(phantom.volume)
    numbers = np.arange(count)
    names = np.arange(count)
    if shuffled:
        rng = np.random.default_rng([phantom.spec.seed, count])
        rng.shuffle(numbers)
        rng.shuffle(names)
    paths = [folder / f"IM{int(name):04d}.dcm" for name in names]
    for index, path in enumerate(paths):
        dataset = _dataset(phantom, index, int(numbers[index]) + 1)
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return paths


def _uid(phantom: Phantom, kind: str) -> UID:
    """A UID derived from a UUID (PS3.5 B.2), the same each time for the same phantom."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, f'{phantom.spec} {kind}').int}")


def _dataset(phantom: Phantom, index: int, number: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(phantom, f"slice {index}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    _add_patient_and_study(dataset, phantom)
    _add_series(dataset, phantom)
    _add_plane(dataset, phantom, index, number)
    _add_pixels(dataset, phantom, index)
    return dataset


def _add_patient_and_study(dataset: FileDataset, phantom: Phantom) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Phantom^Overread"
    dataset.PatientID = f"PHANTOM-{phantom.spec.seed:04d}"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Simulated: there is no patient"
    dataset.StudyInstanceUID = _uid(phantom, "study")
    dataset.StudyDate = "20260101"
    dataset.StudyTime = "120000"
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Overread phantom"


def _add_series(dataset: FileDataset, phantom: Phantom) -> None:
    dataset.Modality = "MR"
    dataset.SeriesInstanceUID = _uid(phantom, "series")
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = "T1 post contrast (simulated)"
    dataset.BodyPartExamined = "HEAD"
    dataset.PatientPosition = "HFS"
    dataset.Manufacturer = "Overread"
    dataset.ManufacturerModelName = "Phantom"
    dataset.FrameOfReferenceUID = _uid(phantom, "frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.ScanningSequence = "GR"
    dataset.SequenceVariant = "SP"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "3D"
    dataset.RepetitionTime = 8.2
    dataset.EchoTime = 3.2
    dataset.EchoTrainLength = 1
    dataset.FlipAngle = 12
    dataset.MagneticFieldStrength = 3
    dataset.ContrastBolusAgent = "simulated"


def _add_plane(dataset: FileDataset, phantom: Phantom, index: int, number: int) -> None:
    x, y, z = phantom.origin
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = _uid(phantom, f"slice {index}")
    dataset.ImageType = ["DERIVED", "PRIMARY", "M", "OTHER"]
    dataset.InstanceNumber = number
    dataset.ContentDate = "20260101"
    dataset.ContentTime = "120000"
    dataset.ImagePositionPatient = [_ds(x), _ds(y), _ds(z + index * phantom.slice_spacing)]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [_ds(v) for v in phantom.spacing]
    dataset.SliceThickness = _ds(phantom.slice_spacing)
    dataset.SpacingBetweenSlices = _ds(phantom.slice_spacing)


def _add_pixels(dataset: FileDataset, phantom: Phantom, index: int) -> None:
    _, rows, columns = phantom.volume.shape
    low, high = (round(float(v)) for v in np.percentile(phantom.volume, (1.0, 99.7)))
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows = rows
    dataset.Columns = columns
    dataset.BitsAllocated = 16
    dataset.BitsStored = 12
    dataset.HighBit = 11
    dataset.PixelRepresentation = 0
    dataset.WindowCenter = _ds((low + high) / 2)
    dataset.WindowWidth = _ds(max(high - low, 1))
    dataset.WindowCenterWidthExplanation = "T1 post contrast"
    dataset.PixelData = phantom.volume[index].astype("<u2").tobytes()


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2)."""
    return f"{value:.10g}"
