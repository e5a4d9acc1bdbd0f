"""Rows 98 and 99 of the feature table: every key editable, conflicts refused, profiles, live key sheet."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gui.command_table import COMMANDS
from gui.dialogs.key_editor import KeyEditor
from gui.dialogs.lists import TableDialog
from gui.dialogs.palette import Palette, fit
from gui.fuzzy import score
from gui.key_profiles import PROFILES
from gui.keymap import KEYS_FILE, KeyConflict, Keymap, in_profile
from tests.gui.conftest import MakeApp
from tests.gui.hands import Hands

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
IDS = {c.id for c in COMMANDS}


def editor(hands: Hands) -> KeyEditor:
    hands.press(Qt.Key.Key_F1, SHIFT)
    dialog = hands.dialog(KeyEditor)
    assert isinstance(dialog, KeyEditor)
    return dialog


def rebind(dialog: KeyEditor, hands: Hands, command: str, key: Qt.Key) -> None:
    dialog.choose(command)
    dialog.key.setFocus()
    QTest.keyClick(dialog.key, key)
    hands.push(dialog.use)


def test_row_98_a_key_is_changed_in_the_editor_and_works_at_once(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    dialog = editor(hands)
    rebind(dialog, hands, "next-slice", Qt.Key.Key_J)
    dialog.close()
    hands.press(Qt.Key.Key_J)
    assert hands.at == 1
    hands.press(Qt.Key.Key_Down)
    assert hands.at == 1


def test_row_98_a_taken_key_is_refused_and_nothing_changes(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    dialog = editor(hands)
    before = {i: hands.window.keymap.keys(i) for i in IDS}
    rebind(dialog, hands, "next-slice", Qt.Key.Key_I)
    assert "I is taken by “Invert”" in dialog.message.text()
    assert {i: hands.window.keymap.keys(i) for i in IDS} == before
    dialog.close()
    hands.press(Qt.Key.Key_I)
    assert hands.canvas.scene().inverted
    assert hands.at == 0


def test_row_98_keys_are_kept_over_a_restart(
    make_app: MakeApp, qtbot: QtBot, phantom_folder: Path, tmp_path: Path
) -> None:
    hands = Hands(make_app(), qtbot)
    dialog = editor(hands)
    dialog.profiles.setFocus()
    QTest.keyClicks(dialog.profiles, "CVAT")
    assert hands.window.keymap.profile.name == "cvat"
    rebind(dialog, hands, "last-slice", Qt.Key.Key_F9)
    dialog.close()
    hands.window.close()
    again = Hands(make_app(), qtbot)
    again.open(phantom_folder)
    again.press(Qt.Key.Key_F)
    assert again.at == 1
    again.press(Qt.Key.Key_F9)
    assert again.at == len(again.keys) - 1
    again.press(Qt.Key.Key_D)
    assert again.at == len(again.keys) - 2


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.name)
def test_row_98_no_profile_conflicts_or_forgets(profile: object) -> None:
    from gui.key_profiles import Profile

    assert isinstance(profile, Profile)
    keys = in_profile(COMMANDS, profile)
    used = [k for row in keys.values() for k in row]
    assert len(used) == len(set(used))
    assert set(profile.keys) <= IDS, set(profile.keys) - IDS
    # What the product's grammar names must be on some key in every profile.
    for needed in ("next-slice", "previous-slice", "tool-box", "accept", "reject", "undo", "redo", "delete"):
        assert keys[needed], f"{profile.name}: {needed} has no key"


def test_row_98_the_held_key_can_be_another(hands: Hands, phantom_folder: Path) -> None:
    hands.open(phantom_folder)
    hands.window.keymap.bind("hide-boxes", ["F9"])
    hands.canvas.setFocus()
    QTest.keyPress(hands.canvas, Qt.Key.Key_H)
    assert not hands.canvas.boxes_hidden()
    QTest.keyRelease(hands.canvas, Qt.Key.Key_H)
    QTest.keyPress(hands.canvas, Qt.Key.Key_F9)
    assert hands.canvas.boxes_hidden()
    QTest.keyRelease(hands.canvas, Qt.Key.Key_F9)
    assert not hands.canvas.boxes_hidden()


def test_row_98_a_damaged_file_of_keys_costs_the_keys_not_the_session(
    make_app: MakeApp, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERREAD_HOME", str(tmp_path / "home"))
    path = tmp_path / "home" / KEYS_FILE
    path.parent.mkdir(parents=True)
    path.write_text("{not json")
    hands = Hands(make_app(), qtbot)
    assert str(path) in hands.message
    hands.window.keymap.bind("fit", ["F9"])
    assert path.with_suffix(".damaged").read_text() == "{not json"
    assert Keymap(COMMANDS, path).keys("fit") == ("F9",)


def test_row_99_the_key_sheet_shows_the_keys_in_force(hands: Hands) -> None:
    hands.window.keymap.use_profile("labelme")
    hands.window.keymap.bind("fit", ["F9"])
    hands.press(Qt.Key.Key_F1)
    sheet = hands.dialog(TableDialog)
    assert isinstance(sheet, TableDialog)
    rows = {row[1]: row[0] for row in sheet.rows if row[1]}
    assert rows["Fit"] == "F9"
    assert rows["Next slice"] == "D · Down"
    listed = {key.removesuffix(" (held)") for row in sheet.rows for key in row[0].split(" · ")}
    assert {k for i in IDS for k in hands.window.keymap.keys(i)} <= listed
    sheet.close()


def test_a_binding_is_refused_whole() -> None:
    keymap = Keymap(COMMANDS)
    with pytest.raises(KeyConflict, match="Invert"):
        keymap.bind("fit", ["F9", "I"])
    assert keymap.keys("fit") == ("=",)
    with pytest.raises(KeyConflict, match="not a key"):
        keymap.bind("fit", ["A, B"])
    with pytest.raises(KeyConflict, match="held"):
        keymap.bind("hide-boxes", ["Ctrl+F9"])
    keymap.bind("invert", [])
    keymap.bind("fit", ["I"])
    with pytest.raises(KeyConflict, match="Fit"):
        keymap.reset("invert")
    keymap.reset("fit")
    keymap.reset("invert")
    assert (keymap.keys("fit"), keymap.keys("invert")) == (("=",), ("I",))


def test_the_palette_finds_any_command_by_letters_in_order(hands: Hands, pictures: Path) -> None:
    hands.open(pictures)
    hands.press(Qt.Key.Key_K, CTRL)
    palette = hands.dialog(Palette)
    assert isinstance(palette, Palette)
    QTest.keyClicks(palette.query, "awin")
    assert "Auto window" in palette.results.item(0).text()
    palette.query.clear()
    QTest.keyClicks(palette.query, "zzqq")
    assert palette.results.count() == 0
    assert "No command fits" in palette.help.text()
    QTest.keyClick(palette.query, Qt.Key.Key_Return)
    assert palette.isVisible()
    palette.close()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.id)
def test_a_title_typed_whole_finds_its_command_first(command: object) -> None:
    from gui.commands import Command

    assert isinstance(command, Command)
    mine = fit(command.title, command)
    assert mine is not None
    better = [c.id for c in COMMANDS if (fit(command.title, c) or 0) > mine]
    assert better == []


@given(st.text(alphabet="abc ", min_size=1, max_size=6), st.text(alphabet="abcd ", max_size=12))
def test_a_query_fits_exactly_where_its_words_are_subsequences(query: str, text: str) -> None:
    def within(word: str) -> bool:
        letters = iter(text)
        return all(letter in letters for letter in word)

    assert (score(query, text) is not None) == all(within(w) for w in query.split())
