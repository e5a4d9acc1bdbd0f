"""Near-duplicates between training and held-out slices: the same picture saved again, resized, brightened.

Groups keep a patient on one side where the files say who it is. Public pictures often do not, and the same
slice, or the next one, then stands on both sides under two names. What is checked on must not have been
learnt by heart, so a training slice that is nearly a held-out one is left out of training.

Two slices are near-duplicates where their thumbnails, 64 pixels a side, correlate by .95 or more. Measured on
training data, the highest correlation that each slice has with one of another patient or block:

| | 32 pixels: median, highest | 64 pixels: median, highest |
|---|---|---|
| btod, 560 slices of 118 numbered patients | .908, .959 | .879, .945 |
| cheng/train, 1864 slices, other block | .820, .966 | .751, .932 |
| progression, 288 slices of 6 patients | .802, .941 | .732, .884 |

At 64 pixels none reaches .95; at 32, 36 slices do. Copies of cheng slices saved as JPEG of quality 10, at 100
pixels, with noise, half the contrast or a gamma of .7 keep .98 or more, moved by a pixel of 256 .96; turned
by 3 degrees, mirrored, enlarged by 3 % or at a gamma of 1.5 most fall below and are not found. Of btod's 318
slices without a patient's number 209 have a twin under another name: in the main the next slice of a patient
(numbers one apart correlate by .976 in the median, three apart by .908).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from core.detection.regions import WorkingSlice
from core.detection.samples import Sample
from core.detection.split import LEAST_BOXES

SIDE = 64
ALIKE = 0.95
_AT_ONCE = 1024  # thumbnails in memory beside the held-out ones: 16 MB


def set_apart(train: Sequence[Sample], held: Sequence[Sample]) -> tuple[list[Sample], str]:
    """The training slices that are not nearly held-out ones, and words for the model's card ("" for none).

    Where too little would be left to learn from (a reader's first series, whose neighbouring slices look
    alike), all stay and the words say what that does to the figures.

    Args:
        train: What would be trained on.
        held: What is checked on; it stays as it is.
    """
    alike = near_duplicates([s.working for s in train], [s.working for s in held])
    kept = [s for s, twin in zip(train, alike, strict=True) if not twin]
    count = len(train) - len(kept)
    if not count:
        return list(train), ""
    slices = f"{count} near-duplicate{'' if count == 1 else 's'} of held-out slices"
    if _boxes(kept) < LEAST_BOXES or _classes(kept) < _classes(train):
        return list(train), f"{slices} kept in training, or too little were left: figures are too good"
    return kept, f"{slices} left out of training"


def near_duplicates(
    train: Sequence[WorkingSlice], held: Sequence[WorkingSlice], least: float = ALIKE
) -> NDArray[np.bool_]:
    """Which training slices nearly are held-out ones, (len(train),).

    Args:
        train: Slices to judge.
        held: Slices to compare each of them with.
        least: Correlation of thumbnails from which two are the same.
    """
    result = np.zeros(len(train), dtype=np.bool_)
    others = thumbnails(held).T
    for rows in _batches(len(train)):
        result[rows] = (thumbnails(train[rows]) @ others >= least).any(axis=1)
    return result


def thumbnails(slices: Sequence[WorkingSlice]) -> NDArray[np.float32]:
    """The slices SIDE pixels wide and high, without mean and of length 1, (N, SIDE²): products correlate.

    The padding of the working image is cut off, so the size a picture was saved in does not matter. A slice
    of one grey level is all zeros and like no other.
    """
    made = np.zeros((len(slices), SIDE * SIDE), dtype=np.float32)
    for row, one in zip(made, slices, strict=True):
        picture = one.image[: max(1, round(one.height)), : max(1, round(one.width))].astype(np.float32)
        small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel()
        small -= small.mean()
        length = float(np.linalg.norm(small))
        if length > 1e-3:
            row[:] = small / length
    return made


def _batches(count: int) -> Iterator[slice]:
    return (slice(start, start + _AT_ONCE) for start in range(0, count, _AT_ONCE))


def _boxes(samples: Sequence[Sample]) -> int:
    return sum(len(s.truth.boxes) for s in samples)


def _classes(samples: Sequence[Sample]) -> set[int]:
    return {int(label) for s in samples for label in s.truth.labels}
