"""Menu File: what is opened, imported, exported."""

from __future__ import annotations

from gui.command_rows.running import dialog
from gui.commands import Command, Context


def _close(context: Context) -> None:
    context.window.close()


ROWS: tuple[Command, ...] = (
    Command(
        "open-folder",
        "Open folder…",
        "File",
        lambda c: c.window.ask_open_folder(),
        ("Ctrl+O",),
        "open",
        "Open every DICOM series, volume and picture in a folder and below.",
    ),
    Command(
        "open-files",
        "Open files…",
        "File",
        lambda c: c.window.ask_open_files(),
        ("Ctrl+Shift+O",),
        help="Open single files: DICOM, DICOMDIR, zip archives, NIfTI, pictures.",
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
        dialog("skipped"),
        help="What could not be opened, each with its reason.",
    ),
    Command(
        "export",
        "Export labels…",
        "File",
        dialog("export"),
        ("Ctrl+E",),
        "export",
        "Write what was read as COCO, YOLO or VOC; read back and compared before it counts as done.",
    ),
    Command(
        "import",
        "Import labels…",
        "File",
        dialog("import"),
        ("Ctrl+I",),
        "import",
        "Read boxes from COCO, YOLO or VOC onto the open slices.",
    ),
    Command(
        "settings",
        "Settings…",
        "File",
        dialog("settings"),
        ("Ctrl+,",),
        help="Theme, direction of the window drag, interpolation, cine, memory, and the rest.",
    ),
    Command("quit", "Quit", "File", _close, ("Ctrl+Q",), help="Close. Nothing is unwritten."),
)
