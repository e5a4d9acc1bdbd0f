"""The distances and angles drawn on each slice. They are for the eye: not in the journal, gone on closing."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from core.model import SliceRef
from gui.viewer.measures import Line, Measure, measure


class Measures(QObject):
    """Lines by slice.

    An angle is two lines: the first waits, drawn as a distance, for the second.

    Signals:
        changed: Something was drawn or taken away.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, tuple[tuple[Line, ...], ...]] = {}
        self._waiting = ""

    def of(self, ref: SliceRef) -> tuple[Measure, ...]:
        """The measures of a slice."""
        made = [measure(lines, ref.spacing) for lines in self._lines.get(ref.key, ())]
        if self._waiting == ref.key:
            made[-1] = replace(made[-1], text="angle to …")
        return tuple(made)

    def add_distance(self, slice_key: str, line: Line) -> None:
        """Measure along a line."""
        self._waiting = ""
        self._lines[slice_key] = (*self._lines.get(slice_key, ()), (line,))
        self.changed.emit()

    def add_angle(self, slice_key: str, line: Line) -> None:
        """Begin an angle with its first line, or end the one begun on this slice."""
        rows = self._lines.get(slice_key, ())
        if self._waiting == slice_key and rows:
            self._lines[slice_key] = (*rows[:-1], (rows[-1][0], line))
            self._waiting = ""
        else:
            self._lines[slice_key] = (*rows, (line,))
            self._waiting = slice_key
        self.changed.emit()

    def take_last(self, slice_key: str) -> bool:
        """Take the last measure of a slice away.

        Returns:
            Whether there was one.
        """
        rows = self._lines.get(slice_key, ())
        if not rows:
            return False
        self._waiting = ""
        self._lines[slice_key] = rows[:-1]
        self.changed.emit()
        return True

    def stop_waiting(self) -> None:
        """Another tool is in hand: a begun angle stays what it is, a distance."""
        if self._waiting:
            self._waiting = ""
            self.changed.emit()
