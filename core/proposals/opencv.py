"""OpenCV's selective search, set up for grey slices.

OpenCV's own presets convert to HSV and Lab and build texture histograms of all six channels. On a grey slice
these channels repeat one another: one channel without texture finds about as many lesions in a fraction of
the time, and a finer graph (small k) then finds more of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core import boxes as bx
from core.jobs import CancelToken
from core.model import Proposals
from core.proposals.base import Mode, check_slice
from core.proposals.normalise import normalise

_SIGMA = 0.8
_MIN_SEGMENT = 10
# Regions smaller than this many working pixels are noise at the working size.
_MIN_SIDE = 4.0
_DUPLICATE_IOU = 0.9
# Width of the surround that a region is compared with, in parts of its sides.
_SURROUND = 0.25
# Exponent and limits of the rank, chosen on 60 slices of cheng/train by recall of the first 100 to 500.
_SIZE_POWER = 0.7
_LARGE_SHARE, _LARGE_FACTOR = 0.45, 0.3


@dataclass(frozen=True, slots=True)
class _Preset:
    working_size: int
    scales: tuple[float, ...]
    most: int


_PRESETS: dict[Mode, _Preset] = {
    "fast": _Preset(192, (100.0, 200.0), 400),
    "quality": _Preset(256, (50.0, 100.0, 200.0), 1000),
}


class OpenCvProposer:
    """Selective search (Uijlings et al. 2013) through OpenCV, on one grey channel.

    Args:
        mode: "fast", or "quality", which takes three times as long and finds more.
        working_size: Longer side in pixels the slice is shrunk to; None for the mode's own. Never enlarged.
        limit: Most proposals returned; None for the mode's own.
    """

    def __init__(
        self, mode: Mode = "fast", working_size: int | None = None, limit: int | None = None
    ) -> None:
        preset = _PRESETS[mode]
        self._mode = mode
        self._scales = preset.scales
        self._working_size = working_size or preset.working_size
        self._most = preset.most if limit is None else limit

    @property
    def name(self) -> str:
        """The method's name, as on the command line."""
        return f"opencv-{self._mode}"

    def propose(self, image: NDArray[np.generic], *, cancel: CancelToken) -> Proposals:
        """Propose regions, best first, in the image's own pixels.

        Raises:
            Cancelled: The token was set.
            InputError: `image` is not two-dimensional or is empty.
        """
        check_slice(image)
        cancel.check()
        found = self._search(normalise(image), cancel)
        cancel.check()
        scores = tuple(float(v) for v in np.linspace(1.0, 0.0, len(found), endpoint=False))
        return Proposals(bx.from_array(found), scores, self.name)

    def _search(self, unit: NDArray[np.float32], cancel: CancelToken) -> bx.Boxes:
        rows, columns = unit.shape
        grey = _shrunk(unit, self._working_size)
        if min(grey.shape) < 2 * _MIN_SIDE or grey.max() == grey.min():
            return np.zeros((0, 4))
        search = _prepared(grey, self._scales)
        cancel.check()
        found = bx.from_xywh(np.asarray(search.process(), dtype=np.float64).reshape(-1, 4))
        found = _distinct(_ranked(found, grey), self._most)
        back = np.array([columns / grey.shape[1], rows / grey.shape[0]] * 2)
        return bx.clip(found * back, columns, rows)


def _shrunk(unit: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    rows, columns = unit.shape
    scale = min(1.0, size / max(rows, columns))
    if scale < 1.0:
        shape = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        unit = np.asarray(cv2.resize(unit, shape, interpolation=cv2.INTER_AREA), dtype=np.float32)
    grey: NDArray[np.uint8] = np.rint(unit * 255.0).astype(np.uint8)
    return grey


def _prepared(
    grey: NDArray[np.uint8], scales: tuple[float, ...]
) -> cv2.ximgproc.segmentation.SelectiveSearchSegmentation:
    seg = cv2.ximgproc.segmentation
    search = seg.createSelectiveSearchSegmentation()
    search.setBaseImage(cv2.merge([grey, grey, grey]))
    search.addImage(grey)
    for k in scales:
        search.addGraphSegmentation(seg.createGraphSegmentation(_SIGMA, k, _MIN_SEGMENT))
    color = seg.createSelectiveSearchSegmentationStrategyColor()
    fill, fill_again = (seg.createSelectiveSearchSegmentationStrategyFill() for _ in range(2))
    size, size_again = (seg.createSelectiveSearchSegmentationStrategySize() for _ in range(2))
    all_three = seg.createSelectiveSearchSegmentationStrategyMultiple(color, fill, size)
    fill_size = seg.createSelectiveSearchSegmentationStrategyMultiple(fill_again, size_again)
    search.addStrategy(all_three)
    search.addStrategy(fill_size)
    return search


def _ranked(found: bx.Boxes, grey: NDArray[np.uint8]) -> bx.Boxes:
    """Regions by how much they stand out from what is around them, larger ones first, whole heads later.

    OpenCV ranks by chance (the C library's rand), so its order cannot be repeated.
    """
    sums = np.asarray(cv2.integral(grey, sdepth=cv2.CV_64F), dtype=np.float64)
    rows, columns = grey.shape
    margin = np.maximum(2.0, _SURROUND * (found[:, 2:] - found[:, :2]))
    outer = np.concatenate([found[:, :2] - margin, found[:, 2:] + margin], axis=1).round()
    outer = bx.clip(outer, columns, rows)
    inner_sum, outer_sum = _sum_inside(sums, found), _sum_inside(sums, outer)
    ring = np.maximum(1.0, bx.area(outer) - bx.area(found))
    contrast = np.abs(inner_sum / np.maximum(1.0, bx.area(found)) - (outer_sum - inner_sum) / ring)
    side = np.sqrt(bx.area(found))
    share = side / max(rows, columns)
    merit = contrast * side**_SIZE_POWER * np.where(share > _LARGE_SHARE, _LARGE_FACTOR, 1.0)
    return found[np.lexsort((*found.T, -merit.round(6)))]


def _sum_inside(sums: NDArray[np.float64], boxes: bx.Boxes) -> NDArray[np.float64]:
    x1, y1, x2, y2 = boxes.astype(np.int64).T
    inside: NDArray[np.float64] = sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]
    return inside


def _distinct(found: bx.Boxes, most: int) -> bx.Boxes:
    """Without tiny regions and near-copies, the order kept, at most `most`."""
    sides = found[:, 2:] - found[:, :2]
    found = found[(sides >= _MIN_SIDE).all(axis=1)]
    if not len(found):
        return found
    ranks = -np.arange(len(found), dtype=np.float64)
    kept, _ = bx.nms(found, ranks, _DUPLICATE_IOU)
    return found[kept[:most]]
