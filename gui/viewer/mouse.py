"""Which gesture runs and how far it has come: press, drag, release, as a small state machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from PySide6.QtCore import QPointF, Qt

from gui.viewer.gestures import DRAG_THRESHOLD, NOTHING, DrawBox, Gesture, Preview, View


class Step(Enum):
    """What a movement of the pointer meant."""

    IDLE = auto()  # no gesture, or not yet far enough from the press
    STARTED = auto()  # far enough now: from here on it is a drag
    DRAGGED = auto()


@dataclass(frozen=True, slots=True)
class Ended:
    """A gesture that is over.

    Attributes:
        gesture: Which.
        preview: Its last preview, or None where it was a click.
    """

    gesture: Gesture
    preview: Preview | None


class Mouse:
    """Follows one gesture at a time.

    A box is drawn by one drag or by two clicks: after a press and release on the spot a `DrawBox`
    waits, without a button, for its second press.

    Attributes:
        gesture: The running gesture, or None.
        preview: How it would end now.
    """

    def __init__(self) -> None:
        self.gesture: Gesture | None = None
        self.preview: Preview = NOTHING
        self._button = Qt.MouseButton.NoButton
        self._pressed_at = QPointF()
        self._dragging = False

    @property
    def waiting(self) -> bool:
        """Between the two clicks of a box."""
        return self.gesture is not None and self._button is Qt.MouseButton.NoButton

    @property
    def dragging(self) -> bool:
        """Whether the gesture has gone beyond a click."""
        return self._dragging

    def begin(self, gesture: Gesture, button: Qt.MouseButton, at: QPointF) -> None:
        """A button was pressed that begins a gesture."""
        self.gesture, self._button, self._pressed_at, self._dragging = gesture, button, at, False

    def press_again(self, button: Qt.MouseButton) -> None:
        """A button was pressed while a gesture runs: it matters only as a box's second click."""
        if self.waiting and button is Qt.MouseButton.LeftButton:
            self._button = button

    def lost(self, buttons: Qt.MouseButton) -> bool:
        """Whether the button came up unseen (a dialog opened, say)."""
        return self.gesture is not None and not self.waiting and not buttons & self._button

    def move(self, at: QPointF) -> Step:
        """The pointer moved; after STARTED or DRAGGED, `update` makes the preview."""
        if self.gesture is None:
            return Step.IDLE
        if self._dragging:
            return Step.DRAGGED
        if (at - self._pressed_at).manhattanLength() < DRAG_THRESHOLD:
            return Step.IDLE
        self._dragging = True
        return Step.STARTED

    def update(self, at: QPointF, view: View) -> Preview:
        """Make the preview for the pointer's place; nothing without a gesture."""
        if self.gesture is not None:
            self.preview = self.gesture.preview(at, view)
        return self.preview

    def release(self, button: Qt.MouseButton, at: QPointF, view: View) -> Ended | None:
        """A button came up: the gesture that ended by it, if any."""
        gesture = self.gesture
        if gesture is None or button is not self._button:
            return None
        if not self._dragging and isinstance(gesture, DrawBox):
            self._wait(gesture)
            return None
        if not self._dragging:
            self.forget()
            return Ended(gesture, None)
        preview = gesture.preview(at, view)
        if isinstance(gesture, DrawBox) and gesture.two_clicks and preview.box is None:
            self._wait(gesture)  # the same corner clicked twice has no area: refused
            return None
        self.forget()
        return Ended(gesture, preview)

    def forget(self) -> None:
        """End the gesture without effect."""
        self.gesture, self.preview = None, NOTHING
        self._button, self._dragging = Qt.MouseButton.NoButton, False

    def _wait(self, gesture: DrawBox) -> None:
        self.gesture = replace(gesture, two_clicks=True)
        self._button, self._dragging = Qt.MouseButton.NoButton, True
