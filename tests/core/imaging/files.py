"""Small files for the readers' tests, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid


def dicom(
    pixels: NDArray[np.generic], syntax: UID = ExplicitVRLittleEndian, **attributes: Any
) -> FileDataset:
    """A minimal MR data set around stored values, (rows, columns) or (frames, rows, columns)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = generate_uid()
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.4"
    dataset.Modality = "MR"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def item(**attributes: Any) -> Dataset:
    """A sequence item."""
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def write_dicom(path: Path, pixels: NDArray[np.generic], **attributes: Any) -> Path:
    """Write a minimal MR file."""
    pydicom.dcmwrite(path, dicom(pixels, **attributes), enforce_file_format=True)
    return path


def plane(z: float, **more: Any) -> dict[str, Any]:
    """Attributes of an axial plane at height z."""
    return {
        "ImagePositionPatient": [0, 0, z],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.5, 0.25],
        **more,
    }


def ramp(rows: int = 6, columns: int = 8, dtype: str = "uint16") -> NDArray[Any]:
    """Values 0, 1, 2, … row by row: every pixel different."""
    return np.arange(rows * columns, dtype=dtype).reshape(rows, columns)
