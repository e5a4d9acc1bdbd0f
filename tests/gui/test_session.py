"""Opening, moving, undoing and reading, as a person does them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import Phantom, PhantomSpec, make_phantom
from core.model import Box, Catalog, ReadState, Series, SliceRef
from gui.statusbar import JobRow, StatusBar
from gui.viewer.scene import BoxKind
from tests.gui.conftest import MakeApp, write_picture
from tests.gui.hands import LEFT, Hands, slowly

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
BOX = Box(20, 24, 44, 52)
OTHER = Box(70, 60, 100, 90)


@pytest.fixture(scope="session")
def long_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    write_phantom_dicom(make_phantom(PhantomSpec(size=64, slices=24, lesions=1, seed=5)), folder)
    return folder


def test_the_first_slice_shows_while_the_rest_is_read(
    hands: Hands, long_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch, 0.02)
    seen: list[int] = []
    hands.session.catalog_changed.connect(lambda: seen.append(len(hands.keys)))
    hands.drop([long_folder])
    hands.shown()
    assert 0 < len(hands.keys) < 24
    hands.until(lambda: len(hands.keys) == 24)
    assert seen == sorted(seen)
    assert hands.at == 0
    hands.until(lambda: hands.message == "Opened 24 slices in 1 series.")


@pytest.mark.parametrize("how", ["scrolls", "draws"])
def test_a_reader_who_has_begun_stays_on_the_slice(
    hands: Hands, long_folder: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    slowly(monkeypatch, 0.03)
    hands.drop([long_folder])
    hands.until(lambda: len(hands.keys) >= 3)
    hands.shown()
    if how == "scrolls":
        hands.press(Qt.Key.Key_Down)
        hands.shown()
    else:
        hands.draw(Box(5, 5, 30, 30))
    here = hands.session.current_slice_key
    hands.until(lambda: len(hands.keys) == 24)
    assert hands.session.current_slice_key == here == hands.canvas.scene().identity
    assert hands.keys[hands.at] == here


def test_opening_is_cancelled_from_the_status_bar(
    hands: Hands, long_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch, 0.03)
    hands.drop([long_folder])
    hands.shown()
    bar = hands.window.statusBar()
    assert isinstance(bar, StatusBar)
    row = next(r for r in bar.findChildren(JobRow) if r.title == "Opening")
    hands.push(row.cancel)
    hands.until(lambda: "cancelled" in hands.message)
    n = len(hands.keys)
    assert 0 < n < 24
    # What stays open is worked on as usual, and an export will find it.
    hands.draw(Box(5, 5, 30, 30))
    hands.until(lambda: len(hands.app.workspace.known_slices()) == n)
    hands.open(long_folder)
    assert len(hands.keys) == 24


def test_a_second_folder_adds(hands: Hands, phantom_folder: Path, pictures: Path) -> None:
    hands.open(phantom_folder)
    here = hands.session.current_slice_key
    hands.open(pictures)
    assert [len(s.slices) for s in hands.session.series] == [8, 4]
    assert hands.session.current_slice_key == here
    hands.press(Qt.Key.Key_PageDown)
    hands.shown()
    assert hands.session.current_series is not None
    assert hands.session.current_series.description == "pictures"
    assert hands.canvas.scene().pixels is not None


def test_opening_one_file_again_keeps_the_whole_series(
    hands: Hands, phantom_folder: Path, pictures: Path
) -> None:
    hands.open(phantom_folder)
    hands.open(pictures)
    hands.go(5)
    here, keys = hands.session.current_slice_key, hands.keys
    hands.open(next(phantom_folder.glob("*.dcm")))
    assert hands.keys == keys
    assert hands.session.current_slice_key == here
    hands.open(pictures / "p2.png")
    assert [len(s.slices) for s in hands.session.series] == [8, 4]


def test_parts_of_a_series_come_together_in_order(hands: Hands, phantom: Phantom, tmp_path: Path) -> None:
    files = write_phantom_dicom(phantom, tmp_path / "all")
    for part, chosen in (("b", files[1::2]), ("a", files[::2])):
        (tmp_path / part).mkdir()
        for file in chosen:
            shutil.move(file, tmp_path / part / file.name)
    hands.open(tmp_path / "b")
    hands.go(2)
    here = hands.session.current_slice_key
    hands.open(tmp_path / "a")
    assert len(hands.session.series) == 1
    series = hands.session.series[0]
    heights = [s.geometry.position[2] for s in series.slices if s.geometry]
    assert len(heights) == 8
    assert heights == sorted(heights)
    assert hands.session.current_slice_key == here
    assert hands.at == 5


def test_the_worklist_keeps_the_order_of_the_catalogue(hands: Hands, tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / "x" / name).mkdir(parents=True)
        write_picture(tmp_path / "x" / name / "1.png", ord(name))
    hands.open(tmp_path / "x")
    assert [s.description for s in hands.session.series] == ["a", "b"]


def test_undo_goes_to_the_slice_concerned(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.go(2)
    drawn = hands.draw(BOX)
    hands.go(6)
    hands.press(Qt.Key.Key_Z, CTRL)
    hands.shown()
    assert hands.at == 2
    assert hands.boxes() == []
    assert hands.message == "Undid: draw tumour box"
    hands.go(7)
    hands.press(Qt.Key.Key_Y, CTRL)
    hands.shown()
    assert hands.at == 2
    assert [b.id for b in hands.boxes(BoxKind.HUMAN)] == [drawn.id]
    assert [e.action for e in hands.app.workspace.history()] == ["redo", "undo", "create"]


def test_undoing_a_box_leaves_nothing_selected(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.draw(BOX)
    assert hands.session.selected
    hands.press(Qt.Key.Key_Z, CTRL)
    assert hands.session.selected == ""
    assert not hands.window.actions_by_id["delete"].isEnabled()
    assert not hands.window.actions_by_id["undo"].isEnabled()
    hands.session.undo()
    assert hands.message == "Nothing to undo."


def test_undo_reaches_over_closing_and_reopening(
    make_app: MakeApp, qtbot: QtBot, phantom_folder: Path
) -> None:
    first = Hands(make_app(), qtbot)
    first.open(phantom_folder)
    first.go(3)
    kept = first.draw(BOX)
    gone = first.draw(OTHER)
    first.window.close()
    second = Hands(make_app(), qtbot)
    # With nothing open yet: undo works and says so.
    second.press(Qt.Key.Key_Z, CTRL)
    assert second.message.startswith("Undid")
    second.open(phantom_folder)
    second.go(3)
    assert [b.id for b in second.boxes()] == [kept.id]
    second.press(Qt.Key.Key_Z, CTRL)
    assert second.boxes() == []
    second.press(Qt.Key.Key_Y, CTRL)
    second.press(Qt.Key.Key_Y, CTRL)
    assert [b.id for b in second.boxes()] == [kept.id, gone.id]


def test_no_finding_is_refused_where_boxes_stand(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.draw(BOX)
    hands.press(Qt.Key.Key_R, SHIFT)
    assert "1 boxes stand here" in hands.message or "1 box stands here" in hands.message
    assert hands.session.record.reading is None
    assert hands.at == 0


def test_the_reading_state_follows_the_boxes(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    key = hands.session.current_slice_key
    hands.press(Qt.Key.Key_R, SHIFT)

    def state() -> ReadState | None:
        mark = hands.app.workspace.annotations.on(key).reading
        return mark.state if mark else None

    assert state() is ReadState.NO_FINDING
    hands.go(0)
    assert "Read, no finding" in hands.canvas.scene().corners.top_right
    hands.draw(BOX)
    assert state() is ReadState.FINDINGS
    assert "Read, findings" in hands.canvas.scene().corners.top_right
    hands.press(Qt.Key.Key_Delete)
    assert state() is ReadState.NO_FINDING
    hands.press(Qt.Key.Key_Z, CTRL)
    assert state() is ReadState.FINDINGS
    hands.press(Qt.Key.Key_R, CTRL)
    assert state() is None
    assert len(hands.boxes(BoxKind.HUMAN)) == 1


def test_pictures_are_signed_off_one_by_one(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.go(2)
    for expected in (3, 0, 1):
        hands.press(Qt.Key.Key_R)
        hands.shown()
        assert hands.at == expected
    read = [hands.app.workspace.annotations.on(k).reading for k in hands.keys]
    assert [mark is not None for mark in read] == [True, False, True, True]
    hands.press(Qt.Key.Key_R)
    assert hands.message == "Everything that is open has been read."
    assert len(hands.app.workspace.history()) == 4


def test_a_stack_is_signed_off_as_one_and_the_next_unread_comes(
    hands: Hands, phantom_folder: Path, pictures: Path
) -> None:
    hands.open(phantom_folder)
    hands.open(pictures)
    stack = hands.keys
    hands.go(4)
    hands.draw(BOX)
    hands.press(Qt.Key.Key_R)
    hands.shown()
    marks = [hands.app.workspace.annotations.on(k).reading for k in stack]
    assert [m.state if m else None for m in marks] == [
        ReadState.FINDINGS if i == 4 else ReadState.NO_FINDING for i in range(8)
    ]
    assert len(hands.app.workspace.history()) == 2
    assert hands.session.current_series is not None
    assert (hands.session.current_series.description, hands.at) == ("pictures", 0)
    hands.press(Qt.Key.Key_U)
    assert hands.at == 1


def test_a_box_drawn_while_the_slice_changes_never_lands_on_the_next(
    hands: Hands, phantom_folder: Path
) -> None:
    hands.open(phantom_folder)
    hands.go(1)
    hands.press(Qt.Key.Key_B)
    start, end = (hands.canvas.widget_point(*p).toPoint() for p in ((20, 20), (60, 60)))
    QTest.mousePress(hands.canvas, LEFT, pos=start)
    QTest.mouseMove(hands.canvas, end)
    QTest.keyClick(hands.canvas, Qt.Key.Key_Down)
    QTest.mouseRelease(hands.canvas, LEFT, pos=end)
    assert hands.at == 2
    assert list(hands.app.workspace.annotations.annotations()) == []


def test_thousands_of_slices_are_noted_in_the_background(hands: Hands, tmp_path: Path) -> None:
    refs = tuple(
        SliceRef(f"raster:{i:032x}#0", tmp_path / f"{i}.png", 0, 64, 64, "folder:x") for i in range(4000)
    )
    catalog = Catalog((Series("folder:x", "folder:x", "", "x", refs, is_stack=False),))
    hands.session._remember(catalog)
    hands.until(lambda: len(hands.app.workspace.known_slices()) == 4000)
