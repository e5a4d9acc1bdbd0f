"""Menus Box and Finding: what is done with the selected box and the finding it belongs to."""

from __future__ import annotations

from gui import box_actions, finding_actions, propagation
from gui.command_rows.running import dialog
from gui.commands import Command


def _certainty(number: int) -> Command:
    return Command(
        f"certainty-{number}",
        f"Certainty {number}",
        "Box/Certainty",
        lambda c: box_actions.set_attribute(c.desk, "certainty", number),
        (f"Alt+{number}",),
        help=f"Say of the selected box that you are sure of it to {number} of 5.",
        needs="selection",
    )


ROWS: tuple[Command, ...] = (
    Command(
        "copy-next",
        "Copy to the next slice",
        "Box",
        lambda c: box_actions.copy_to_slice(c.desk, 1),
        ("Ctrl+Down",),
        help="Copy the selected box one slice on and go there; marked ≈ until changed or kept with Enter.",
        needs="selection",
    ),
    Command(
        "copy-previous",
        "Copy to the previous slice",
        "Box",
        lambda c: box_actions.copy_to_slice(c.desk, -1),
        ("Ctrl+Up",),
        help="Copy the selected box one slice back and go there; marked ≈ until changed or kept with Enter.",
        needs="selection",
    ),
    Command(
        "interpolate",
        "Interpolate",
        "Box",
        lambda c: box_actions.interpolate(c.desk),
        ("Ctrl+B",),
        help="Fill the slices between the selected box and the nearest other box of its lesion; marked ≈ "
        "until changed or kept with Enter.",
        needs="selection",
    ),
    Command(
        "propagate",
        "Propagate",
        "Box",
        lambda c: c.window.page.propagator.propagate(),
        ("Ctrl+P",),
        help="Boxes of the selected box's lesion on the slices around it, from predictions and proposals; "
        "marked ≈ until changed or kept.",
        needs="selection",
    ),
    Command(
        "keep-all",
        "Keep all made of this box",
        "Box",
        lambda c: propagation.keep_all(c.desk),
        ("Shift+Return", "Shift+Enter"),
        help="State that every unchecked box that was made of the same box as the selected one is right.",
        needs="selection",
    ),
    Command(
        "project",
        "Project to another series…",
        "Box",
        dialog("project"),
        ("Ctrl+Shift+P",),
        help="Put the selected box where it lies in another series of the same frame of reference.",
        needs="selection",
    ),
    Command(
        "lock",
        "Lock",
        "Box",
        lambda c: box_actions.toggle_lock(c.desk),
        ("Ctrl+L",),
        help="A locked box can be neither moved, resized nor deleted.",
        checked=lambda c: box_actions.is_locked(c.desk),
        needs="selection",
    ),
    Command(
        "box-fields",
        "Numbers and comment",
        "Box",
        dialog("box-fields"),
        ("F2",),
        help="Type the edges of the selected box in pixels, and what else there is to say of it.",
        needs="selection",
    ),
    *(_certainty(n) for n in range(1, 6)),
    Command(
        "merge-findings",
        "Merge with another finding…",
        "Finding",
        dialog("merge-findings"),
        ("Ctrl+G",),
        help="Make one finding of that of the selected box and another.",
        needs="selection",
    ),
    Command(
        "split-finding",
        "Split at this slice",
        "Finding",
        lambda c: finding_actions.split(c.desk),
        ("Ctrl+Shift+G",),
        help="Make two findings of that of the selected box: its boxes before this slice, and from here on.",
        needs="selection",
    ),
    Command(
        "schemas",
        "Label schemas…",
        "Edit/Class",
        dialog("schemas"),
        ("Ctrl+Shift+L",),
        help="Names, colours and keys of the classes, fields of a box, several schemas, import and export.",
    ),
)
