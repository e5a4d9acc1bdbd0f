"""The labels of the boxes as they stand, placed and drawn once: dragging one must not place them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSizeF
from PySide6.QtGui import QImage, QPainter

from gui.viewer.chips import Rects
from gui.viewer.layer_image import layer_image
from gui.viewer.scene import BoxItem
from gui.viewer.transform import ViewTransform


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides where labels go, as long as no box is in hand.

    Attributes:
        items: All boxes, in drawing order.
        apart: Ids of the selected one and the one in hand: their labels are placed first, and drawn apart.
        transform: The view.
        size: Of the widget.
        ratio: Device pixels per logical pixel.
        overlays: Places of other text.
        font: Key of the font.
    """

    items: tuple[BoxItem, ...]
    apart: frozenset[str]
    transform: ViewTransform
    size: QSizeF
    ratio: float
    overlays: tuple[QRectF, ...]
    font: str


@dataclass(frozen=True, slots=True)
class Chip:
    """A label and its place."""

    item: BoxItem
    rect: QRectF


@dataclass(frozen=True, slots=True)
class Placed:
    """All labels that have a place.

    Attributes:
        chips: In the order of their weight.
        boxes: Every labelled box in the widget, (N, 4), and
        ids: theirs.
    """

    chips: tuple[Chip, ...] = ()
    boxes: Rects | None = None
    ids: tuple[str, ...] = ()

    def of(self, box_id: str) -> Chip | None:
        """The label of a box, if it has one."""
        return next((c for c in self.chips if c.item.id == box_id), None)


class ChipLayer:
    """The last labels that were placed and drawn, as long as nothing about them has changed."""

    def __init__(self) -> None:
        self._standing: Standing | None = None
        self._placed = Placed()
        self._image: QImage | None = None

    def placed(self, standing: Standing, place: Callable[[], Placed]) -> Placed:
        """Where the labels are.

        Args:
            standing: Compared with the last; quick for the same boxes, tuples compare by identity first.
            place: Finds places; called where something differs.
        """
        if standing != self._standing:
            self._standing, self._placed, self._image = standing, place(), None
        return self._placed

    def image(self, draw: Callable[[QPainter, Chip], None], chips: Sequence[Chip]) -> QImage:
        """A transparent image of the widget's size with labels on it; of the standing last asked for."""
        standing = self._standing
        assert standing is not None
        if self._image is None:

            def paint(painter: QPainter) -> None:
                for chip in chips:
                    draw(painter, chip)

            self._image = layer_image(standing.size, standing.ratio, paint)
        return self._image
