"""What does decoding in a child process cost? A 512 × 512 frame of 16 bits, against the codec itself.

python -m benchmarks.dicom_decode

Three ways in turn, so that a busy machine disturbs all alike: imagecodecs in this process, the same in the
application's child process, and the whole way from the file to rescaled pixels.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, MRImageStorage

from benchmarks.imaging import spread
from benchmarks.real_data import machine
from benchmarks.tables import as_json
from core.imaging.dicom_decode import JPEG, JPEG_2000, JPEG_LS, pool
from core.imaging.phantom import make_phantom
from core.imaging.reader import open_reader

RESULT = Path(__file__).parent / "results" / "dicom_decode.json"
SIDE, RUNS, TARGET = 512, 40, 1.3
Codec = tuple[
    int, UID, Callable[[NDArray[np.uint16]], bytes | bytearray], Callable[[bytes], NDArray[np.generic]]
]
CODECS: dict[str, Codec] = {
    "JPEG 2000": (
        JPEG_2000,
        JPEG2000Lossless,
        lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True, codecformat="j2k"),
        imagecodecs.jpeg2k_decode,
    ),
    "JPEG-LS": (JPEG_LS, JPEGLSLossless, imagecodecs.jpegls_encode, imagecodecs.jpegls_decode),
    "JPEG Lossless": (JPEG, JPEGLosslessSV1, imagecodecs.ljpeg_encode, imagecodecs.ljpeg_decode),
}


def slice_of_a_head() -> NDArray[np.uint16]:
    """The middle slice of the phantom, with noise, at 512 × 512."""
    volume = make_phantom().volume
    small = volume[len(volume) // 2]
    rows, columns = (np.linspace(0, n - 1, SIDE).astype(int) for n in small.shape)
    noise = np.random.default_rng(1).normal(0, 8, (SIDE, SIDE))
    return np.asarray(np.clip(small[np.ix_(rows, columns)] * 8.0 + noise, 0, 65535), dtype=np.uint16)


def write(path: Path, stream: bytes, syntax: UID) -> None:
    """One frame as a file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, MRImageStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = MRImageStorage, UID("1.2.3"), "MR"
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = encapsulate([bytes(stream)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)


def measure(codec: Codec, pixels: NDArray[np.uint16], folder: Path) -> dict[str, Any]:
    """Milliseconds of each way, and what they are to the direct one."""
    kind, syntax, encode, decode = codec
    stream = bytes(encode(pixels))
    write(folder / "a.dcm", stream, syntax)
    reader = open_reader(folder / "a.dcm")
    ways: dict[str, Callable[[], NDArray[np.generic]]] = {
        "direct": lambda: decode(stream),
        "child": lambda: pool.decode(kind, stream, 1, pixels.size),
        "reader": lambda: reader.pixels(0),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(RUNS + 2):
        for name, way in ways.items():
            start = time.perf_counter()
            found = way()
            took = 1000 * (time.perf_counter() - start)
            assert np.array_equal(found, pixels), name
            if run >= 2:  # the first ones start the child and fill caches
                times[name].append(took)
    pairs = {
        name: float(np.median(np.array(times[name]) / np.array(times["direct"])))
        for name in ("child", "reader")
    }
    return {
        "bytes": len(stream),
        "ms": {name: spread(each, 2) for name, each in times.items()},
        "least_to_least": {n: round(min(times[n]) / min(times["direct"]), 3) for n in pairs},
        "median_of_ratios": {n: round(v, 3) for n, v in pairs.items()},
    }


def main() -> int:
    """Measure, and write the result."""
    pixels = slice_of_a_head()
    before = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as folder:
        found = {name: measure(codec, pixels, Path(folder)) for name, codec in CODECS.items()}
    result = {
        "command": "python -m benchmarks.dicom_decode",
        **machine(),
        "load_before": before,
        "target": TARGET,
        "codecs": found,
    }
    RESULT.write_text(as_json(result), encoding="utf-8")
    for name, row in found.items():
        print(
            name,
            {k: v["median"] for k, v in row["ms"].items()},
            row["least_to_least"],
            row["median_of_ratios"],
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
