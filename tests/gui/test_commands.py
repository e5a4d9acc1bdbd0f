"""The table of commands: whole, without conflicts, and what the docs say."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path

from PySide6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from gui.app import App
from gui.command_table import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


def test_ids_and_keys_are_unique() -> None:
    assert max(Counter(c.id for c in COMMANDS).values()) == 1
    keys = Counter(QKeySequence(k).toString() for c in COMMANDS for k in c.keys)
    assert "" not in keys
    assert max(keys.values()) == 1


def test_every_row_explains_itself() -> None:
    assert [c.id for c in COMMANDS if not c.help or not c.title] == []


def test_every_icon_is_there() -> None:
    icons = {p.stem for p in (ROOT / "resources" / "icons").glob("*.svg")}
    assert {c.icon for c in COMMANDS if c.icon} <= icons


def test_the_window_has_an_action_for_every_row(app: App, qtbot: QtBot) -> None:
    assert set(app.window.actions_by_id) == {c.id for c in COMMANDS}
    for c in COMMANDS:
        shortcuts = [s.toString() for s in app.window.actions_by_id[c.id].shortcuts()]
        assert shortcuts == ([] if c.held else [QKeySequence(k).toString() for k in c.keys]), c.id


def test_the_generated_docs_are_current() -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run make docs"
