"""Lesions of one slice put into another: a lesion is then seen in many heads.

After CarveMix (Zhang et al. 2021) and TumorCP (Yang et al. 2021). A donor is taken whose head has the shape
of the recipient's, so that planes match; the lesion goes to the same place in the head, moved and scaled a
little, its brightness fitted to the new surroundings, and its edge feathered into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from core import boxes as bx
from core.detection.samples import Sample
from core.detection.sampling import Points, Truth

Grey = NDArray[np.float32]

_HEAD = 0.1
_THUMB = 32
_CANDIDATES = 8
_LEAST_SIDE = 8.0
# The ellipse in the box is whole; from there to this radius it fades into its surroundings.
_FADED = 1.35
_LEAST_INSIDE = 0.9
_MOST_BRIGHTNESS = 0.8
_NEAR_IOU = 0.2


@dataclass(frozen=True, slots=True)
class _Head:
    """The silhouette of a head.

    Attributes:
        mask: (S, S) 1 inside.
        frame: Corners of its bounding box.
        thumb: (32, 32) the silhouette in its frame.
    """

    mask: NDArray[np.uint8]
    frame: tuple[int, int, int, int]
    thumb: NDArray[np.bool_]

    def likeness(self, other: _Head) -> float:
        """Overlap of the silhouettes in their frames, times the ratio of the frames' aspects; 0 … 1."""
        union = np.logical_or(self.thumb, other.thumb).sum()
        overlap = np.logical_and(self.thumb, other.thumb).sum() / max(1, union)
        ratio = _aspect(self.frame) / _aspect(other.frame)
        return float(overlap * min(ratio, 1.0 / ratio))

    def mirrored(self) -> _Head:
        """Left and right exchanged."""
        size, (x1, y1, x2, y2) = self.mask.shape[1], self.frame
        return _Head(self.mask[:, ::-1], (size - x2, y1, size - x1, y2), self.thumb[:, ::-1])


class Transplants:
    """Gives slices a lesion of another slice.

    Args:
        samples: Donors.
        share: Of the slices that get one where a place is found.
    """

    def __init__(self, samples: Sequence[Sample], share: float) -> None:
        self._share = share
        distinct = {id(s): s for s in samples}.values()
        self._heads = {id(s): _head(s.working.image.astype(np.float32)) for s in distinct}
        self._donors = [s for s in distinct if len(s.truth.boxes)]

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, perhaps with one more lesion; the sample itself is not changed."""
        if not self._donors or rng.random() >= self._share:
            return sample
        own = self._heads[id(sample)]
        drawn = [self._donors[i] for i in rng.integers(0, len(self._donors), _CANDIDATES)]
        donors = [d for d in drawn if d.source == sample.source and d is not sample]
        if not donors:
            return sample
        mirror = bool(rng.random() < 0.5)
        heads = [self._heads[id(d)] for d in donors]
        heads = [h.mirrored() for h in heads] if mirror else heads
        best = int(np.argmax([own.likeness(h) for h in heads]))
        donor = _mirrored(donors[best]) if mirror else donors[best]
        return _planted(sample, own, donor, heads[best], rng)


def _planted(sample: Sample, own: _Head, donor: Sample, head: _Head, rng: np.random.Generator) -> Sample:
    chosen = int(rng.integers(len(donor.truth.boxes)))
    box = donor.truth.boxes[chosen]
    scale, shift = _placement(box, head.frame, own.frame, rng)
    placed = (box.reshape(2, 2) * scale + shift).reshape(4)
    if not _fits(placed, sample):
        return sample
    image = sample.working.image.astype(np.float32)
    grown = _grafted(image, own, donor, head, placed, scale, shift)
    if grown is None:
        return sample
    # Regions around the lesion come along: what is proposed there is not what was proposed here before.
    moved = (donor.working.proposals.reshape(-1, 2, 2) * scale + shift).reshape(-1, 4)
    near = moved[bx.iou_matrix(moved, placed[None])[:, 0] > _NEAR_IOU]
    truth = sample.truth
    working = replace(
        sample.working,
        image=grown.astype(np.float16),
        proposals=np.concatenate([sample.working.proposals, near]),
    )
    own_outlines = truth.outlines or ((),) * len(truth.boxes)
    given = donor.truth.outlines[chosen] if donor.truth.outlines else ()
    more = Truth(
        np.concatenate([truth.boxes, placed[None]]),
        np.concatenate([truth.labels, donor.truth.labels[chosen : chosen + 1]]),
        truth.ignored,
        truth.hard,
        (*own_outlines, tuple(line * scale + shift for line in given)),
    )
    return replace(sample, working=working, truth=more)


def _placement(
    box: NDArray[np.float64],
    given: tuple[int, int, int, int],
    own: tuple[int, int, int, int],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift of x and y that put the box at its place in the other head, give or take a little."""
    old = np.array(given, dtype=np.float64).reshape(2, 2)
    new = np.array(own, dtype=np.float64).reshape(2, 2)
    scale = (new[1] - new[0]) / (old[1] - old[0]) * np.exp(rng.uniform(-0.2, 0.2))
    scale = np.clip(scale, 0.6, 1.6)
    center = (box[:2] + box[2:]) / 2
    share = (center - old[0]) / (old[1] - old[0]) + rng.normal(0.0, 0.06, 2)
    return scale, new[0] + share * (new[1] - new[0]) - scale * center


def _fits(placed: NDArray[np.float64], sample: Sample) -> bool:
    size = sample.working.image.shape[0]
    inside = placed.min() >= 0.0 and placed.max() <= size
    large = (placed[2:] - placed[:2]).min() >= _LEAST_SIDE
    others = np.concatenate([sample.truth.boxes, sample.truth.ignored, sample.truth.hard])
    free = len(others) == 0 or bx.iou_matrix(placed[None], others).max() < 0.05
    return bool(inside and large and free)


def _grafted(
    image: Grey,
    own: _Head,
    donor: Sample,
    head: _Head,
    placed: NDArray[np.float64],
    scale: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> Grey | None:
    """The image with the lesion in it; None where it would leave the head or not match its surroundings."""
    size = image.shape[0]
    center, half = (placed[:2] + placed[2:]) / 2, (placed[2:] - placed[:2]) / 2
    low = np.maximum(np.floor(center - _FADED * half), 0).astype(int)
    high = np.minimum(np.ceil(center + _FADED * half), size).astype(int)
    shape = (int(high[0] - low[0]), int(high[1] - low[1]))
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    # Corners of pixels are whole numbers here, their middles in OpenCV.
    offset = shift - low + 0.5 * (scale - 1.0)
    move = np.array([[scale[0], 0.0, offset[0]], [0.0, scale[1], offset[1]]])
    given = cv2.warpAffine(donor.working.image.astype(np.float32), move, shape)
    both = own.mask[window] * cv2.warpAffine(np.ascontiguousarray(head.mask), move, shape)
    x = (np.arange(shape[0]) + low[0] + 0.5 - center[0]) / half[0]
    y = (np.arange(shape[1]) + low[1] + 0.5 - center[1]) / half[1]
    radius = np.sqrt(x[None] ** 2 + y[:, None] ** 2)
    ring = (radius > 1.05) & (both > 0)
    if both[radius < 1.0].mean() < _LEAST_INSIDE or not ring.any():
        return None
    here = image[window]
    gain = (here[ring].mean() + 0.02) / (given[ring].mean() + 0.02)
    if abs(np.log(gain)) > _MOST_BRIGHTNESS:
        return None
    faded = np.clip((_FADED - radius) / (_FADED - 1.0), 0.0, 1.0) * both
    soft = (faded * cv2.blur(both.astype(np.float32), (5, 5))).astype(np.float32)
    result = image.copy()
    result[window] = here * (1.0 - soft) + np.clip(given * gain, 0.0, 1.0) * soft
    return result


def _mirrored(sample: Sample) -> Sample:
    size = float(sample.working.image.shape[1])

    def flip(boxes: bx.Boxes) -> bx.Boxes:
        return np.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], axis=1)

    def turn(line: Points) -> Points:
        return np.stack([size - line[:, 0], line[:, 1]], axis=1)

    image = np.ascontiguousarray(sample.working.image[:, ::-1])
    working = replace(sample.working, image=image, proposals=flip(sample.working.proposals))
    outlines = tuple(tuple(turn(line) for line in lines) for lines in sample.truth.outlines)
    truth = replace(sample.truth, boxes=flip(sample.truth.boxes), outlines=outlines)
    return replace(sample, working=working, truth=truth)


def _head(image: Grey) -> _Head:
    size = image.shape[0]
    reach = size // 16
    # Padded: what a closing fills beyond the image's edge it does not empty again.
    bright = np.pad((image > _HEAD).astype(np.uint8), reach)
    closed = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    inside = np.ascontiguousarray(closed[reach : reach + size, reach : reach + size])
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    mask = np.zeros((size, size), dtype=np.uint8)
    if not outlines:
        return _Head(mask, (0, 0, size, size), np.zeros((_THUMB, _THUMB), dtype=np.bool_))
    largest = max(outlines, key=cv2.contourArea)
    cv2.drawContours(mask, [largest], -1, 1, -1)
    x, y, width, height = cv2.boundingRect(largest)
    small = cv2.resize(mask[y : y + height, x : x + width], (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
    return _Head(mask, (x, y, x + width, y + height), small.astype(np.bool_))


def _aspect(frame: tuple[int, int, int, int]) -> float:
    return (frame[2] - frame[0]) / max(1, frame[3] - frame[1])
