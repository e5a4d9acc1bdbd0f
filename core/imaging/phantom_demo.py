"""The demo study: one simulated patient at two dates, half a year apart, with lesions that have grown."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import PhantomSpec, make_phantom

_STUDY = "study"
FIRST, LATER = PhantomSpec(), PhantomSpec(growth=1.25)


def make_demo(folder: Path, first: PhantomSpec = FIRST, later: PhantomSpec = LATER) -> Path:
    """The demo as DICOM, made where it is not there yet: all of it appears at once, or nothing.

    Args:
        folder: Made where it does not exist.
        first: The head at the first date; the same UIDs each time, so that annotations find their slices.
        later: The head at the second date.

    Returns:
        The folder to open.

    Raises:
        OSError: The folder cannot be written.
    """
    study = folder / _STUDY
    if not study.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            target = Path(scratch) / _STUDY
            write_phantom_dicom(make_phantom(first), target / "first")
            write_phantom_dicom(make_phantom(later), target / "half a year later")
            os.replace(target, study)
    return study
