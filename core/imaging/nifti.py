"""NIfTI volumes (.nii, .nii.gz, .hdr with .img) as slices along the axis they were acquired along.

A volume has no up and no left of its own to be shown by: each slice is turned to the radiological convention
(the patient's left on the right of the screen, front or top up) by transposing and flipping alone; no value
is interpolated.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.errors import UnreadableFile
from core.imaging.archive import file_status, open_binary
from core.imaging.base import Heading, Pixels, check_regular, check_shape, file_boundary, finite, luma
from core.imaging.nifti_header import (
    BINARY128,
    COMPLEX,
    COMPLEX256,
    HEAD_BYTES,
    TYPES,
    BadHeader,
    NiftiHeader,
    is_nifti,
    parse_header,
)
from core.imaging.nifti_layout import is_square, layout, place, slice_axis
from core.imaging.nifti_voxels import CHUNK, MAX_INFLATED, Voxels, inflated
from core.imaging.traits import Traits
from core.model import SliceRef, Window

GZIP_MAGIC = b"\x1f\x8b"
_WHAT = "NIfTI"
_MAX_SLICES = 100_000
_GZIP_RATIO = 1100  # deflate cannot do better than 1032
_SMALL = 64 << 20


def nifti_head(head: bytes, path: Path) -> bytes | None:
    """The header's bytes where a file is NIfTI, gzipped or not; None where it is something else.

    Args:
        head: The file's first bytes.
        path: The file.
    """
    if not head.startswith(GZIP_MAGIC):
        return head if is_nifti(head) else None
    try:
        with open_binary(path) as file, gzip.GzipFile(fileobj=file) as unpacked:
            found = unpacked.read(HEAD_BYTES)
    except (OSError, EOFError, ValueError):
        return None
    return found if is_nifti(found) else None


class NiftiReader:
    """One NIfTI file; the slices of all its volumes.

    Args:
        path: The file; of a pair, the header (.hdr).
        axis: The voxel axis to stack slices along (0, 1, 2); where it is not given, that of acquisition.

    Raises:
        UnreadableFile: Damaged, cut short, or announcing more than the file can hold.
    """

    def __init__(self, path: Path, *, axis: int | None = None) -> None:
        self._path = path
        check_regular(path)
        with file_boundary(path, _WHAT):
            self._header = _read_header(path)
            self._data = _data_file(path) if self._header.separate else path
            self._packed = _is_gzip(self._data)
            self._check_size()
            self._layout = layout(self._header, slice_axis(self._header) if axis is None else axis)
            self._status = file_status(self._data)
            self._digest = _digest({path, self._data})
        self._lock = threading.Lock()
        self._count = self._header.shape[self._layout.axis]
        self._slices = self._describe()
        volumes = self._header.volumes
        self.heading = Heading(
            description=path.name.removesuffix(".gz").removesuffix(".nii").removesuffix(".hdr"),
            traits=tuple(Traits(time=v + 1.0) for v in range(volumes) for _ in range(self._count))
            if volumes > 1
            else (),
            notes=self._header.notes,
        )

    def slices(self) -> Sequence[SliceRef]:
        """The slices, volume by volume, in the order of the file."""
        return self._slices

    def pixels(self, index: int) -> Pixels:
        """Read one slice and scale its values.

        Raises:
            UnreadableFile: Damaged, cut short, or changed since it was opened.
            IndexError: There is no such slice.
        """
        volume, at = divmod(self._slices[index].frame, self._count)
        with file_boundary(self._path, _WHAT):
            if file_status(self._data) != self._status:
                raise UnreadableFile(self._path, "the file has changed since it was opened; open it again")
            with np.errstate(over="ignore"):  # beyond float32: infinite, and dealt with below
                pixels = self._scaled(self._voxels(volume, at))
        return finite(self._path, pixels)

    def _check_size(self) -> None:
        """Refuse what the file cannot hold, before anything is made for it."""
        header, path = self._header, self._path
        if header.volumes * max(header.shape) > _MAX_SLICES:
            raise UnreadableFile(
                path, f"{header.volumes} volumes of up to {max(header.shape)} slices: too many"
            )
        needed = header.offset + header.volumes * header.volume_bytes
        size = check_regular(self._data)
        if not self._packed and size < needed:
            raise UnreadableFile(path, f"truncated NIfTI: {size} of {needed} bytes are there")
        if self._packed and needed > MAX_INFLATED:
            raise UnreadableFile(path, f"inflates to more than {MAX_INFLATED >> 30} GiB: unpack it first")
        if self._packed and needed > max(_SMALL, _GZIP_RATIO * size):
            raise UnreadableFile(
                path, f"truncated NIfTI: {needed} bytes announced, more than the file can hold"
            )

    def _describe(self) -> tuple[SliceRef, ...]:
        header, plane = self._header, self._layout
        rows, columns = header.shape[plane.down], header.shape[plane.across]
        check_shape(self._path, rows, columns)
        identity = f"nifti:{self._digest}{'ijk'[plane.axis]}"
        oriented = header.oriented and is_square(header, plane)
        # Without positions only the series can tell one volume's slices from another's.
        apart = header.volumes > 1 and not oriented
        return tuple(
            SliceRef(
                key=f"{identity}#{frame}",
                path=self._path,
                frame=frame,
                rows=rows,
                columns=columns,
                series_uid=f"{identity}.{frame // self._count + 1}" if apart else identity,
                geometry=place(header, plane, frame % self._count) if oriented else None,
                spacing=(header.spacing[plane.down], header.spacing[plane.across]),
                windows=_windows(header),
                frame_of_reference=f"nifti:{self._digest}" if oriented else "",
                instance_number=frame + 1,
            )
            for frame in range(header.volumes * self._count)
        )

    def _voxels(self, volume: int, at: int) -> NDArray[np.generic]:
        """Voxels of one slice as stored, (rows, columns) or (rows, columns, components)."""
        header, plane = self._header, self._layout
        start = header.offset + volume * header.volume_bytes
        with self._source() as source:
            taken = source.plane(start, header.shape, header.voxel_bytes, plane.axis, at)
        name, components = TYPES[header.datatype]
        voxels = taken.view(np.dtype(header.order + name))
        if components == 1:
            voxels = voxels[..., 0]
        # Of the axes k, j, i the one cut across is gone: the later of the two left runs down.
        if plane.across > plane.down:
            voxels = voxels.swapaxes(0, 1)
        if plane.flip_down:
            voxels = voxels[::-1]
        if plane.flip_across:
            voxels = voxels[:, ::-1]
        return voxels

    def _source(self) -> Voxels:
        if not self._packed:
            return Voxels(open_binary(self._data))
        needed = self._header.offset + self._header.volumes * self._header.volume_bytes
        with self._lock:  # not twice at once
            return inflated(self._data, self._status, needed)

    def _scaled(self, voxels: NDArray[np.generic]) -> Pixels:
        datatype = self._header.datatype
        if voxels.ndim == 3 and voxels.dtype == np.uint8:
            return luma(voxels)
        if datatype in (BINARY128, COMPLEX256):
            voxels = _from_binary128(voxels, self._header.order)
        if datatype in COMPLEX:
            voxels = np.hypot(voxels[..., 0], voxels[..., 1])
        if self._header.scaling is not None:
            slope, inter = self._header.scaling
            voxels = voxels.astype(np.float64) * slope + inter
        return np.array(voxels, dtype=np.float32, order="C")


def _read_header(path: Path) -> NiftiHeader:
    with open_binary(path) as file:
        head = nifti_head(file.read(HEAD_BYTES), path)
    if head is None:
        raise UnreadableFile(path, "damaged NIfTI: the header cannot be read")
    try:
        return parse_header(head)
    except BadHeader as error:
        raise UnreadableFile(path, str(error)) from error


def _windows(header: NiftiHeader) -> tuple[Window, ...]:
    if header.shown is None:
        return ()
    low, high = header.shown
    return (Window((low + high) / 2, high - low, "file", "LINEAR_EXACT"),)


def _data_file(path: Path) -> Path:
    """The .img of a pair, gzipped or not."""
    stem = path.name.removesuffix(".gz")
    stem = stem[: stem.rfind(".")] if "." in stem else stem
    for suffix in (".img", ".img.gz", ".IMG"):
        candidate = path.with_name(stem + suffix)
        try:
            file_status(candidate)
        except (OSError, UnreadableFile):
            continue
        return candidate
    raise UnreadableFile(path, f"the file of its voxels ({stem}.img) is not beside it")


def _is_gzip(path: Path) -> bool:
    with open_binary(path) as file:
        return file.read(2) == GZIP_MAGIC


def _digest(paths: set[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(paths):
        with open_binary(path) as file:
            _feed(digest, file)
    return digest.hexdigest()


def _feed(digest: hashlib.blake2b, file: BinaryIO) -> None:
    while chunk := file.read(CHUNK):
        digest.update(chunk)


def _from_binary128(words: NDArray[np.generic], order: str) -> NDArray[np.float64]:
    """IEEE binary128 (pairs of 64-bit words along the last axis) to float64: numpy has no such type.

    Returns:
        (rows, columns) of real values, (rows, columns, 2) of complex ones.
    """
    low, high = (0, 1) if order == "<" else (1, 0)
    pairs = words.astype(np.uint64).reshape(*words.shape[:2], -1, 2)
    top, rest = pairs[..., high], pairs[..., low]
    sign = np.where(top >> np.uint64(63), -1.0, 1.0)
    exponent = ((top >> np.uint64(48)) & np.uint64(0x7FFF)).astype(np.int64) - 16383
    fraction = (top & np.uint64(0xFFFFFFFFFFFF)).astype(np.float64) / 2.0**48
    fraction += rest.astype(np.float64) / 2.0**112
    values = sign * np.ldexp(1.0 + fraction, exponent.clip(-2000, 2000).astype(np.int32))
    values = np.where(exponent == -16383, 0.0, values)  # zero, or too small for float64
    values = np.where(exponent == 16384, np.where(fraction > 0, np.nan, sign * np.inf), values)
    return np.asarray(values if values.shape[-1] > 1 else values[..., 0])
