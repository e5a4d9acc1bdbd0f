"""The tags of the slice in view, in the running window."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui.dialogs.tags import TagsDialog
from tests.core.imaging.files import item, plane, ramp, write_dicom
from tests.gui.hands import Hands

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "series"
    folder.mkdir()
    for z in range(3):
        region = [item(CodeMeaning="Brain", CodeValue="T-A0100")]
        rows = plane(5 * z, InstanceNumber=z + 1, ProtocolName=f"t1 at {z}", AnatomicRegionSequence=region)
        write_dicom(folder / f"{z}", ramp(40, 48), **rows)
    return folder


def tags_dialog(hands: Hands) -> TagsDialog:
    hands.press_action("tags")
    dialog = hands.dialog(TagsDialog)
    assert isinstance(dialog, TagsDialog)
    return dialog


def texts(dialog: TagsDialog, parent: QModelIndex | None = None) -> list[str]:
    """Name and value of every row shown."""
    model = dialog.tree.model()
    above = parent or QModelIndex()
    found: list[str] = []
    for row in range(model.rowCount(above)):
        first = model.index(row, 0, above)
        cells = [str(first.siblingAtColumn(c).data() or "") for c in range(4)]
        found += [" ".join(filter(None, cells)), *texts(dialog, first)]
    return found


def test_it_follows_the_slice_and_finds_what_is_typed(hands: Hands, series: Path) -> None:
    hands.open(series)
    hands.shown()
    dialog = tags_dialog(hands)
    hands.until(lambda: "(0018,1030) Protocol Name LO t1 at 0" in texts(dialog))
    assert "Slice 1:" in dialog.note.text()
    QTest.keyClicks(dialog.search, "code brain")
    assert texts(dialog) == [
        "(0008,2218) Anatomic Region Sequence SQ 1 item",
        "Item 1 of 1",
        "(0008,0104) Code Meaning LO Brain",
    ]
    dialog.search.clear()
    QTest.keyClicks(dialog.search, "protocol")
    assert texts(dialog) == ["(0018,1030) Protocol Name LO t1 at 0"]
    hands.press_action("next-slice")
    hands.until(lambda: texts(dialog) == ["(0018,1030) Protocol Name LO t1 at 1"])
    assert "Slice 2:" in dialog.note.text()
    QTest.keyClick(dialog.tree, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text() == "(0018,1030)\tProtocol Name\tLO\tt1 at 1"
    dialog.close()


def test_only_one_is_open_and_it_names_nobody(hands: Hands, series: Path) -> None:
    hands.open(series)
    hands.shown()
    dialog = tags_dialog(hands)
    assert tags_dialog(hands) is dialog
    assert dialog.windowTitle() == "Tags"
    QTest.keyClick(dialog.search, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    hands.press_action("next-slice")
    hands.shown()
