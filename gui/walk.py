"""Where the reader is on the walk over the predictions: view state, so it is not in the model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Order(StrEnum):
    """In which order the predictions come."""

    PLACE = "place"
    CERTAINTY = "certainty"


@dataclass(frozen=True, slots=True, order=True)
class Stop:
    """One undecided prediction on the way.

    Attributes:
        key: Its place in the order.
        index: Of its slice.
        box_id: Its id on screen.
    """

    key: tuple[float, ...]
    index: int
    box_id: str


@dataclass(slots=True)
class Walk:
    """What the walk remembers.

    Attributes:
        order: In which order it goes.
        goes_on: After a decision on a prediction that N led to, the next one is shown.
        at: (series uid, stop) that N led to last.
        edited: Id of the box that E made of a prediction and that Enter has still to leave.
        reason: The last reason for a rejection; "" before the first.
        warned: What a sign-off was last held up by, so that a second R is meant.
    """

    order: Order = Order.PLACE
    goes_on: bool = True
    at: tuple[str, Stop] | None = None
    edited: str = ""
    reason: str = ""
    warned: tuple[object, ...] = ()
