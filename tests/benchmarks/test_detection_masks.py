"""True lesions from masks, on volumes made by hand."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection_masks import mask_lesions, read_mask
from core.errors import UnreadableFile
from core.model import Box


def a_mask(*parts: tuple[int, int, int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Rectangles (slice, x1, y1, x2, y2) in three slices of 20 × 30."""
    mask = np.zeros((3, 20, 30), dtype=np.bool_)
    for k, x1, y1, x2, y2 in parts:
        mask[k, y1:y2, x1:x2] = True
    return mask


def kept(*parts: tuple[int, int, int, int, int]) -> set[tuple[int, Box]]:
    return {(k, Box(*corners)) for k, *corners in parts}


def test_two_arms_that_meet_on_the_next_slice_are_one_lesion() -> None:
    arms = ((0, 1, 1, 4, 4), (0, 8, 1, 12, 4), (1, 2, 2, 10, 4))
    apart = (2, 20, 10, 25, 15)
    found = mask_lesions(a_mask(*arms, apart), kept(*arms, apart))
    assert sorted(len(lesion.boxes) for lesion in found) == [1, 3]
    assert {box for lesion in found for box in lesion.boxes} == kept(*arms, apart)


def test_parts_above_one_another_must_share_a_pixel() -> None:
    parts = ((0, 1, 1, 4, 4), (1, 4, 4, 8, 8), (2, 1, 1, 4, 4))
    assert len(mask_lesions(a_mask(*parts), kept(*parts))) == 3


def test_a_part_too_small_to_count_still_joins() -> None:
    large, small, other = (0, 1, 1, 6, 6), (1, 2, 2, 3, 3), (2, 1, 1, 6, 6)
    (found,) = mask_lesions(a_mask(large, small, other), kept(large, other))
    assert set(found.boxes) == kept(large, other)
    assert mask_lesions(a_mask(small), set()) == ()


def test_a_box_that_is_not_in_the_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="is none of the mask's parts"):
        mask_lesions(a_mask((0, 1, 1, 4, 4)), kept((0, 1, 1, 4, 5)))


def write_nifti(path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.int16]], kind: int = 4) -> None:
    """NIfTI-1 by its specification: x fastest, then y, then the slice."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, values.ndim, *values.shape[::-1], *[1] * (7 - values.ndim))
    struct.pack_into("<h", header, 70, kind)
    struct.pack_into("<f", header, 108, 352.0)
    path.write_bytes(gzip.compress(bytes(header) + values.astype("<i2").tobytes()))


def test_a_mask_is_read_slice_by_slice(tmp_path: Path) -> None:
    values = np.zeros((3, 20, 30), dtype=np.int16)
    values[2, 5, 7] = 3
    write_nifti(tmp_path / "mask.nii.gz", values)
    found = read_mask(tmp_path / "mask.nii.gz")
    assert found.shape == (3, 20, 30)
    assert np.argwhere(found).tolist() == [[2, 5, 7]]


@pytest.mark.parametrize("dimensions", [2, 4])
def test_other_files_are_refused(tmp_path: Path, dimensions: int) -> None:
    path = tmp_path / "mask.nii.gz"
    write_nifti(path, np.zeros((2,) * dimensions, dtype=np.int16))
    with pytest.raises(UnreadableFile, match=f"has {dimensions} dimensions of type 4"):
        read_mask(path)
    path.write_bytes(gzip.compress(b"no volume"))
    with pytest.raises(UnreadableFile, match="is no little-endian NIfTI-1 file"):
        read_mask(path)
