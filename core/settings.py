"""Settings as data: every option is one row; the file holds only what differs from the default."""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from core.errors import InputError

SETTINGS_FILE = "settings.toml"
"""Name of the user's file in `home()`."""

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Setting:
    """One option.

    Attributes:
        key: Name in the file, "group.name".
        default: Default; its type is the option's type.
        help: What it does, shown to people.
        low: Least value of a number.
        high: Greatest value of a number.
        choices: Allowed texts; empty for any.
    """

    key: str
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def checked(self, value: object) -> Value:
        """The value in the option's type.

        Raises:
            InputError: Wrong type, out of limits, or not among the choices.
        """
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise InputError(f"setting {self.key}: {value!r} is not a {kind.__name__}")
        assert isinstance(value, bool | int | float | str)
        if isinstance(value, int | float) and not isinstance(value, bool):
            low = self.low if self.low is not None else value
            high = self.high if self.high is not None else value
            if not low <= value <= high:
                raise InputError(f"setting {self.key}: {value} is outside {self.low} … {self.high}")
        if self.choices and value not in self.choices:
            raise InputError(f"setting {self.key}: {value!r} is not one of {', '.join(self.choices)}")
        return value


SETTINGS: tuple[Setting, ...] = (
    Setting("reader.name", "", "Name written into the journal; empty: the login name."),
    Setting("view.theme", "dark", "Colours of the window.", choices=("dark", "light")),
    Setting("view.scale", 1.0, "Size of text and controls, on top of the screen's own.", 1.0, 2.0),
    Setting(
        "view.window_up",
        "brighter",
        "What dragging the window upwards does (IHE BIR: darker, the centre rises).",
        choices=("brighter", "darker"),
    ),
    Setting("view.smooth", True, "Smooth enlarged pixels; else each is a plain square."),
    Setting("view.cine_fps", 10.0, "Slices a second in cine.", 1.0, 60.0),
    Setting(
        "view.cine_mode", "loop", "Cine begins anew at the end, or turns round.", choices=("loop", "sweep")
    ),
    Setting("view.linked", True, "Viewports scroll, zoom and point together."),
    Setting("view.hang", True, "Take up the layout last used with series of the same description."),
    Setting("cache.pixels_mb", 512, "Memory for decoded slices, in MiB.", 32, 16384),
    Setting(
        "cache.results_mb", 512, "Room on disk for what models said of slices, in MiB; 0: none.", 0, 65536
    ),
    Setting("engine.ahead", True, "Detect on the series ahead of the reader."),
    Setting(
        "engine.window_check",
        False,
        "Detect again under other grey levels when idle, and mark predictions that come and go.",
    ),
    Setting("engine.min_score", 0.3, "Predictions below this score are hidden.", 0.0, 1.0),
    Setting("engine.nms_iou", 0.4, "Overlap above which the weaker prediction is dropped.", 0.0, 1.0),
    Setting(
        "walk.order", "place", "How N goes over the predictions at first.", choices=("place", "certainty")
    ),
    Setting("walk.goes_on", True, "After a decision on a prediction that N led to, show the next one."),
    Setting("train.minutes", 10.0, "Time budget of a training run, in minutes.", 0.1, 1440.0),
)
_BY_KEY = {s.key: s for s in SETTINGS}


def home() -> Path:
    """Where Overread keeps models, settings and the default workspace (OVERREAD_HOME overrides)."""
    override = os.environ.get("OVERREAD_HOME")
    return Path(override) if override else Path(platformdirs.user_data_dir("overread", appauthor=False))


class Settings:
    """Current values: defaults overlaid with the user's file.

    Args:
        path: The TOML file; read if it exists, written on `set`.

    Raises:
        InputError: The file is not TOML or holds a value that is not allowed; it is left untouched.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._values: dict[str, Value] = {}
        if path is not None and path.exists():
            self._values = _read(path)

    def get(self, key: str) -> Value:
        """The value in force."""
        return self._values.get(key, _BY_KEY[key].default)

    def number(self, key: str) -> float:
        """The value of a numeric setting."""
        value = self.get(key)
        assert isinstance(value, int | float)
        return float(value)

    def text(self, key: str) -> str:
        """The value of a textual setting."""
        return str(self.get(key))

    def flag(self, key: str) -> bool:
        """The value of a yes/no setting."""
        return bool(self.get(key))

    def set(self, key: str, value: Value) -> None:
        """Change a value and write the file (atomically).

        Raises:
            InputError: The value is not allowed.
            OSError: The file cannot be written; the value is in force for this session.
        """
        row = _BY_KEY[key]
        self._values[key] = row.checked(value)
        if self._values[key] == row.default:
            del self._values[key]
        if self._path is not None:
            _write(self._path, self._values)


def reader_name(settings: Settings) -> str:
    """The name written into the journal: the setting, or the login name."""
    try:
        return settings.text("reader.name") or getpass.getuser()
    except (OSError, KeyError):  # no login name on this machine
        return "reader"


def _read(path: Path) -> dict[str, Value]:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as settings ({error}). Correct or remove it.") from error
    flat = {
        f"{group}.{name}": v
        for group, rows in tree.items()
        if isinstance(rows, Mapping)
        for name, v in rows.items()
    }
    try:
        return {key: _BY_KEY[key].checked(value) for key, value in flat.items() if key in _BY_KEY}
    except InputError as error:
        raise InputError(f"{path}: {error}. Correct or remove it.") from error


def _write(path: Path, values: Mapping[str, Value]) -> None:
    groups: dict[str, list[str]] = {}
    for key in sorted(values):
        group, name = key.split(".", 1)
        groups.setdefault(group, []).append(f"{name} = {_toml(values[key])}")
    text = "\n".join(f"[{group}]\n" + "\n".join(rows) + "\n" for group, rows in groups.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return repr(value)
