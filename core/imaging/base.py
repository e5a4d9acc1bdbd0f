"""The reader seam: what every file format gives, and the limits all of them keep."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.errors import Cancelled, OverreadError, UnreadableFile
from core.imaging.archive import file_status
from core.imaging.traits import Traits
from core.model import DicomObject, Skipped, SliceRef

Pixels = NDArray[np.float32]

MAX_PIXELS = 64_000_000  # of one slice
MAX_FILE_BYTES = 8 << 30


@dataclass(frozen=True, slots=True)
class Heading:
    """What a file says about the series its slices belong to.

    Attributes:
        study_uid: StudyInstanceUID; "" for plain images.
        study_order: Date and time, to sort studies by; "" where unknown.
        study_label: Patient id and study date, for the screen only; "" where unknown.
        modality: "MR", …; "" for plain images.
        description: SeriesDescription; "" where there is none.
        number: SeriesNumber where present.
        traits: Per slice, what tells it apart from slices of the series at the same position.
        notes: Warnings about the file.
    """

    study_uid: str = ""
    study_order: str = ""
    study_label: str = field(default="", repr=False)
    modality: str = ""
    description: str = ""
    number: int | None = None
    traits: tuple[Traits, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Container:
    """A file that holds or lists other files: a zip archive, a DICOMDIR.

    Attributes:
        path: The file.
        members: The files in it, in its order.
        skipped: What it names and cannot give, and why.
    """

    path: Path
    members: tuple[Path, ...]
    skipped: tuple[Skipped, ...] = ()


class OtherObject(UnreadableFile):
    """The file is sound DICOM, but not an image.

    Attributes:
        object: What it is.
    """

    def __init__(self, found: DicomObject, reason: str) -> None:
        super().__init__(found.path, reason)
        self.object = found


class Reader(Protocol):
    """One file: shape and geometry now, pixels on demand.

    Contract:
        `slices()` is in file order and costs nothing; `pixels(i)` belongs to `slices()[i]`. Pixels are (rows,
        columns), finite float32, after the modality transform (each frame's own) and before any window or
        inversion; colour is turned into luma, exactly where red, green and blue are equal. Calls from several
        threads are safe. The array is the caller's own.
    """

    @property
    def heading(self) -> Heading:
        """What the file says about its series."""

    def slices(self) -> Sequence[SliceRef]:
        """The file's slices (frames, pages)."""

    def pixels(self, index: int) -> Pixels:
        """Decode one slice.

        Raises:
            UnreadableFile: The pixels cannot be decoded.
            IndexError: There is no such slice.
        """


@runtime_checkable
class ColourReader(Reader, Protocol):
    """A reader of files that may be in colour (their slices say so: `SliceRef.colour`)."""

    def colour(self, index: int) -> NDArray[np.generic] | None:
        """Decode one slice in colour: (rows, columns, 3), red first, on the scale of `pixels`; None if grey.

        Raises:
            UnreadableFile: The pixels cannot be decoded.
            IndexError: There is no such slice.
        """


@contextmanager
def file_boundary(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a bad file into UnreadableFile with a plain reason.

    Decoders' own messages are not passed on: they may quote the file's values, and those may be a patient's.

    Args:
        path: The file being read.
        what: What the file was taken for: "DICOM", "PNG", …

    Raises:
        UnreadableFile: Reading failed.
    """
    try:
        yield
    except (OverreadError, Cancelled):
        raise
    except MemoryError as error:
        raise UnreadableFile(path, f"{what} too large for the memory of this machine") from error
    except PermissionError as error:
        raise UnreadableFile(path, "no permission to read this file") from error
    except FileNotFoundError as error:
        raise UnreadableFile(path, "does not exist (any more)") from error
    except EOFError as error:
        raise UnreadableFile(path, f"truncated {what}: the file ends too early") from error
    except Exception as error:  # parsers of hostile input raise anything
        raise UnreadableFile(path, f"damaged {what} ({type(error).__name__})") from error


def check_regular(path: Path) -> int:
    """The size of a regular file in bytes.

    Raises:
        UnreadableFile: Not there, not a regular file, empty, or too large.
    """
    with file_boundary(path, "file"):
        status = file_status(path)
    if stat.S_ISDIR(status.mode):
        raise UnreadableFile(path, "is a folder")
    if not stat.S_ISREG(status.mode):
        raise UnreadableFile(path, "not a regular file")
    if status.size == 0:
        raise UnreadableFile(path, "empty file (0 bytes)")
    if status.size > MAX_FILE_BYTES:
        raise UnreadableFile(path, f"larger than {MAX_FILE_BYTES >> 30} GiB")
    return status.size


def check_shape(path: Path, rows: int, columns: int) -> None:
    """Refuse a slice without pixels or with more than MAX_PIXELS.

    Raises:
        UnreadableFile: The shape is not acceptable.
    """
    if rows < 1 or columns < 1:
        raise UnreadableFile(path, f"has no pixels ({columns} × {rows})")
    if rows * columns > MAX_PIXELS:
        raise UnreadableFile(path, f"{columns} × {rows} pixels: more than {MAX_PIXELS // 1_000_000} million")


def luma(colour: NDArray[np.generic]) -> Pixels:
    """Rec. 601 luma of (rows, columns, ≥ 3) samples; exact where red, green and blue are equal."""
    red, green, blue = (colour[..., i].astype(np.float32) for i in range(3))
    # Differences to green: equal channels leave green untouched, whatever the rounding.
    return np.asarray(green + 0.299 * (red - green) + 0.114 * (blue - green), dtype=np.float32)


def finite(path: Path, pixels: Pixels) -> Pixels:
    """The pixels with values that are no numbers replaced by the lowest one, infinities by the extremes.

    Raises:
        UnreadableFile: No value is finite.
    """
    good = np.isfinite(pixels)
    if good.all():
        return pixels
    if not good.any():
        raise UnreadableFile(path, "holds no finite pixel value (all NaN or infinite)")
    low, high = float(pixels[good].min()), float(pixels[good].max())
    return np.nan_to_num(pixels, nan=low, posinf=high, neginf=low)
