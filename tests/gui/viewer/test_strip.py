from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from gui.viewer.strip import SliceMark, SliceStrip
from gui.viewer.strip_layout import NARROWEST, StripGeometry, columns, words
from tests.gui.viewer.scenes import click, drag, picture, wheel

marks = st.lists(
    st.builds(
        SliceMark,
        st.booleans(),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=300,
)


def strip(qtbot: QtBot, rows: list[SliceMark], current: int = 0, width: int = 500) -> SliceStrip:
    made = SliceStrip()
    qtbot.addWidget(made)
    made.resize(width, made.height())
    made.set_marks(tuple(rows), current)
    with qtbot.waitExposed(made):
        made.show()
    return made


def middle(shown: SliceStrip, index: int) -> QPoint:
    return QPoint(int(shown.x_of(index)), 20)


@given(marks, st.floats(20, 2000))
def test_columns_hold_every_slice_once_and_lose_nothing(rows: list[SliceMark], width: float) -> None:
    made = columns(rows, StripGeometry.of(len(rows), 10, width))
    assert [i for c in made for i in range(c.first, c.last + 1)] == list(range(len(rows)))
    for name in ("predicted", "accepted", "edited", "rejected", "unread", "computed"):
        assert sum(getattr(c, name) for c in made) == sum(getattr(m, name) for m in rows)
    assert all(c.width >= NARROWEST * 0.999 for c in made[:-1])


@given(st.integers(1, 3000), st.floats(30, 2500))
def test_the_middle_of_a_slice_is_that_slice(count: int, width: float) -> None:
    geometry = StripGeometry.of(count, 10, width)
    for index in {0, count // 3, count - 1}:
        assert geometry.slice_at(geometry.middle_of(index)) == index
    assert geometry.slice_at(-1e6) == 0
    assert geometry.slice_at(1e6) == count - 1
    assert geometry.left >= 10
    assert geometry.right <= 10 + width + 1e-6


@pytest.mark.parametrize("count", [1, 5, 24, 190])
def test_a_click_picks_the_slice_under_it(qtbot: QtBot, count: int) -> None:
    shown = strip(qtbot, [SliceMark()] * count, width=900)
    picked: list[int] = []
    shown.picked.connect(picked.append)
    wanted = sorted({0, count // 2, count - 1})
    for index in wanted:
        click(shown, middle(shown, index))
    assert picked == wanted


def test_a_drag_scrubs_and_says_each_slice_once(qtbot: QtBot) -> None:
    shown = strip(qtbot, [SliceMark()] * 10)
    picked: list[int] = []
    shown.picked.connect(picked.append)
    drag(shown, middle(shown, 2), middle(shown, 4), middle(shown, 4) + QPoint(1, 0), QPoint(4000, 5))
    assert picked == [2, 3, 4, 9]


def test_the_wheel_steps_and_stops_at_the_ends(qtbot: QtBot) -> None:
    shown = strip(qtbot, [SliceMark()] * 3, current=1)
    picked: list[int] = []
    shown.picked.connect(picked.append)
    wheel(shown, QPoint(50, 10), -120)
    wheel(shown, QPoint(50, 10), 120)
    shown.set_marks((SliceMark(),) * 3, 2)
    wheel(shown, QPoint(50, 10), -120)
    assert picked == [2, 0]


def test_an_empty_strip_does_nothing(qtbot: QtBot) -> None:
    shown = strip(qtbot, [], current=-1)
    picked: list[int] = []
    shown.picked.connect(picked.append)
    click(shown, QPoint(100, 20))
    wheel(shown, QPoint(100, 20), 120)
    assert picked == []
    assert shown.slice_at(100) == -1


STATES = {
    "unread": SliceMark(),
    "read": SliceMark(unread=False),
    "computed": SliceMark(computed=True),
    "predicted": SliceMark(predicted=1),
    "accepted": SliceMark(accepted=1),
    "edited": SliceMark(edited=1),
    "rejected": SliceMark(rejected=1),
}


@pytest.mark.parametrize("count", [20, 100, 2000])
def test_states_are_told_apart_without_colour(qtbot: QtBot, count: int) -> None:
    looks = {}
    for name, mark in STATES.items():
        rows = picture(strip(qtbot, [mark] * count, current=-1, width=480))
        looks[name] = rows[:, 20:470].mean(axis=2)
    names = list(looks)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            difference = np.abs(looks[one] - looks[other])
            assert (difference > 40).mean() > 0.003 or difference.mean() > 4, f"{one} looks like {other}"


def test_one_predicted_slice_among_2000_is_visible(qtbot: QtBot) -> None:
    rows = [SliceMark(unread=False, computed=True)] * 2000
    without = picture(strip(qtbot, rows, current=-1))
    rows[1234] = replace(rows[1234], predicted=1)
    shown = strip(qtbot, rows, current=-1)
    changed = np.abs(picture(shown) - without).max(axis=(0, 2))
    assert changed.max() > 60
    assert abs(float(np.argmax(changed)) - shown.x_of(1234)) <= NARROWEST + 2


def test_the_current_slice_stands_out_at_its_place(qtbot: QtBot) -> None:
    rows = [SliceMark()] * 50
    without = picture(strip(qtbot, rows, current=-1))
    shown = strip(qtbot, rows, current=30)
    changed = np.flatnonzero(np.abs(picture(shown) - without).max(axis=(0, 2)) > 40)
    assert changed.min() <= shown.x_of(30) <= changed.max()
    assert changed.max() - changed.min() < 20


@pytest.mark.qt_log_ignore("does not support raise")  # the offscreen plugin about any tooltip
def test_the_tooltip_tells_the_slice(qtbot: QtBot) -> None:
    rows = [SliceMark()] * 24
    rows[5] = SliceMark(unread=False, predicted=2, accepted=1, computed=True)
    shown = strip(qtbot, rows)
    where = middle(shown, 5)
    QApplication.sendEvent(shown, QHelpEvent(QEvent.Type.ToolTip, where, shown.mapToGlobal(where)))
    assert QToolTip.text() == "Slice 6 of 24 · read · 2 predicted, 1 accepted"
    QToolTip.hideText()


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        (SliceMark(), "Slice 1 of 3 · unread · not computed yet"),
        (SliceMark(computed=True), "Slice 1 of 3 · unread · nothing predicted"),
        (SliceMark(unread=False, edited=2), "Slice 1 of 3 · read · 2 edited · not computed yet"),
    ],
)
def test_words(mark: SliceMark, text: str) -> None:
    assert words(mark, 0, 3) == text


def test_it_has_a_name_and_tells_where_it_is(qtbot: QtBot) -> None:
    shown: Any = strip(qtbot, [SliceMark()] * 3, current=1)
    assert shown.accessibleName() == "Slice strip"
    assert shown.accessibleDescription() == "Slice 2 of 3 · unread · not computed yet"
