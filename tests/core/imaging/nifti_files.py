"""NIfTI files for tests, packed by hand from nifti1.h and nifti2.h."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

CODES = {
    "u1": 2, "i2": 4, "i4": 8, "f4": 16, "c8": 32, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024,
    "u8": 1280, "c16": 1792,
}  # fmt: skip


def affine(rows: list[list[float]]) -> NDArray[np.float64]:
    """A 4 × 4 affine (RAS mm) from its first three rows."""
    return np.array([*rows, [0, 0, 0, 1]], dtype=np.float64)


def nifti_bytes(
    voxels: NDArray[Any],
    sform: NDArray[np.float64] | None = None,
    *,
    version: int = 1,
    order: Literal["<", ">"] = "<",
    pixdim: tuple[float, ...] = (1, 1, 1, 1),
    qform: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None,
    **more: Any,
) -> bytes:
    """A single-file NIfTI: header, four bytes without extension, voxels with the first index fastest.

    Args:
        voxels: By i, j, k and further indices.
        sform: Affine to RAS mm, or none.
        version: 1 or 2.
        order: Byte order.
        pixdim: qfac and spacing.
        qform: Quaternion b, c, d and offset, or none.
        more: datatype, slope, inter, cal_min, cal_max, units, dim_info, intent, magic, dim, vox_offset.
    """
    dim = more.get("dim", (voxels.ndim, *voxels.shape, *[1] * (7 - voxels.ndim)))
    datatype = more.get("datatype") or CODES[voxels.dtype.str[1:]]
    sizes = (*pixdim, *[1.0] * (8 - len(pixdim)))
    quatern, offset = qform or ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    rows = np.zeros((3, 4)) if sform is None else sform[:3]
    codes = (int(qform is not None), int(sform is not None))
    length = 348 if version == 1 else 540
    start = more.get("vox_offset", length + 4)
    head = bytearray(length)

    def put(at: int, code: str, *values: Any) -> None:
        struct.pack_into(order + code, head, at, *values)

    put(0, "i", length)
    if version == 1:
        put(39, "B", more.get("dim_info", 0))
        put(40, "8h", *dim)
        put(68, "h", more.get("intent", 0))
        put(70, "2h", datatype, voxels.dtype.itemsize * 8)
        put(76, "8f", *sizes)
        put(108, "3f", start, more.get("slope", 0.0), more.get("inter", 0.0))
        put(123, "B", more.get("units", 2))
        put(124, "2f", more.get("cal_max", 0.0), more.get("cal_min", 0.0))
        put(252, "2h", *codes)
        put(256, "6f", *quatern, *offset)
        put(280, "12f", *rows.ravel())
        head[344:348] = more.get("magic", b"n+1\0")
    else:
        head[4:12] = more.get("magic", b"n+2\0\r\n\x1a\n")
        put(12, "2h", datatype, voxels.dtype.itemsize * 8)
        put(16, "8q", *dim)
        put(104, "8d", *sizes)
        put(168, "q", start)
        put(
            176,
            "4d",
            more.get("slope", 0.0),
            more.get("inter", 0.0),
            more.get("cal_max", 0.0),
            more.get("cal_min", 0.0),
        )
        put(344, "2i", *codes)
        put(352, "6d", *quatern, *offset)
        put(400, "12d", *rows.ravel())
        put(500, "i", more.get("units", 2))
        put(504, "i", more.get("intent", 0))
        put(524, "B", more.get("dim_info", 0))
    data = voxels.astype(voxels.dtype.newbyteorder(order)).tobytes(order="F")
    return bytes(head) + bytes(max(int(start), length) - length) + data


def write_nifti(path: Path, voxels: NDArray[Any], *args: Any, **more: Any) -> Path:
    """Write one; gzipped where the name ends in .gz."""
    data = nifti_bytes(voxels, *args, **more)
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return path
