"""What training needs of every slice: the working image in memory, the proposals cached on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from core import boxes as bx
from core.detection.base import Pair
from core.detection.config import Load
from core.detection.requests import make_request
from core.errors import InputError, UnreadableFile
from core.imaging.neighbours import ALONE, Beside
from core.jobs import CancelToken, Progress
from core.model import SliceRef
from core.proposals.base import Proposer
from core.proposals.normalise import NORMALISATION, grey_limits, scaled
from core.proposals.registry import make_proposer

_VERSION = "2"

Grey = TypeVar("Grey", bound=np.floating[Any])


JUDGED = 150
"""Proposals that a detector judges on a slice, best first. More bring more false positives than lesions, and
take longer: on held-out blocks of cheng/train AP50 is .66 with 100 or 200, .65 with 400."""


def judged_proposer(name: str) -> Proposer:
    """The proposer of that name as a detector uses it; OpenCV's order is too poor to cut its list short."""
    proposer = make_proposer(name, JUDGED)
    # Also where OpenCV's stands in because numba is missing.
    return make_proposer(name) if proposer.name.startswith("opencv-") else proposer


@dataclass(frozen=True, slots=True)
class WorkingSlice:
    """A slice as the network sees it.

    Attributes:
        image: (S, S) float16 in [0, 1]; the slice in the top-left corner, zeros beside it.
        scale: Working pixels per pixel of the slice.
        width: Of the slice within the working image.
        height: Of the slice within the working image.
        proposals: (N, 4) in working pixels.
        beside: The slices before and after it in its stack, as `image`, by this slice's grey limits; None
            where there is none.
    """

    image: NDArray[np.float16]
    scale: float
    width: float
    height: float
    proposals: bx.Boxes
    beside: tuple[NDArray[np.float16] | None, NDArray[np.float16] | None] = (None, None)

    def channels(self, inputs: int) -> NDArray[np.float16]:
        """(inputs, S, S) for a network: the slice, or the slice between its neighbours."""
        return among(self.image, self.beside, inputs)


def to_working(unit: NDArray[np.float32], size: int) -> tuple[NDArray[np.float32], float]:
    """Resize a normalised slice so that its longer side is `size`, and pad it to a square.

    Returns:
        (size, size) float32, and working pixels per pixel of the slice.
    """
    rows, columns = unit.shape
    scale = size / max(rows, columns)
    shape = (max(1, min(size, round(columns * scale))), max(1, min(size, round(rows * scale))))
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    small = cv2.resize(unit, shape, interpolation=how) if scale != 1.0 else unit
    canvas = np.zeros((size, size), dtype=np.float32)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas, scale


def network_input(
    image: NDArray[np.float32], beside: Pair, size: int, inputs: int
) -> tuple[NDArray[np.float32], float]:
    """A slice as a network sees it: grey levels by its own limits, its neighbours' too, so that they compare.

    Args:
        image: (rows, columns) as the reader gave them.
        beside: The slices before and after, of the same shape; None where there is none.
        size: Side of the working image.
        inputs: The network's channels; 1 takes no notice of the neighbours.

    Returns:
        (inputs, size, size) float32 in [0, 1], and working pixels per pixel of the slice.

    Raises:
        InputError: A neighbour has another shape.
    """
    limits = grey_limits(image)
    own, scale = to_working(scaled(image, limits), size)
    if inputs == 1:
        return own[None], scale
    made: list[NDArray[np.float32] | None] = []
    for other in beside:
        if other is not None and other.shape != image.shape:
            raise InputError(f"a neighbour has shape {other.shape}, the slice {image.shape}; leave it out")
        made.append(None if other is None else to_working(scaled(other, limits), size)[0])
    return among(own, (made[0], made[1]), inputs), scale


def among(
    image: NDArray[Grey], beside: tuple[NDArray[Grey] | None, NDArray[Grey] | None], inputs: int
) -> NDArray[Grey]:
    """(inputs, S, S): the slice, or the slice between its neighbours; it stands in for one that is not there.

    So a model knows what a single picture looks like, and an end of a stack: nothing changes there.
    """
    if inputs == 1:
        return image[None]
    return np.stack([image if other is None else other for other in (beside[0], image, beside[1])])


class ProposalCache:
    """Proposals on disk by content of the slice and method; a damaged entry is computed again."""

    def __init__(self, folder: Path, proposer: Proposer) -> None:
        self._folder = folder
        self._proposer = proposer

    def get(self, ref: SliceRef, pixels: NDArray[np.float32], cancel: CancelToken) -> bx.Boxes:
        """(N, 4) proposals in the slice's own pixels."""
        text = f"{_VERSION}/{NORMALISATION}/{self._proposer.name}/{ref.key}"
        path = self._folder / f"{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}.npy"
        try:
            cached: NDArray[np.float64] = np.load(path, allow_pickle=False).astype(np.float64)
            if cached.ndim == 2 and cached.shape[1] == 4:
                return cached
        except (OSError, ValueError, EOFError):
            pass
        found = bx.to_array(self._proposer.propose(pixels, cancel=cancel).boxes)
        self._write(path, found.astype(np.float32))
        return found

    def _write(self, path: Path, boxes: NDArray[np.float32]) -> None:
        # Another run may write the same entry; a rename makes either whole. A full disk only costs speed.
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
            with os.fdopen(handle, "wb") as stream:
                np.save(stream, boxes, allow_pickle=False)
            os.replace(name, path)
        except OSError:
            return


@dataclass(frozen=True, slots=True)
class SliceSource:
    """How slices become working slices: reader, proposals, working size, the network's channels."""

    load: Load
    cache: ProposalCache
    size: int
    inputs: int = 1


def prepare(ref: SliceRef, source: SliceSource, cancel: CancelToken, beside: Beside = ALONE) -> WorkingSlice:
    """Read, normalise, resize and propose for one slice.

    A slice and two neighbours take 384 KB at 256 pixels, a slice alone 128 KB.

    Raises:
        UnreadableFile: The pixels cannot be read.
        Cancelled: The token was set.
    """
    request = make_request(ref, source.load, beside)
    pixels = request.image
    known = [other is not None for other in request.beside]
    # What stands in for a neighbour is not kept a second time.
    inputs = source.inputs if any(known) else 1
    seen, scale = network_input(pixels, request.beside, source.size, inputs)
    proposals = source.cache.get(ref, pixels, cancel) * scale
    rows, columns = pixels.shape
    images = seen.astype(np.float16)
    before, after = (images[2 * side] if inputs > 1 and there else None for side, there in enumerate(known))
    image = images[inputs // 2]
    return WorkingSlice(image, scale, columns * scale, rows * scale, proposals, (before, after))


def prepare_all(
    refs: Sequence[tuple[SliceRef, Beside]], source: SliceSource, progress: Progress, cancel: CancelToken
) -> Iterator[WorkingSlice | UnreadableFile]:
    """Prepare slices on two threads (decoding and OpenCV release the interpreter lock), in order.

    Args:
        refs: The slices, each with its neighbours.
        source: How.
        progress: Told after each slice.
        cancel: Stops it.

    Yields:
        The working slice, or why the file could not be read.
    """

    def one(ref: SliceRef, beside: Beside) -> WorkingSlice | UnreadableFile:
        cancel.check()
        try:
            return prepare(ref, source, cancel, beside)
        except UnreadableFile as error:
            return error

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="prepare") as pool:
        futures: list[Future[WorkingSlice | UnreadableFile]] = [pool.submit(one, *ref) for ref in refs]
        try:
            for done, future in enumerate(futures):
                while not future.done():
                    wait([future], timeout=0.2, return_when=FIRST_COMPLETED)
                    cancel.check()
                yield future.result()
                progress(done + 1, len(refs), "Finding proposals")
        finally:
            for future in futures:
                future.cancel()
