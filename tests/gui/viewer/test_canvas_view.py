"""Window, scrolling, zoom and pan under a real mouse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.model import Window
from tests.gui.viewer.scenes import (
    LEFT,
    MIDDLE,
    NO_KEY,
    RIGHT,
    at,
    drag,
    grey,
    item,
    listen,
    press_and_move,
    scene,
    show,
    wheel,
)

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
