"""Menu Engine: detection, models, training."""

from __future__ import annotations

from gui.command_rows.running import dialog
from gui.commands import Command

ROWS: tuple[Command, ...] = (
    Command(
        "detect-slice",
        "Detect on this slice",
        "Engine",
        lambda c: c.desk.engine.detect_slice(),
        ("D",),
        "detect",
        "Run the model on the slice in view, now.",
        needs="slice",
    ),
    Command(
        "detect-series",
        "Detect on the series",
        "Engine",
        lambda c: c.desk.engine.detect_series(),
        ("Shift+D",),
        "detect-series",
        "Run the model on every slice of the series.",
        needs="slice",
    ),
    Command(
        "stop",
        "Stop detecting",
        "Engine",
        lambda c: c.desk.engine.stop(),
        ("Shift+Esc",),
        help="Stop within a second.",
    ),
    Command(
        "ahead",
        "Detect ahead of the reader",
        "Engine",
        lambda c: c.desk.engine.set_ahead(not c.desk.engine.ahead),
        help="Detect on the rest of the series while you read.",
        checked=lambda c: c.desk.engine.ahead,
    ),
    Command(
        "window-check",
        "Check against other windows",
        "Engine",
        lambda c: c.desk.check.set_on(not c.desk.check.on),
        ("Shift+W",),
        help="Detect again under other grey levels when idle; what comes and goes is marked.",
        checked=lambda c: c.desk.check.on,
    ),
    Command(
        "why-missed",
        "Why missed",
        "Engine",
        lambda c: c.window.page.missed.ask(),
        ("W",),
        help="Why the engine did not find the selected box, or what is at the spot that is clicked next.",
        needs="slice",
    ),
    Command(
        "models",
        "Models…",
        "Engine",
        dialog("models"),
        ("Ctrl+M",),
        help="Choose the model in use, read its card, add one from a file, go back.",
    ),
    Command(
        "train",
        "Retrain…",
        "Engine",
        dialog("training"),
        ("Ctrl+T",),
        "train",
        "Train on what was read, watch it, and use the result.",
    ),
)
