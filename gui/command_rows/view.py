"""Menu View: window, zoom, layers, corner text."""

from __future__ import annotations

from gui.command_rows.running import dialog, layer
from gui.commands import Command


def _preset(number: int) -> Command:
    return Command(
        f"preset-{number}",
        f"Window {number}",
        "View/Window",
        lambda c: c.desk.display.set_preset(number),
        (str(number),),
        help=f"The {number}. window: the file's own first, then auto, full and percentile variants.",
        needs="slice",
    )


ROWS: tuple[Command, ...] = (
    Command(
        "auto-window",
        "Auto window",
        "View/Window",
        lambda c: c.desk.display.set_auto_window(),
        ("0",),
        help="A percentile window from the slice in view.",
        needs="slice",
    ),
    *(_preset(n) for n in range(1, 10)),
    Command(
        "invert",
        "Invert",
        "View",
        lambda c: c.desk.display.toggle_inverted(),
        ("I",),
        "invert",
        "Black for white.",
        lambda c: c.desk.display.inverted,
        "slice",
    ),
    Command(
        "fit",
        "Fit",
        "View",
        lambda c: c.window.fit(),
        ("=",),
        "fit",
        "Fit the slice to the viewer.",
        needs="slice",
    ),
    Command(
        "zoom-in",
        "Zoom in",
        "View",
        lambda c: c.window.zoom(1.25),
        ("Ctrl++", "Ctrl+="),
        needs="slice",
        help="Also Ctrl and the wheel, at the cursor; or drag with the right button.",
    ),
    Command(
        "zoom-out",
        "Zoom out",
        "View",
        lambda c: c.window.zoom(0.8),
        ("Ctrl+-",),
        needs="slice",
        help="Also Ctrl and the wheel, at the cursor; or drag with the right button.",
    ),
    Command(
        "layer-predictions",
        "Predictions",
        "View",
        layer("predictions"),
        ("Shift+P",),
        "predictions",
        "Show or hide the predictions.",
        lambda c: c.desk.engine.layers.predictions,
    ),
    Command(
        "layer-proposals",
        "Proposals",
        "View",
        layer("proposals"),
        ("P",),
        "proposals",
        "Show or hide the proposals.",
        lambda c: c.desk.engine.layers.proposals,
    ),
    Command(
        "layer-rejections",
        "Rejected predictions",
        "View",
        layer("rejections"),
        ("Shift+X",),
        help="Show or hide what was rejected.",
        checked=lambda c: c.desk.engine.layers.rejections,
    ),
    Command(
        "hide-boxes",
        "Hide boxes while held",
        "View",
        lambda c: c.window.toggle_boxes(),
        ("H",),
        help="Hide every box while the key is down; from the menu until chosen again.",
        needs="slice",
        held=lambda c, down: c.window.hide_boxes(down),
    ),
    Command(
        "corners",
        "Corner text",
        "View",
        lambda c: c.window.cycle_corners(),
        ("Space",),
        help="All, minimal, none.",
    ),
    Command(
        "tags",
        "Tags…",
        "View",
        dialog("tags"),
        ("F8",),
        help="What the file of the slice in view says: every DICOM tag, to search in; follows the slice.",
        needs="slice",
    ),
    Command(
        "theme",
        "Light or dark",
        "View",
        lambda c: c.window.toggle_theme(),
        help="Switch the colours of the window.",
    ),
)
