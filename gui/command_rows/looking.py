"""Menu View, continued: turning, colours, tools for measuring, cine, viewports."""

from __future__ import annotations

from collections.abc import Callable

from gui.commands import Command, Context
from gui.hanging import LAYOUTS
from gui.viewer.color_maps import COLOR_MAPS
from gui.viewer.orientation import UPRIGHT, Orientation

_LAYOUT_KEYS = {"1x1": "F3", "1x2": "F4", "2x2": "F5"}
_LAYOUT_HELP = {
    "1x1": "One viewport.",
    "1x2": "Two side by side: sequence beside sequence, or prior beside current.",
    "2x2": "Four viewports.",
}


def _turn(change: Callable[[Orientation], Orientation]) -> Callable[[Context], None]:
    def run(context: Context) -> None:
        display = context.desk.display
        display.change_view(orientation=change(display.view.orientation))

    return run


def _reset(context: Context) -> None:
    context.desk.display.reset_view()
    context.window.page.canvas.fit()


def _take_measure(context: Context) -> None:
    if not context.desk.display.measures.take_last(context.desk.session.current_slice_key):
        context.desk.session.said.emit("info", "There is no distance or angle on this slice.")


def _color(name: str) -> Command:
    return Command(
        f"colors-{name.replace(' ', '-')}",
        name.capitalize(),
        "View/Colours",
        lambda c: c.desk.display.change_view(colors=name),
        help=f"Show the series in {name}; its values stay.",
        checked=lambda c: c.desk.display.view.colors == name,
        needs="slice",
    )


def _layout(name: str) -> Command:
    rows, columns = LAYOUTS[name]
    return Command(
        f"layout-{name}",
        f"{rows} × {columns}",
        "View/Viewports",
        lambda c: c.window.page.viewports.set_layout(name),
        (_LAYOUT_KEYS[name],),
        f"layout-{name}",
        _LAYOUT_HELP[name] + " Remembered for series of this description.",
        lambda c: c.window.page.viewports.layout_name == name,
    )


ROWS: tuple[Command, ...] = (
    Command(
        "one-to-one",
        "One to one",
        "View",
        lambda c: c.window.page.canvas.one_to_one(),
        ("Ctrl+0",),
        help="One pixel of the slice on one pixel of the screen.",
        needs="slice",
    ),
    Command(
        "reset-view",
        "As it came",
        "View",
        _reset,
        ("Shift+F",),
        help="Window, inversion, turn, colours and zoom of the series as they were at first.",
        needs="slice",
    ),
    Command(
        "magnifier",
        "Magnify while held",
        "View",
        lambda c: c.window.page.canvas.toggle_lens(),
        ("Z",),
        help="A magnifier at the cursor while the key is down; from the menu until chosen again.",
        needs="slice",
        held=lambda c, down: c.window.page.canvas.set_lens(down),
    ),
    Command(
        "smooth",
        "Smooth pixels",
        "View",
        lambda c: c.window.page.toggle_smooth(),
        ("Shift+I",),
        help="Smooth enlarged pixels, or show each as a plain square.",
        checked=lambda c: c.desk.display.options.smooth,
    ),
    Command(
        "turn-right",
        "Turn right",
        "View/Turn",
        _turn(lambda o: o.turned(1)),
        ("]",),
        help="A quarter turn clockwise, for display only: coordinates stay and the letters follow.",
        needs="slice",
    ),
    Command(
        "turn-left",
        "Turn left",
        "View/Turn",
        _turn(lambda o: o.turned(-1)),
        ("[",),
        help="A quarter turn anticlockwise, for display only.",
        needs="slice",
    ),
    Command(
        "flip-horizontal",
        "Mirror left to right",
        "View/Turn",
        _turn(lambda o: o.flipped()),
        ("Shift+H",),
        help="Mirror, for display only: the letters follow.",
        needs="slice",
    ),
    Command(
        "flip-vertical",
        "Mirror top to bottom",
        "View/Turn",
        _turn(lambda o: o.flipped(vertical=True)),
        ("Shift+V",),
        help="Mirror, for display only: the letters follow.",
        needs="slice",
    ),
    Command(
        "upright",
        "Upright",
        "View/Turn",
        _turn(lambda _o: UPRIGHT),
        help="As the slice was acquired, neither turned nor mirrored.",
        needs="slice",
    ),
    *(_color(name) for name in COLOR_MAPS),
    Command(
        "tool-distance",
        "Distance",
        "View/Measure",
        lambda c: c.window.use_tool("distance"),
        ("M",),
        "distance",
        "Drag a line: its length in mm, or in px where the spacing is unknown.",
        lambda c: c.window.tool() == "distance",
        "slice",
    ),
    Command(
        "tool-angle",
        "Angle",
        "View/Measure",
        lambda c: c.window.use_tool("angle"),
        ("Shift+M",),
        "angle",
        "Drag two lines: the angle between them.",
        lambda c: c.window.tool() == "angle",
        "slice",
    ),
    Command(
        "take-measure",
        "Take the last measure away",
        "View/Measure",
        _take_measure,
        ("Alt+M",),
        help="The distance or angle drawn last on this slice; again for the one before.",
        needs="slice",
    ),
    Command(
        "cine",
        "Cine",
        "View/Cine",
        lambda c: c.window.page.cine.toggle(),
        ("C",),
        "cine",
        "Run through the slices; again to stop, and so does any move of your own.",
        lambda c: c.window.page.cine.running,
        "slice",
    ),
    Command(
        "cine-faster",
        "Faster",
        "View/Cine",
        lambda c: c.window.page.cine.change_speed(1.25),
        (".",),
        help="A quarter faster.",
    ),
    Command(
        "cine-slower",
        "Slower",
        "View/Cine",
        lambda c: c.window.page.cine.change_speed(0.8),
        (",",),
        help="A fifth slower.",
    ),
    *(_layout(name) for name in LAYOUTS),
    Command(
        "linked",
        "Linked",
        "View/Viewports",
        lambda c: c.window.page.viewports.toggle_linked(),
        ("F6",),
        "linked",
        "Scroll, zoom and point together: by the patient's mm in one frame of reference, else as they stand.",
        lambda c: c.window.page.viewports.linked,
    ),
    Command(
        "next-viewport",
        "Next viewport",
        "View/Viewports",
        lambda c: c.window.page.viewports.step(1),
        ("Ctrl+Right",),
        help="Make the next viewport the active one.",
        needs="slice",
    ),
    Command(
        "previous-viewport",
        "Previous viewport",
        "View/Viewports",
        lambda c: c.window.page.viewports.step(-1),
        ("Ctrl+Left",),
        help="Make the previous viewport the active one.",
        needs="slice",
    ),
    Command(
        "crosshair",
        "Crosshair while held",
        "View/Viewports",
        lambda c: c.window.page.viewports.steer_once(),
        ("T",),
        help="The other viewports go to the slices through the point under the cursor, across planes too.",
        needs="slice",
        held=lambda c, down: c.window.page.viewports.steer(down),
    ),
)
