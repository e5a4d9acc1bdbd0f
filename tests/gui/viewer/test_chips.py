from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF, QSizeF
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gui.viewer import labels
from gui.viewer.chips import GAP, as_array, place_chip
from gui.viewer.scene import BoxItem, BoxKind
from tests.gui.viewer.scenes import LEFT, NO_KEY, at, item, picture, press_and_move, scene, show

AREA = QRectF(2, 2, 396, 296)
CHIP = QSizeF(80, 16)


def place(box: QRectF, **more: list[QRectF]) -> QRectF:
    found = place_chip(CHIP, box, AREA, **{k: as_array(v) for k, v in more.items()})
    assert found is not None
    return found


def test_above_if_there_is_room() -> None:
    assert place(QRectF(100, 100, 60, 60)) == QRectF(100, 100 - GAP - 16, 80, 16)


def test_below_at_the_upper_edge() -> None:
    assert place(QRectF(100, 2, 60, 60)).top() == 62 + GAP


def test_beside_a_box_as_tall_as_the_widget() -> None:
    chip = place(QRectF(100, 0, 60, 300))
    assert chip.left() == 160 + GAP


def test_inside_a_box_that_fills_the_widget() -> None:
    assert AREA.contains(place(QRectF(-50, -50, 600, 600)))


def test_flush_right_at_the_right_edge() -> None:
    chip = place(QRectF(350, 100, 40, 40))
    assert AREA.contains(chip)
    assert chip.bottom() < 100


def test_off_the_other_chips_and_boxes() -> None:
    box, taken = QRectF(100, 100, 60, 60), QRectF(90, 80, 120, 18)
    assert not place(box, chips=[taken]).intersects(taken)
    assert not place(box, boxes=[taken]).intersects(taken)


def test_a_box_out_of_sight_has_no_chip() -> None:
    assert place_chip(CHIP, QRectF(500, 100, 50, 50), AREA) is None


@given(
    st.floats(-100, 500),
    st.floats(-100, 400),
    st.floats(0.5, 600),
    st.floats(0.5, 600),
    st.lists(st.tuples(st.floats(0, 400), st.floats(0, 300)), max_size=5),
)
def test_never_clipped(x: float, y: float, w: float, h: float, others: list[tuple[float, float]]) -> None:
    box = QRectF(x, y, w, h)
    assume(not box.intersected(AREA).isEmpty())
    chip = place(box, chips=[QRectF(ox, oy, 80, 16) for ox, oy in others])
    assert AREA.adjusted(-1e-9, -1e-9, 1e-9, 1e-9).contains(chip)


@given(st.floats(10, 380), st.floats(10, 280), st.floats(1, 100), st.floats(1, 100))
def test_off_its_own_lesion_wherever_there_is_room(x: float, y: float, w: float, h: float) -> None:
    box = QRectF(x, y, min(w, 390 - x), min(h, 290 - y))
    chip = place(box)
    overlap = chip.intersected(box)
    assert overlap.width() * overlap.height() < 1e-6


def crowd(count: int) -> list[BoxItem]:
    """Boxes with labels in rows of ten, and one apart from them with the id "mine"."""
    rows = [
        item((8 * (i % 10), 4 * (i // 10), 8 * (i % 10) + 5, 4 * (i // 10) + 3), id=f"b{i}", text="x")
        for i in range(count)
    ]
    return [*rows, item((40, 50, 60, 70), id="mine", text="mine")]


@pytest.mark.parametrize("selected", ["mine", None])
@pytest.mark.parametrize("count", [5, 90])
def test_dragging_one_box_places_its_label_alone(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, selected: str | None, count: int
) -> None:
    canvas = show(qtbot, scene(crowd(count), selected=selected))
    press_and_move(canvas, at(canvas, 40, 60), at(canvas, 42, 62))
    canvas.repaint()
    placed: list[QRectF] = []

    def counted(size: QSizeF, box: QRectF, *rest: Any, **more: Any) -> QRectF | None:
        placed.append(box)
        return place_chip(size, box, *rest, **more)

    monkeypatch.setattr(labels, "place_chip", counted)
    for step in range(3):
        QTest.mouseMove(canvas, at(canvas, 44 + step, 64))
        canvas.repaint()
    mine = canvas.widget_point(55.0, 60.0)
    assert len(placed) >= 6  # the size of the box in hand, and its label
    assert all(box.contains(mine) for box in placed)
    QTest.mouseRelease(canvas, LEFT, NO_KEY, at(canvas, 46, 64))


def test_the_label_of_a_box_under_the_pointer_is_there_however_many_there_are(qtbot: QtBot) -> None:
    rows = crowd(90)
    last = replace(
        rows[-1], kind=BoxKind.REJECTED, editable=False
    )  # behind all others: no room for its label
    canvas = show(qtbot, scene([*rows[:-1], last]))
    before = picture(canvas)
    QTest.mouseMove(canvas, at(canvas, 40, 60))
    after = picture(canvas)
    changed = np.argwhere((before != after).any(axis=2))
    top = canvas.widget_point(40, 50).y()
    assert changed[:, 0].min() < top - 10  # a label above the box, not only a brighter outline
