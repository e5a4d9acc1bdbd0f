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
    Command(
        "change-keys",
        "Change keys…",
        "Help",
        dialog("change-keys"),
        ("Shift+F1",),
        help="Give any command another key, or take the keys of OHIF, Weasis, CVAT or labelme.",
    ),
    Command("about", "About Overread", "Help", dialog("about"), help="What it is, and what it is not."),
)
