"""Every sound grey-scale file at hand against a second decoder; every broken one refused in time.

The second opinion on a frame's stored values:

- native: the bytes themselves, by hand;
- RLE: imagecodecs' decoder (ours is pydicom's);
- JPEG 2000 and HTJ2K: pylibjpeg-openjpeg (ours: imagecodecs);
- JPEG-LS: pyjpegls (ours: imagecodecs);
- JPEG Lossless: imagecodecs' jpegsof3 (ours: its ljpeg);
- JPEG of 8 bits: Pillow (ours: imagecodecs).

EXCEPTIONS names the files for which there is none, and why.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import jpeg_ls
import numpy as np
import openjpeg
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame

from core.errors import UnreadableFile
from core.imaging.dicom import DicomReader
from core.imaging.dicom_frame import frames_of
from core.imaging.dicom_values import rescale
from core.imaging.reader import open_reader
from tests.core.imaging.dicom_fuzz import WAIT_S, busyness, open_as_the_application

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"

# What is refused among pydicom's files, and with what words; the files are broken or no DICOM.
REFUSED = {
    "MR_truncated.dcm": "truncated DICOM: 8130 of 8192 bytes",
    "badVR.dcm": "NumberOfFrames is not a whole number",
    "no_meta.dcm": "not a DICOM or image file",  # a stray byte before the first element
    "JPEG2000-embedded-sequence-delimiter.dcm": "the code stream holds 3722445056 × 1024 pixels",
    "SC_rgb_jpeg.dcm": "compressed pixel data with a fixed length",
    "zipMR.gz": "not a DICOM or image file",
}
NOT_IMAGES = ("not an image", "without pixel data", "holds or lists other files", "that lists no files")
_TWELVE_BITS = "JPEG of 12 bits: the only decoder at hand without a GPL licence is the one we use"
# Files without a second opinion, and why. Those in TWINS are compared with another file of the same pixels.
EXCEPTIONS = {
    "JPEG-lossy.dcm": _TWELVE_BITS,
    "JPGExtended.dcm": _TWELVE_BITS,
    "JPEGExtended_1s_1f_u_16_12.dcm": _TWELVE_BITS,
    "RG2_JPLY.dcm": _TWELVE_BITS,
    "RG2_JPLY_fixed.dcm": _TWELVE_BITS,
    "966.dcm": "a comment lies behind the last tile, which openjpeg alone refuses",
    "GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm": "pydicom alone cannot parse it",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "it ends before the end of its pixel data is marked",
}
TWINS = {
    "966.dcm": "966_fixed.dcm",
    "GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm":
        "GH177_D_CLUNIE_CT1_IVRLE_BigEndian_ELE_undefinded_length.dcm",
}  # fmt: skip
MR_SMALL = (
    "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm",
)  # fmt: skip


def files_below(root: Path) -> list[Path]:
    """Every file below a folder but the broken ones."""
    return [p for p in sorted(root.rglob("*")) if p.is_file() and "malformed" not in p.parts]


def by_hand(dataset: pydicom.Dataset, index: int) -> NDArray[Any] | None:
    """Stored values of a native frame, from the bytes; None for what is none of that kind."""
    rows, columns, bits = dataset.Rows, dataset.Columns, dataset.BitsAllocated
    count = rows * columns
    if bits == 1:
        ones = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
        return ones[index * count : (index + 1) * count].reshape(rows, columns)
    if bits == 12:
        lowest_first = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
        packed = lowest_first[: 12 * count].reshape(count, 12)
        return np.asarray(packed @ (1 << np.arange(12))).reshape(rows, columns)
    order = "<" if dataset.original_encoding[1] else ">"
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        kind = f"{order}f{4 if 'FloatPixelData' in dataset else 8}"
        floats = dataset.get("FloatPixelData") or dataset.DoubleFloatPixelData
        return np.frombuffer(floats, kind, count, index * count * np.dtype(kind).itemsize).reshape(
            rows, columns
        )
    data = dataset.PixelData
    if bits == 8 and order == ">" and dataset["PixelData"].VR == "OW":
        data = bytes(np.frombuffer(data, ">u2").astype("<u2"))
    flat = np.frombuffer(data, f"{order}u{bits // 8}", count, index * count * (bits // 8)).reshape(
        rows, columns
    )
    return within_stored_bits(flat, dataset)


def within_stored_bits(values: NDArray[Any], dataset: pydicom.Dataset) -> NDArray[np.int64]:
    """The lowest BitsStored bits, with the sign that PixelRepresentation gives them."""
    bits = int(dataset.BitsStored)
    low = values.astype(np.int64) & ((1 << bits) - 1)
    if dataset.PixelRepresentation == 1:
        low = np.where(low >> (bits - 1) & 1, low - (1 << bits), low)
    return low


def second_opinion(dataset: pydicom.Dataset, syntax: uid.UID, index: int) -> NDArray[Any] | None:
    """Stored values of a frame from another decoder than ours; None where there is none."""
    if not syntax.is_encapsulated:
        return by_hand(dataset, index)
    if "PixelData" not in dataset:
        return None
    frames = int(dataset.get("NumberOfFrames") or 1)
    source = get_frame(dataset.PixelData, index, number_of_frames=frames)
    decode = other_decoder(dataset, syntax, source)
    if decode is None:
        return None
    try:
        found = decode(source)
    except Exception:  # noqa: BLE001 - it refuses: then it has no opinion
        return None
    return within_stored_bits(found.reshape(dataset.Rows, dataset.Columns), dataset)


def other_decoder(
    dataset: pydicom.Dataset, syntax: uid.UID, source: bytes
) -> Callable[[bytes], NDArray[Any]] | None:
    if syntax == uid.RLELossless:
        kind = np.dtype(f"u{dataset.BitsAllocated // 8}")
        return lambda data: np.frombuffer(imagecodecs.dicomrle_decode(data, kind), kind)
    if syntax in uid.JPEG2000TransferSyntaxes:
        decode: Callable[[bytes], NDArray[Any]] = openjpeg.decode  # type: ignore[attr-defined]
        return decode
    if syntax in uid.JPEGLSTransferSyntaxes:
        return charls
    if b"\xff\xc3" in source[:2000]:
        return imagecodecs.jpegsof3_decode
    return pillow if b"\xff\xc0" in source[:2000] or dataset.BitsStored == 8 else None


def charls(source: bytes) -> NDArray[Any]:
    buffer, info = jpeg_ls.decode_pixel_data(source)
    return np.frombuffer(buffer, np.uint8 if info["bits_per_sample"] <= 8 else "<u2")


def pillow(source: bytes) -> NDArray[Any]:
    with Image.open(io.BytesIO(source), formats=("JPEG",)) as image:
        return np.asarray(image.convert("L") if image.mode != "L" else image)


def expected_pixels(stored: NDArray[Any], reader: DicomReader, index: int) -> NDArray[Any]:
    """Stored values after the frame's modality transform, a table worked out by hand."""
    frame = frames_of(reader._opened)[index]
    transform = rescale(frame)
    if transform is None:
        lut = frame.top.ModalityLUTSequence[0]
        count, first, bits = lut.LUTDescriptor
        data = lut.LUTData
        table = np.array(np.frombuffer(data, "<u2") if isinstance(data, bytes) else data)
        assert bits == 16 or table.max() < 2**bits
        return np.asarray(table[np.clip(stored - first, 0, (count or 65536) - 1)], dtype=np.float32)
    slope, intercept = transform
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def opened_with_pydicom(path: Path) -> tuple[pydicom.Dataset, uid.UID] | None:
    """What the second decoder starts from; None where pydicom cannot parse the file."""
    try:
        dataset = pydicom.dcmread(path, force=True)
        syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
        if not syntax:
            syntax = (
                uid.ImplicitVRLittleEndian if dataset.original_encoding[0] else uid.ExplicitVRLittleEndian
            )
        return dataset, uid.UID(syntax)
    except Exception:  # noqa: BLE001
        return None


@dataclass
class Outcome:
    """What comparing files gave: names of files."""

    agreed: set[str] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)
    differ: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def compared(paths: Sequence[Path]) -> Outcome:
    """The first and last frame of every grey-scale DICOM image, against the second opinion."""
    outcome = Outcome()
    for path in paths:
        try:
            reader = open_reader(path)
            if not isinstance(reader, DicomReader) or reader.slices()[0].colour:
                continue
            frames = {i: reader.pixels(i) for i in {0, len(reader.slices()) - 1}}
        except UnreadableFile as error:
            if not any(words in error.reason for words in NOT_IMAGES):
                outcome.refused[path.name] = error.reason
            continue
        parsed = opened_with_pydicom(path)
        for index, found in frames.items():
            stored = None if parsed is None else second_opinion(*parsed, index)
            expected = None if stored is None else expected_pixels(stored, reader, index)
            if expected is None:
                outcome.alone.add(path.name)
            elif np.array_equal(found, expected):
                outcome.agreed.add(path.name)
            else:
                outcome.differ.append(f"{path.name} frame {index}")
    return outcome


def test_pydicoms_own_files() -> None:
    outcome = compared(files_below(SHIPPED))
    assert outcome.differ == []
    assert outcome.alone <= set(EXCEPTIONS)
    assert len(outcome.agreed) >= 53
    assert set(outcome.refused) == set(REFUSED)
    for name, reason in outcome.refused.items():
        assert REFUSED[name] in reason


@pytest.mark.data
def test_files_of_vendors_and_working_groups(data_dir: Path) -> None:
    files = files_below(data_dir / "dicom")
    head = [p for p in files if "head-t1" in p.parts]
    outcome = compared([p for p in files if p not in head] + head[::16])  # one series: a few of 192
    assert outcome.differ == []
    assert outcome.refused == {}
    assert outcome.alone <= set(EXCEPTIONS)
    assert len(outcome.agreed) >= 120
    for name, twin in TWINS.items():
        (mine,) = [p for p in files if p.name == name]
        assert np.array_equal(open_reader(mine).pixels(0), open_reader(mine.with_name(twin)).pixels(0))


def test_files_of_the_package_pydicom_data() -> None:
    package = pytest.importorskip("data_store", reason="pydicom-data is not installed")
    outcome = compared(files_below(Path(package.__file__).parent / "data"))
    assert outcome.differ == []
    assert outcome.refused == {}
    assert outcome.alone <= set(EXCEPTIONS)
    assert len(outcome.agreed) >= 29


def test_one_image_in_every_encoding(tmp_path: Path) -> None:
    first = open_reader(SHIPPED / MR_SMALL[0]).pixels(0)
    for name in MR_SMALL:
        assert np.array_equal(open_reader(SHIPPED / name).pixels(0), first), name
    dataset = pydicom.dcmread(SHIPPED / MR_SMALL[0])
    dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "deflated.dcm")
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    dataset.PixelData = encapsulate([bytes(imagecodecs.ljpeg_encode(stored))])
    dataset.file_meta.TransferSyntaxUID = uid.JPEGLosslessSV1
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "lossless.dcm")
    for name in ("deflated.dcm", "lossless.dcm"):
        assert np.array_equal(open_reader(tmp_path / name).pixels(0), first), name


@pytest.mark.data
def test_lossless_jpeg_that_counts_modulo_65536(data_dir: Path) -> None:
    path = data_dir / "dicom" / "jpegll_modulo_wrap_8bit.dcm"
    truth = np.load(path.with_suffix(".npy"), allow_pickle=False)
    assert np.array_equal(open_reader(path).pixels(0), truth.reshape(truth.shape[-2:]).astype(np.float32))


@pytest.mark.data
def test_acr_nema_with_packed_pixels(data_dir: Path) -> None:
    (path,) = (data_dir / "dicom" / "fo-dicom").rglob("GH340.dcm")
    reader = open_reader(path)
    assert reader.heading.notes == ("ACR-NEMA file, older than DICOM",)
    flat = np.unpackbits(np.frombuffer(path.read_bytes()[-98304:], np.uint8), bitorder="little")
    expected = (flat.reshape(-1, 12) @ (1 << np.arange(12))).reshape(256, 256)
    assert np.array_equal(reader.pixels(0), expected)


@pytest.mark.data
def test_broken_files_are_refused_in_time_each_with_its_reason(data_dir: Path) -> None:
    reasons = []
    for path in [p for p in sorted((data_dir / "dicom" / "malformed").rglob("*")) if p.is_file()]:
        start = time.perf_counter()
        reasons.append(open_as_the_application(path))  # fails on anything but a refusal with a reason
        assert time.perf_counter() - start < WAIT_S * busyness(), path.name
    assert len(reasons) >= 260
    assert sum(bool(r) for r in reasons) >= 100
