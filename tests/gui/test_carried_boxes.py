"""Rows 29 to 32, and findings merged and split: what the screen, the panel and the journal then hold."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import Phantom
from core.model import Annotation, Box, OriginKind
from core.review.readings import next_unread
from gui.panels.box_fields import BoxFields
from gui.panels.findings import FindingsPanel
from gui.viewer.scene import BoxKind
from tests.gui.conftest import MakeApp
from tests.gui.hands import Hands

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
Key = Qt.Key
BOX, FAR = Box(20, 24, 44, 52), Box(120, 120, 150, 140)


def on(hands: Hands, index: int) -> tuple[Annotation, ...]:
    return hands.app.workspace.annotations.on(hands.keys[index]).annotations


def fields_of(hands: Hands) -> BoxFields:
    found = hands.window.findChild(BoxFields)
    assert found is not None
    return found


def places(hands: Hands) -> list[str]:
    """First column of the findings panel: which lesion, on which slices."""
    panel = hands.window.findChild(FindingsPanel)
    assert panel is not None
    panel.refresh()
    hands.qtbot.wait(60)
    hands.until(lambda: not hands.app.runner.busy("link"))
    return [item.place for item in panel.model.items]


def choose(hands: Hands, name: str, key: Qt.Key = Key.Key_1) -> None:
    """Pick a line of a menu that is open, from the keyboard."""
    menu = hands.window.findChild(QMenu, name)
    assert menu is not None
    QTest.keyClick(menu, key)
    hands.qtbot.wait(5)


def test_row_29_certainty_comment_and_numbers_are_typed_in_journal_and_come_back(
    make_app: MakeApp, qtbot: QtBot, pictures: Path
) -> None:
    hands = Hands(make_app(), qtbot)
    hands.open(pictures)
    hands.draw(BOX)
    hands.press(Key.Key_4, ALT)
    fields = fields_of(hands)
    certainty, comment = fields.fields["certainty"], fields.fields["comment"]
    assert isinstance(certainty, QComboBox)
    assert certainty.currentText() == "4 of 5"
    hands.press(Key.Key_F2)
    assert fields.edges[0].hasFocus()
    QTest.keyClicks(fields.edges[0], "12.25")
    QTest.keyClick(fields.edges[0], Key.Key_Return)
    assert isinstance(comment, QLineEdit)
    comment.setFocus()
    QTest.keyClicks(comment, "ring, thick")
    QTest.keyClick(comment, Key.Key_Return)
    (box,) = hands.session.record.annotations
    assert box.attributes == (("certainty", 4), ("comment", "ring, thick"))
    assert box.box.x1 == 12.25
    hands.until(lambda: hands.boxes()[0].box == box.box)
    assert [e.action for e in hands.app.workspace.history()] == ["attribute", "resize", "attribute", "create"]
    hands.window.close()
    again = Hands(make_app(), qtbot)
    again.open(pictures)
    assert again.session.record.annotations == (box,)
    again.press(Key.Key_Tab)
    line = fields_of(again).fields["comment"]
    assert isinstance(line, QLineEdit)
    assert line.text() == "ring, thick"
    again.press(Key.Key_Z, CTRL)
    assert line.text() == ""


def test_numbers_that_are_no_box_are_refused_and_shown_as_they_were(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    drawn = hands.draw(BOX)
    right = fields_of(hands).edges[2]
    right.setFocus()
    right.selectAll()
    QTest.keyClicks(right, "5")
    QTest.keyClick(right, Key.Key_Return)
    assert "is no box on this slice" in hands.message
    assert hands.session.record.annotations == (drawn,)
    assert right.value() == pytest.approx(drawn.box.x2, abs=0.01)


def test_row_30_a_copy_on_the_next_slice_is_marked_until_kept(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    drawn = hands.draw(BOX)
    hands.press(Key.Key_Down, CTRL)
    hands.shown()
    assert hands.at == 1
    (copy,) = on(hands, 1)
    assert (copy.box, copy.label_id, copy.origin.kind) == (drawn.box, drawn.label_id, OriginKind.COPIED)
    assert copy.origin.source == drawn.id
    hands.shows(BoxKind.INTERPOLATED, 1)
    hands.press(Key.Key_Return)
    hands.shows(BoxKind.ACCEPTED, 1)
    assert on(hands, 1)[0].checked
    assert [e.action for e in hands.app.workspace.history()] == ["check", "copy", "create"]
    hands.press(Key.Key_Up, CTRL)
    assert "there twice" in hands.message  # the first box lies there already
    assert len(on(hands, 0)) == 2


def test_row_30_interpolated_boxes_are_one_edit_and_stop_the_sign_off_until_checked(
    hands: Hands, phantom_folder: Path
) -> None:
    hands.open(phantom_folder)
    first = hands.draw(BOX)
    hands.go(4)
    last = hands.draw(BOX.moved(8, 4))
    hands.press(Key.Key_B, CTRL)
    made = [on(hands, i)[0] for i in (1, 2, 3)]
    assert [m.checked for m in made] == [False] * 3
    assert made[1].box.x1 == pytest.approx((first.box.x1 + last.box.x1) / 2)
    assert len(hands.app.workspace.history()) == 3
    assert places(hands) == ["1 · 1–5"]
    hands.press(Key.Key_R)
    assert "3 boxes are computed and not checked" in hands.message
    assert hands.at == 1
    hands.shows(BoxKind.INTERPOLATED, 1)
    hands.press(Key.Key_Return)
    assert hands.at == 2
    hands.press(Key.Key_Right)  # who changes a box has looked at it
    hands.press(Key.Key_R)
    assert "1 box is computed and not checked" in hands.message
    hands.press(Key.Key_Return)
    assert all(on(hands, i)[0].checked for i in range(5))
    hands.press(Key.Key_R)
    assert next_unread(hands.session.series, hands.app.workspace.annotations, "", 0) is None
    for _ in range(5):
        hands.press(Key.Key_Z, CTRL)
    assert [len(on(hands, i)) for i in range(5)] == [1, 0, 0, 0, 1]


def test_nothing_is_interpolated_where_there_is_no_gap(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.draw(BOX)
    hands.press(Key.Key_B, CTRL)
    assert "Nothing to interpolate" in hands.message
    assert len(hands.app.workspace.history()) == 1


@pytest.fixture
def two_series(phantom: Phantom, tmp_path: Path) -> Path:
    """The phantom, and a second sequence of the same head with pixels half as large."""
    for file in write_phantom_dicom(phantom, tmp_path / "both" / "a"):
        header = pydicom.dcmread(file)
        header.SeriesInstanceUID += ".2"
        header.SOPInstanceUID += ".2"
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        header.SeriesDescription = "finer"
        header.PixelSpacing = [v / 2 for v in header.PixelSpacing]
        other = tmp_path / "both" / "b" / file.name
        other.parent.mkdir(exist_ok=True)
        header.save_as(other)
    return tmp_path / "both"


def test_row_31_a_box_is_projected_to_a_series_of_the_same_frame_of_reference(
    hands: Hands, two_series: Path
) -> None:
    hands.open(two_series)
    finer = next(s for s in hands.session.series if "finer" in s.description)
    coarse = next(s for s in hands.session.series if s is not finer)
    hands.session.go_to(coarse.uid, 3)
    hands.shown()
    drawn = hands.draw(BOX)
    hands.press(Key.Key_P, CTRL | SHIFT)
    choose(hands, "project-series")
    hands.shown()
    assert hands.session.current_series is finer
    assert hands.at == 3
    (there,) = on(hands, 3)
    # The first pixel's centre is the same point of the head; from it everything is twice as many pixels.
    assert there.box.as_tuple() == pytest.approx([2 * v - 0.5 for v in drawn.box.as_tuple()])
    assert (there.origin.kind, there.checked) == (OriginKind.PROJECTED, False)
    hands.shows(BoxKind.INTERPOLATED, 1)
    assert hands.app.workspace.history()[0].text == "project tumour box"


def test_row_32_a_box_drawn_twice_is_flagged_at_once_and_on_the_slice(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.draw(BOX)
    hands.draw(BOX)
    assert "covers another tumour box" in hands.message
    hands.until(lambda: "1 box is there twice" in hands.canvas.scene().badges)
    hands.press(Key.Key_2, CTRL)
    hands.until(lambda: "1 box is there twice" not in hands.canvas.scene().badges)


def test_findings_are_merged_and_split_as_the_reader_says(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.draw(BOX)
    hands.go(6)
    hands.draw(FAR)
    assert places(hands) == ["1 · 1", "2 · 7"]
    hands.press(Key.Key_G, CTRL)
    choose(hands, "merge-findings")
    assert places(hands) == ["1 · 1–7"]
    panel = hands.window.findChild(FindingsPanel)
    assert panel is not None
    assert "ml, estimated from its boxes" in panel.model.items[0].tip
    assert hands.app.workspace.history()[0].text == "merge findings"
    hands.press(Key.Key_G, CTRL | SHIFT)
    assert places(hands) == ["1 · 1", "2 · 7"]
    hands.press(Key.Key_Z, CTRL)
    hands.press(Key.Key_Z, CTRL)
    assert {a.finding for a in hands.app.workspace.annotations.annotations()} == {""}
    assert places(hands) == ["1 · 1", "2 · 7"]
