"""The header of a NIfTI-1 or NIfTI-2 file: shape, type, scaling, and where its voxels lie.

Sources: nifti1.h and nifti2.h of the NIfTI Data Format Working Group. NIfTI counts x to the patient's right
and y to the front (RAS); everything given out here is LPS, as in DICOM.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Affine = NDArray[np.float64]

HEAD_BYTES = 544  # enough of a file to recognise it and to read its header
_SIZE_1, _SIZE_2 = 348, 540
_MAGICS_1 = (b"n+1\0", b"ni1\0")
_MAGICS_2 = (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")

BINARY128, COMPLEX256, RGB, RGBA = 1536, 2048, 128, 2304
# Data type code: numpy type of one component, components per voxel.
TYPES = {
    2: ("u1", 1), 4: ("i2", 1), 8: ("i4", 1), 16: ("f4", 1), 32: ("f4", 2), 64: ("f8", 1), RGB: ("u1", 3),
    256: ("i1", 1), 512: ("u2", 1), 768: ("u4", 1), 1024: ("i8", 1), 1280: ("u8", 1), BINARY128: ("u8", 2),
    1792: ("f8", 2), COMPLEX256: ("u8", 4), RGBA: ("u1", 4),
}  # fmt: skip
COMPLEX = (32, 1792, COMPLEX256)
_CIFTI = range(3000, 3100)  # intent codes
_UNIT_MM = {1: 1000.0, 2: 1.0, 3: 0.001}  # of xyzt_units; anything else is taken for mm

# struct format and offset of each field that is used.
_Fields = dict[str, tuple[str, int]]
_FIELDS_1: _Fields = {
    "dim": ("8h", 40), "datatype": ("h", 70), "pixdim": ("8f", 76), "vox_offset": ("f", 108),
    "slope": ("f", 112), "inter": ("f", 116), "units": ("B", 123), "cal_max": ("f", 124),
    "cal_min": ("f", 128), "qform": ("h", 252), "sform": ("h", 254), "quatern": ("3f", 256),
    "offset": ("3f", 268), "srow": ("12f", 280), "dim_info": ("B", 39), "intent": ("h", 68),
}  # fmt: skip
_FIELDS_2: _Fields = {
    "dim": ("8q", 16), "datatype": ("h", 12), "pixdim": ("8d", 104), "vox_offset": ("q", 168),
    "slope": ("d", 176), "inter": ("d", 184), "units": ("i", 500), "cal_max": ("d", 192),
    "cal_min": ("d", 200), "qform": ("i", 344), "sform": ("i", 348), "quatern": ("3d", 352),
    "offset": ("3d", 376), "srow": ("12d", 400), "dim_info": ("B", 524), "intent": ("i", 504),
}  # fmt: skip


class BadHeader(ValueError):  # noqa: N818
    """What is wrong with a header, in words."""


@dataclass(frozen=True, slots=True)
class NiftiHeader:
    """What is needed of a header.

    Attributes:
        order: "<" or ">", the byte order.
        shape: Voxels along i, j, k.
        volumes: Volumes of that shape (time points, echoes, directions).
        datatype: Code of the data type, a key of TYPES.
        offset: Where the voxels start.
        separate: They start in a file of their own (.img).
        scaling: (slope, intercept), or None where values are as stored.
        affine: From voxel indices to LPS mm, 4 × 4; with `oriented` False only its spacing is known.
        oriented: The file says how the patient lies.
        slice_axis: The axis the slices were acquired along, or None where the file does not say.
        shown: (lowest, highest) value to show as the file asks for, or None.
        notes: Warnings.
    """

    order: str
    shape: tuple[int, int, int]
    volumes: int
    datatype: int
    offset: int
    separate: bool
    scaling: tuple[float, float] | None
    affine: Affine
    oriented: bool
    slice_axis: int | None
    shown: tuple[float, float] | None
    notes: tuple[str, ...]

    @property
    def voxel_bytes(self) -> int:
        """Bytes of one voxel."""
        name, components = TYPES[self.datatype]
        return int(name[1:]) * components

    @property
    def volume_bytes(self) -> int:
        """Bytes of one volume."""
        return math.prod(self.shape) * self.voxel_bytes

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between voxels along i, j, k."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(lengths[0]), float(lengths[1]), float(lengths[2]))


def is_nifti(head: bytes) -> bool:
    """Whether a file's first bytes are a NIfTI header (either version, either byte order)."""
    return _version(head) is not None


def is_analyze(head: bytes) -> bool:
    """Whether they are a header of ANALYZE 7.5, NIfTI's forerunner, which does not tell left from right."""
    sizes = (struct.pack("<i", _SIZE_1), struct.pack(">i", _SIZE_1))
    return len(head) >= _SIZE_1 and head[:4] in sizes and head[38:39] == b"r" and not is_nifti(head)


def parse_header(head: bytes) -> NiftiHeader:
    """Read a header.

    Raises:
        BadHeader: It contradicts itself, or its data type is not supported.
    """
    version = _version(head)
    if version is None:
        raise BadHeader("not a NIfTI header")
    order, fields, separate = version
    values = _Values(head, order, fields)
    if int(values.one("intent")) in _CIFTI:
        raise BadHeader("CIFTI data (surfaces, connectivity), not an image")
    shape, volumes = _shape(values.many("dim"))
    datatype = int(values.one("datatype"))
    if datatype not in TYPES:
        raise BadHeader(f"NIfTI data type {datatype} is not supported")
    affine, oriented, notes = _placed(values)
    if datatype in COMPLEX:
        notes += ("complex values: the magnitude is shown",)
    info = int(values.one("dim_info")) >> 4 & 3
    low, high = values.one("cal_min"), values.one("cal_max")
    return NiftiHeader(
        order=order,
        shape=shape,
        volumes=volumes,
        datatype=datatype,
        offset=_offset(
            values.one("vox_offset"), 0 if separate else _SIZE_1 if fields is _FIELDS_1 else _SIZE_2
        ),
        separate=separate,
        scaling=None if datatype in (RGB, RGBA) else _scaling(values.one("slope"), values.one("inter")),
        affine=affine,
        oriented=oriented,
        slice_axis=info - 1 if info else None,
        shown=(low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None,
        notes=notes,
    )


class _Values:
    """Fields by name, in the file's version and byte order."""

    def __init__(self, head: bytes, order: str, fields: _Fields) -> None:
        self._head, self._order, self._fields = head, order, fields

    def many(self, name: str) -> tuple[Any, ...]:
        code, at = self._fields[name]
        return struct.unpack_from(self._order + code, self._head, at)

    def one(self, name: str) -> float:
        return float(self.many(name)[0])


def _version(head: bytes) -> tuple[str, _Fields, bool] | None:
    """Byte order, fields, and whether the voxels are in a file of their own; None where it is no NIfTI."""
    for order in "<>":
        size = head[:4]
        if size == struct.pack(order + "i", _SIZE_1) and head[344:348] in _MAGICS_1:
            return order, _FIELDS_1, head[344:348] == _MAGICS_1[1]
        if size == struct.pack(order + "i", _SIZE_2) and len(head) >= _SIZE_2 and head[4:12] in _MAGICS_2:
            return order, _FIELDS_2, head[4:12] == _MAGICS_2[1]
    return None


def _shape(dim: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
    count = dim[0]
    if not 1 <= count <= 7 or any(n < 1 for n in dim[1 : count + 1]):
        raise BadHeader(f"NIfTI dimensions {list(dim)} are not possible")
    sizes = [int(n) for n in dim[1 : count + 1]] + [1] * (7 - count)
    return (sizes[0], sizes[1], sizes[2]), math.prod(sizes[3:])


def _offset(value: float, least: int) -> int:
    if not math.isfinite(value) or value < 0:
        raise BadHeader("NIfTI voxel offset is not possible")
    return max(int(value), least)


def _scaling(slope: float, inter: float) -> tuple[float, float] | None:
    if slope == 0 or not math.isfinite(slope):  # 0: "not scaled"
        return None
    found = (slope, inter if math.isfinite(inter) else 0.0)
    return None if found == (1.0, 0.0) else found


def _placed(values: _Values) -> tuple[Affine, bool, tuple[str, ...]]:
    """The affine (LPS mm), whether it is a place in the patient, and notes.

    Both forms may be there. The sform is taken before the qform, as most programs do (the qform cannot say
    everything that an sform can), and where they disagree it is said.
    """
    mm = _UNIT_MM.get(int(values.one("units")) & 7, 1.0)
    sform = _checked(_sform(values), mm) if values.one("sform") > 0 else None
    qform = _checked(_qform(values), mm) if values.one("qform") > 0 else None
    found = sform if sform is not None else qform
    if found is None:
        sizes = [abs(float(v)) for v in values.many("pixdim")[1:4]]
        sizes = [v * mm if math.isfinite(v) and v > 0 else 1.0 for v in sizes]
        # Shown as if it were RAS, as other programs do; what is left and right is not claimed.
        unknown = "no orientation in the file: left and right are not known"
        return np.diag([-sizes[0], -sizes[1], sizes[2], 1.0]), False, (unknown,)
    notes: tuple[str, ...] = ()
    if sform is not None and qform is not None:
        step = float(np.linalg.norm(qform[:3, :3], axis=0).min())
        if not np.allclose(sform[:3, :3], qform[:3, :3], atol=0.1 * step):
            notes = ("its two orientations (sform and qform) differ: sform is used",)
    return found, True, notes


def _sform(values: _Values) -> Affine:
    return np.vstack([np.array(values.many("srow"), dtype=np.float64).reshape(3, 4), [0, 0, 0, 1]])


def _qform(values: _Values) -> Affine:
    """Rotation from the quaternion's last three numbers (nifti1.h, method 2)."""
    b, c, d = (float(v) for v in values.many("quatern"))
    pixdim = [float(v) for v in values.many("pixdim")[:4]]
    square = 1.0 - (b * b + c * c + d * d)
    if square < 1e-7:
        length = math.sqrt(b * b + c * c + d * d) or 1.0
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = math.sqrt(square)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    sizes = [abs(v) if v else 1.0 for v in pixdim[1:]]
    sizes[2] *= -1.0 if pixdim[0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.array(sizes)
    affine[:3, 3] = values.many("offset")
    return affine


def _checked(ras: Affine, mm: float) -> Affine | None:
    """In LPS mm; None where it does not span space."""
    if not np.isfinite(ras).all() or np.abs(ras).max() > 1e6:
        return None
    lengths = np.linalg.norm(ras[:3, :3], axis=0)
    if lengths.min() < 1e-6 or abs(float(np.linalg.det(ras[:3, :3]))) < 1e-3 * float(lengths.prod()):
        return None
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ras
    lps[:3] *= mm
    return np.asarray(lps)
