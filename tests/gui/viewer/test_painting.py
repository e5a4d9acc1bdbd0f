"""What is on the canvas, read from its pixels."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QImage, QPainter
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.imaging.geometry import Letters
from core.model import Box, Window
from gui.viewer.labels import size_text
from gui.viewer.looks import line_color
from gui.viewer.painting import LAYERS, in_layers, paint
from gui.viewer.scene import BoxKind, CornerText, Tool
from tests.gui.viewer.scenes import LEFT, NO_KEY, at, grey, item, picture, press_and_move, scene, show

BLACK, WHITE = grey(value=0.0), grey(value=1000.0)
BOX = (25, 25, 75, 75)  # 100…300 on the widget


def one(qtbot: QtBot, kind: BoxKind, pixels: NDArray[np.float32] = BLACK, **more: str) -> NDArray[np.int16]:
    return picture(show(qtbot, scene([item(BOX, kind, editable=False, **more)], pixels=pixels)))


def test_layers_are_named_and_in_order() -> None:
    names = [name for name, _ in LAYERS]
    assert names == [
        "image",
        "references",
        "proposals",
        "boxes",
        "handles",
        "preview",
        "chips",
        "measures",
        "cross",
        "hints",
        "snap",
        "lens",
        "letters",
        "scale bar",
        "corners",
        "badges",
        "message",
        "focus",
    ]


def test_pixels_are_where_their_coordinates_say(qtbot: QtBot) -> None:
    pixels = grey()
    pixels[40:60, 20:30] = 1000
    rows = picture(show(qtbot, scene(pixels=pixels)))[:, :, 0]
    bright = np.argwhere(rows > 128)
    assert bright.min(axis=0) == pytest.approx((160, 80), abs=1)
    assert bright.max(axis=0) == pytest.approx((239, 119), abs=1)


def test_inversion(qtbot: QtBot) -> None:
    assert picture(show(qtbot, scene(inverted=True)))[200, 200].min() == 255


@pytest.mark.parametrize("pixels", [BLACK, WHITE], ids=["black", "white"])
@pytest.mark.parametrize("kind", list(BoxKind))
def test_every_kind_is_visible_on_black_and_on_white(
    qtbot: QtBot, kind: BoxKind, pixels: NDArray[np.float32]
) -> None:
    for color in ("#ffffff", "#ffb000"):
        rows = one(qtbot, kind, pixels, color=color)
        ground = rows[200, 200]
        edge = np.abs(rows[95:106, 150:250] - ground).max(axis=(0, 2))
        assert np.median(edge) > (50 if kind is BoxKind.PROPOSAL else 60) or (edge > 100).mean() > 0.25


def test_kinds_are_told_apart_without_colour(qtbot: QtBot) -> None:
    looks = {kind: one(qtbot, kind, color="#ffffff", text="glioma").mean(axis=2) for kind in BoxKind}
    for first, second in combinations(BoxKind, 2):
        assert (np.abs(looks[first] - looks[second]) > 80).sum() >= 12, f"{first} looks like {second}"


def lit(rows: NDArray[np.int16]) -> float:
    """Share of the upper edge that is bright."""
    return float((rows[98:103, 104:296].max(axis=(0, 2)) > 150).mean())


def test_line_styles(qtbot: QtBot) -> None:
    share = {kind: lit(one(qtbot, kind, color="#ffffff")) for kind in BoxKind}
    for kind in (BoxKind.HUMAN, BoxKind.ACCEPTED, BoxKind.IMPORTED):
        assert share[kind] == 1.0
    assert 0.5 < share[BoxKind.DETECTION] < 0.9
    assert 0.5 < share[BoxKind.INTERPOLATED] < 0.95
    assert share[BoxKind.REJECTED] < 0.5


def test_a_colour_that_is_none_gives_amber_not_nothing() -> None:
    assert line_color("no colour").name() == "#ffb000"
    assert line_color("#12ab34").name() == "#12ab34"


def test_hidden_boxes_leave_the_bare_slice(qtbot: QtBot) -> None:
    boxes = [item(BOX, text="glioma"), item((1, 1, 9, 9), BoxKind.PROPOSAL, id="p")]
    canvas = show(qtbot, scene(boxes, selected="a"))
    bare = picture(show(qtbot, scene()))
    assert (picture(canvas) != bare).any()
    canvas.set_boxes_hidden(True)
    assert (picture(canvas) == bare).all()
    canvas.set_boxes_hidden(False)
    assert (picture(canvas) != bare).any()


def test_no_boxes_without_their_slice(qtbot: QtBot) -> None:
    with_boxes = picture(show(qtbot, scene([item(BOX, text="glioma")], pixels=None, selected="a")))
    assert (with_boxes == picture(show(qtbot, scene(pixels=None)))).all()


def test_a_text_chip_does_not_cover_the_lesion(qtbot: QtBot) -> None:
    plain, labelled = one(qtbot, BoxKind.HUMAN), one(qtbot, BoxKind.HUMAN, text="glioma")
    changed = np.argwhere((plain != labelled).any(axis=2))
    assert len(changed) > 100
    assert changed[:, 0].max() < 100


@pytest.mark.parametrize("box", [(0, 0, 100, 100), (0, 0, 4, 4), (96, 96, 100, 100), (0, 40, 3, 60)])
@pytest.mark.parametrize("size", [(400, 400), (130, 130)])
def test_chips_at_the_edges_are_whole(
    qtbot: QtBot, box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    text = "glioblastoma multiforme, recurrent 0.97"
    shown = scene([item(box, BoxKind.DETECTION, text=text)], pixels=WHITE)
    rows = picture(show(qtbot, shown, *size))
    plain = picture(show(qtbot, replace(shown, boxes=(item(box, BoxKind.DETECTION),)), *size))
    changed = np.argwhere((rows != plain).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert left >= 1
    assert top >= 1
    assert right <= size[0] - 2
    assert bottom <= size[1] - 2
    assert bottom - top >= 10


def test_the_selected_box_shows_handles_or_brackets(qtbot: QtBot) -> None:
    for kind in (BoxKind.HUMAN, BoxKind.DETECTION):
        shown = scene([item(BOX, kind)])
        plain, chosen = picture(show(qtbot, shown)), picture(show(qtbot, replace(shown, selected="a")))
        corner = np.abs(plain - chosen)[92:108, 92:108]
        assert (corner > 80).sum() > 20
        inside = np.abs(plain - chosen)[130:270, 130:270]
        assert inside.max() == 0


def test_boxes_are_layered_by_kind_with_the_selected_one_on_top() -> None:
    rows = [
        item(BOX, BoxKind.HUMAN, id="h"),
        item(BOX, BoxKind.REJECTED, id="r"),
        item((1, 1, 3, 3), BoxKind.DETECTION, id="small"),
        item(BOX, BoxKind.DETECTION, id="big"),
    ]
    assert [b.id for b in in_layers(rows, None)] == ["r", "big", "small", "h"]
    assert [b.id for b in in_layers(rows, "r")] == ["big", "small", "h", "r"]


def test_the_hovered_proposal_brightens_and_only_that_one(qtbot: QtBot) -> None:
    rows = [
        item((10, 10, 40, 40), BoxKind.PROPOSAL, id="p"),
        item((60, 60, 90, 90), BoxKind.PROPOSAL, id="q"),
    ]
    canvas = show(qtbot, scene(rows))
    before = picture(canvas)
    for box_id, place in (("p", (10, 25)), ("q", (60, 75))):
        QTest.mouseMove(canvas, at(canvas, *place))
        changed = np.argwhere((np.abs(picture(canvas) - before) > 30).any(axis=2))
        box = next(b.box for b in rows if b.id == box_id)
        assert changed.min() >= box.x1 * 4 - 4
        assert changed.max() <= box.x2 * 4 + 4


def test_the_drawn_box_and_its_size_are_seen_while_drawing(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene(spacing=(0.5, 0.5)))
    canvas.set_tool(Tool.BOX)
    before = picture(canvas)
    press_and_move(canvas, at(canvas, 30, 30), at(canvas, 60, 60))
    changed = (np.abs(picture(canvas) - before) > 60).any(axis=2)
    assert changed[118:123, 130:230].any(axis=0).all()
    assert changed[245:290].any()
    QTest.mouseRelease(canvas, LEFT, NO_KEY, at(canvas, 60, 60))


def test_size_in_mm_where_known() -> None:
    assert size_text(Box(0, 0, 10, 20), (0.5, 2.0)) == "20.0 × 10.0 mm"
    assert size_text(Box(0, 0, 10.4, 20), None) == "10 × 20 px"


def test_text_is_readable_on_white_tissue(qtbot: QtBot) -> None:
    texts = scene(
        pixels=WHITE,
        spacing=(1.0, 1.0),
        letters=Letters("R", "L", "A", "P"),
        corners=CornerText(("top left",), ("top right",), ("bottom left",), ("bottom right",)),
        badges=("ordered by number",),
    )
    rows = picture(show(qtbot, texts)).mean(axis=2)
    for where in (rows[8:22, 8:60], rows[8:22, 340:392], rows[378:392, 8:60], rows[378:392, 340:392]):
        assert where.min() < 110  # the halo
    for where in (rows[190:210, 5:22], rows[190:210, 380:396], rows[5:24, 190:210], rows[376:396, 190:210]):
        assert where.min() < 110


def test_the_message_is_shown_in_the_middle_and_wrapped(qtbot: QtBot) -> None:
    long = "IM0001: " + "a_very_long_name_" * 12 + " cannot be read"
    narrow = picture(show(qtbot, scene(pixels=None, message=long), 200, 300))
    inner = narrow[2:-2, 2:-2]  # less the focus ring
    lit_up = np.argwhere(inner.max(axis=2) > 150)
    assert len(lit_up) > 200
    assert lit_up[:, 1].min() > 5
    assert lit_up[:, 1].max() < 190


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_it_is_as_sharp_as_the_screen(qtbot: QtBot, ratio: float) -> None:
    canvas = show(qtbot, scene([item(BOX, BoxKind.PROPOSAL, color="#ffffff")]))
    canvas.clearFocus()
    context = replace(canvas._paint_context(), device_ratio=ratio)
    image = QImage(round(400 * ratio), round(400 * ratio), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    painter = QPainter(image)
    paint(painter, context)
    painter.end()
    column = [image.pixelColor(round(200 * ratio), y).red() for y in range(image.height() // 2)]
    bright = [y for y, value in enumerate(column) if value > 60]
    assert len(bright) == max(1, round(ratio))
    assert bright[0] == pytest.approx(100 * ratio, abs=1)


def test_odd_slices_are_shown(qtbot: QtBot) -> None:
    for pixels in (
        grey(1, 1, 7.0),
        grey(3, 500, 1.0),
        np.full((8, 8), np.nan, dtype=np.float32),
        np.empty((0, 5), dtype=np.float32),
    ):
        canvas = show(qtbot, scene([item((0, 0, 1, 1))], pixels=pixels, window=Window(7.0, 1.0)), 200, 200)
        canvas.zoom_by(1e9)
        canvas.zoom_by(1e-9)
        assert picture(canvas).shape == (200, 200, 3)


def test_a_box_far_outside_the_view_costs_no_time(qtbot: QtBot) -> None:
    rows = [item((0, 0, 5000, 5000), kind, id=kind.value) for kind in BoxKind]
    canvas = show(qtbot, scene(rows, pixels=grey(5000, 5000)))
    canvas.zoom_by(2000.0)
    with qtbot.assertNotEmitted(canvas.box_clicked, wait=0):
        assert picture(canvas).shape == (400, 400, 3)


def test_a_real_slice_is_shown_pixel_by_pixel(qtbot: QtBot, data_dir: Path) -> None:
    folder = data_dir / "cheng" / "valid" / "images"
    file = next(iter(sorted(folder.glob("*.jpg"))), None)
    if file is None:
        pytest.skip("cheng/valid is not on this machine")
    image = QImage(str(file)).convertToFormat(QImage.Format.Format_Grayscale8)
    flat = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = flat[:, : image.width()].astype(np.float32)
    shown = scene(pixels=pixels, window=Window(127.5, 255.0))
    canvas = show(qtbot, shown, image.width(), image.height())
    inner = (slice(1, -1), slice(1, -1))  # less the focus ring
    np.testing.assert_allclose(picture(canvas)[:, :, 0][inner], pixels[inner], atol=1)


def test_very_many_boxes_look_the_same_as_few_drawn_one_by_one(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = [item((5 + i, 4 + i, 40 + i, 30 + i), list(BoxKind)[i % 6], id=f"b{i}") for i in range(50)]
    layered = picture(show(qtbot, scene(boxes, pixels=BLACK, selected="b7")))
    monkeypatch.setattr("gui.viewer.painting.MANY", 1000)
    one_by_one = picture(show(qtbot, scene(boxes, pixels=BLACK, selected="b7")))
    # Blending onto nothing first rounds differently by a level or two.
    assert np.abs(layered - one_by_one).max() <= 6
