"""What has to be measured in a process of its own; prints one line of JSON for benchmarks.proposal_limits.

python -m benchmarks.proposal_child fresh|loaded|peak METHOD SLICE.npy
python -m benchmarks.proposal_child row METHOD COUNT FOLDER_OF_SLICES

Nothing but the standard library is imported before the clock starts.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_CHECKED = (512, 1024, 2048, 4096)


def fresh(method: str, slice_file: str) -> dict[str, float]:
    """From the first import to the first result, and the second call. Milliseconds."""
    start = time.perf_counter()
    from core.jobs import CancelToken  # noqa: PLC0415 - the imports are what is timed
    from core.proposals.registry import make_proposer  # noqa: PLC0415

    imported = time.perf_counter()
    import numpy as np  # noqa: PLC0415 - loaded by the registry already

    image = np.load(slice_file)
    ready = time.perf_counter()
    proposer = make_proposer(method)
    proposer.propose(image, cancel=CancelToken())
    first = time.perf_counter()
    proposer.propose(image, cancel=CancelToken())
    second = time.perf_counter()
    spans = {"imports": imported - start, "first_call": first - ready, "second_call": second - first}
    spans["imports_and_first_call"] = spans["imports"] + spans["first_call"]
    return {name: seconds * 1000 for name, seconds in spans.items()}


def loaded(method: str, slice_file: str) -> dict[str, float]:
    """As `fresh`, with the libraries imported before the clock starts."""
    start = time.perf_counter()
    import cv2  # noqa: F401, PLC0415
    import numpy as np  # noqa: F401, PLC0415

    if importlib.util.find_spec("numba") is not None:
        import numba  # noqa: F401, PLC0415
    libraries = time.perf_counter() - start
    return {"libraries": libraries * 1000, **fresh(method, slice_file)}


def peak(method: str, slice_file: str) -> dict[str, float]:
    """Resident bytes before a call and at most during it, and the image's own. A tiny slice warms up."""
    import numpy as np  # noqa: PLC0415

    from core.jobs import CancelToken  # noqa: PLC0415
    from core.proposals.registry import make_proposer  # noqa: PLC0415

    image = np.load(slice_file)
    proposer, cancel = make_proposer(method), CancelToken()
    proposer.propose(np.ascontiguousarray(image[::32, ::32]), cancel=cancel)
    before = _resident("VmRSS")
    start = time.perf_counter()
    proposer.propose(image, cancel=cancel)
    seconds = time.perf_counter() - start
    top = _resident("VmHWM")
    return {"image": image.nbytes, "before": before, "peak": top, "ms": seconds * 1000}


def row(method: str, count: int, folder: str) -> dict[str, float]:
    """Resident bytes after 512, 1024, … slices in a row, the slices of a folder over and over."""
    import numpy as np  # noqa: PLC0415

    from core.jobs import CancelToken  # noqa: PLC0415
    from core.proposals.registry import make_proposer  # noqa: PLC0415

    images = [np.load(p) for p in sorted(Path(folder).glob("*.npy"))]
    proposer, cancel = make_proposer(method), CancelToken()
    found: dict[str, float] = {}
    for done in range(1, count + 1):
        proposer.propose(images[done % len(images)], cancel=cancel)
        if done in _CHECKED or done == count:
            found[str(done)] = _resident("VmRSS")
    return found


def _resident(field: str) -> int:
    """A field of /proc/self/status in bytes: VmRSS now, VmHWM at most since the process began."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status: has no {field}; memory is measured on Linux only")


def main(arguments: Sequence[str]) -> None:
    """Measure what is asked for and print it."""
    kind, method, *rest = arguments
    if kind == "row":
        print(json.dumps(row(method, int(rest[0]), rest[1])))
        return
    kinds: dict[str, Callable[[str, str], dict[str, float]]] = {
        "fresh": fresh, "loaded": loaded, "peak": peak,
    }  # fmt: skip
    print(json.dumps(kinds[kind](method, rest[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
