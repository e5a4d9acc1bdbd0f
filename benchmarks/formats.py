"""How long archives and NIfTI take beside plain files: `python -m benchmarks.formats [--repeat N]`."""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from core.imaging import archive, nifti_voxels
from core.imaging.catalog import scan
from core.imaging.reader import open_reader

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
HEAD = DATA / "dicom" / "head-t1"
VOLUME = DATA / "progression" / "01-pre" / "t1.nii.gz"


def _median_ms(work: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        archive._archives.clear()
        archive._kept.clear()
        nifti_voxels._inflated.clear()
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def _decode_all(path: Path) -> None:
    for series in scan([path]).series:
        for ref in series.slices:
            open_reader(ref.path).pixels(ref.frame)


def _first_slice(path: Path) -> None:
    open_reader(path).pixels(0)


def main() -> None:
    """Measure, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as scratch:
        files = sorted(p for p in HEAD.rglob("*") if p.is_file())
        packed = {}
        for name, how in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
            packed[name] = Path(scratch) / f"{name}.zip"
            with zipfile.ZipFile(packed[name], "w", how) as written:
                for path in files:
                    written.write(path, path.name)
        plain = Path(scratch) / "t1.nii"
        plain.write_bytes(gzip.decompress(VOLUME.read_bytes()))
        print(f"{len(files)} DICOM files (head-t1), median of {repeat}, ms")
        for name, where in (("folder", HEAD), *packed.items()):
            print(f"  {name:9} scan {_median_ms(partial(scan, [where]), repeat):8.1f}", end="")
            print(f"   scan and decode all {_median_ms(partial(_decode_all, where), repeat):8.1f}")
        print("NIfTI 256 x 256 x 24, float64, first slice, ms")
        for name, where in ((".nii", plain), (".nii.gz", VOLUME)):
            print(f"  {name:9} {_median_ms(partial(_first_slice, where), repeat):8.1f}")


if __name__ == "__main__":
    main()
