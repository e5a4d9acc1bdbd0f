from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF, QSizeF
from PySide6.QtGui import QFont, QFontMetricsF
from PySide6.QtWidgets import QApplication

from core.imaging.geometry import Letters
from gui.viewer.overlays import Overlays, lay_out, round_length
from gui.viewer.scene import CornerMode, CornerText, SliceScene
from gui.viewer.transform import ViewTransform
from tests.gui.viewer.scenes import scene

LETTERS = Letters(left="R", right="L", top="AH", bottom="PF")
CORNERS = CornerText(
    ("a long description of a series that nobody shortened", "second line"),
    ("unread", "3 undecided predictions"),
    ("12 / 24", "+31.5 mm along the normal"),
    ("C 306  W 612", "percentile window", "512 × 512"),
)
FULL = scene(
    spacing=(0.9, 0.9),
    letters=LETTERS,
    corners=CORNERS,
    badges=("ordered by instance number", "percentile window"),
)


def place(
    shown: SliceScene = FULL, width: float = 600, height: float = 500, mode: CornerMode = CornerMode.ALL
) -> Overlays:
    metrics = QFontMetricsF(QFont())
    return lay_out(shown, ViewTransform(3, 3, 0, 0), QSizeF(width, height), metrics, mode)


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("width", [60, 120, 240, 400, 900])
@pytest.mark.parametrize("height", [60, 120, 300, 900])
@pytest.mark.parametrize("mode", list(CornerMode))
def test_no_text_is_clipped_and_none_covers_another(width: int, height: int, mode: CornerMode) -> None:
    rects = place(width=width, height=height, mode=mode).rects()
    widget = QRectF(0, 0, width, height)
    assert all(widget.contains(r) for r in rects)
    if min(width, height) >= 120:
        touching = [(a, b) for a, b in combinations(rects, 2) if a.intersects(b)]
        assert touching == []


@pytest.mark.usefixtures("qapp")
def test_all_of_it_is_there_where_there_is_room() -> None:
    full = place(width=1200, height=900)
    shown = {line.text for line in full.corners}
    assert shown == {*CORNERS.top_left, *CORNERS.top_right, *CORNERS.bottom_left, *CORNERS.bottom_right}
    assert [line.text for line in full.letters] == ["R", "L", "AH", "PF"]
    assert [line.text for line in full.badges] == list(FULL.badges)


@pytest.mark.usefixtures("qapp")
def test_the_corner_mode_concerns_corner_text_only() -> None:
    all_of_it, minimal, none = (place(mode=m) for m in (CornerMode.ALL, CornerMode.MINIMAL, CornerMode.NONE))
    assert len(all_of_it.corners) == 9
    assert len(minimal.corners) == 4
    assert none.corners == ()
    for overlays in (minimal, none):
        assert len(overlays.letters) == 4
        assert len(overlays.badges) == 2
        assert overlays.scale_bar is not None


@pytest.mark.usefixtures("qapp")
def test_letters_stand_at_their_edges() -> None:
    left, right, top, bottom = place().letters
    assert left.rect.right() < 50
    assert right.rect.left() > 550
    assert top.rect.bottom() < 50
    assert bottom.rect.top() > 450


@pytest.mark.usefixtures("qapp")
def test_without_geometry_neither_letters_nor_bar() -> None:
    bare = place(scene())
    assert bare.letters == ()
    assert bare.scale_bar is None


@pytest.mark.usefixtures("qapp")
def test_without_a_slice_neither_letters_nor_bar() -> None:
    empty = place(scene(pixels=None, spacing=(1.0, 1.0), letters=LETTERS))
    assert empty.letters == ()
    assert empty.scale_bar is None


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("spacing", [(0.9, 0.9), (2.0, 0.5), (0.05, 0.05), (7.0, 7.0)])
def test_the_bar_is_as_long_as_it_says(spacing: tuple[float, float]) -> None:
    bar = place(scene(spacing=spacing)).scale_bar
    assert bar is not None
    columns = bar.rect.width() / 3
    assert columns * spacing[1] == pytest.approx(bar.mm)
    assert bar.label.text == f"{bar.mm:g} mm"


@given(st.floats(1e-6, 1e6), st.floats(20, 400))
def test_a_round_length_is_round_and_the_largest_that_fits(mm_per_pixel: float, longest: float) -> None:
    mm = round_length(mm_per_pixel, longest)
    assert mm is not None
    assert mm <= mm_per_pixel * longest * (1 + 1e-6)
    assert mm * 2.5 >= mm_per_pixel * longest * (1 - 1e-6)
    assert float(f"{mm:.0e}") == pytest.approx(mm)
    assert f"{mm:.0e}"[0] in "125"


def test_fonts_are_there(qapp: QApplication) -> None:
    metrics = QFontMetricsF(qapp.font())
    assert metrics.horizontalAdvance("MM") > metrics.horizontalAdvance("ii") > 0
