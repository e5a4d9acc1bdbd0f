"""The collaborators of every action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from core.edits import SetEdit
from core.errors import EditConflict
from gui.display import Display
from gui.engine import Engine
from gui.session import Session
from gui.snap_regions import SliceRegions
from gui.walk import Walk
from gui.window_check import WindowCheck


@dataclass(frozen=True, slots=True)
class Desk:
    """The collaborators of every action."""

    session: Session
    display: Display
    engine: Engine
    regions: SliceRegions
    check: WindowCheck
    walk: Walk = field(default_factory=Walk)

    def attempt(self, make: Callable[[], SetEdit]) -> bool:
        """Make an edit and commit it; what forbids it (a lock, say) is told to the reader.

        Returns:
            Whether it is on disk.
        """
        try:
            edit = make()
        except EditConflict as error:
            self.session.said.emit("info", str(error))
            return False
        return self.session.commit(edit)
