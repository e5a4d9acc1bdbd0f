"""Boxes under a real mouse: drawing (rows 21 and 23), moving, resizing, picking."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gui.viewer.scene import BoxKind, Tool
from tests.gui.viewer.scenes import (
    LEFT,
    NO_KEY,
    at,
    click,
    corners,
    drag,
    item,
    listen,
    press_and_move,
    scene,
    show,
    wheel,
)

# Drawing


def test_a_box_is_drawn_by_a_drag(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.set_tool(Tool.BOX)
    heard = listen(canvas)
    drag(canvas, at(canvas, 20, 30), at(canvas, 60, 70))
    assert [row[0] for row in heard] == ["box_drawn", "tool_finished"]
    assert corners(heard[0][1]) == pytest.approx((20, 30, 60, 70))


def test_a_box_is_drawn_by_two_clicks_in_any_direction(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.set_tool(Tool.BOX)
    heard = listen(canvas)
    click(canvas, at(canvas, 60, 70))
    QTest.mouseMove(canvas, at(canvas, 40, 40))
    assert heard == []
    click(canvas, at(canvas, 20, 30))
    assert [row[0] for row in heard] == ["box_drawn", "tool_finished"]
    assert corners(heard[0][1]) == pytest.approx((20, 30, 60, 70))


def test_zooming_between_the_two_clicks_moves_no_corner(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.set_tool(Tool.BOX)
    heard = listen(canvas)
    click(canvas, at(canvas, 20, 20))
    wheel(canvas, at(canvas, 40, 40), 120, Qt.KeyboardModifier.ControlModifier)
    click(canvas, at(canvas, 40, 40))
    assert corners(heard[0][1]) == pytest.approx((20, 20, 40, 40), abs=0.3)


def test_a_drawn_box_is_clamped_to_exactly_the_slice(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene(), 600, 400)
    canvas.set_tool(Tool.BOX)
    heard = listen(canvas)
    drag(canvas, QPoint(3, 3), QPoint(597, 397))
    assert corners(heard[0][1]) == pytest.approx((0, 0.75, 100, 99.25))
    assert (heard[0][1].x1, heard[0][1].x2) == (0.0, 100.0)


def test_a_box_without_area_is_refused(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene(), 600, 400)
    canvas.set_tool(Tool.BOX)
    heard = listen(canvas)
    drag(canvas, QPoint(5, 100), QPoint(60, 300))  # beside the slice
    drag(canvas, QPoint(300, 100), QPoint(300, 300))
    click(canvas, QPoint(300, 200))
    QTest.mouseDClick(canvas, LEFT, NO_KEY, QPoint(300, 200))
    assert heard == []
    click(canvas, QPoint(340, 220))  # the first corner still holds
    assert heard[0][0] == "box_drawn"


def test_esc_cancels_a_drawing_by_drag_and_by_clicks(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.set_tool(Tool.BOX)
    heard = listen(canvas)
    press_and_move(canvas, at(canvas, 20, 20), at(canvas, 50, 50))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, NO_KEY, at(canvas, 60, 60))
    click(canvas, at(canvas, 20, 20))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    click(canvas, at(canvas, 80, 80))
    assert heard == []


def test_another_slice_ends_a_drawing(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.set_tool(Tool.BOX)
    heard = listen(canvas)
    press_and_move(canvas, at(canvas, 20, 20), at(canvas, 50, 50))
    canvas.set_scene(scene(identity="slice 2"))
    QTest.mouseRelease(canvas, LEFT, NO_KEY, at(canvas, 60, 60))
    assert heard == []


def test_nothing_is_drawn_where_there_is_no_slice(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene(pixels=None, message="loading…"))
    canvas.set_tool(Tool.BOX)
    heard = listen(canvas)
    drag(canvas, QPoint(50, 50), QPoint(200, 200))
    assert heard == []


# Moving and resizing


def test_a_selected_box_is_moved_and_reported_once(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    drag(canvas, at(canvas, 30, 30), at(canvas, 45, 35), at(canvas, 50, 40))
    assert [row[:2] for row in heard] == [("box_reshaped", "a")]
    assert corners(heard[0][2]) == pytest.approx((40, 30, 60, 50))


def test_dragging_an_unselected_editable_box_picks_it_first(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))]))
    canvas.box_clicked.connect(lambda key: canvas.set_scene(replace(canvas.scene(), selected=key)))
    heard = listen(canvas)
    drag(canvas, at(canvas, 30, 30), at(canvas, 50, 40))
    assert [row[:2] for row in heard] == [("box_clicked", "a"), ("box_reshaped", "a")]


@pytest.mark.parametrize(
    ("grab", "to", "result"),
    [
        ((40, 40), (50, 60), (20, 20, 50, 60)),
        ((20, 20), (10, 5), (10, 5, 40, 40)),
        ((30, 20), (90, 10), (20, 10, 40, 40)),
        ((40, 30), (55, 90), (20, 20, 55, 40)),
    ],
)
def test_a_handle_resizes(
    qtbot: QtBot,
    grab: tuple[float, float],
    to: tuple[float, float],
    result: tuple[float, float, float, float],
) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    drag(canvas, at(canvas, *grab), at(canvas, *to))
    assert corners(heard[0][2]) == pytest.approx(result)


@pytest.mark.parametrize("zoom", [0.5, 1.0, 8.0])
def test_a_handle_is_as_easy_to_hit_at_any_zoom(qtbot: QtBot, zoom: float) -> None:
    canvas = show(qtbot, scene([item((30, 30, 70, 70))], selected="a"))
    canvas.zoom_by(zoom, canvas.widget_point(70, 70))
    heard = listen(canvas)
    start = at(canvas, 70, 70) + QPoint(5, 5)
    drag(canvas, start, start + QPoint(12, 0))
    assert [row[0] for row in heard] == ["box_reshaped"]
    assert heard[0][2].width > 40


def test_a_moved_box_stays_inside_the_slice(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    drag(canvas, at(canvas, 30, 30), QPoint(399, 399), QPoint(2000, 2000))
    assert corners(heard[0][2]) == (80, 80, 100, 100)


def test_a_box_brought_back_to_where_it_was_is_not_reported(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    drag(canvas, at(canvas, 30, 30), at(canvas, 60, 60), at(canvas, 30, 30))
    assert heard == []


def test_esc_leaves_the_box_as_it_was(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    QTest.mouseMove(canvas, at(canvas, 30, 30))
    before = canvas.grab().toImage()
    press_and_move(canvas, at(canvas, 30, 30), at(canvas, 60, 60))
    assert canvas.grab().toImage() != before
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, NO_KEY, at(canvas, 60, 60))
    QTest.mouseMove(canvas, at(canvas, 30, 30))
    assert heard == []
    assert canvas.grab().toImage() == before


def test_a_result_that_arrives_during_a_drag_does_not_disturb_it(qtbot: QtBot) -> None:
    mine = item((20, 20, 40, 40))
    canvas = show(qtbot, scene([mine], selected="a"))
    heard = listen(canvas)
    press_and_move(canvas, at(canvas, 30, 30), at(canvas, 40, 40))
    found = item((60, 60, 80, 80), BoxKind.DETECTION, id="d", text="glioma 0.9")
    canvas.set_scene(scene([mine, found], selected="a"))
    QTest.mouseMove(canvas, at(canvas, 50, 50))
    QTest.mouseRelease(canvas, LEFT, NO_KEY, at(canvas, 50, 50))
    assert corners(heard[0][2]) == pytest.approx((40, 40, 60, 60))


@pytest.mark.parametrize("boxes", [[], [item((21, 21, 41, 41))]], ids=["deleted", "changed"])
def test_a_box_that_goes_away_during_its_drag_ends_it(qtbot: QtBot, boxes: list[Any]) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    press_and_move(canvas, at(canvas, 30, 30), at(canvas, 40, 40))
    canvas.set_scene(scene(boxes, selected="a"))
    QTest.mouseRelease(canvas, LEFT, NO_KEY, at(canvas, 50, 50))
    assert heard == []


def test_a_detection_is_not_reshaped_its_drag_changes_the_window(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40), BoxKind.DETECTION)], selected="a"))
    heard = listen(canvas)
    drag(canvas, at(canvas, 30, 30), at(canvas, 50, 30))
    assert {row[0] for row in heard} == {"window_changed"}


# Picking


def test_a_click_picks_and_on_empty_ground_picks_nothing(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40), BoxKind.DETECTION, id="d")]))
    heard = listen(canvas)
    click(canvas, at(canvas, 30, 30))
    click(canvas, at(canvas, 80, 80))
    assert heard == [("box_clicked", "d"), ("box_clicked", "")]


def test_a_click_reaches_a_small_box_inside_the_selected_one(qtbot: QtBot) -> None:
    boxes = [item((10, 10, 90, 90), id="big"), item((40, 40, 60, 60), id="small")]
    canvas = show(qtbot, scene(boxes, selected="big"))
    heard = listen(canvas)
    click(canvas, at(canvas, 50, 50))
    assert heard == [("box_clicked", "small")]


def test_hidden_boxes_cannot_be_hit(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    canvas.set_boxes_hidden(True)
    heard = listen(canvas)
    click(canvas, at(canvas, 30, 30))
    assert heard == [("box_clicked", "")]


def test_a_double_click_activates_without_moving(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))]))
    heard = listen(canvas)
    click(canvas, at(canvas, 30, 30))
    QTest.mouseDClick(canvas, LEFT, NO_KEY, at(canvas, 30, 30))
    assert heard == [("box_clicked", "a"), ("box_activated", "a")]
