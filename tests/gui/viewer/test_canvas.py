"""The canvas under a real mouse: every gesture of product.md, and what must not happen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt, SignalInstance
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from core.model import Box, Window
from gui.viewer.canvas import Canvas
from gui.viewer.scene import BoxKind, Tool
from tests.gui.viewer.scenes import (
    LEFT,
    MIDDLE,
    NO_KEY,
    RIGHT,
    at,
    click,
    drag,
    grey,
    item,
    press_and_move,
    scene,
    show,
    wheel,
)

EVENTS = (
    "box_drawn",
    "box_reshaped",
    "box_clicked",
    "box_activated",
    "window_changed",
    "scrolled",
    "tool_finished",
)


def listen(canvas: Canvas) -> list[tuple[Any, ...]]:
    """All that the canvas says from now on, (signal, arguments…), pointing apart."""
    heard: list[tuple[Any, ...]] = []
    for name in EVENTS:
        signal: SignalInstance = getattr(canvas, name)
        signal.connect(lambda *values, name=name: heard.append((name, *values)))
    return heard


def corners(box: Box) -> tuple[float, float, float, float]:
    return box.as_tuple()


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


# Window


def test_a_drag_to_the_right_widens_and_downwards_raises_the_centre(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    heard = listen(canvas)
    drag(canvas, QPoint(100, 100), QPoint(160, 100))
    drag(canvas, QPoint(100, 100), QPoint(100, 160))
    assert all(row[0] == "window_changed" for row in heard)
    finished = [row[1:3] for row in heard if row[3]]
    assert len(finished) == 2
    (center_1, width_1), (center_2, width_2) = finished
    assert (center_1, width_2) == (500, 1000)
    assert width_1 > 1000
    assert center_2 > 500


@pytest.mark.parametrize("width", [0.001, 1.0, 4000.0])
def test_the_speed_of_windowing_follows_the_width(qtbot: QtBot, width: float) -> None:
    canvas = show(qtbot, scene(window=Window(width / 2, width)))
    heard = listen(canvas)
    drag(canvas, QPoint(100, 100), QPoint(160, 160))
    center, wide, _ = heard[-1][1:]
    assert wide / width == pytest.approx(1.2214, rel=1e-3)
    assert center / width == pytest.approx(0.7, rel=1e-3)


def test_a_window_never_closes(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene(window=Window(0.5, 1e-5)))
    heard = listen(canvas)
    drag(canvas, QPoint(390, 100), QPoint(-20000, 100))
    assert heard[-1][2] > 0


def test_the_slice_follows_the_window_during_the_drag(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene(pixels=grey(value=500.0)))

    def middle() -> int:
        return canvas.grab().toImage().pixelColor(200, 200).red()

    assert middle() == pytest.approx(128, abs=1)
    press_and_move(canvas, QPoint(100, 200), QPoint(100, 120))
    assert middle() > 150
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert middle() == pytest.approx(128, abs=1)
    QTest.mouseRelease(canvas, LEFT, NO_KEY, QPoint(100, 120))


def test_esc_gives_the_window_back_even_if_the_scene_followed(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.window_changed.connect(
        lambda c, w, _: canvas.set_scene(replace(canvas.scene(), window=Window(c, w)))
    )
    press_and_move(canvas, QPoint(100, 100), QPoint(180, 150))
    assert canvas.scene().window != Window(500, 1000)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.scene().window == Window(500, 1000)
    QTest.mouseRelease(canvas, LEFT, NO_KEY, QPoint(180, 150))


def test_windowing_goes_on_over_slices_but_not_over_series(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    press_and_move(canvas, QPoint(100, 100), QPoint(150, 100))
    canvas.set_scene(scene(identity="slice 2"))
    heard = listen(canvas)
    QTest.mouseMove(canvas, QPoint(170, 100))
    assert heard
    canvas.set_scene(scene(identity="other", fit_key="series 2"))
    heard.clear()
    QTest.mouseMove(canvas, QPoint(190, 100))
    QTest.mouseRelease(canvas, LEFT, NO_KEY, QPoint(190, 100))
    assert heard == []


# Scrolling, zoom, pan


def test_the_wheel_scrolls_and_fractions_add_up(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    heard = listen(canvas)
    wheel(canvas, QPoint(200, 200), -120)
    wheel(canvas, QPoint(200, 200), 240)
    assert heard == [("scrolled", 1), ("scrolled", -2)]
    heard.clear()
    for _ in range(8):
        wheel(canvas, QPoint(200, 200), -30)
    assert heard == [("scrolled", 1), ("scrolled", 1)]


def test_the_wheel_does_not_scroll_away_from_a_drag(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    press_and_move(canvas, at(canvas, 30, 30), at(canvas, 50, 50))
    wheel(canvas, QPoint(200, 200), -120)
    assert "scrolled" not in [row[0] for row in heard]


def test_ctrl_wheel_zooms_at_the_cursor(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    cursor = at(canvas, 25, 75)
    before = canvas.image_point(cursor.toPointF())
    wheel(canvas, cursor, 120, Qt.KeyboardModifier.ControlModifier)
    assert canvas.image_point(cursor.toPointF()) == pytest.approx(before)
    assert canvas.widget_point(1, 0).x() - canvas.widget_point(0, 0).x() == pytest.approx(4.8)


def test_the_middle_button_pans_and_the_right_one_zooms_about_the_press(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((0, 0, 100, 100))]))
    heard = listen(canvas)
    drag(canvas, QPoint(200, 200), QPoint(230, 180), button=MIDDLE)
    assert canvas.widget_point(50, 50).toPoint() == QPoint(230, 180)
    pressed = canvas.image_point(QPoint(100, 200).toPointF())
    drag(canvas, QPoint(100, 200), QPoint(100, 100), button=RIGHT)
    assert canvas.image_point(QPoint(100, 200).toPointF()) == pytest.approx(pressed)
    assert canvas.widget_point(1, 0).x() - canvas.widget_point(0, 0).x() > 6
    assert heard == []


def test_esc_gives_the_view_back(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    press_and_move(canvas, QPoint(200, 200), QPoint(300, 300), button=MIDDLE)
    assert canvas.widget_point(50, 50).toPoint() == QPoint(300, 300)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.widget_point(50, 50).toPoint() == QPoint(200, 200)
    QTest.mouseRelease(canvas, MIDDLE, NO_KEY, QPoint(300, 300))


def test_the_slice_cannot_be_lost_by_panning(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    for _ in range(3):
        drag(canvas, QPoint(10, 10), QPoint(390, 390), button=MIDDLE)
    assert canvas.widget_point(0, 0).x() <= 400 - 48
    assert canvas.widget_point(0, 0).y() <= 400 - 48


def test_zoom_survives_the_next_slice_and_the_next_series_is_fitted(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.zoom_by(2.0)
    zoomed = canvas.widget_point(10, 10)
    canvas.set_scene(scene(identity="slice 2", pixels=None))
    canvas.set_scene(scene(identity="slice 2"))
    assert canvas.widget_point(10, 10) == zoomed
    canvas.set_scene(scene(identity="slice 3", fit_key="series 2"))
    assert canvas.widget_point(100, 100).toPoint() == QPoint(400, 400)


def test_a_series_whose_first_slice_loads_late_is_fitted_when_it_comes(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.zoom_by(3.0)
    canvas.set_scene(scene(identity="x", fit_key="series 2", pixels=None))
    canvas.set_scene(scene(identity="x", fit_key="series 2"))
    assert canvas.widget_point(100, 100).toPoint() == QPoint(400, 400)


def test_a_fitted_slice_follows_the_widget_and_a_zoomed_one_keeps_its_middle(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    canvas.resize(800, 800)
    assert canvas.widget_point(100, 100).toPoint() == QPoint(800, 800)
    canvas.zoom_by(2.0)
    middle = canvas.image_point(QPoint(400, 400).toPointF())
    canvas.resize(600, 500)
    assert canvas.image_point(QPoint(300, 250).toPointF()) == pytest.approx(middle)


def test_pixels_that_are_not_square_are_shown_in_true_proportion(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene(spacing=(2.0, 1.0)))
    origin = canvas.widget_point(0, 0)
    across, down = canvas.widget_point(10, 0) - origin, canvas.widget_point(0, 10) - origin
    assert down.y() == pytest.approx(2 * across.x())


# Pointing, keys, the rest


def test_pointing_tells_the_image_point_inside_the_slice_only(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene(), 600, 400)
    heard: list[Any] = []
    canvas.pointed.connect(heard.append)
    QTest.mouseMove(canvas, QPoint(300, 200))
    QTest.mouseMove(canvas, QPoint(20, 200))
    QTest.mouseMove(canvas, QPoint(20, 210))
    assert heard == [pytest.approx((50, 50)), None]
    QTest.mouseMove(canvas, QPoint(300, 200))
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert heard[-1] is None


def test_a_release_that_went_elsewhere_ends_the_gesture(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    press_and_move(canvas, at(canvas, 30, 30), at(canvas, 50, 50))
    other = QWidget()
    qtbot.addWidget(other)
    QTest.mouseRelease(other, LEFT, NO_KEY, QPoint(1, 1))
    QTest.mouseMove(canvas, at(canvas, 60, 60))
    click(canvas, at(canvas, 80, 80))
    assert heard == [("box_clicked", "")]


def test_another_button_does_not_disturb_a_drag(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene([item((20, 20, 40, 40))], selected="a"))
    heard = listen(canvas)
    press_and_move(canvas, at(canvas, 30, 30), at(canvas, 40, 40))
    QTest.mouseClick(canvas, RIGHT, NO_KEY, at(canvas, 40, 40))
    QTest.mousePress(canvas, LEFT, NO_KEY, at(canvas, 40, 40))  # QTest forgets the first button meanwhile
    QTest.mouseRelease(canvas, LEFT, NO_KEY, at(canvas, 40, 40))
    assert [row[0] for row in heard] == ["box_reshaped"]


@pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen plugin about any window with a layout
def test_esc_is_the_windows_unless_a_gesture_runs(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    canvas = Canvas()
    QVBoxLayout(window).addWidget(canvas)
    pressed: list[int] = []
    shortcut = QShortcut(QKeySequence(Qt.Key.Key_Escape), window)
    shortcut.activated.connect(lambda: pressed.append(1))
    window.resize(300, 300)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    canvas.set_scene(scene())
    canvas.setFocus()
    press_and_move(canvas, QPoint(50, 50), QPoint(90, 90))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert pressed == []
    QTest.mouseRelease(canvas, LEFT, NO_KEY, QPoint(90, 90))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert pressed == [1]


def test_other_keys_are_left_to_the_window(qtbot: QtBot) -> None:
    canvas = show(qtbot, scene())
    for key in (Qt.Key.Key_Up, Qt.Key.Key_B, Qt.Key.Key_Return, Qt.Key.Key_Delete):
        event = QKeyEvent(QEvent.Type.KeyPress, key, NO_KEY)
        QApplication.sendEvent(canvas, event)
        assert not event.isAccepted()


def test_it_takes_the_keyboard_and_has_a_name(qtbot: QtBot) -> None:
    found = item((20, 20, 40, 40), text="glioma")
    canvas = show(qtbot, scene([found, item((1, 1, 9, 9), BoxKind.PROPOSAL, id="p")], selected="a"))
    assert canvas.focusPolicy() is Qt.FocusPolicy.StrongFocus
    assert canvas.accessibleName() == "Slice viewer"
    assert canvas.accessibleDescription() == "1 box, selected: human glioma"


def test_the_same_scene_is_not_painted_twice(qtbot: QtBot) -> None:
    first = scene([item((20, 20, 40, 40))])
    canvas = show(qtbot, first)
    paints: list[int] = []

    class Spy(QWidget):
        def eventFilter(self, watched: Any, event: QEvent) -> bool:
            if event.type() is QEvent.Type.Paint:
                paints.append(1)
            return False

    spy = Spy()
    qtbot.addWidget(spy)
    canvas.installEventFilter(spy)
    QApplication.processEvents()
    paints.clear()
    canvas.set_scene(replace(first, boxes=(item((20, 20, 40, 40)),)))
    QApplication.processEvents()
    assert paints == []
    canvas.set_scene(replace(first, selected="a"))
    QApplication.processEvents()
    assert paints == [1]
