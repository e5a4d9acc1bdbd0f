from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF, QSizeF

from gui.viewer.chips import GAP, as_array, place_chip

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
