"""The table of commands: one row feeds menu, shortcut, palette, key sheet and the generated docs.

The rows stand in gui/command_rows, one file a menu; here is their order.
"""

from __future__ import annotations

from gui.command_rows import boxes, edit, engine, files, go, helping, looking, reading, view
from gui.commands import Command

COMMANDS: tuple[Command, ...] = (
    *files.ROWS,
    *edit.ROWS,
    *boxes.ROWS,
    *go.ROWS,
    *view.ROWS,
    *looking.ROWS,
    *reading.ROWS,
    *engine.ROWS,
    *helping.ROWS,
)
