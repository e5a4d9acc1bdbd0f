"""Rows 17 and 18 of the feature table: linked viewports, crosshair across planes, hanging remembered."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.imaging.geometry import pixel_to_mm
from core.model import Box
from gui.pane import Pane
from gui.viewports import Viewports
from tests.core.imaging.files import write_dicom
from tests.gui.conftest import MakeApp
from tests.gui.hands import LEFT, Hands

AXIAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]


def series(
    folder: Path,
    name: str,
    count: int,
    step: float,
    *,
    study: str = "1.2.1",
    frame: str = "1.2.99",
    start: float = 0.0,
    sagittal: bool = False,
    pixels: tuple[int, int] = (100, 80),
    spacing: float = 1.0,
) -> None:
    """A series over 0…80 mm to the left and 0…100 mm backwards; axial ones rise, sagittal ones go left."""
    folder.mkdir(exist_ok=True, parents=True)
    for i in range(count):
        place = start + step * i
        values = np.add.outer(np.arange(pixels[0]), np.arange(pixels[1])).astype("uint16") + 5 * i
        write_dicom(
            folder / f"{name}-{i}",
            values,
            PatientID="P",
            StudyInstanceUID=study,
            SeriesInstanceUID=f"{study}.{zlib.crc32(name.encode())}",
            SeriesDescription=name,
            FrameOfReferenceUID=frame,
            ImagePositionPatient=[place, 0, 90] if sagittal else [0, 0, place],
            ImageOrientationPatient=SAGITTAL if sagittal else AXIAL,
            PixelSpacing=[spacing, spacing],
        )


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """T1 (10 slices, 3 mm), T2 (16 slices, 2 mm, finer pixels) and a sagittal series, in one space."""
    folder = tmp_path / "study"
    series(folder, "a T1", 10, 3.0)
    series(folder, "b T2", 16, 2.0, pixels=(200, 160), spacing=0.5)
    series(folder, "c sagittal", 9, 10.0, sagittal=True)
    return folder


def viewports(hands: Hands) -> Viewports:
    return hands.window.page.viewports


def panes(hands: Hands) -> tuple[Pane, ...]:
    return viewports(hands).panes


def shown(hands: Hands) -> None:
    """Wait until every viewport shows pixels."""
    hands.shown()
    hands.until(lambda: all(p.spot is None or p.canvas.scene().pixels is not None for p in panes(hands)))
    hands.qtbot.wait(10)


def described(hands: Hands) -> list[str]:
    return [p.spot.series.description if p.spot else "" for p in panes(hands)]


def opened(hands: Hands, folder: Path, key: Qt.Key = Qt.Key.Key_F4) -> None:
    hands.open(folder)
    hands.press(key)
    shown(hands)


def height(pane: Pane) -> float:
    assert pane.spot is not None
    assert pane.spot.ref.geometry is not None
    return pane.spot.ref.geometry.position[2]


def left(pane: Pane) -> float:
    """How far to the left a sagittal pane stands, in mm."""
    assert pane.spot is not None
    assert pane.spot.ref.geometry is not None
    return pane.spot.ref.geometry.position[0]


def index(pane: Pane) -> int:
    assert pane.spot is not None
    return pane.spot.index


def wheel(pane: Pane, steps: int) -> None:
    at = QPointF(pane.canvas.rect().center())
    nothing = (Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False)
    event = QWheelEvent(at, pane.canvas.mapToGlobal(at), QPoint(), QPoint(0, -120 * steps), *nothing)
    QApplication.sendEvent(pane.canvas, event)


def test_row_17_scrolling_goes_by_position_not_by_number(hands: Hands, study: Path) -> None:
    opened(hands, study)
    assert described(hands) == ["b T2"]
    for at in (4, 9, 0):
        hands.go(at)
        assert height(panes(hands)[0]) == pytest.approx(3.0 * at, abs=1.0)
    wheel(panes(hands)[0], 6)
    assert index(panes(hands)[0]) == 6
    assert hands.at == 4  # 12 mm
    hands.press(Qt.Key.Key_F6)
    hands.press(Qt.Key.Key_Down)
    assert index(panes(hands)[0]) == 6


def test_row_17_zoom_is_the_same_millimetres_around_the_same_point(hands: Hands, study: Path) -> None:
    opened(hands, study)
    (pane,) = panes(hands)
    hands.canvas.zoom_by(2.5, QPointF(60, 80))
    ours, theirs = hands.canvas.view(), pane.canvas.view()
    assert theirs.scale_x / 0.5 == pytest.approx(ours.scale_x / 1.0)
    middles = []
    for canvas, view, ref in (
        (hands.canvas, ours, hands.session.current_slice),
        (pane.canvas, theirs, pane.spot.ref if pane.spot else None),
    ):
        assert ref is not None
        assert ref.geometry is not None
        x, y = view.to_image(QPointF(canvas.width() / 2, canvas.height() / 2))
        middles.append(pixel_to_mm(ref.geometry, x, y))
    assert middles[0][:2] == pytest.approx(middles[1][:2])
    pane.canvas.zoom_by(0.5)
    assert hands.canvas.view().scale_x == pytest.approx(ours.scale_x / 2)


def test_row_17_the_cursor_is_shown_at_the_same_point_of_the_patient(hands: Hands, study: Path) -> None:
    opened(hands, study)
    (pane,) = panes(hands)
    QTest.mouseMove(hands.canvas, hands.canvas.widget_point(30.5, 40.5).toPoint())
    point = hands.canvas.image_point(QPointF(hands.canvas.widget_point(30.5, 40.5).toPoint()))
    cross = pane.canvas.scene().cross
    assert cross is not None
    # (x − ½)·1 mm = (x' − ½)·½ mm
    assert cross == pytest.approx(((point[0] - 0.5) * 2 + 0.5, (point[1] - 0.5) * 2 + 0.5))
    QTest.mouseMove(pane.canvas, pane.canvas.rect().center())
    assert hands.canvas.scene().cross is not None
    assert pane.canvas.scene().cross is None


def test_row_17_the_crosshair_goes_through_planes(hands: Hands, study: Path) -> None:
    opened(hands, study, Qt.Key.Key_F5)
    assert described(hands) == ["b T2", "c sagittal", ""]
    sagittal = panes(hands)[1]
    hands.go(5)
    lines = sagittal.canvas.scene().references
    # The T1 slice at 15 mm, and T2's at 14 or 16, cut the sagittal one at 90 − z down.
    assert {round(line[0][1]) for line in lines} & {75, 76}
    hands.canvas.setFocus()
    QTest.mouseMove(hands.canvas, hands.canvas.widget_point(70.5, 40.5).toPoint())
    QTest.keyPress(hands.canvas, Qt.Key.Key_T)
    assert left(sagittal) == 70
    QTest.mouseMove(hands.canvas, hands.canvas.widget_point(21.5, 40.5).toPoint())
    assert left(sagittal) == 20
    QTest.keyRelease(hands.canvas, Qt.Key.Key_T)
    QTest.mouseMove(hands.canvas, hands.canvas.widget_point(60.5, 40.5).toPoint())
    assert left(sagittal) == 20


def test_row_17_prior_beside_current_keeps_the_distance_at_which_it_was_linked(
    hands: Hands, tmp_path: Path
) -> None:
    series(tmp_path / "now", "T1", 10, 3.0)
    series(tmp_path / "then", "T1", 10, 3.0, study="1.2.2", frame="1.2.98", start=-50.0)
    hands.open(tmp_path)
    hands.press(Qt.Key.Key_F4)
    shown(hands)
    (pane,) = panes(hands)
    assert any("another study" in badge for badge in pane.canvas.scene().badges)
    before = pane.spot.index - hands.at if pane.spot else None
    hands.press(Qt.Key.Key_Down)
    hands.press(Qt.Key.Key_Down)
    assert pane.spot is not None
    assert pane.spot.index - hands.at == before
    hands.press(Qt.Key.Key_F6)
    wheel(pane, 1)
    hands.press(Qt.Key.Key_F6)
    hands.press(Qt.Key.Key_Down)
    assert pane.spot.index - hands.at == (before or 0) + 1


def test_row_17_a_click_makes_a_viewport_the_active_one_and_boxes_go_there(hands: Hands, study: Path) -> None:
    opened(hands, study)
    (pane,) = panes(hands)
    other, here = pane.canvas.geometry(), hands.canvas.geometry()
    QTest.mouseClick(pane.canvas, LEFT, pos=pane.canvas.rect().center())
    shown(hands)
    assert hands.session.current_series is not None
    assert hands.session.current_series.description == "b T2"
    assert described(hands) == ["a T1"]
    assert hands.canvas.geometry() == other
    assert pane.canvas.geometry() == here
    drawn = hands.draw(Box(40, 50, 90, 100))
    assert drawn.slice_key == hands.session.current_slice_key
    # From the keyboard too.
    hands.press(Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    shown(hands)
    assert hands.session.current_series.description == "a T1"
    assert [b.box for b in pane.canvas.scene().boxes] == [drawn.box]
    assert not pane.canvas.scene().boxes[0].editable


def test_row_17_a_late_slice_of_a_pane_is_never_shown_as_another(hands: Hands, study: Path) -> None:
    opened(hands, study)
    (pane,) = panes(hands)
    for at in (9, 2, 7, 1):
        hands.window.page.strip.picked.emit(at)
        scene = pane.canvas.scene()
        assert pane.spot is not None
        assert scene.identity == pane.spot.ref.key
        if scene.pixels is not None:
            assert scene.pixels[0, 0] == 5 * pane.spot.index
    shown(hands)
    assert pane.spot is not None
    assert pane.canvas.scene().pixels[0, 0] == 5 * pane.spot.index  # type: ignore[index]


def test_row_17_a_window_dragged_in_a_pane_is_its_series(hands: Hands, study: Path) -> None:
    opened(hands, study)
    (pane,) = panes(hands)
    ours, theirs = hands.canvas.scene().window, pane.canvas.scene().window
    pane.canvas.window_changed.emit(theirs.center + 10, theirs.width * 2, True)
    assert pane.canvas.scene().window.width == theirs.width * 2
    assert hands.canvas.scene().window == ours


def test_row_18_a_layout_is_remembered_by_description_and_taken_up_again(
    make_app: MakeApp, qtbot: QtBot, study: Path, tmp_path: Path
) -> None:
    hands = Hands(make_app(), qtbot)
    opened(hands, study)
    QTest.mouseClick(panes(hands)[0].canvas, LEFT)  # T2 becomes active, T1 beside it
    shown(hands)
    hands.press(Qt.Key.Key_F4)
    hands.window.close()
    # Another patient's study with series of the same description, in another order.
    again = Hands(make_app(), qtbot)
    series(tmp_path / "other", "b T2", 6, 2.0, study="1.2.7", frame="1.2.77")
    series(tmp_path / "other", "x FLAIR", 6, 2.0, study="1.2.7", frame="1.2.77")
    series(tmp_path / "other", "a T1", 6, 2.0, study="1.2.7", frame="1.2.77")
    again.open(tmp_path / "other")
    t2 = next(s for s in again.session.series if s.description == "b T2")
    again.session.go_to(t2.uid, 2)
    again.press(Qt.Key.Key_F3)
    assert viewports(again).layout_name == "1x1"
    again.window.close()
    third = Hands(make_app(), qtbot)
    third.open(study)
    assert viewports(third).layout_name == "1x2"
    shown(third)
    assert described(third) == ["b T2"]


def test_row_18_one_viewport_forgets_the_rule(make_app: MakeApp, qtbot: QtBot, study: Path) -> None:
    hands = Hands(make_app(), qtbot)
    opened(hands, study, Qt.Key.Key_F5)
    hands.press(Qt.Key.Key_F3)
    hands.window.close()
    again = Hands(make_app(), qtbot)
    again.open(study)
    assert viewports(again).layout_name == "1x1"
    assert panes(again) == ()


def test_an_empty_pane_says_what_to_do(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.press(Qt.Key.Key_F4)
    (pane,) = panes(hands)
    assert "Open another series" in pane.canvas.scene().message
    QTest.mouseClick(pane.canvas, LEFT)
    assert hands.session.current_slice is not None


def test_hiding_boxes_and_corner_text_holds_for_every_viewport(hands: Hands, study: Path) -> None:
    opened(hands, study)
    (pane,) = panes(hands)
    hands.canvas.setFocus()
    QTest.keyPress(hands.canvas, Qt.Key.Key_H)
    assert pane.canvas.boxes_hidden()
    QTest.keyRelease(hands.canvas, Qt.Key.Key_H)
    assert not pane.canvas.boxes_hidden()
    hands.press(Qt.Key.Key_Space)
    hands.press(Qt.Key.Key_Space)
    hands.press(Qt.Key.Key_F5)
    for each in (hands.canvas, *(p.canvas for p in panes(hands))):
        assert each._paint_context().overlays.corners == ()
