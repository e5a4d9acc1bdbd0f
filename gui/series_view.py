"""How the reader looks at each series: window, inversion, turn, colours; kept over restarts."""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.model import Window
from gui.viewer.color_maps import COLOR_MAPS, GREY
from gui.viewer.orientation import UPRIGHT, Orientation

VIEWS_FILE = "views.json"
"""Name of the reader's file in `core.settings.home()`."""

MOST = 2000
"""Series remembered; the ones looked at longest ago are forgotten first."""


@dataclass(frozen=True, slots=True)
class SeriesView:
    """How one series is shown.

    Attributes:
        window: Chosen by the reader; None for the file's own or the automatic one.
        inverted: Inverted by the reader, on top of the file's own inversion.
        orientation: Turned and mirrored, for display only.
        colors: Name of a colour map.
    """

    window: Window | None = None
    inverted: bool = False
    orientation: Orientation = UPRIGHT
    colors: str = GREY


AS_IT_COMES = SeriesView()


class SeriesViews:
    """The views of all series.

    Args:
        path: The reader's file; read if it exists. None: nothing is kept. A file that cannot be read costs
            the views in it, which are quickly chosen again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._views: OrderedDict[str, SeriesView] = OrderedDict()
        self._dirty = False
        if path is not None and path.exists():
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                rows = json.loads(path.read_text(encoding="utf-8"))["views"]
                self._views = OrderedDict((str(key), _parsed(row)) for key, row in rows.items())

    def of(self, series_uid: str) -> SeriesView:
        """How a series is shown."""
        return self._views.get(_name(series_uid), AS_IT_COMES)

    def put(self, series_uid: str, view: SeriesView) -> None:
        """Show a series so from now on."""
        key = _name(series_uid)
        self._views.pop(key, None)
        if view != AS_IT_COMES:
            self._views[key] = view
        while len(self._views) > MOST:
            self._views.popitem(last=False)
        self._dirty = True

    def write(self) -> None:
        """Write the file, if anything has changed since the last time.

        Raises:
            OSError: It cannot be written.
        """
        if self._path is None or not self._dirty:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        rows = {key: _written(view) for key, view in self._views.items()}
        temporary.write_text(json.dumps({"version": 1, "views": rows}) + "\n", encoding="utf-8")
        os.replace(temporary, self._path)
        self._dirty = False


def _name(series_uid: str) -> str:
    # A hash: the file says nothing of which series these are.
    return hashlib.sha256(series_uid.encode()).hexdigest()[:20]


def _written(view: SeriesView) -> dict[str, Any]:
    w = view.window
    return {
        "window": [w.center, w.width, w.name, w.function] if w else None,
        "inverted": view.inverted,
        "turns": view.orientation.turns,
        "mirrored": view.orientation.mirrored,
        "colors": view.colors,
    }


def _parsed(row: dict[str, Any]) -> SeriesView:
    window = None
    if row["window"] is not None:
        center, width, name, function = row["window"]
        window = Window(float(center), float(width), str(name), str(function))
    orientation = Orientation(int(row["turns"]) % 4, bool(row["mirrored"]))
    colors = row["colors"] if row["colors"] in COLOR_MAPS else GREY
    return SeriesView(window, bool(row["inverted"]), orientation, colors)
