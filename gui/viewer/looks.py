"""How each kind of box looks. Line pattern and glyph tell kinds apart without colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen

from gui.viewer.glyphs import Glyph
from gui.viewer.scene import BoxKind


@dataclass(frozen=True, slots=True)
class Look:
    """Line style of a kind of box.

    Attributes:
        width: Of the bright line, in widget pixels.
        dashes: Lengths of dash and gap in widget pixels; empty for a solid line.
        opacity: Of line and label, in (0, 1].
        glyph: Sign on the label, or None.
        shadow: Opacity of the dark line under the bright one, which shows it on white tissue.
        dashed_shadow: Dark under the dashes only: fainter, and dots stay dots on white.
        layer: Drawing order, lowest first.
    """

    width: float
    dashes: tuple[float, ...] = ()
    opacity: float = 1.0
    glyph: Glyph | None = None
    shadow: float = 0.75
    dashed_shadow: bool = False
    layer: int = 0


LOOKS: Mapping[BoxKind, Look] = {
    BoxKind.PROPOSAL: Look(1.0, opacity=0.45, shadow=0.6, layer=0),
    BoxKind.REJECTED: Look(
        1.4, dashes=(2.0, 3.0), opacity=0.75, glyph=Glyph.CROSS, shadow=0.7, dashed_shadow=True, layer=1
    ),
    BoxKind.DETECTION: Look(1.6, dashes=(7.0, 4.0), layer=2),
    BoxKind.INTERPOLATED: Look(1.6, dashes=(9.0, 3.5, 1.6, 3.5), glyph=Glyph.WAVE, layer=3),
    BoxKind.IMPORTED: Look(1.6, glyph=Glyph.ARROW, layer=4),
    BoxKind.ACCEPTED: Look(1.6, glyph=Glyph.CHECK, layer=5),
    BoxKind.HUMAN: Look(1.6, layer=6),
}
if set(LOOKS) != set(BoxKind):  # an incomplete table fails at import, not in front of a reader
    raise RuntimeError("every kind of box needs a look")

# The canvas is dark in every theme: the eye's adaptation to the slice must not depend on the chrome.
GROUND = QColor("#08090b")
TEXT = QColor("#d7dde3")
HALO = QColor(0, 0, 0, 190)
PLATE = QColor(8, 10, 13, 190)
WARNING = QColor("#f2b84b")
SELECTION = QColor("#ffffff")
NEW_BOX = QColor("#ffffff")
# Brackets around a selected box that has no handles stand this far off (widget pixels).
BRACKET = 4.5
_FALLBACK = QColor("#ffb000")


def line_color(color: str, opacity: float = 1.0) -> QColor:
    """The colour of a line; a text that is no colour gives amber rather than an invisible box."""
    made = QColor.fromString(color)
    if not made.isValid():
        made = QColor(_FALLBACK)
    made.setAlphaF(opacity)
    return made


def bright_pen(look: Look, color: QColor, extra: float = 0.0) -> QPen:
    """The bright line of a look; `extra` widens it (selected, hovered)."""
    return _pen(color, look.width + extra, look.dashes)


def shadow_color(look: Look) -> QColor:
    """The colour of the dark line around the bright one."""
    return QColor(0, 0, 0, round(255 * look.shadow * look.opacity))


def shadow_pen(look: Look, extra: float = 0.0) -> QPen:
    """The dark line under it."""
    return _pen(shadow_color(look), look.width + 2.2 + extra, look.dashes if look.dashed_shadow else ())


def _pen(color: QColor, width: float, dashes: tuple[float, ...]) -> QPen:
    pen = QPen(color, width)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    if dashes:
        pen.setDashPattern([d / width for d in dashes])  # Qt counts dashes in pen widths
    return pen
