"""Memory of a process that detects; prints one line of JSON for benchmarks.detection_memory.

    python -m benchmarks.detection_child MODEL SLICE.npy

Nothing but the standard library is imported before the first reading.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

_MORE = 20
_FIELDS = {"peak": "VmHWM", "own": "RssAnon", "files": "RssFile"}


def stages(model: str, slice_file: str) -> dict[str, dict[str, int]]:
    """Resident bytes at the end of each stage (`resident`)."""
    found = {"interpreter": resident()}
    import numpy as np  # noqa: PLC0415 - the imports are what is measured

    from core.detection.base import DetectRequest  # noqa: PLC0415
    from core.detection.detector import load_detector  # noqa: PLC0415
    from core.jobs import CancelToken  # noqa: PLC0415

    found["imports"] = resident()
    detector = load_detector(Path(model))
    found["model loaded"] = resident()
    request = DetectRequest("slice", np.load(slice_file))
    detector.detect(request, cancel=CancelToken())
    found["one slice"] = resident()
    for _ in range(_MORE):
        detector.detect(request, cancel=CancelToken())
    found[f"{_MORE} more"] = resident()
    return found


def resident() -> dict[str, int]:
    """Bytes of this process: the peak since it began; now its own, and now those of files (libraries).

    VmHWM, RssAnon and RssFile of /proc/self/status. The kernel can drop what is of files at any time.
    """
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    try:
        return {name: int(rows[of].split()[0]) * 1024 for name, of in _FIELDS.items()}
    except KeyError as error:
        raise RuntimeError(f"/proc/self/status: has no {error}; memory is measured on Linux only") from error


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    model, slice_file = arguments
    print(json.dumps(stages(model, slice_file)))


if __name__ == "__main__":
    main(sys.argv[1:])
