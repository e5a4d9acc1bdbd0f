"""Reads the records of a DICOMDIR."""

from __future__ import annotations

from collections.abc import MutableSequence
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from core.errors import UnreadableFile
from core.imaging.archive import open_binary
from core.imaging.base import check_regular, file_boundary

_MAX_BYTES = 64 << 20  # about 100,000 records


def listed_files(path: Path) -> list[tuple[str, ...]]:
    """Names of the files that the records refer to, in their order; each is a tuple of folders and a file.

    Raises:
        UnreadableFile: Damaged, too large, or not a directory.
    """
    if check_regular(path) > _MAX_BYTES:
        raise UnreadableFile(path, f"DICOM directory file (DICOMDIR) larger than {_MAX_BYTES >> 20} MiB")
    found: dict[tuple[str, ...], None] = {}
    with file_boundary(path, "DICOMDIR"), open_binary(path) as stream:
        dataset = pydicom.dcmread(stream, force=True)
        for record in dataset.get("DirectoryRecordSequence") or ():
            parts = _file_id(record)
            # 0: out of use (retired); writers that leave the flag out mean "in use".
            if parts and record.get("RecordInUseFlag") != 0:
                found[parts] = None
    return list(found)


def _file_id(record: Dataset) -> tuple[str, ...]:
    value = record.get("ReferencedFileID")
    if value is None or value == "":
        return ()
    parts = [str(v) for v in value] if isinstance(value, MutableSequence) else str(value).split("\\")
    return tuple(part.strip(" \0") for part in parts)
