"""Profiles of keys: what differs from the default where a reader comes from another application.

A profile names only what differs. A default key that a profile gives to another command is taken from its
default owner, so a profile never conflicts. Sources: the applications' own key lists (OHIF's
hotkeyBindings, Weasis's shortcuts page, CVAT's registrations, labelme's default_config).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """Keys as another application has them.

    Attributes:
        name: Stable name, stored in the reader's file.
        title: As shown.
        about: One sentence on what differs most.
        keys: Keys by command id, in Qt's portable form.
    """

    name: str
    title: str
    about: str
    keys: Mapping[str, Keys] = field(default_factory=lambda: MappingProxyType({}))


OVERREAD = Profile("overread", "Overread", "Viewer grammar: Up and Down scroll, digits are windows.")

OHIF = Profile(
    "ohif",
    "OHIF",
    "R and L turn, H and V mirror, Space takes the view back.",
    MappingProxyType(
        {
            "turn-right": ("R",),
            "turn-left": ("L",),
            "flip-horizontal": ("H",),
            "flip-vertical": ("V",),
            "reset-view": ("Space",),
            "corners": ("O",),
            "hide-boxes": ("J",),
            "tool-select": ("W",),
            "sign-off": ("Ctrl+Return",),
            "delete": ("Backspace", "Delete"),
            "redo": ("Ctrl+Y", "Ctrl+Shift+Z"),
            "zoom-in": ("+",),
            "zoom-out": ("-",),
            "fit": ("=",),
            "next-viewport": ("Right",),
            "previous-viewport": ("Left",),
            "cine": ("C",),
        }
    ),
)

WEASIS = Profile(
    "weasis",
    "Weasis",
    "Left and Right change the series, D and A measure, Space and I change the corner text.",
    MappingProxyType(
        {
            "next-series": ("Right",),
            "previous-series": ("Left",),
            "forward-10": ("Shift+Down",),
            "back-10": ("Shift+Up",),
            "tool-distance": ("D",),
            "tool-angle": ("A",),
            "accept-finding": ("Ctrl+A",),
            "detect-slice": ("Ctrl+D",),
            "crosshair": ("H",),
            "hide-boxes": ("J",),
            "corners": ("Space", "I"),
            "invert": ("Ctrl+Shift+I",),
            "turn-right": ("Alt+R",),
            "turn-left": ("Alt+L",),
            "flip-horizontal": ("Alt+F",),
            "fit": ("Ctrl+Return",),
            "reset-view": ("Esc",),
            "zoom-in": ("Ctrl++", "Ctrl+="),
            "zoom-out": ("Ctrl+-",),
        }
    ),
)

CVAT = Profile(
    "cvat",
    "CVAT",
    "F and D go on and back, V and C by ten, N draws.",
    MappingProxyType(
        {
            "next-slice": ("F", "Down"),
            "previous-slice": ("D", "Up"),
            "forward-10": ("V",),
            "back-10": ("C",),
            "tool-box": ("N",),
            "next-prediction": ("E",),
            "previous-prediction": ("Shift+E",),
            "edit-prediction": ("Alt+E",),
            "detect-slice": ("Ctrl+D",),
            "tool-select": ("Shift+V",),
            "cine": ("Shift+C",),
            "hide-boxes": ("T",),
            "delete": ("Delete", "Shift+Delete"),
            "turn-right": ("Ctrl+R",),
            "turn-left": ("Ctrl+Shift+R",),
            "unread": ("Ctrl+Alt+R",),
        }
    ),
)

LABELME = Profile(
    "labelme",
    "labelme",
    "D and A go on and back, Ctrl+R draws, T hides.",
    MappingProxyType(
        {
            "next-slice": ("D", "Down"),
            "previous-slice": ("A", "Up"),
            "accept-finding": ("Ctrl+A",),
            "tool-box": ("Ctrl+R",),
            "unread": ("Ctrl+Alt+R",),
            "detect-slice": ("Ctrl+D",),
            "fit": ("Ctrl+F",),
            "one-to-one": ("Ctrl+0",),
            "zoom-in": ("Ctrl++", "Ctrl+="),
            "zoom-out": ("Ctrl+-",),
            "tool-select": ("Ctrl+J",),
            "hide-boxes": ("T",),
            "delete": ("Delete",),
        }
    ),
)

PROFILES: tuple[Profile, ...] = (OVERREAD, OHIF, WEASIS, CVAT, LABELME)


def profile(name: str) -> Profile:
    """The profile of that name; the default one where there is none."""
    return next((p for p in PROFILES if p.name == name), OVERREAD)
