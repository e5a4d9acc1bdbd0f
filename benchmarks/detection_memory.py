"""Peak resident memory of a fresh process that loads the model and detects on one slice."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.detection_data import btod
from benchmarks.detection_runs import Row
from benchmarks.detection_time import SET, SIDE
from benchmarks.proposal_time import spread
from core.imaging.pixels import PixelCache

STARTS = 3
_ROOT = Path(__file__).resolve().parents[1]


def measure_memory(data: Path, model: Path, *, starts: int = STARTS) -> Row:
    """Resident megabytes (10⁶ bytes) at the end of each stage of such a process.

    Args:
        data: Folder of the public data sets.
        model: Our model file.
        starts: Fresh processes; one more comes first and fills the compile cache.
    """
    found = (s.ref for s in btod(data, "train").slices)
    ref = next(r for r in found if (r.rows, r.columns) == (SIDE, SIDE))
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "slice.npy"
        np.save(file, PixelCache(SIDE * SIDE * 8).get(ref))
        runs = [_child(model, file) for _ in range(starts + 1)][1:]
    stages = {
        stage: {kind: spread([r[stage][kind] / 1e6 for r in runs]) for kind in kinds}
        for stage, kinds in runs[0].items()
    }
    return {"set": SET, "side": SIDE, "model": model.stem, "processes": starts, "megabytes": stages}


def _child(model: Path, file: Path) -> dict[str, dict[str, int]]:
    """One run of benchmarks.detection_child."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.detection_child", str(model.resolve()), str(file)],
        cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    return found
