"""All that painting the canvas may look at, in one frozen record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QColor, QFont, QImage

from core.model import Box
from gui.viewer.box_layer import BoxLayer
from gui.viewer.chip_layer import ChipLayer
from gui.viewer.hints import Hints
from gui.viewer.measures import Measure
from gui.viewer.overlays import Overlays
from gui.viewer.proposal_layer import ProposalLayer
from gui.viewer.scene import BoxItem, BoxKind, SliceScene
from gui.viewer.slice_image import SliceImage
from gui.viewer.snapping import SnapShown
from gui.viewer.transform import ViewTransform


@dataclass(frozen=True, slots=True)
class PaintContext:
    """All that a layer may look at.

    Attributes:
        scene: As handed over, with the running gesture's window and box already in it.
        transform: The view.
        size: The widget's, in logical pixels.
        device_ratio: Device pixels per logical pixel.
        image: The windowed slice, or None.
        slice_image: Its cache, for reduced copies.
        proposal_layer: The cache of the proposals' hairlines.
        box_layer: The cache of the outlines of very many boxes.
        chip_layer: The cache of the labels.
        overlays: Placed text.
        boxes: Boxes to draw, in layer order; empty while hidden.
        standing: The same, the one in hand where it stands in the scene.
        in_hand: Id of the box that is being moved or resized, or None.
        hovered: Id of the box under the pointer, or None.
        preview: A box being drawn, or None.
        measured: A box whose size is shown (being drawn or reshaped), or None.
        measuring: A distance or angle being drawn, or None.
        lens: Where the magnifier is, or None.
        snap: What a click would snap to, or None.
        hints: An explanation.
        font: For all text.
        focus: Colour of the focus ring, or None without focus.
    """

    scene: SliceScene
    transform: ViewTransform
    size: QSizeF
    device_ratio: float
    image: QImage | None
    slice_image: SliceImage
    proposal_layer: ProposalLayer
    box_layer: BoxLayer
    chip_layer: ChipLayer
    overlays: Overlays
    boxes: tuple[BoxItem, ...]
    standing: tuple[BoxItem, ...]
    in_hand: str | None
    hovered: str | None
    preview: Box | None
    measured: Box | None
    measuring: Measure | None
    lens: QPointF | None
    snap: SnapShown | None
    hints: Hints
    font: QFont
    focus: QColor | None

    @property
    def area(self) -> QRectF:
        """The whole widget."""
        return QRectF(QPointF(0, 0), self.size)

    def of(self, *kinds: BoxKind) -> Iterable[BoxItem]:
        """Boxes of some kinds."""
        return (item for item in self.boxes if item.kind in kinds)
