"""Proposers by the name used on the command line and in settings."""

from __future__ import annotations

from typing import Literal, cast, get_args

import numpy as np

from core.errors import InputError
from core.jobs import CancelToken
from core.proposals.base import Mode, Proposer
from core.proposals.compiled import available
from core.proposals.opencv import OpenCvProposer

Method = Literal["fast", "quality", "coarse", "opencv-fast", "opencv-quality"]
PROPOSERS: tuple[str, ...] = get_args(Method)
DEFAULT_PROPOSER = "fast"


def make_proposer(name: str, limit: int | None = None) -> Proposer:
    """The proposer of that name.

    Without numba, ours would take minutes a slice: OpenCV's search stands in, under its own
    name, so that no result says it came from ours.

    Args:
        name: One of `PROPOSERS`.
        limit: Most proposals a slice; None for the method's own.

    Raises:
        InputError: No such method, the message lists them; or a limit below 0.
    """
    if name not in PROPOSERS:
        raise InputError(f"unknown proposal method {name!r}: choose one of {', '.join(PROPOSERS)}")
    if limit is not None and limit < 0:
        raise InputError(f"limit {limit}: at least 0 proposals")
    coarse = name == "coarse"
    mode = cast("Mode", "fast" if coarse else name.removeprefix("opencv-"))
    if name.startswith("opencv-") or not available():
        return OpenCvProposer(mode, limit=limit)
    # Here, not above: numba takes a quarter of a second, which a start need not pay.
    from core.proposals.selective import COARSE, SelectiveSearch  # noqa: PLC0415

    return SelectiveSearch(mode, limit, COARSE if coarse else None, name)


def warm_up(cancel: CancelToken) -> None:
    """Bring the compiled code into the process: half a second, on the first start ever twenty.

    Raises:
        Cancelled: The token was set.
    """
    rows, columns = np.mgrid[:64, :64]
    image = ((rows * columns) % 251).astype(np.float32)
    # As slices come from the cache; a writable array would compile code of its own.
    image.flags.writeable = False
    for name in ("fast", "quality"):
        make_proposer(name).propose(image, cancel=cancel)
