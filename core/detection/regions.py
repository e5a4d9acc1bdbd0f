"""What training needs of every slice: the working image in memory, the proposals cached on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core import boxes as bx
from core.detection.config import Load
from core.errors import UnreadableFile
from core.imaging.window import without_padding
from core.jobs import CancelToken, Progress
from core.model import SliceRef
from core.proposals.base import Proposer
from core.proposals.normalise import NORMALISATION, normalise
from core.proposals.registry import make_proposer

_VERSION = "2"


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
    """

    image: NDArray[np.float16]
    scale: float
    width: float
    height: float
    proposals: bx.Boxes


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
    """How slices become working slices: the reader, the proposals, the working size."""

    load: Load
    cache: ProposalCache
    size: int


def prepare(ref: SliceRef, source: SliceSource, cancel: CancelToken) -> WorkingSlice:
    """Read, normalise, resize and propose for one slice.

    Raises:
        UnreadableFile: The pixels cannot be read.
        Cancelled: The token was set.
    """
    pixels = without_padding(source.load(ref), ref.padding)
    image, scale = to_working(normalise(pixels), source.size)
    proposals = source.cache.get(ref, pixels, cancel) * scale
    rows, columns = pixels.shape
    return WorkingSlice(image.astype(np.float16), scale, columns * scale, rows * scale, proposals)


def prepare_all(
    refs: Sequence[SliceRef], source: SliceSource, progress: Progress, cancel: CancelToken
) -> Iterator[WorkingSlice | UnreadableFile]:
    """Prepare slices on two threads (decoding and OpenCV release the interpreter lock), in order.

    Yields:
        The working slice, or why the file could not be read.
    """

    def one(ref: SliceRef) -> WorkingSlice | UnreadableFile:
        cancel.check()
        try:
            return prepare(ref, source, cancel)
        except UnreadableFile as error:
            return error

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="prepare") as pool:
        futures: list[Future[WorkingSlice | UnreadableFile]] = [pool.submit(one, ref) for ref in refs]
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
