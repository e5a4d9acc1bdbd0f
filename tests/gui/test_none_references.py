"""Qt calls that return None must not release it: PySide6 6.12.0 did on Python 3.11 (docs/adr/0005)."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_none_is_not_released_too_often(qtbot: QtBot) -> None:
    label = QLabel()
    qtbot.addWidget(label)
    thing = QObject()
    before = sys.getrefcount(None)
    for i in range(1000):
        label.setText(str(i))
        label.update()
        thing.setObjectName(str(i))
    assert abs(sys.getrefcount(None) - before) < 50
