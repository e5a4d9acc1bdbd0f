"""Rows 1 to 16 and 20 of the feature table (A1, viewing), each through real events in the real window."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.imaging.phantom import Phantom
from core.imaging.window import auto_window
from core.model import Box
from gui.panels.worklist import WorklistPanel
from gui.statusbar import StatusBar
from gui.viewer.scene import Tool
from tests.core.imaging.files import plane, ramp, write_dicom
from tests.gui.conftest import MakeApp
from tests.gui.hands import LEFT, Hands

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
MIDDLE, RIGHT = Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton


def stack(folder: Path, count: int = 5, size: tuple[int, int] = (64, 64), **more: object) -> Path:
    """A stack of slices 2 mm apart, their values rising from slice to slice."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        attributes = {**plane(2.0 * i), "InstanceNumber": count - i, "SeriesDescription": "T1 axial", **more}
        write_dicom(folder / f"{i:03}", ramp(*size) // 4 + 10 * i, **attributes)
    return folder


def pull(hands: Hands, button: Qt.MouseButton, by: tuple[int, int]) -> None:
    """Drag from the middle of the canvas with a button."""
    middle = hands.canvas.rect().center()
    QTest.mousePress(hands.canvas, button, pos=middle)
    for share in (0.4, 1.0):
        QTest.mouseMove(hands.canvas, middle + QPoint(round(by[0] * share), round(by[1] * share)))
    QTest.mouseRelease(hands.canvas, button, pos=middle + QPoint(*by))
    hands.qtbot.wait(20)


def wheel(
    hands: Hands,
    steps: int,
    at: QPointF | None = None,
    keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    """Turn the wheel over the canvas; positive is towards the reader."""
    place = at or QPointF(hands.canvas.rect().center())
    event = QWheelEvent(
        place,
        hands.canvas.mapToGlobal(place),
        QPoint(),
        QPoint(0, -120 * steps),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(hands.canvas, event)
    hands.qtbot.wait(10)


def point(hands: Hands, x: float, y: float) -> str:
    """Hold the cursor over a point of the slice; what the status bar then reads."""
    QTest.mouseMove(hands.canvas, hands.canvas.widget_point(x, y).toPoint())
    hands.qtbot.wait(5)
    bar = hands.window.statusBar()
    assert isinstance(bar, StatusBar)
    return bar.readout.text()


def corners(hands: Hands) -> str:
    """All corner text."""
    made = hands.canvas.scene().corners
    return "\n".join((*made.top_left, *made.top_right, *made.bottom_left, *made.bottom_right))


def test_row_1_the_status_bar_shows_rescaled_values_not_8_bit_ones(hands: Hands, tmp_path: Path) -> None:
    pixels = np.full((32, 32), 3000, dtype="uint16")
    write_dicom(tmp_path / "a", pixels, **plane(5.0), RescaleSlope=2, RescaleIntercept=-100.5)
    hands.open(tmp_path)
    text = point(hands, 8.5, 4.5)
    assert "x 8  y 4" in text
    assert "value 5899.5" in text
    # (x − ½)·Δcolumn, (y − ½)·Δrow, z
    assert "(2.0, 2.0, 5.0) mm" in text


@pytest.mark.parametrize("up", ["brighter", "darker"])
def test_row_2_a_left_drag_windows_and_its_direction_is_a_setting(
    hands: Hands, phantom_folder: Path, up: str
) -> None:
    from gui.display import view_options

    hands.app.settings.set("view.window_up", up)
    hands.app.desk.display.set_options(view_options(hands.app.settings))
    hands.open(phantom_folder)
    before = hands.canvas.scene().window
    pull(hands, LEFT, (60, 0))
    wider = hands.canvas.scene().window
    assert wider.width > before.width
    pull(hands, LEFT, (0, -60))
    after = hands.canvas.scene().window
    assert (after.center < wider.center) == (up == "brighter")
    bar = hands.window.statusBar()
    assert isinstance(bar, StatusBar)
    assert bar.window_text.text() == f"C {after.center:.0f}  W {after.width:.0f}"


def test_row_3_the_files_windows_come_first_and_are_chosen_by_name(hands: Hands, tmp_path: Path) -> None:
    stack(
        tmp_path / "s",
        WindowCenter=[400, 90],
        WindowWidth=[800, 40],
        WindowCenterWidthExplanation=["BROAD", "NARROW"],
    )
    hands.open(tmp_path / "s")
    assert (hands.canvas.scene().window.center, hands.canvas.scene().window.width) == (400, 800)
    hands.window.name_presets()
    names = [hands.window.actions_by_id[f"preset-{n}"].text() for n in (1, 2)]
    assert names == ["BROAD", "NARROW"]
    hands.press_action("preset-2")
    assert (hands.canvas.scene().window.center, hands.canvas.scene().window.width) == (90, 40)
    assert "NARROW" in corners(hands)


def test_row_4_without_a_window_of_its_own_a_series_has_a_repeatable_percentile_one(
    hands: Hands, tmp_path: Path
) -> None:
    hands.open(stack(tmp_path / "s"))
    expected = auto_window(ramp(64, 64) // 4 + 20)  # of the middle slice, once all are known
    hands.until(lambda: hands.canvas.scene().window == expected)
    assert "percentile window" in hands.canvas.scene().badges
    hands.window.name_presets()
    names = {hands.window.actions_by_id[f"preset-{n}"].text() for n in range(1, 10)}
    assert {"Percentile", "Full range", "Soft", "Hard"} <= names
    hands.press(Qt.Key.Key_2)
    assert "percentile window" not in hands.canvas.scene().badges
    hands.press(Qt.Key.Key_0)
    assert hands.canvas.scene().window.name == "auto"


def test_row_5_a_window_stays_for_the_series_and_over_a_restart(
    make_app: MakeApp, qtbot: QtBot, tmp_path: Path
) -> None:
    hands = Hands(make_app(), qtbot)
    hands.open(stack(tmp_path / "s"))
    pull(hands, LEFT, (80, 40))
    chosen = hands.canvas.scene().window
    hands.press(Qt.Key.Key_I)
    hands.press(Qt.Key.Key_Down)
    hands.shown()
    assert hands.canvas.scene().window == chosen
    hands.window.close()
    again = Hands(make_app(), qtbot)
    again.open(tmp_path / "s")
    assert again.canvas.scene().window == chosen
    assert again.canvas.scene().inverted
    again.press(Qt.Key.Key_F, SHIFT)
    again.until(lambda: again.canvas.scene().window.width > 1)
    assert again.canvas.scene().window.name == "auto"
    assert not again.canvas.scene().inverted


def test_row_6_slices_stand_by_position_and_a_gap_is_said(hands: Hands, tmp_path: Path) -> None:
    folder = stack(tmp_path / "s", 6)
    (folder / "003").unlink()
    hands.open(folder)
    series = hands.session.current_series
    assert series is not None
    heights = [s.geometry.position[2] for s in series.slices if s.geometry]
    assert heights == [0, 2, 4, 8, 10]
    assert any("missing" in badge for badge in hands.canvas.scene().badges)


def test_row_7_wheel_keys_and_strip_scroll(hands: Hands, tmp_path: Path) -> None:
    hands.open(stack(tmp_path / "s", 25))
    acts: tuple[tuple[Callable[[], None], int], ...] = (
        (lambda: wheel(hands, 1), 1),
        (lambda: wheel(hands, 2), 3),
        (lambda: wheel(hands, -1), 2),
        (lambda: hands.press(Qt.Key.Key_Down), 3),
        (lambda: hands.press(Qt.Key.Key_Up), 2),
        (lambda: hands.press(Qt.Key.Key_PageDown, SHIFT), 12),
        (lambda: hands.press(Qt.Key.Key_PageUp, SHIFT), 2),
        (lambda: hands.press(Qt.Key.Key_End), 24),
        (lambda: hands.press(Qt.Key.Key_Home), 0),
    )
    for act, expected in acts:
        act()
        assert hands.at == expected
    strip = hands.window.page.strip
    QTest.mouseClick(strip, LEFT, pos=QPoint(round(strip.x_of(17)), 10))
    assert hands.at == 17
    QTest.mousePress(strip, LEFT, pos=QPoint(round(strip.x_of(17)), 10))
    QTest.mouseMove(strip, QPoint(round(strip.x_of(9)), 10))
    QTest.mouseRelease(strip, LEFT, pos=QPoint(round(strip.x_of(9)), 10))
    assert hands.at == 9


@pytest.mark.parametrize("mode", ["loop", "sweep"])
def test_row_8_cine_runs_at_its_speed_and_stops_on_a_key(hands: Hands, tmp_path: Path, mode: str) -> None:
    hands.app.settings.set("view.cine_mode", mode)
    hands.app.settings.set("view.cine_fps", 50.0)
    hands.open(stack(tmp_path / "s", 3))
    seen: list[int] = []
    hands.session.place_changed.connect(lambda: seen.append(hands.at))
    hands.press(Qt.Key.Key_C)
    assert hands.window.actions_by_id["cine"].isChecked()
    hands.until(lambda: len(seen) >= 6)
    hands.press(Qt.Key.Key_C)
    assert not hands.window.page.cine.running
    assert seen[:6] == ([1, 2, 0, 1, 2, 0] if mode == "loop" else [1, 2, 1, 0, 1, 2])
    hands.press(Qt.Key.Key_C)
    hands.press(Qt.Key.Key_Home)
    hands.press(Qt.Key.Key_Down)
    assert not hands.window.page.cine.running
    hands.press(Qt.Key.Key_Comma)
    assert hands.app.settings.number("view.cine_fps") == 40.0


def test_row_9_zoom_at_the_cursor_pan_fit_and_one_to_one(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    canvas = hands.canvas
    at = canvas.widget_point(30.25, 40.5)
    for steps in (-3, -4, 2):
        wheel(hands, steps, at, CTRL)
        assert canvas.image_point(at) == pytest.approx((30.25, 40.5))
    before = canvas.widget_point(30.25, 40.5)
    pull(hands, MIDDLE, (25, -14))
    assert (canvas.widget_point(30.25, 40.5) - before).toTuple() == pytest.approx((25, -14))
    scale = canvas.view().scale_x
    pull(hands, RIGHT, (0, -50))
    assert canvas.view().scale_x > scale
    hands.press(Qt.Key.Key_0, CTRL)
    assert canvas.view().scale_x * canvas.devicePixelRatioF() == 1.0
    hands.press(Qt.Key.Key_Equal)
    shape = canvas.scene().shape
    assert shape is not None
    rect = canvas.view().image_rect(shape)
    assert rect.center().toTuple() == pytest.approx((canvas.width() / 2, canvas.height() / 2))
    assert max(rect.width() / canvas.width(), rect.height() / canvas.height()) == pytest.approx(1)


def test_row_9_the_magnifier_shows_while_its_key_is_down(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.canvas.setFocus()
    middle = hands.canvas.rect().center()
    QTest.mouseMove(hands.canvas, middle)
    hands.qtbot.wait(20)
    plain = hands.canvas.grab().toImage()
    QTest.keyPress(hands.canvas, Qt.Key.Key_Z)
    QTest.mouseMove(hands.canvas, middle + QPoint(1, 0))
    QTest.mouseMove(hands.canvas, middle)
    large = hands.canvas.grab().toImage()
    QTest.keyRelease(hands.canvas, Qt.Key.Key_Z)
    hands.qtbot.wait(5)
    assert large != plain
    assert hands.canvas.grab().toImage() == plain
    corner = QPoint(5, hands.canvas.height() // 4)
    assert large.pixel(corner) == plain.pixel(corner)


def test_row_10_letters_come_from_the_geometry_follow_turns_and_are_absent_without_it(
    hands: Hands, tmp_path: Path, pictures: Path
) -> None:
    hands.open(stack(tmp_path / "s"))

    def letters() -> tuple[str, str, str, str]:
        made = hands.canvas.scene().letters
        assert made is not None
        return (made.left, made.top, made.right, made.bottom)

    assert letters() == ("R", "A", "L", "P")
    hands.press(Qt.Key.Key_BracketRight)
    assert letters() == ("P", "R", "A", "L")
    hands.press(Qt.Key.Key_BracketLeft)
    hands.press(Qt.Key.Key_H, SHIFT)
    assert letters() == ("L", "A", "R", "P")
    hands.press(Qt.Key.Key_V, SHIFT)
    assert letters() == ("L", "P", "R", "A")
    assert "turned 180°" in corners(hands)
    hands.press_action("upright")
    assert letters() == ("R", "A", "L", "P")
    hands.open(pictures)
    hands.press(Qt.Key.Key_PageDown)
    hands.shown()
    assert hands.canvas.scene().letters is None


def test_row_11_the_scale_bar_is_in_mm_and_its_absence_has_a_reason(
    hands: Hands, tmp_path: Path, pictures: Path
) -> None:
    hands.open(stack(tmp_path / "s", size=(128, 256)))
    bar = hands.canvas._paint_context().overlays.scale_bar
    assert bar is not None
    assert bar.rect.width() == pytest.approx(bar.mm / 0.25 * hands.canvas.view().scale_x)
    hands.open(pictures)
    hands.press(Qt.Key.Key_PageDown)
    hands.shown()
    assert hands.canvas._paint_context().overlays.scale_bar is None
    assert "no spacing: sizes in pixels" in hands.canvas.scene().badges


def test_row_12_a_distance_is_in_mm_over_anisotropic_pixels(hands: Hands, tmp_path: Path) -> None:
    hands.open(stack(tmp_path / "s", size=(128, 256)))
    hands.press(Qt.Key.Key_M)
    assert hands.canvas.tool() is Tool.DISTANCE
    hands.drag((40, 20), (200, 80))
    (made,) = hands.canvas.scene().measures
    (x1, y1), (x2, y2) = made.lines[0]
    expected = math.hypot((x2 - x1) * 0.25, (y2 - y1) * 0.5)
    assert expected == pytest.approx(math.hypot(40, 30), abs=0.5)
    assert made.text == f"{expected:.1f} mm"
    assert hands.app.workspace.annotations.on(hands.keys[0]).annotations == ()
    hands.press(Qt.Key.Key_Down)
    assert hands.canvas.scene().measures == ()
    hands.press(Qt.Key.Key_Up)
    assert hands.canvas.scene().measures == (made,)
    hands.press(Qt.Key.Key_M, ALT)
    assert hands.canvas.scene().measures == ()


def test_row_12_an_angle_is_between_two_lines_in_the_patient(hands: Hands, tmp_path: Path) -> None:
    hands.open(stack(tmp_path / "s", size=(128, 256)))
    hands.press(Qt.Key.Key_M, SHIFT)
    hands.drag((40, 20), (120, 20))
    assert hands.canvas.scene().measures[0].text == "angle to …"
    hands.drag((40, 20), (120, 60))  # 80 × 0.25 mm across and 40 × 0.5 mm down: 45 degrees
    (made,) = hands.canvas.scene().measures
    assert float(made.text.removesuffix("°")) == pytest.approx(45, abs=0.7)


def test_row_12_without_a_spacing_lengths_are_in_pixels(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.press(Qt.Key.Key_M)
    hands.drag((20, 20), (50, 60))
    (made,) = hands.canvas.scene().measures
    assert made.text.endswith(" px")
    assert float(made.text.removesuffix(" px")) == pytest.approx(50, abs=0.7)


def test_row_13_one_key_takes_corner_text_through_three_states(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    counts = []
    for _ in range(4):
        counts.append(len(hands.canvas._paint_context().overlays.corners))
        hands.press(Qt.Key.Key_Space)
    assert counts[0] > counts[1] == 4
    assert counts[2] == 0
    assert counts[3] == counts[0]


def test_row_14_one_key_inverts(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    at = hands.canvas.widget_point(64, 64).toPoint()
    before = hands.canvas.grab().toImage().pixelColor(at).red()
    hands.press(Qt.Key.Key_I)
    hands.qtbot.wait(10)
    after = hands.canvas.grab().toImage().pixelColor(at).red()
    assert abs(before + after - 255) <= 2


@pytest.mark.parametrize("command", ["turn-right", "turn-left", "flip-horizontal", "flip-vertical"])
def test_row_15_turning_changes_the_picture_and_no_coordinate(
    hands: Hands, phantom_folder: Path, phantom: Phantom, command: str
) -> None:
    hands.open(phantom_folder)
    hands.go(6)
    drawn = hands.draw(Box(30, 40, 62, 80))
    hands.session.select("")
    value = point(hands, 40.5, 70.5).partition("  (")[0]
    hands.press_action(command)
    hands.qtbot.wait(20)
    # The same point of the slice reads the same, wherever it is now.
    assert point(hands, 40.5, 70.5).partition("  (")[0] == value
    (box,) = hands.session.record.annotations
    assert box == drawn
    # What is under the point on the screen is the slice's own pixel.
    view = hands.canvas.view()
    assert view.to_image(view.to_widget(31.5, 99.25)) == pytest.approx((31.5, 99.25))
    grey = hands.canvas.grab().toImage()
    shown = grey.pixelColor(hands.canvas.widget_point(20.5, 96.5).toPoint()).red()
    from core.imaging.window import apply_window

    scene = hands.canvas.scene()
    assert abs(shown - int(apply_window(phantom.volume[6], scene.window)[96, 20])) <= 12
    # A handle grabbed on the screen moves the edge that it is at.
    hands.session.select(drawn.id)
    hands.qtbot.wait(5)
    hands.drag((62, 60), (72, 60))
    (moved,) = hands.session.record.annotations
    assert moved.box.as_tuple() == pytest.approx((30, 40, 72, 80), abs=0.6)


def test_row_15_a_box_drawn_on_a_turned_slice_is_where_it_was_drawn(
    hands: Hands, phantom_folder: Path
) -> None:
    hands.open(phantom_folder)
    hands.press(Qt.Key.Key_BracketRight)
    hands.press(Qt.Key.Key_H, SHIFT)
    drawn = hands.draw(Box(30, 40, 62, 80))
    assert drawn.box.as_tuple() == pytest.approx((30, 40, 62, 80), abs=0.6)


def test_row_16_thumbnails_say_modality_description_slices_and_boxes(
    hands: Hands, phantom_folder: Path
) -> None:
    hands.open(phantom_folder)
    hands.draw(Box(30, 40, 62, 80))
    panel = hands.window.findChild(WorklistPanel)
    assert panel is not None
    cells = [panel.model.index(0, column) for column in range(3)]
    hands.until(lambda: cells[0].data(Qt.ItemDataRole.DecorationRole) is not None)
    row = " ".join(str(cell.data()) for cell in cells)
    series = hands.session.current_series
    assert series is not None
    assert series.description in row
    assert series.modality in row
    assert str(len(series.slices)) in row
    assert "1 box" in row


def test_row_20_badges_warn_of_lossy_derived_and_missing_geometry(hands: Hands, tmp_path: Path) -> None:
    write_dicom(tmp_path / "a", ramp(32, 32), LossyImageCompression="01", ImageType=["DERIVED", "SECONDARY"])
    hands.open(tmp_path / "a")
    badges = hands.canvas.scene().badges
    assert "lossy compressed" in badges
    assert "derived: not the scanner's own pixels" in badges
    assert "no spacing: sizes in pixels" in badges


def test_enlarged_pixels_are_plain_squares_where_so_set(hands: Hands, tmp_path: Path) -> None:
    board = (np.indices((8, 8)).sum(axis=0) % 2 * 1000).astype("uint16")
    write_dicom(tmp_path / "a", board)
    hands.open(tmp_path / "a")

    def levels() -> set[int]:
        image = hands.canvas.grab().toImage()
        y = hands.canvas.widget_point(0, 4.5).toPoint().y()
        left, right = (hands.canvas.widget_point(x, 4.5).toPoint().x() for x in (1.2, 3.8))
        return {image.pixelColor(x, y).red() for x in range(left, right)}

    assert len(levels()) > 4
    hands.press(Qt.Key.Key_I, SHIFT)
    hands.qtbot.wait(10)
    assert levels() == {0, 255}


def test_a_colour_map_colours_the_slice_and_leaves_its_values(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    value = point(hands, 64.5, 64.5)
    hands.press_action("colors-hot-iron")
    hands.qtbot.wait(10)
    color = hands.canvas.grab().toImage().pixelColor(hands.canvas.widget_point(64.5, 64.5).toPoint())
    assert color.red() > color.blue()
    assert point(hands, 64.5, 64.5) == value
    assert hands.window.actions_by_id["colors-hot-iron"].isChecked()
    hands.press_action("colors-grey")
    hands.qtbot.wait(10)
    color = hands.canvas.grab().toImage().pixelColor(hands.canvas.widget_point(64.5, 64.5).toPoint())
    assert color.red() == color.green() == color.blue()


def test_row_9_pixels_that_are_not_square_are_drawn_in_true_proportion(hands: Hands, tmp_path: Path) -> None:
    hands.open(stack(tmp_path / "s", size=(128, 256)))
    view = hands.canvas.view()
    assert view.scale_y / view.scale_x == pytest.approx(0.5 / 0.25)
