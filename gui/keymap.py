"""Which key runs which command: the table's defaults, a profile over them, the reader's changes over both."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeySequence

from core.errors import InputError
from gui.commands import Command
from gui.key_profiles import PROFILES, Keys, Profile, profile

KEYS_FILE = "keys.json"
"""Name of the reader's file in `core.settings.home()`."""

VERSION = 1


class KeyConflict(InputError):  # noqa: N818 - as the other errors
    """A key that is taken, or that cannot be one.

    Attributes:
        owner: Id of the command that has it, or "".
    """

    def __init__(self, message: str, owner: str = "") -> None:
        super().__init__(message)
        self.owner = owner


class Keymap(QObject):
    """The keys in force.

    Args:
        commands: The table of commands.
        path: The reader's file; read if it exists, written on every change. None: nothing is kept.

    Attributes:
        problem: Why the file could not be read, or "". The keys are then the default ones, and the file is
            put aside (".damaged") only when there is something to write.

    Signals:
        changed: Some command has other keys now.
    """

    changed = Signal()

    def __init__(self, commands: Iterable[Command], path: Path | None = None) -> None:
        super().__init__()
        self.commands = {c.id: c for c in commands}
        self._path = path
        self.problem = ""
        self._profile = ""
        self._changes: dict[str, Keys] = {}
        if path is not None and path.exists():
            try:
                self._profile, self._changes = _read(path)
            except InputError as error:
                self.problem = str(error)
        self._keys = self._in_force()

    @property
    def profile(self) -> Profile:
        """The profile in force."""
        return profile(self._profile)

    def keys(self, command_id: str) -> Keys:
        """The keys of a command, in Qt's portable form; the first is shown."""
        return self._keys.get(command_id, ())

    def text(self, command_id: str) -> str:
        """The keys of a command for people; "" for none."""
        return " · ".join(self.keys(command_id))

    def is_changed(self, command_id: str) -> bool:
        """Whether the reader has changed this command's keys."""
        return command_id in self._changes

    def owner(self, key: str) -> str:
        """Id of the command that a key runs, or ""."""
        return next((i for i, keys in self._keys.items() if key in keys), "")

    def use_profile(self, name: str) -> None:
        """Put a profile in force. The reader's own changes are taken back: they were made to the other one.

        Raises:
            OSError: The file cannot be written; the profile is in force for this session.
        """
        self._profile, self._changes = profile(name).name, {}
        self._take_effect()

    def bind(self, command_id: str, keys: Iterable[str]) -> None:
        """Give a command these keys and no others; none is allowed.

        Raises:
            KeyConflict: A key is taken by another command, or is none; nothing has changed.
            OSError: The file cannot be written; the keys are in force for this session.
        """
        command = self.commands[command_id]
        wanted = tuple(dict.fromkeys(normal(key) for key in keys))
        for key in wanted:
            owner = self.owner(key)
            if owner not in {"", command_id}:
                title = self.commands[owner].title.rstrip("…")
                raise KeyConflict(
                    f"{key} is taken by “{title}”. Give that one another key first, or choose another.", owner
                )
            if command.held is not None and "+" in key[:-1]:
                raise KeyConflict(f"{key}: a key that is held down cannot have Ctrl, Shift or Alt with it.")
        self._changes[command_id] = wanted
        if wanted == self._without_changes().get(command_id):
            del self._changes[command_id]
        self._take_effect()

    def reset(self, command_id: str) -> None:
        """Give a command its profile's keys again.

        Raises:
            KeyConflict: One of them is another command's by now.
            OSError: The file cannot be written.
        """
        wanted = self._wish(command_id)
        self.bind(command_id, wanted)

    def _wish(self, command_id: str) -> Keys:
        return self.profile.keys.get(command_id, self.commands[command_id].keys)

    def _without_changes(self) -> dict[str, Keys]:
        return in_profile(self.commands.values(), self.profile)

    def _in_force(self) -> dict[str, Keys]:
        changes = {i: keys for i, keys in self._changes.items() if i in self.commands}
        taken = {key for keys in changes.values() for key in keys}
        base = self._without_changes()
        return {i: changes[i] if i in changes else _left(base[i], taken) for i in self.commands}

    def _take_effect(self) -> None:
        self._keys = self._in_force()
        self.changed.emit()
        if self._path is not None:
            if self.problem:
                os.replace(self._path, self._path.with_suffix(".damaged"))
                self.problem = ""
            _write(self._path, self._profile, self._changes)


def normal(key: str) -> str:
    """A key in Qt's portable form.

    Raises:
        KeyConflict: It is no key, or several in a row.
    """
    sequence = QKeySequence(key)
    text = sequence.toString(QKeySequence.SequenceFormat.PortableText)
    if sequence.count() != 1 or not text:
        raise KeyConflict(f"{key!r} is not a key. Press one, with or without Ctrl, Shift or Alt.")
    return text


def key_of(text: str) -> Qt.Key:
    """The key of a portable text, without its modifiers."""
    return QKeySequence(text)[0].key()  # type: ignore[no-any-return, index]  # the stubs lack the index


def in_profile(commands: Iterable[Command], chosen: Profile) -> dict[str, Keys]:
    """Keys by command id in a profile: its own first, then the defaults that nobody of it has taken."""
    rows = list(commands)
    own = {c.id: tuple(normal(k) for k in chosen.keys[c.id]) for c in rows if c.id in chosen.keys}
    taken = {key for keys in own.values() for key in keys}
    return {c.id: own.get(c.id, _left(tuple(normal(k) for k in c.keys), taken)) for c in rows}


def _left(keys: Keys, taken: set[str]) -> Keys:
    return tuple(k for k in keys if k not in taken)


def _read(path: Path) -> tuple[str, dict[str, Keys]]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        changed = {str(i): tuple(normal(str(k)) for k in keys) for i, keys in tree["changed"].items()}
        return str(tree["profile"]), changed
    except (OSError, ValueError, KeyError, TypeError, AttributeError, KeyConflict) as error:
        raise InputError(f"{path}: cannot be read as keys ({error}). Correct or remove it.") from error


def _write(path: Path, name: str, changes: Mapping[str, Keys]) -> None:
    tree = {"version": VERSION, "profile": name, "changed": {i: list(keys) for i, keys in changes.items()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(tree, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def key_table(commands: Iterable[Command]) -> str:
    """The keys of every profile as a Markdown table; docs/keys.md holds this text, kept current by a test."""
    rows = list(commands)
    maps = [(p, in_profile(rows, p)) for p in PROFILES]
    titles = " | ".join(p.title for p in PROFILES)
    lines = [f"| command | {titles} | what it does |", "|---" * (len(PROFILES) + 2) + "|"]
    for c in rows:
        held = " (held)" if c.held is not None else ""
        cells = " | ".join(" · ".join(f"{k}{held}" for k in keys[c.id]) for _, keys in maps)
        if cells.strip(" |"):
            lines.append(f"| {c.title.rstrip('…')} | {cells} | {c.help} |")
    return "\n".join(lines) + "\n"
