"""Menu Help: palette, keys, about."""

from __future__ import annotations

from gui.command_rows.running import dialog
from gui.commands import Command

ROWS: tuple[Command, ...] = (
    Command(
        "palette",
        "Command palette…",
        "Help",
        dialog("palette"),
        ("Ctrl+K",),
        "search",
        "Find any command by its name.",
    ),
    Command("keys", "Keys", "Help", dialog("keys"), ("F1",), help="This list."),
    Command("about", "About Overread", "Help", dialog("about"), help="What it is, and what it is not."),
)
