"""Menu Reading: signing off."""

from __future__ import annotations

from gui import actions
from gui.commands import Command, Context


def _sign_off(context: Context) -> None:
    actions.sign_off(context.desk)


def _no_finding(context: Context) -> None:
    actions.sign_off(context.desk, no_finding=True)


ROWS: tuple[Command, ...] = (
    Command(
        "sign-off",
        "Sign off and go on",
        "Reading",
        _sign_off,
        ("R",),
        "read",
        "State that the series (or single picture) has been read; the next unread one opens.",
        needs="slice",
    ),
    Command(
        "no-finding",
        "Read, no finding",
        "Reading",
        _no_finding,
        ("Shift+R",),
        help="State that there is nothing; refused where boxes stand.",
        needs="slice",
    ),
    Command(
        "unread",
        "Take reading back",
        "Reading",
        lambda c: c.desk.session.take_back_reading(),
        ("Ctrl+R",),
        help="Make the series (or single picture) unread again.",
        needs="slice",
    ),
)
