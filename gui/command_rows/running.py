"""What several rows run."""

from __future__ import annotations

from collections.abc import Callable

from gui import actions
from gui.commands import Context


def dialog(name: str) -> Callable[[Context], None]:
    """Show the dialog of that name."""
    return lambda c: c.window.show_dialog(name)


def layer(name: str) -> Callable[[Context], None]:
    """Show or hide the layer of that name."""
    return lambda c: actions.toggle_layer(c.desk, name)
