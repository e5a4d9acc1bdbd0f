"""OpenCV's selective search as its tutorials use it: a preset on the grey slice as a BGR picture.

Seconds a slice, so the boxes of a whole set are found once and kept (build/proposal-presets, one line a
slice); what is there is not searched again, so an interrupted run goes on where it was:

python -m benchmarks.proposal_presets [--data DIR] [--sets btod/valid ...] [--every 2]
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.proposal_sets import SETS, TRAINING_SETS, TrueSet, TrueSlice, load_set
from benchmarks.real_data import arguments
from core.boxes import Boxes, clip, from_xywh
from core.imaging.pixels import PixelCache
from core.proposals.normalise import normalise

Preset = Literal["fast", "quality"]
CACHE = Path(__file__).resolve().parents[1] / "build" / "proposal-presets"
SIZES = (512, 256)
_PIXEL_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found on one slice.

    Attributes:
        boxes: (N, 4), in pixels of the slice, in the order found.
        milliseconds: Of the search, without decoding and shrinking.
    """

    boxes: Boxes
    milliseconds: float


def preset_search(grey: NDArray[np.uint8], preset: Preset) -> Boxes:
    """Boxes (N, 4) in pixels of `grey`, in OpenCV's order, which is by chance (the C library's rand)."""
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    if preset == "fast":
        search.switchToSelectiveSearchFast()
    else:
        search.switchToSelectiveSearchQuality()
    return from_xywh(np.asarray(search.process(), dtype=np.float64).reshape(-1, 4))


def as_grey(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """A slice as 8-bit grey: as it is where it is 8-bit already, else normalised as for our own methods."""
    if pixels.min() >= 0 and pixels.max() <= 255 and bool(np.all(np.mod(pixels, 1) == 0)):
        return pixels.astype(np.uint8)
    grey: NDArray[np.uint8] = np.rint(normalise(pixels) * 255.0).astype(np.uint8)
    return grey


def shrunk(grey: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The slice with its longer side at most `size`; never enlarged."""
    rows, columns = grey.shape
    scale = size / max(rows, columns)
    if scale >= 1.0:
        return grey
    shape = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return np.asarray(cv2.resize(grey, shape, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def search_slice(pixels: NDArray[np.generic], preset: Preset, size: int) -> Found:
    """Search a slice at a working size; the boxes are mapped back to its own pixels."""
    grey = shrunk(as_grey(pixels), size)
    start = time.perf_counter()
    found = preset_search(grey, preset)
    milliseconds = (time.perf_counter() - start) * 1000
    rows, columns = pixels.shape
    back = np.array([columns / grey.shape[1], rows / grey.shape[0]] * 2)
    return Found(clip(found * back, columns, rows), milliseconds)


def cached(set_name: str, preset: Preset, size: int) -> dict[str, Found]:
    """What has been found so far, by the slice's name."""
    path = _file(set_name, preset, size)
    if not path.is_file():
        return {}
    return dict(_lines(path.read_text(encoding="utf-8").splitlines()))


def found_by(true_set: TrueSet, preset: Preset, size: int) -> dict[str, Found]:
    """What the cache holds for a working size, by the slice's name.

    A slice that is no larger than the working size is not shrunk, and was searched once for all sizes.
    """
    small = {s.name for s in true_set.slices if not _differs(s, size)}
    whole = {k: v for k, v in cached(true_set.name, preset, max(SIZES)).items() if k in small}
    names = {s.name for s in true_set.slices}
    return {k: v for k, v in (whole | cached(true_set.name, preset, size)).items() if k in names}


def fill(true_set: TrueSet, preset: Preset, size: int, every: int = 1) -> None:
    """Search the slices of a set (or every second, …) that are not in the cache yet."""
    known, pixels = cached(true_set.name, preset, size), PixelCache(_PIXEL_BYTES)
    wanted = [s for s in true_set.slices[::every] if s.name not in known and _differs(s, size)]
    path = _file(true_set.name, preset, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as out:
        if path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            out.write("\n")  # the last run was stopped in the middle of a line, which is then no JSON
        for index, item in enumerate(wanted):
            found = search_slice(pixels.get(item.ref), preset, size)
            row = {
                "name": item.name,
                "ms": round(found.milliseconds, 1),
                "boxes": found.boxes.round(2).tolist(),
            }
            out.write(json.dumps(row, separators=(",", ":")) + "\n")
            out.flush()
            if index % 20 == 0 or index + 1 == len(wanted):
                print(f"{true_set.name} {preset} {size}: {index + 1} of {len(wanted)}", flush=True)


def fill_all(true_set: TrueSet, sizes: Sequence[int] = SIZES, every: int = 1) -> None:
    """`fill` for both presets."""
    cv2.setNumThreads(1)
    for size in sizes:
        for preset in get_args(Preset):
            fill(true_set, preset, size, every)


def _differs(item: TrueSlice, size: int) -> bool:
    """Whether this working size is another than the largest one, for this slice."""
    return size == max(SIZES) or max(item.ref.rows, item.ref.columns) > size


def _file(set_name: str, preset: Preset, size: int) -> Path:
    return CACHE / set_name.replace("/", "-") / f"{preset}-{size}.jsonl"


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, Found]]:
    for line in lines:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # cut short when a run was stopped
        boxes = np.array(row["boxes"], dtype=np.float64).reshape(-1, 4)
        yield row["name"], Found(boxes, float(row["ms"]))


def main() -> None:
    """Fill the cache."""
    parser = arguments("Find the boxes of OpenCV's two presets, once.")
    parser.add_argument("--sets", nargs="*", choices=(*SETS, *TRAINING_SETS), default=list(SETS))
    parser.add_argument("--sizes", nargs="*", type=int, choices=SIZES, default=list(SIZES))
    parser.add_argument("--every", type=int, default=1, help="take every N-th slice only")
    options = parser.parse_args()
    for name in options.sets:
        fill_all(load_set(options.data, name), options.sizes, options.every)


if __name__ == "__main__":
    main()
