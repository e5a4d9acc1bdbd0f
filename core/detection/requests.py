"""Requests for slices: their pixels, and their neighbours' where the model sees them. Imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.detection.base import DetectRequest
from core.detection.config import Load
from core.errors import UnreadableFile
from core.imaging.neighbours import ALONE, Beside
from core.imaging.window import without_padding
from core.model import SliceRef


def make_request(ref: SliceRef, load: Load, beside: Beside = ALONE) -> DetectRequest:
    """The request for a slice.

    Args:
        ref: The slice.
        load: Gives pixels as the reader has them.
        beside: Its neighbours in the stack, for a model that sees them (`Detector.neighbours`).

    Raises:
        UnreadableFile: The slice cannot be read. A neighbour that cannot be read is left out.
    """
    before, after = beside
    pixels = without_padding(load(ref), ref.padding)
    return DetectRequest(ref.key, pixels, beside=(neighbour(before, load), neighbour(after, load)))


def neighbour(ref: SliceRef | None, load: Load) -> NDArray[np.float32] | None:
    """A neighbour's pixels; None where there is none or it cannot be read: a bad slice costs only itself."""
    if ref is None:
        return None
    try:
        return without_padding(load(ref), ref.padding)
    except UnreadableFile:
        return None
