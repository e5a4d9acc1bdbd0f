"""What a command is; the commands themselves are the rows in gui/command_rows, in order in gui/command_table.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from gui.actions import Desk


class WindowPort(Protocol):
    """What commands ask of the window: dialogs and matters of the canvas."""

    def ask_open_folder(self) -> None:
        """Let the reader choose a folder to open."""

    def ask_open_files(self) -> None:
        """Let the reader choose files to open."""

    def open_demo(self) -> None:
        """Open the phantom study."""

    def show_dialog(self, name: str) -> None:
        """Open "export", "import", "skipped", "models", "training", "keys", "palette" or "about"."""

    def ask_rejection(self) -> None:
        """Let the reader give a reason, then reject."""

    def ask_new_class(self) -> None:
        """Let the reader name a new class."""

    def use_tool(self, name: str) -> None:
        """Put a tool in the hand: "select" or "box"."""

    def tool(self) -> str:
        """The tool in the hand."""

    def fit(self) -> None:
        """Fit the slice to the viewer."""

    def zoom(self, factor: float) -> None:
        """Zoom about the middle of the viewer."""

    def cycle_corners(self) -> None:
        """Corner text: all, minimal, none."""

    def toggle_theme(self) -> None:
        """Dark or light."""

    def close(self) -> bool:
        """Close the window."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a command runs on."""

    desk: Desk
    window: WindowPort


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a person can ask for.

    Attributes:
        id: Stable name.
        title: As in the menu.
        menu: The menu it is in.
        run: What it does.
        keys: Shortcuts, in Qt's portable form; the first is shown.
        icon: Name of an icon in resources/icons, or "".
        help: One sentence for key sheet and docs.
        checked: For toggles: whether it is on.
        needs: What must be there for it to be enabled: "", "slice" or "selection".
    """

    id: str
    title: str
    menu: str
    run: Callable[[Context], None]
    keys: tuple[str, ...] = ()
    icon: str = ""
    help: str = ""
    checked: Callable[[Context], bool] | None = None
    needs: str = ""


HELD_KEYS: tuple[tuple[str, str], ...] = (("H (held)", "Hide every box while the key is down."),)
"""Keys that act while they are down; they are not commands."""

GESTURES: tuple[tuple[str, str], ...] = (
    ("Wheel", "Scroll through the slices."),
    ("Left drag", "Window: right is wider, up is brighter or darker; on a box: move; on a handle: resize."),
    ("Middle drag", "Pan."),
    ("Right drag, Ctrl+wheel", "Zoom."),
    ("Double click on a prediction", "Accept it."),
)


def enabled(command: Command, context: Context) -> bool:
    """Whether a command can be run now."""
    session = context.desk.session
    if command.needs == "slice":
        return session.current_slice is not None
    if command.needs == "selection":
        return bool(session.selected)
    return True


def key_table(commands: Iterable[Command]) -> str:
    """The keys as a Markdown table; docs/keys.md is this text, kept current by a test."""
    rows = ["| key | command | what it does |", "|---|---|---|"]
    rows += [f"| {' · '.join(c.keys)} | {c.title.rstrip('…')} | {c.help} |" for c in commands if c.keys]
    rows += [f"| {key} | | {text} |" for key, text in (*HELD_KEYS, *GESTURES)]
    return "\n".join(rows) + "\n"
