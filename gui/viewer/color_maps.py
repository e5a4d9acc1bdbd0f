"""Colour maps: 256 colours for the 256 grey levels. Boxes and text keep their own colours."""

from __future__ import annotations

from functools import cache

GREY = "grey"

# Anchor colours at equal steps. Lightness rises all the way in each, so that nothing seems to be an edge that
# is none; a rainbow is left out for that reason.
_ANCHORS: dict[str, tuple[str, ...]] = {
    "hot iron": ("#000000", "#7f0000", "#ff2a00", "#ff9a1f", "#ffe9c0", "#ffffff"),
    "bone": ("#000000", "#1c1c27", "#454560", "#6f8290", "#a9c6c6", "#ffffff"),
    "viridis": ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"),
    "magma": ("#000004", "#3b0f70", "#8c2981", "#de4968", "#fe9f6d", "#fcfdbf"),
}

COLOR_MAPS: tuple[str, ...] = (GREY, *_ANCHORS)


@cache
def color_table(name: str) -> tuple[int, ...]:
    """256 colours as 0xffRRGGBB, between the map's anchors.

    Raises:
        KeyError: There is no such map.
    """
    anchors = [tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in _ANCHORS[name]]
    table = []
    for level in range(256):
        place = level / 255 * (len(anchors) - 1)
        low = min(int(place), len(anchors) - 2)
        share = place - low
        red, green, blue = (
            round(a + (b - a) * share) for a, b in zip(anchors[low], anchors[low + 1], strict=True)
        )
        table.append(0xFF << 24 | red << 16 | green << 8 | blue)
    return tuple(table)
