"""The table of commands: one row feeds menu, shortcut, palette, key sheet and the generated docs."""

from __future__ import annotations

from collections.abc import Callable

from gui import actions
from gui.commands import Command, Context


def _dialog(name: str) -> Callable[[Context], None]:
    return lambda c: c.window.show_dialog(name)


def _layer(name: str) -> Callable[[Context], None]:
    return lambda c: actions.toggle_layer(c.desk, name)


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


def _class(number: int) -> Command:
    return Command(
        f"class-{number}",
        f"Class {number}",
        "Edit/Class",
        lambda c: actions.classify(c.desk, number),
        (f"Ctrl+{number}",),
        help=f"Give the selected box class {number}, or draw the next boxes in it.",
        needs="slice",
    )


def _close(context: Context) -> None:
    context.window.close()


def _sign_off(context: Context) -> None:
    actions.sign_off(context.desk)


def _no_finding(context: Context) -> None:
    actions.sign_off(context.desk, no_finding=True)


COMMANDS: tuple[Command, ...] = (
    # File
    Command(
        "open-folder",
        "Open folder…",
        "File",
        lambda c: c.window.ask_open_folder(),
        ("Ctrl+O",),
        "open",
        "Open every DICOM series and picture in a folder and below.",
    ),
    Command(
        "open-files",
        "Open files…",
        "File",
        lambda c: c.window.ask_open_files(),
        ("Ctrl+Shift+O",),
        help="Open single files.",
    ),
    Command(
        "open-demo",
        "Open the demo study",
        "File",
        lambda c: c.window.open_demo(),
        help="A made head with known lesions.",
    ),
    Command(
        "skipped",
        "Files left out…",
        "File",
        _dialog("skipped"),
        help="What could not be opened, each with its reason.",
    ),
    Command(
        "export",
        "Export labels…",
        "File",
        _dialog("export"),
        ("Ctrl+E",),
        "export",
        "Write what was read as COCO, YOLO or VOC; read back and compared before it counts as done.",
    ),
    Command(
        "import",
        "Import labels…",
        "File",
        _dialog("import"),
        ("Ctrl+I",),
        "import",
        "Read boxes from COCO, YOLO or VOC onto the open slices.",
    ),
    Command("quit", "Quit", "File", _close, ("Ctrl+Q",), help="Close. Nothing is unwritten."),
    # Edit
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
    # Go
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
    # View
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
        _layer("predictions"),
        ("Shift+P",),
        "predictions",
        "Show or hide the predictions.",
        lambda c: c.desk.engine.layers.predictions,
    ),
    Command(
        "layer-proposals",
        "Proposals",
        "View",
        _layer("proposals"),
        ("P",),
        "proposals",
        "Show or hide the proposals.",
        lambda c: c.desk.engine.layers.proposals,
    ),
    Command(
        "layer-rejections",
        "Rejected predictions",
        "View",
        _layer("rejections"),
        ("Shift+X",),
        help="Show or hide what was rejected.",
        checked=lambda c: c.desk.engine.layers.rejections,
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
        "theme",
        "Light or dark",
        "View",
        lambda c: c.window.toggle_theme(),
        help="Switch the colours of the window.",
    ),
    # Reading
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
    # Engine
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
        "models",
        "Models…",
        "Engine",
        _dialog("models"),
        ("Ctrl+M",),
        help="Choose the model in use, read its card, add one from a file, go back.",
    ),
    Command(
        "train",
        "Retrain…",
        "Engine",
        _dialog("training"),
        ("Ctrl+T",),
        "train",
        "Train on what was read, watch it, and use the result.",
    ),
    # Help
    Command(
        "palette",
        "Command palette…",
        "Help",
        _dialog("palette"),
        ("Ctrl+K",),
        "search",
        "Find any command by its name.",
    ),
    Command("keys", "Keys", "Help", _dialog("keys"), ("F1",), help="This list."),
    Command("about", "About Overread", "Help", _dialog("about"), help="What it is, and what it is not."),
)
