"""Menu Go: slices, series, predictions."""

from __future__ import annotations

from gui import actions
from gui.commands import Command

ROWS: tuple[Command, ...] = (
    Command(
        "next-slice",
        "Next slice",
        "Go",
        lambda c: c.desk.session.step(1),
        ("Down",),
        needs="slice",
        help="One slice on.",
    ),
    Command(
        "previous-slice",
        "Previous slice",
        "Go",
        lambda c: c.desk.session.step(-1),
        ("Up",),
        needs="slice",
        help="One slice back.",
    ),
    Command(
        "first-slice",
        "First slice",
        "Go",
        lambda c: c.desk.session.step(-(10**9)),
        ("Home",),
        needs="slice",
        help="To the start of the series.",
    ),
    Command(
        "last-slice",
        "Last slice",
        "Go",
        lambda c: c.desk.session.step(10**9),
        ("End",),
        needs="slice",
        help="To the end of the series.",
    ),
    Command(
        "next-series",
        "Next series",
        "Go",
        lambda c: c.desk.session.step_series(1),
        ("PgDown",),
        needs="slice",
        help="To the next series of the worklist.",
    ),
    Command(
        "previous-series",
        "Previous series",
        "Go",
        lambda c: c.desk.session.step_series(-1),
        ("PgUp",),
        needs="slice",
        help="To the previous series of the worklist.",
    ),
    Command(
        "next-prediction",
        "Next prediction",
        "Go",
        lambda c: actions.step_prediction(c.desk, 1),
        ("N",),
        "next",
        "To the next prediction nobody has judged.",
        needs="slice",
    ),
    Command(
        "previous-prediction",
        "Previous prediction",
        "Go",
        lambda c: actions.step_prediction(c.desk, -1),
        ("Shift+N",),
        "previous",
        "To the previous prediction nobody has judged.",
        needs="slice",
    ),
    Command(
        "next-unread",
        "Next unread",
        "Go",
        lambda c: c.desk.session.go_to_next_unread(),
        ("U",),
        needs="slice",
        help="To the next case that has not been read.",
    ),
)
