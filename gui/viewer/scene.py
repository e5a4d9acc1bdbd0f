"""What the canvas is asked to show: frozen records, made by the session, never changed by the view."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from core.imaging.geometry import Letters
from core.model import Box, Window
from gui.viewer.color_maps import GREY
from gui.viewer.measures import Line, Measure, Point
from gui.viewer.orientation import UPRIGHT, Orientation

_UNIT_WINDOW = Window(0.5, 1.0)


class BoxKind(StrEnum):
    """How a box is drawn. Kinds differ by line style and glyph, not by colour alone."""

    HUMAN = "human"
    ACCEPTED = "accepted"
    IMPORTED = "imported"
    INTERPOLATED = "interpolated"
    DETECTION = "detection"
    REJECTED = "rejected"
    PROPOSAL = "proposal"


class Tool(StrEnum):
    """What a left drag does."""

    SELECT = "select"
    BOX = "box"
    DISTANCE = "distance"
    ANGLE = "angle"
    SNAP = "snap"
    WHY = "why"


class CornerMode(StrEnum):
    """How much corner text is shown: all lines, the first of each corner, none."""

    ALL = "all"
    MINIMAL = "minimal"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class BoxItem:
    """A box as the canvas shows it.

    Attributes:
        id: Handed back by the canvas's signals; unique in a scene.
        box: Where, in image pixels.
        kind: Line style and glyph.
        color: "#rrggbb"; annotation colours are data, not theme.
        text: Chip text (class and score); "" for none.
        editable: Whether it may be moved and resized.
        locked: Whether a reader has locked it.
    """

    id: str
    box: Box
    kind: BoxKind
    color: str
    text: str = ""
    editable: bool = False
    locked: bool = False


@dataclass(frozen=True, slots=True)
class CornerText:
    """Lines of text in the four corners, the most important line of each first."""

    top_left: tuple[str, ...] = ()
    top_right: tuple[str, ...] = ()
    bottom_left: tuple[str, ...] = ()
    bottom_right: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SliceScene:
    """Everything on the canvas.

    Attributes:
        pixels: (rows, columns), rescaled values, or (rows, columns, 3) in colour, never windowed; None while
            it is loading. Never written to after it was handed over: the canvas caches by the array's
            identity.
        window: Grey-level window.
        inverted: Whether grey levels are inverted after the window.
        spacing: (row, column) in mm, or None where unknown: then no scale bar, square pixels.
        aspect: Height over width of a pixel where the spacing is unknown.
        letters: Orientation letters, or None where the orientation is unknown.
        boxes: All boxes; proposals, rejected ones, detections and annotations are layered by kind.
        selected: Id of the selected box, or None.
        corners: Corner text.
        badges: Short warnings about the slice or series.
        message: Shown over the middle ("loading…", "cannot be read: …"); "" for none.
        identity: Changes when another slice is shown; a gesture never crosses over.
        fit_key: Changes when zoom and pan no longer make sense (another series): the view refits.
        orientation: How the slice lies on the screen; letters are already as on the screen.
        colors: Name of a colour map.
        smooth: Whether enlarged pixels are smoothed; else each is a plain square.
        up_brightens: Whether dragging the window upwards makes the slice brighter.
        measures: Distances and angles.
        cross: Where the cursor of a linked viewport is, (x, y) in image pixels; None elsewhere.
        references: Where the slices of other viewports cut this one.
    """

    pixels: NDArray[Any] | None = field(default=None, compare=False)
    window: Window = _UNIT_WINDOW
    inverted: bool = False
    spacing: tuple[float, float] | None = None
    aspect: float = 1.0
    letters: Letters | None = None
    boxes: tuple[BoxItem, ...] = ()
    selected: str | None = None
    corners: CornerText = CornerText()
    badges: tuple[str, ...] = ()
    message: str = ""
    identity: str = ""
    fit_key: str = ""
    orientation: Orientation = UPRIGHT
    colors: str = GREY
    smooth: bool = True
    up_brightens: bool = True
    measures: tuple[Measure, ...] = ()
    cross: Point | None = None
    references: tuple[Line, ...] = ()

    @property
    def shape(self) -> tuple[int, int] | None:
        """(rows, columns) of the pixels, or None where there is nothing to show."""
        if self.pixels is None or self.pixels.size == 0:
            return None
        return (self.pixels.shape[0], self.pixels.shape[1])

    def description(self) -> str:
        """The scene in words, for a screen reader."""
        counted = [b for b in self.boxes if b.kind is not BoxKind.PROPOSAL]
        chosen = next((b for b in self.boxes if b.id == self.selected), None)
        words = [self.message] if self.message else []
        words.append("1 box" if len(counted) == 1 else f"{len(counted)} boxes")
        if chosen is not None:
            locked = " locked" if chosen.locked else ""
            words.append(f"selected: {chosen.kind.value} {chosen.text}".rstrip() + locked)
        return ", ".join((*words, *self.badges))

    def same_as(self, other: SliceScene) -> bool:
        """Equal in every field, the pixels being the very same array."""
        return self.pixels is other.pixels and self == other
