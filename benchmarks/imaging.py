"""Is the reading order right, and how long do a first slice, a scroll, a folder of 20,000 files take?

python -m benchmarks.imaging [--only order,head,index,scroll] [--data FOLDER] [--files N] [--slices N]
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from benchmarks.real_data import arguments, machine
from benchmarks.tables import as_json
from core.imaging.catalog import scan
from core.imaging.looking import look_into
from core.imaging.pixels import PixelCache
from core.model import Catalog, Series
from core.store.index import FileIndex

RESULT = Path(__file__).parent / "results" / "imaging.json"
CACHE_BYTES = 512 << 20
ORIENTATIONS, PER_ORIENTATION = 30, 24
RUNS, SECOND_OPENINGS = 15, 7
PER_SERIES = 200
PASSES = 3
MIB = 1 << 20


def spread(values: Sequence[float], digits: int = 4) -> dict[str, Any]:
    """n, median, quartiles, least and greatest."""
    q1, median, q3 = (round(float(v), digits) for v in np.percentile(values, (25, 50, 75)))
    ends = {"min": round(min(values), digits), "max": round(max(values), digits)}
    return {"n": len(values), "median": median, "q1": q1, "q3": q3, **ends}


# -- order -----------------------------------------------------------------------------------------------


def order(data: Path) -> dict[str, Any]:
    """Series whose slices come in the order of the patient, told by other means than ours."""
    with tempfile.TemporaryDirectory() as folder:
        phantoms = [_turned_phantom(Path(folder) / str(i), i) for i in range(ORIENTATIONS)]
    real = {
        name: [_in_order(series) for series in scan([data / name]).series]
        for name in ("dicom/nih_ge", "progression-dicom")
    }
    counted = {**real, "shuffled phantoms": phantoms}
    return {name: {"series": len(good), "right": sum(good)} for name, good in counted.items()}


def _in_order(series: Series) -> bool:
    """Whether positions, and numbers at one position, rise from slice to slice, as pydicom reads them."""
    places = []
    for ref in series.slices:
        header = pydicom.dcmread(ref.path, stop_before_pixels=True)
        cosines = np.array(header.ImageOrientationPatient, dtype=float)
        axis = np.cross(cosines[:3], cosines[3:])
        along = float(np.dot(np.array(header.ImagePositionPatient, dtype=float), axis))
        places.append((round(along, 2), int(header.InstanceNumber)))
    there = len({ref.path for ref in series.slices}) == len(series.slices) > 1
    return there and all(b > a for a, b in pairwise(places))


def _turned_phantom(folder: Path, seed: int) -> bool:
    """Whether a stack at any angle, names and numbers shuffled, comes in order: each pixel says its slice."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn[:, 2] = np.cross(turn[:, 0], turn[:, 1])
    start, distance = rng.uniform(-150, 150, 3), rng.uniform(0.5, 6)
    folder.mkdir()
    numbers = rng.permutation(PER_ORIENTATION)
    for k, number in enumerate(numbers):
        header = {
            "ImagePositionPatient": [f"{v:.5f}" for v in start + k * distance * turn[:, 2]],
            "ImageOrientationPatient": [f"{v:.7f}" for v in (*turn[:, 0], *turn[:, 1])],
            "PixelSpacing": ["0.9", "0.7"],
            "InstanceNumber": int(number),
        }
        _write(folder / f"IM{number:04}", np.full((6, 5), k, dtype=np.uint16), f"1.2.{seed}", k, header)
    (series,) = scan([folder]).series
    cache = PixelCache(MIB)
    return [int(cache.get(ref)[0, 0]) for ref in series.slices] == list(range(PER_ORIENTATION))


def _write(path: Path, pixels: NDArray[np.uint16], series: str, k: int, header: dict[str, Any]) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, MRImageStorage
    meta.MediaStorageSOPInstanceUID = UID(f"{series}.9.{k}")
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2", series
    dataset.FrameOfReferenceUID, dataset.Modality, dataset.PatientID = "1.2.3", "MR", "bench"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.Rows, dataset.Columns = pixels.shape
    for name, value in header.items():
        setattr(dataset, name, value)
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path, enforce_file_format=True)


# -- head-t1 ---------------------------------------------------------------------------------------------


class _Enough(Exception):  # noqa: N818 - not an error
    """The first slice is there."""


def head(data: Path) -> dict[str, Any]:
    """First slice, whole series, and a slice that nobody has asked for; files in the disk's cache."""
    folder = data / "dicom" / "head-t1"
    firsts, wholes, slices = [], [], 0
    for _ in range(RUNS):
        firsts.append(_first_slice(folder))
        start = time.perf_counter()
        (series,) = scan([folder]).series
        wholes.append(time.perf_counter() - start)
        slices = len(series.slices)
    cache = PixelCache(CACHE_BYTES)
    uncached = [_seconds(lambda ref=ref: cache.get(ref)) for ref in series.slices]  # type: ignore[misc]
    return {
        "slices": slices,
        "first_slice_s": spread(firsts),
        "whole_series_s": spread(wholes),
        "uncached_slice_s": spread(uncached),
    }


def _first_slice(folder: Path) -> float:
    cache, start = PixelCache(CACHE_BYTES), time.perf_counter()

    def found(catalog: Catalog) -> None:
        cache.get(catalog.series[0].slices[0])
        raise _Enough

    with contextlib.suppress(_Enough):
        scan([folder], found=found)
    return time.perf_counter() - start


def _seconds(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


# -- index -----------------------------------------------------------------------------------------------


def index(files: int) -> dict[str, Any]:
    """A folder of so many files that are nearly all header: first opening, and again unchanged."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, path = Path(scratch) / "files", Path(scratch) / "w.overread.index"
        for i in range(files):
            series, k = divmod(i, PER_SERIES)
            at = folder / f"{series:04}"
            at.mkdir(parents=True, exist_ok=True)
            header = {
                "ImagePositionPatient": [0, 0, 2 * k],
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "PixelSpacing": [1, 1],
                "InstanceNumber": k,
                "SeriesNumber": series,
                "SeriesDescription": f"series {series}",
            }
            _write(at / f"{k:04}.dcm", np.zeros((4, 4), dtype=np.uint16), f"1.2.{series}", k, header)
        one = look_into(folder / "0000" / "0000.dcm")
        assert len(one.slices) == 1, "the files are sound"
        first = _seconds(lambda: _scan_with(folder, path))
        again, cpu = [], []
        for _ in range(SECOND_OPENINGS):
            before = time.process_time()
            again.append(_seconds(lambda: _scan_with(folder, path)))
            cpu.append(time.process_time() - before)  # what a busy machine adds is not in it
        index_mib = round(path.stat().st_size / MIB, 1)
    return {
        "files": files,
        "first_s": round(first, 2),
        "second_s": spread(again),
        "second_cpu_s": spread(cpu),
        "index_mib": index_mib,
    }


def _scan_with(folder: Path, path: Path) -> None:
    kept = FileIndex(path)
    found = scan([folder], index=kept)
    kept.close()
    assert not found.skipped


# -- scroll ----------------------------------------------------------------------------------------------


def scroll(slices: int) -> dict[str, Any]:
    """Memory of the window in a process of its own, after each of three ways through a long series."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "long"
        folder.mkdir()
        rng = np.random.default_rng(0)
        grain = rng.integers(0, 900, (512, 512), dtype=np.uint16)
        for k in range(slices):
            header = {
                "ImagePositionPatient": [0, 0, k],
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "PixelSpacing": [1, 1],
                "InstanceNumber": k,
            }
            _write(folder / f"{k:05}.dcm", np.roll(grain, k, axis=1), "1.2.7", k, header)
        command = [sys.executable, "-m", "benchmarks.imaging", "--scroll-child", str(folder)]
        environment = {**os.environ, "OVERREAD_HOME": scratch, "QT_QPA_PLATFORM": "offscreen"}
        told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return result


def scroll_child(folder: Path) -> dict[str, Any]:
    """In the child: the window itself, slice by slice, each one waited for until it is on the canvas."""
    from PySide6.QtWidgets import QApplication  # noqa: PLC0415 - the other measurements need no Qt

    from benchmarks.screenshots_wait import settle, wait_until  # noqa: PLC0415
    from gui.app import build  # noqa: PLC0415

    qt = QApplication(["overread"])
    app = build(qt, Path(os.environ["OVERREAD_HOME"]) / "w.overread")
    app.window.resize(1400, 900)
    app.window.show()
    session, page = app.desk.session, app.window.page
    started = _rss()
    session.open_paths([folder])
    wait_until(lambda: session.current_series is not None and not session.growing)
    wait_until(lambda: app.desk.display.pixels is not None)
    series = session.current_series
    assert series is not None
    opened, waits, after = _rss(), [], []
    for number in range(PASSES):
        way = range(len(series.slices)) if number % 2 == 0 else reversed(range(len(series.slices)))
        for k in way:
            start = time.perf_counter()
            session.go_to(series.uid, k)
            while app.desk.display.pixels is None:
                settle(1)
            page.repaint()
            waits.append(time.perf_counter() - start)
        after.append(_rss())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    app.window.close()
    return {
        "slices": len(series.slices),
        "cache_mib": CACHE_BYTES // MIB,
        "rss_started_mib": started,
        "rss_opened_mib": opened,
        "rss_after_pass_mib": after,
        "growth_in_later_passes_mib": round(after[-1] - after[0], 1),
        "rss_peak_mib": round(peak, 1),
        "slice_on_screen_s": spread(waits),
    }


def _rss() -> float:
    """Resident memory of this process in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / MIB, 1)


# -- all -------------------------------------------------------------------------------------------------


def main(words: Sequence[str] | None = None) -> int:
    """Measure; what is not measured this time stays as it was in the results.

    Returns:
        Exit status.
    """
    parser = arguments(__doc__ or "")
    parser.add_argument("--only", default="order,head,index,scroll", help="parts, separated by commas")
    parser.add_argument("--files", type=int, default=20_000, help="files of the index")
    parser.add_argument("--slices", type=int, default=2_000, help="slices of the long series")
    parser.add_argument("--scroll-child", type=Path, help="used by itself")
    given = parser.parse_args(words)
    if given.scroll_child is not None:
        print(json.dumps(scroll_child(given.scroll_child)))
        return 0
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "order": lambda: order(given.data),
        "head": lambda: head(given.data),
        "index": lambda: index(given.files),
        "scroll": lambda: scroll(given.slices),
    }
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name in given.only.split(","):
        load = os.getloadavg()[0]
        command = f"python -m benchmarks.imaging --only {name}"
        result[name] = {"command": command, **machine(), "load_before": round(load, 1), **parts[name]()}
        RESULT.write_text(as_json(result))
        print(f"{name}: {json.dumps(result[name], ensure_ascii=False)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
