"""Bad input at the window: each gets a message that names it, the rest works on, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from core.model import Box
from core.store.workspace import Workspace
from gui.app import App
from gui.dialogs.lists import TableDialog
from gui.start_card import StartCard
from tests.core.imaging.files import dicom, plane, ramp, write_dicom
from tests.gui.conftest import MakeApp, write_picture
from tests.gui.fakes import FakeDetector
from tests.gui.hands import Hands

CTRL = Qt.KeyboardModifier.ControlModifier
BOX = Box(20, 24, 44, 52)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder; the workspace lies elsewhere."""
    made = tmp_path / "files"
    made.mkdir()
    return made


def drop_and_wait(hands: Hands, *paths: Path) -> None:
    with hands.qtbot.waitSignal(hands.session.said):
        hands.drop(paths)
    hands.qtbot.wait(20)


def test_an_empty_folder(hands: Hands, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    drop_and_wait(hands, empty)
    assert f"{empty}: no slice that can be shown was found there." in hands.message
    card = hands.window.findChild(StartCard)
    assert isinstance(card, StartCard)
    assert card.isVisible()
    assert any("Ctrl+O" in b.text() for b in card.findChildren(QPushButton))


def test_a_path_that_is_not_there(hands: Hands, tmp_path: Path) -> None:
    drop_and_wait(hands, tmp_path / "gone")
    assert "gone" in hands.message
    assert [s.path.name for s in hands.session.skipped] == ["gone"]


def write_bad_files(folder: Path) -> set[str]:
    """Files that cannot be shown; their names."""
    (folder / "text.dcm").write_text("no DICOM at all", encoding="utf-8")
    whole = write_dicom(folder / "cut.dcm", ramp(64, 64), **plane(9.0))
    whole.write_bytes(whole.read_bytes()[:300])
    bare = dicom(ramp(64, 64), **plane(8.0))
    del bare.PixelData
    bare.save_as(folder / "bare.dcm", enforce_file_format=True)
    (folder / "zero.png").touch()
    return {"text.dcm", "cut.dcm", "bare.dcm", "zero.png"}


def test_bad_files_among_good_ones(hands: Hands, folder: Path) -> None:
    bad = write_bad_files(folder)
    for i in range(3):
        write_dicom(folder / f"good{i}.dcm", ramp(64, 64) + i, **plane(float(i)))
    write_picture(folder / "good.png", 1)
    drop_and_wait(hands, folder)
    named = {s.path.name: s.reason for s in hands.session.skipped}
    assert named.keys() == bad
    assert all(named.values())
    hands.press_action("skipped")
    table = hands.dialog(TableDialog)
    assert isinstance(table, TableDialog)
    assert {(r[0], r[1]) for r in table.rows} == set(named.items())
    table.close()
    shown = 0
    for series in hands.session.series:
        for index, ref in enumerate(series.slices):
            hands.session.go_to(series.uid, index)
            if ref.path.name.startswith("good"):
                hands.shown()
                assert hands.canvas.scene().message == ""
                shown += 1
    assert shown == 4


def test_a_dicom_cut_short_in_its_pixels_says_so(hands: Hands, folder: Path) -> None:
    for i in range(3):
        file = write_dicom(folder / f"{i}.dcm", ramp(64, 64) + i, **plane(float(i)))
    file.write_bytes(file.read_bytes()[:-3000])
    drop_and_wait(hands, folder)
    (skipped,) = hands.session.skipped
    assert (skipped.path.name, "truncated DICOM" in skipped.reason) == ("2.dcm", True)
    assert "1 file left out" in hands.message
    assert len(hands.keys) == 2
    hands.go(0)
    assert hands.canvas.scene().message == ""


def test_odd_pictures_are_shown_and_worked_on(hands: Hands, folder: Path) -> None:
    Image.fromarray(np.full((1, 1), 7, np.uint8)).save(folder / "a-one.png")
    Image.fromarray(np.full((64, 64), 99, np.uint8)).save(folder / "b-flat.png")
    holes = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    holes[10:20] = np.nan
    holes[0, 0] = np.inf
    Image.fromarray(holes).save(folder / "c-holes.tif")
    Image.fromarray(np.full((64, 64), np.nan, np.float32)).save(folder / "d-nothing.tif")
    hands.open(folder)
    hands.detecting(FakeDetector(rows=(("glioma", 0.9, Box(0, 0, 1, 1)),)))
    # One without a single number has nothing to show, and that is said.
    (nothing,) = hands.session.skipped
    assert (nothing.path.name, "no finite pixel" in nothing.reason) == ("d-nothing.tif", True)
    assert len(hands.keys) == 3
    for index in range(3):
        hands.go(index)
        assert hands.canvas.scene().message == ""
        window = hands.canvas.scene().window
        assert np.isfinite([window.center, window.width]).all()
        assert window.width > 0
        for key in (Qt.Key.Key_0, Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_I):
            hands.press(key)
        hands.canvas.grab()
    hands.go(1)
    hands.draw(BOX)
    hands.detected()
    hands.until(lambda: not hands.app.runner.busy("thumbnails"))


def test_a_folder_without_permission_is_named(hands: Hands, folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir()
    write_picture(folder / "good.png", 1)
    closed.chmod(0)
    try:
        if any(True for _ in _try_list(closed)):
            pytest.skip("this user may read everything")
        drop_and_wait(hands, folder)
        assert [s.path.name for s in hands.session.skipped] == ["closed"]
        assert len(hands.keys) == 1
    finally:
        closed.chmod(0o700)


def _try_list(folder: Path) -> Iterator[bool]:
    try:
        list(folder.iterdir())
    except PermissionError:
        return
    yield True


@contextmanager
def full_disk(workspace: Workspace) -> Iterator[None]:
    """SQLite's own error at a page limit."""
    connection = workspace._database.connection
    with connection.begin():
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    yield
    with connection.begin():
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")


def test_a_full_disk_while_journalling(make_app: MakeApp, qtbot: QtBot, phantom_folder: Path) -> None:
    hands = Hands(make_app(), qtbot)
    hands.open(phantom_folder)
    hands.until(lambda: len(hands.app.workspace.known_slices()) == 8)
    with full_disk(hands.app.workspace):
        refused = draw_until_refused(hands)
        assert str(hands.app.workspace.path) in hands.message
        assert "the disk is full" in hands.message
        # Not on screen either, and nothing else of it is.
        assert len(hands.boxes()) == len(hands.session.record.annotations) == refused
        hands.press(Qt.Key.Key_Z, CTRL)  # refused or not: what is on screen is what is on disk
        assert len(hands.boxes()) == len(hands.session.record.annotations)
    later = hands.draw(Box(100, 100, 150, 150))
    assert later.id in {b.id for b in hands.boxes()}
    final = hands.app.workspace.annotations
    assert hands.app.workspace.verify().ok
    hands.window.close()
    again: App = make_app()
    assert again.workspace.annotations == final


def draw_until_refused(hands: Hands) -> int:
    """Draw until the journal takes no more; how many boxes it took."""
    for count in range(200):
        hands.press(Qt.Key.Key_B)
        hands.drag((20, 24), (44 + count % 7, 52))
        if len(hands.session.record.annotations) == count:
            return count
    raise AssertionError("the disk never got full")
