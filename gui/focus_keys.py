"""Which keys belong to the widget in focus although they are shortcuts of the window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from gui.viewer.canvas import Canvas

Key = Qt.Key
TEXT = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox)
TAB = {Key.Key_Tab, Key.Key_Backtab}
MOVES = {Key.Key_Up, Key.Key_Down, Key.Key_PageUp, Key.Key_PageDown, Key.Key_Home, Key.Key_End}
PLAIN = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.KeypadModifier,
)


def keeps_key(widget: QWidget | None, event: QKeyEvent) -> bool:
    """Whether a key goes to the widget and not to a shortcut.

    What is typed into a field stays there, Space presses a button, arrows move a slider, and Tab, which at
    the slice goes to the next box, moves the focus everywhere else.
    """
    if event.modifiers() not in PLAIN or widget is None:
        return False
    key = event.key()
    if isinstance(widget, TEXT):
        return not Key.Key_F1 <= key <= Key.Key_F35
    if isinstance(widget, QAbstractButton) and key == Key.Key_Space:
        return True
    if isinstance(widget, QAbstractSlider | QComboBox) and key in MOVES:
        return True
    return key in TAB and not isinstance(widget, Canvas)
