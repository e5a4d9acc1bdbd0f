"""Small files for the readers' tests, made on the spot."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from core.imaging.reader import open_reader


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


def deep_colour_tiff(grey: NDArray[np.uint16], orientation: int) -> bytes:
    """A TIFF of three equal 16-bit channels with an Orientation tag, which no writer here can set."""
    rows, columns = grey.shape
    data = np.repeat(grey[..., None], 3, axis=2).astype("<u2").tobytes()
    count = 10
    bits_at = 8 + 2 + 12 * count + 4
    entries = [
        (256, 3, 1, columns), (257, 3, 1, rows), (258, 3, 3, bits_at), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, bits_at + 6), (274, 3, 1, orientation), (277, 3, 1, 3), (278, 3, 1, rows),
        (279, 4, 1, len(data)),
    ]  # fmt: skip
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<IH", 8, count)
    return head + table + struct.pack("<I3H", 0, 16, 16, 16) + data


def only_slice(path: Path) -> NDArray[np.float32]:
    """Pixels of a file's only slice."""
    reader = open_reader(path)
    assert len(reader.slices()) == 1
    return reader.pixels(0)


def decode_all(path: Path) -> None:
    """Open a file and decode every slice."""
    reader = open_reader(path)
    for i in range(len(reader.slices())):
        reader.pixels(i)
