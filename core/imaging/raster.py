"""PNG, JPEG, TIFF and BMP slices: integers of any depth and floats, grey or colour, turned upright once."""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from core.errors import UnreadableFile
from core.imaging.archive import open_binary
from core.imaging.base import (
    MAX_PIXELS,
    Heading,
    Pixels,
    check_regular,
    check_shape,
    file_boundary,
    finite,
    luma,
)
from core.imaging.tiff import BadTiff, tiff_pages, tiff_samples
from core.model import SliceRef

# Pillow warns above this and only refuses above twice this; the filter makes the warning a refusal.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_MAX_BYTES = 1 << 30
_MAGICS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
)
_GREY_MODES = {"L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N", "1"}
_GREY_WITH_ALPHA = {"LA", "La"}
_NAN_NOTE = "holds values that are not numbers; shown as the lowest value"


def raster_format(head: bytes) -> str | None:
    """The format that a file's first bytes announce, or None."""
    return next((name for magic, name in _MAGICS if head.startswith(magic)), None)


@dataclass(frozen=True, slots=True)
class _Page:
    """One picture of a file: its number there, its shape as stored, and what is to be done with it."""

    number: int
    rows: int
    columns: int
    orientation: int = 1
    colour: bool = False
    inverted: bool = False
    floating: bool = False

    @property
    def upright(self) -> tuple[int, int]:
        """(rows, columns) on the screen."""
        return (self.columns, self.rows) if self.orientation >= 5 else (self.rows, self.columns)


class RasterReader:
    """One plain image file; the pages of a TIFF are its slices.

    Args:
        path: The file.

    Raises:
        UnreadableFile: Damaged, too large, or of a kind that is not supported.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last: tuple[int, NDArray[np.generic]] | None = None
        data = self._read()
        self._digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        self._format = raster_format(data[:16]) or "image"
        try:
            with file_boundary(path, self._format):
                self._pages = _pages(data, self._format)
                notes = self._notes(data)
        except UnreadableFile as error:
            raise _in_words(path, error) from error
        self._slices = tuple(self._ref(i, page) for i, page in enumerate(self._pages))
        self.heading = Heading(notes=notes)

    def slices(self) -> Sequence[SliceRef]:
        """The pages, in file order."""
        return self._slices

    def pixels(self, index: int) -> Pixels:
        """Decode one page.

        Raises:
            UnreadableFile: Damaged, changed since it was opened, or without any finite value.
            IndexError: There is no such page.
        """
        return finite(self._path, _grey(self._samples(index, keep=False)))

    def colour(self, index: int) -> NDArray[np.generic] | None:
        """One page in colour, (rows, columns, 3), red first; None where every pixel of it is grey.

        Raises:
            UnreadableFile: As `pixels`.
            IndexError: There is no such page.
        """
        if not self._slices[index].colour:
            return None
        samples = self._samples(index, keep=True)
        if samples.ndim < 3 or (np.ptp(samples[..., :3], axis=2) == 0).all():
            return None
        return np.ascontiguousarray(samples[..., :3])

    def _samples(self, index: int, *, keep: bool) -> NDArray[np.generic]:
        """Decode a page, upright. What is kept serves the next call: colour is asked for before grey."""
        page = self._pages[index]
        data = self._read()
        if hashlib.blake2b(data, digest_size=16).hexdigest() != self._digest:
            raise UnreadableFile(self._path, "the file has changed since it was opened; open it again")
        with self._lock:
            last, self._last = self._last, None
        if last is not None and last[0] == index:
            return last[1]
        try:
            with file_boundary(self._path, self._format):
                samples = _upright(_decode(data, self._format, page.number), page.orientation)
        except UnreadableFile as error:
            raise _in_words(self._path, error) from error
        if samples.shape[:2] != page.upright:
            raise UnreadableFile(
                self._path, f"damaged {self._format}: its pixels have another shape than announced"
            )
        if keep:
            with self._lock:
                self._last = (index, samples)
        return samples

    def _read(self) -> bytes:
        if check_regular(self._path) > _MAX_BYTES:
            raise UnreadableFile(self._path, f"larger than {_MAX_BYTES >> 30} GiB")
        with file_boundary(self._path, "file"), open_binary(self._path) as file:
            return file.read(_MAX_BYTES + 1)

    def _ref(self, index: int, page: _Page) -> SliceRef:
        rows, columns = page.upright
        return SliceRef(
            key=f"raster:{self._digest}#{page.number}",
            path=self._path,
            frame=index,
            rows=rows,
            columns=columns,
            series_uid="",
            inverted=page.inverted,
            colour=page.colour,
        )

    def _notes(self, data: bytes) -> tuple[str, ...]:
        """Checks every page's shape; pages of floats are looked at, as they may hold no number at all."""
        odd = False
        for page in self._pages:
            check_shape(self._path, page.rows, page.columns)
            if page.floating:
                samples = _grey(_decode(data, self._format, page.number))
                finite(self._path, samples)
                odd = odd or not bool(np.isfinite(samples).all())
        return (_NAN_NOTE,) if odd else ()


def _in_words(path: Path, error: UnreadableFile) -> UnreadableFile:
    """The reason as a person understands it, where the decoder's own exception says more than "damaged"."""
    cause = error.__cause__
    if isinstance(cause, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return UnreadableFile(path, f"more than {MAX_PIXELS // 1_000_000} million pixels")
    return UnreadableFile(path, str(cause)) if isinstance(cause, BadTiff) else error


def _pages(data: bytes, name: str) -> tuple[_Page, ...]:
    if name == "TIFF":
        found = tuple(
            _Page(p.number, p.rows, p.columns, p.orientation, p.colour, p.white_is_zero, p.floating)
            for p in tiff_pages(data)
        )
        if not found:
            raise BadTiff("TIFF without pages")
        return found
    with _open(data) as image:
        columns, rows = image.size
        colour = image.mode not in _GREY_MODES | _GREY_WITH_ALPHA
        return (_Page(0, rows, columns, _orientation(image), colour),)


def _decode(data: bytes, name: str, number: int) -> NDArray[np.generic]:
    """The samples of a page as stored, (rows, columns) or (rows, columns, 3 or 4)."""
    if name == "TIFF":
        return tiff_samples(data, number)
    with _open(data) as image:
        if (
            image.format == "PNG" and data[24] == 16 and data[25] != 0
        ):  # bit depth and colour type of the IHDR
            deep = np.asarray(imagecodecs.png_decode(data))  # Pillow would cut it to 8 bit
            return deep if deep.ndim == 2 or deep.shape[2] >= 3 else deep[..., 0]
        if image.mode in _GREY_MODES:
            return np.asarray(image.convert("L") if image.mode == "1" else image)
        if image.mode in _GREY_WITH_ALPHA:
            return np.asarray(image)[..., 0]
        # A palette, CMYK, YCbCr or LAB becomes RGB.
        return np.asarray(image if image.mode in ("RGB", "RGBA", "RGBX") else image.convert("RGB"))


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP"))


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _grey(samples: NDArray[np.generic]) -> Pixels:
    return luma(samples) if samples.ndim == 3 else np.array(samples, dtype=np.float32)


def _upright(samples: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Undo an EXIF orientation (1 to 8)."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return np.ascontiguousarray(samples)
