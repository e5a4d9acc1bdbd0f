"""Rows 101, 103 and 104 of the feature table: told apart without colour, scaling, names and visible focus."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAccessible, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QPushButton,
    QTabBar,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from core.settings import SETTINGS
from gui.dialogs.settings import SettingsDialog
from gui.viewer.scene import BoxKind
from tests.gui.hands import Hands
from tests.gui.viewer.scenes import grey, item, scene, show

ROOT = Path(__file__).resolve().parents[2]
CTRL = Qt.KeyboardModifier.ControlModifier
DIALOGS = ("export", "import", "skipped", "models", "keys", "change-keys", "settings", "palette", "schemas")


def name_of(widget: QWidget) -> str:
    """What a screen reader says of a widget."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""


def controls(top: QWidget) -> list[QWidget]:
    """Everything in a window that takes the keyboard or the mouse."""
    found = []
    for widget in top.findChildren(QWidget):
        if not widget.isVisible() or widget.objectName().startswith("qt_"):
            continue
        takes = widget.focusPolicy() is not Qt.FocusPolicy.NoFocus or isinstance(widget, QToolButton)
        # A spin box's own line, a list's own viewport and scroll areas speak through their owner.
        inner = isinstance(widget.parent(), QDoubleSpinBox | QComboBox) or isinstance(widget, QTabBar)
        if takes and not inner and "ScrollArea" not in type(widget).__name__:
            found.append(widget)
    return found


def levels(image: QImage) -> NDArray[np.uint8]:
    """Grey levels of a picture: what is left for a reader who sees no colour."""
    grey_image = image.convertToFormat(QImage.Format.Format_Grayscale8)
    raw = np.frombuffer(grey_image.constBits(), dtype=np.uint8)
    return raw.reshape(image.height(), -1)[:, : image.width()].copy()


def test_row_101_no_two_kinds_of_box_look_alike_without_colour(qtbot: QtBot) -> None:
    pictures = {}
    for kind in BoxKind:
        box = item((25, 25, 75, 75), kind, editable=False, text="")
        canvas = show(qtbot, scene([box], pixels=grey(value=300.0)))
        pictures[kind] = levels(canvas.grab().toImage()) > 128
    for a, b in combinations(pictures, 2):
        assert (pictures[a] != pictures[b]).sum() > 30, f"{a} looks like {b}"


@pytest.mark.parametrize("scale", ["1", "1.5", "2"])
def test_row_103_the_window_fits_a_small_screen_at_any_scale(scale: str, tmp_path: Path) -> None:
    """1920 × 1080 real pixels at 200 % are 960 × 540 of the window's own."""
    script = (
        "import sys; from pathlib import Path; from PySide6.QtWidgets import QApplication, QPushButton\n"
        "from gui.app import build\n"
        "qt = QApplication([]); app = build(qt, Path(sys.argv[1]) / 'w.overread')\n"
        "w = app.window; w.show(); w.resize(960, 540); qt.processEvents()\n"
        "shown = [b for b in w.findChildren(QPushButton) if b.isVisible()]\n"
        "cut = [b.text() for b in shown if b.width() < b.sizeHint().width()]\n"
        "print(w.devicePixelRatioF(), w.width(), w.height(), cut); w.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=ROOT,
        env={
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "QT_SCALE_FACTOR": scale,
            "OVERREAD_HOME": str(tmp_path / "home"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split(maxsplit=3)[:3] == [str(float(scale)), "960", "540"], done.stdout
    assert done.stdout.rstrip().endswith("[]"), done.stdout


def test_row_104_every_control_of_the_window_has_a_name(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.press(Qt.Key.Key_F5)
    nameless = [f"{type(w).__name__} {w.objectName()}" for w in controls(hands.window) if not name_of(w)]
    assert nameless == []


@pytest.mark.parametrize("name", DIALOGS)
def test_row_104_every_control_of_a_dialog_has_a_name(hands: Hands, phantom_folder: Path, name: str) -> None:
    hands.open(phantom_folder)
    hands.app.dialogs.show(name)
    hands.qtbot.wait(20)
    dialogs = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
    assert len(dialogs) == 1
    nameless = [f"{type(w).__name__} {w.objectName()}" for w in controls(dialogs[0]) if not name_of(w)]
    dialogs[0].close()
    assert nameless == []


def test_row_104_focus_is_seen_wherever_it_goes(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.window.activateWindow()
    hands.until(hands.window.isActiveWindow)
    unseen = []
    for widget in controls(hands.window):
        if not widget.focusPolicy() & Qt.FocusPolicy.TabFocus or not widget.isEnabled():
            continue
        hands.canvas.setFocus()
        if widget is hands.canvas:
            hands.window.statusBar().setFocus()
            hands.canvas.clearFocus()
        QApplication.processEvents()
        before = widget.grab().toImage()
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        if widget.hasFocus() and widget.grab().toImage() == before:
            unseen.append(f"{type(widget).__name__} {name_of(widget)!r}")
    assert unseen == []


def test_every_setting_is_in_the_form_and_is_kept(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.press(Qt.Key.Key_Comma, CTRL)
    form = hands.dialog(SettingsDialog)
    assert isinstance(form, SettingsDialog)
    assert set(form.editors) == {row.key for row in SETTINGS}
    smooth = form.editors["view.smooth"]
    assert isinstance(smooth, QCheckBox)
    QTest.mouseClick(
        smooth, Qt.MouseButton.LeftButton, pos=smooth.rect().center() - smooth.rect().center() / 2
    )
    smooth.setFocus()
    if smooth.isChecked():
        QTest.keyClick(smooth, Qt.Key.Key_Space)
    hands.qtbot.wait(10)
    assert not hands.canvas.scene().smooth
    up = form.editors["view.window_up"]
    assert isinstance(up, QComboBox)
    up.setFocus()
    QTest.keyClick(up, Qt.Key.Key_Down)
    hands.qtbot.wait(10)
    assert not hands.canvas.scene().up_brightens
    fps = form.editors["view.cine_fps"]
    assert isinstance(fps, QDoubleSpinBox)
    fps.setFocus()
    fps.selectAll()
    QTest.keyClicks(fps, "25")
    QTest.keyClick(fps, Qt.Key.Key_Tab)
    assert hands.window.page.cine.fps == 25
    form.close()
    assert hands.app.settings.flag("view.smooth") is False


def test_the_window_can_be_small(hands: Hands) -> None:
    smallest = hands.window.minimumSizeHint().boundedTo(QSize(4000, 4000))
    assert smallest.width() <= 960
    assert smallest.height() <= 540


def test_a_first_start_offers_three_ways_to_begin(hands: Hands) -> None:
    card = hands.window.page.start
    assert card.isVisible()
    buttons = {b.text().partition("    ")[0]: b for b in card.findChildren(QPushButton)}
    assert list(buttons) == ["Open folder…", "Open files…", "Open the demo study"]
    with hands.qtbot.waitSignal(hands.window.demo_wanted):
        hands.push(buttons["Open the demo study"])
    hands.until(lambda: hands.session.current_slice is not None, patience=90_000)  # it is made first
    hands.until(lambda: not card.isVisible())
