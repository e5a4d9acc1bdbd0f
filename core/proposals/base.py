"""The proposer seam."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.jobs import CancelToken
from core.model import Proposals

Mode = Literal["fast", "quality"]


def check_slice(image: NDArray[np.generic]) -> None:
    """Refuse what is no slice.

    Raises:
        InputError: `image` is not two-dimensional, is empty, or holds no real numbers.
    """
    if image.ndim != 2 or image.size == 0:
        raise InputError(f"a slice must be a non-empty (rows, columns) array, got shape {image.shape}")
    if image.dtype.kind not in "buif":
        raise InputError(f"a slice must hold real numbers, got {image.dtype}")


class Proposer(Protocol):
    """Finds regions in a slice that might be something; judges nothing.

    Contract:
        `image` is (rows, columns), any real dtype, any range; NaN and -inf are black, +inf white.
        Boxes lie inside the image (corner convention), best first, without duplicates. The same pixels give
        the same boxes. A constant or tiny image gives no proposals, not an error.
    """

    @property
    def name(self) -> str:
        """The method's name, as on the command line."""

    def propose(self, image: NDArray[np.generic], *, cancel: CancelToken) -> Proposals:
        """Propose regions.

        Raises:
            Cancelled: The token was set.
            InputError: `image` is not two-dimensional, is empty, or holds no real numbers.
        """
