"""PNG, JPEG, TIFF and BMP slices: 8 and 16 bit and float, grey or colour, turned upright once."""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path

import cv2
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
from core.model import SliceRef

# Pillow warns above this and only refuses above twice this; the filter makes the warning a refusal.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_MAX_BYTES = 1 << 30
_MAX_PAGES = 4096
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
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
_NAN_NOTE = "holds values that are not numbers; shown as the lowest value"


def raster_format(head: bytes) -> str | None:
    """The format that a file's first bytes announce, or None."""
    return next((name for magic, name in _MAGICS if head.startswith(magic)), None)


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
        data = self._read()
        self._digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        self._format = raster_format(data[:16]) or "image"
        try:
            with file_boundary(path, self._format):
                self._slices, notes = self._describe(data)
        except UnreadableFile as error:
            if isinstance(error.__cause__, Image.DecompressionBombWarning | Image.DecompressionBombError):
                too_many = f"more than {MAX_PIXELS // 1_000_000} million pixels"
                raise UnreadableFile(path, too_many) from error
            raise
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
        ref = self._slices[index]
        data = self._read()
        if hashlib.blake2b(data, digest_size=16).hexdigest() != self._digest:
            raise UnreadableFile(self._path, "the file has changed since it was opened; open it again")
        with file_boundary(self._path, self._format):
            pixels = _decode(data, ref.frame)
        return finite(self._path, pixels)

    def _read(self) -> bytes:
        if check_regular(self._path) > _MAX_BYTES:
            raise UnreadableFile(self._path, f"larger than {_MAX_BYTES >> 30} GiB")
        with file_boundary(self._path, "file"), open_binary(self._path) as file:
            return file.read(_MAX_BYTES + 1)

    def _describe(self, data: bytes) -> tuple[tuple[SliceRef, ...], tuple[str, ...]]:
        slices: list[SliceRef] = []
        notes: set[str] = set()
        with _open(data) as image:
            pages = int(getattr(image, "n_frames", 1)) if self._format == "TIFF" else 1
            if pages > _MAX_PAGES:
                raise UnreadableFile(self._path, f"{pages} pages: more than {_MAX_PAGES}")
            for page in range(pages):
                if pages > 1:
                    image.seek(page)
                columns, rows = _upright_size(image)
                check_shape(self._path, rows, columns)
                slices.append(
                    SliceRef(
                        key=f"raster:{self._digest}#{page}",
                        path=self._path,
                        frame=page,
                        rows=rows,
                        columns=columns,
                        series_uid="",
                        inverted=_white_is_zero(image),
                    )
                )
                if image.mode == "F":
                    pixels = np.asarray(image, dtype=np.float32)
                    finite(self._path, pixels)
                    if not np.isfinite(pixels).all():
                        notes.add(_NAN_NOTE)
        return tuple(slices), tuple(sorted(notes))


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "TIFF", "BMP"))


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    # Pillow has already swapped the sides of a TIFF.
    swap = _orientation(image) >= 5 and image.format != "TIFF"
    return (height, width) if swap else (width, height)


def _white_is_zero(image: Image.Image) -> bool:
    """Whether a 16-bit TIFF counts from white; Pillow itself turns the 8-bit ones round."""
    tags = getattr(image, "tag_v2", None)
    return tags is not None and tags.get(_PHOTOMETRIC) == 0 and image.mode.startswith(("I", "F"))


def _decode(data: bytes, page: int) -> Pixels:
    with _open(data) as image:
        if page:
            image.seek(page)
        # A TIFF is turned by Pillow (and OpenCV) while it loads; for the others the tag is yet to be applied.
        turn = 1 if image.format == "TIFF" else _orientation(image)
        deep = _deep_samples(data, image, page)
        if deep is not None:
            return _upright(_grey(deep), turn)
        if image.mode in _GREY_MODES:
            samples = np.asarray(image.convert("L") if image.mode == "1" else image)
        elif image.mode in ("LA", "La"):
            samples = np.asarray(image)[..., 0]
        elif image.mode in ("RGB", "RGBA", "RGBX"):
            samples = np.asarray(image)
        else:  # palette, CMYK, YCbCr, LAB
            samples = np.asarray(image.convert("RGB"))
    return _upright(_grey(samples), turn)


def _deep_samples(data: bytes, image: Image.Image, page: int) -> NDArray[np.generic] | None:
    """The samples of a 16-bit colour file, which Pillow would cut to 8 bit; None for any other."""
    if image.format == "PNG" and data[24] == 16 and data[25] != 0:  # bit depth and colour type of the IHDR
        return np.asarray(imagecodecs.png_decode(data))
    if image.format == "TIFF" and image.mode not in _GREY_MODES:
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())
        if isinstance(bits, tuple) and len(bits) >= 3 and set(bits) == {16}:
            found, pages = cv2.imdecodemulti(
                np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED, range=(page, page + 1)
            )
            if found and len(pages) == 1 and pages[0].ndim == 3:
                return np.asarray(pages[0][..., [2, 1, 0]])  # OpenCV gives blue first
    return None


def _grey(samples: NDArray[np.generic]) -> Pixels:
    if samples.ndim == 2:
        return np.array(samples, dtype=np.float32)
    return luma(samples) if samples.shape[2] >= 3 else np.array(samples[..., 0], dtype=np.float32)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (1 to 8)."""
    if orientation >= 5:
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
