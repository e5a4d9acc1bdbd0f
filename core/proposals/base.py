"""The proposer seam."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.jobs import CancelToken
from core.model import Proposals


class Proposer(Protocol):
    """Finds regions in a slice that might be something; judges nothing.

    Contract:
        `image` is (rows, columns), any real dtype, any range; non-finite values are ignored.
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
            InputError: `image` is not two-dimensional or is empty.
        """
