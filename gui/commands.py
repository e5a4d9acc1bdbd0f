"""What a command is; the commands themselves are the rows in gui/command_rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gui.actions import Desk
from gui.viewer_page import ViewerPage


class WindowPort(Protocol):
    """What commands ask of the window: dialogs and matters of the canvas."""

    @property
    def page(self) -> ViewerPage:
        """The middle of the window."""

    def ask_open_folder(self) -> None:
        """Let the reader choose a folder to open."""

    def ask_open_files(self) -> None:
        """Let the reader choose files to open."""

    def open_demo(self) -> None:
        """Open the phantom study."""

    def show_dialog(self, name: str) -> None:
        """Open "export", "import", "skipped", "models", "training", "keys", "palette" or "about"."""

    def ask_rejection(self) -> None:
        """Let the reader give a reason, then reject."""

    def ask_new_class(self) -> None:
        """Let the reader name a new class."""

    def use_tool(self, name: str) -> None:
        """Put a tool in the hand: "select", "box", "snap", "why", "distance" or "angle"."""

    def tool(self) -> str:
        """The tool in the hand."""

    def fit(self) -> None:
        """Fit the slice to the viewer."""

    def zoom(self, factor: float) -> None:
        """Zoom about the middle of the viewer."""

    def cycle_corners(self) -> None:
        """Corner text: all, minimal, none."""

    def hide_boxes(self, hidden: bool) -> None:
        """Hide every box, or show them again."""

    def toggle_boxes(self) -> None:
        """Hide every box, or where they are hidden show them."""

    def toggle_theme(self) -> None:
        """Dark or light."""

    def close(self) -> bool:
        """Close the window."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a command runs on."""

    desk: Desk
    window: WindowPort


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a person can ask for.

    Attributes:
        id: Stable name.
        title: As in the menu.
        menu: The menu it is in.
        run: What it does.
        keys: Shortcuts, in Qt's portable form; the first is shown.
        icon: Name of an icon in resources/icons, or "".
        help: One sentence for key sheet and docs.
        checked: For toggles: whether it is on.
        needs: What must be there for it to be enabled: "", "slice" or "selection".
        held: For a key that acts while it is down: called with True at the press and False at the release.
    """

    id: str
    title: str
    menu: str
    run: Callable[[Context], None]
    keys: tuple[str, ...] = ()
    icon: str = ""
    help: str = ""
    checked: Callable[[Context], bool] | None = None
    needs: str = ""
    held: Callable[[Context, bool], None] | None = None


GESTURES: tuple[tuple[str, str], ...] = (
    ("Wheel", "Scroll through the slices."),
    ("Left drag", "Window: right is wider, up is brighter or darker; on a box: move; on a handle: resize."),
    ("Ctrl+left drag on a box", "Put down a copy of it."),
    (
        "Arrows, with a box selected",
        "Move it by a pixel, with Shift by ten; with Alt its right or lower edge.",
    ),
    ("Up, Down after drawing", "Go on to the next or previous slice; after a click on the box they move it."),
    ("Esc", "Cancel what is being drawn or dragged; put the box tool away; let go of the selected box."),
    ("Enter with the box tool", "A box in the middle of what is seen of the slice."),
    ("Left click on another viewport", "Make it the active one; what was there stays in view."),
    ("Wheel, [ ] while snapping", "Another of the proposals under the cursor."),
    (
        "Left drag while snapping",
        "Take the proposal with its nearest corner pulled along; without one draw a box.",
    ),
    ("Middle drag", "Pan."),
    ("Right drag, Ctrl+wheel", "Zoom."),
    ("Double click on a prediction", "Accept it."),
)


def present(context: Context) -> Mapping[str, bool]:
    """For all that commands may need, whether it is there now."""
    session = context.desk.session
    return {"": True, "slice": session.current_slice is not None, "selection": bool(session.selected)}


def enabled(command: Command, context: Context) -> bool:
    """Whether a command can be run now."""
    return present(context)[command.needs]
