"""Menu Edit: boxes, classes, undo."""

from __future__ import annotations

from gui import actions
from gui.commands import Command


def _class(number: int) -> Command:
    return Command(
        f"class-{number}",
        f"Class {number}",
        "Edit/Class",
        lambda c: actions.classify_by_key(c.desk, number),
        (f"Ctrl+{number}",),
        help=f"Give the selected box class {number}, or draw the next boxes in it.",
        needs="slice",
    )


ROWS: tuple[Command, ...] = (
    Command(
        "undo",
        "Undo",
        "Edit",
        lambda c: c.desk.session.undo(),
        ("Ctrl+Z",),
        "undo",
        "Take the last edit back; reaches over AI runs and restarts.",
    ),
    Command(
        "redo",
        "Redo",
        "Edit",
        lambda c: c.desk.session.redo(),
        ("Ctrl+Shift+Z", "Ctrl+Y"),
        "redo",
        "Do the last undone edit again.",
    ),
    Command(
        "tool-box",
        "Draw a box",
        "Edit",
        lambda c: c.window.use_tool("box"),
        ("B",),
        "box",
        "Draw by drag, or by two clicks; Esc cancels.",
        checked=lambda c: c.window.tool() == "box",
        needs="slice",
    ),
    Command(
        "tool-select",
        "Select tool",
        "Edit",
        lambda c: c.window.use_tool("select"),
        ("V",),
        "select",
        "Drag moves or resizes the selected box; elsewhere it windows.",
        checked=lambda c: c.window.tool() == "select",
    ),
    Command(
        "tool-snap",
        "Snap tool",
        "Edit",
        lambda c: c.window.use_tool("snap"),
        ("Shift+S",),
        "snap",
        "Shows the best proposal at the cursor; click or Enter makes it a box, wheel or [ ] shows another.",
        checked=lambda c: c.window.tool() == "snap",
        needs="slice",
    ),
    Command(
        "snap",
        "Snap while held",
        "Edit",
        lambda c: c.window.use_tool("snap"),
        ("S",),
        help="The snap tool while the key is down; from the menu until another tool is chosen.",
        needs="slice",
        held=lambda c, down: c.window.page.snapper.hold(down),
    ),
    Command(
        "accept",
        "Accept prediction",
        "Edit",
        lambda c: actions.accept_selected(c.desk),
        ("Return", "Enter"),
        "accept",
        "Make a box of the selected (or best) prediction.",
        needs="slice",
    ),
    Command(
        "reject",
        "Reject prediction…",
        "Edit",
        lambda c: c.window.ask_rejection(),
        ("X",),
        "reject",
        "Judge the selected (or best) prediction wrong, and say why.",
        needs="slice",
    ),
    Command(
        "delete",
        "Delete box",
        "Edit",
        lambda c: actions.delete_selected(c.desk),
        ("Delete", "Backspace"),
        "delete",
        "Delete the selected box.",
        needs="selection",
    ),
    Command(
        "next-box",
        "Next box",
        "Edit",
        lambda c: actions.select_next_box(c.desk),
        ("Tab",),
        help="Select the next box on the slice.",
        needs="slice",
    ),
    *(_class(n) for n in range(1, 10)),
    Command(
        "new-class",
        "New class…",
        "Edit/Class",
        lambda c: c.window.ask_new_class(),
        help="Add a class to the label schema; the others keep their ids.",
    ),
)
