"""TIFF pages, through tifffile: any depth, sign and compression, BigTIFF, tiles and planes; not turned."""

from __future__ import annotations

import importlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_PAGES = 4096
_RATIO, _SMALL = 1000, 64 << 20  # decoded bytes of a page to bytes of the file, above this many
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_ORIENTATION = 274
# It logs what it finds odd, and quotes it: that may be a patient's, and goes nowhere.
logging.getLogger("tifffile").propagate = False
logging.getLogger("tifffile").addHandler(logging.NullHandler())


class BadTiff(ValueError):  # noqa: N818
    """What is wrong with a file, in words."""


@dataclass(frozen=True, slots=True)
class TiffPage:
    """One page, before it is decoded.

    Attributes:
        number: Its number in the file.
        rows: Height as stored.
        columns: Width as stored.
        orientation: EXIF orientation, 1 to 8.
        colour: It is in colour.
        white_is_zero: More than 8 bits deep and counted from white: shown inverted, values as stored.
        floating: Its values are floating-point numbers.
    """

    number: int
    rows: int
    columns: int
    orientation: int
    colour: bool
    white_is_zero: bool
    floating: bool


def tiff_pages(data: bytes) -> list[TiffPage]:
    """The pages of a file; reduced copies of others (thumbnails) are left out.

    Raises:
        BadTiff: Too many pages, or of a kind that is not supported.
        Exception: Damaged; tifffile raises many things.
    """
    pages: list[TiffPage] = []
    reduced: list[TiffPage] = []
    with _opened(data) as file:
        for number in range(MAX_PAGES + 1):
            try:
                page = file.pages[number]
            except IndexError:
                break
            if number == MAX_PAGES:
                raise BadTiff(f"more than {MAX_PAGES} pages")
            (reduced if page.is_reduced else pages).append(_page(number, page))
    return pages or reduced


def tiff_samples(data: bytes, number: int) -> NDArray[np.generic]:
    """Decode one page: (rows, columns) or (rows, columns, 3), as stored; bilevel and palettes to 0 to 255.

    Raises:
        BadTiff: It announces more than the file can hold.
        Exception: Damaged; tifffile raises many things.
    """
    with _opened(data) as file:
        page = file.pages[number]
        segment = int(np.prod(page.chunks)) * page.dtype.itemsize
        if max(page.nbytes, segment) > max(_SMALL, _RATIO * len(data)):
            raise BadTiff("announces more pixels than the file can hold")
        samples = np.asarray(page.asarray(maxworkers=1))
        if page.axes == "SYX":
            samples = np.moveaxis(samples, 0, -1)
        if page.photometric == _PALETTE:
            return _from_palette(samples, np.asarray(page.colormap))
        if page.bitspersample == 1:
            samples = samples.astype(np.uint8) * np.uint8(255)
        if page.photometric == _WHITE_IS_ZERO and samples.dtype == np.uint8:
            # Small depths are turned round here, as they always were; deeper ones when they are shown.
            samples = np.uint8(255 if page.bitspersample == 1 else 2**page.bitspersample - 1) - samples
        if samples.ndim == 3:
            samples = samples[..., :3] if samples.shape[2] >= 3 else samples[..., 0]
        return np.abs(samples) if samples.dtype.kind == "c" else samples


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    # Imported when the first TIFF is met: a fifth of a second that most sessions never need.
    tifffile = importlib.import_module("tifffile")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        yield file


def _page(number: int, page: Any) -> TiffPage:  # noqa: ANN401 - tifffile has no types
    if page.axes not in ("YX", "YXS", "SYX") or page.dtype is None:
        raise BadTiff("TIFF of a kind that is not supported (more than two dimensions in a page)")
    if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR):
        raise BadTiff("TIFF in colours that are not supported (CMYK, Lab): convert it to RGB")
    found = page.tags.valueof(_ORIENTATION, 1)
    return TiffPage(
        number=number,
        rows=int(page.imagelength),
        columns=int(page.imagewidth),
        orientation=int(found) if isinstance(found, int) and 1 <= found <= 8 else 1,
        colour=page.photometric in (_PALETTE, _YCBCR) or page.samplesperpixel >= 3,
        white_is_zero=page.photometric == _WHITE_IS_ZERO and page.bitspersample > 8,
        floating=page.dtype.kind in "fc",
    )


def _from_palette(indices: NDArray[np.generic], palette: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Colours of 16 bits to 8, as every viewer has them."""
    colours = (palette >> 8).astype(np.uint8) if palette.max(initial=0) > 255 else palette.astype(np.uint8)
    return np.asarray(np.moveaxis(colours[:, indices], 0, -1))
