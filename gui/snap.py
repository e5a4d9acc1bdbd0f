"""Snapping: the best proposal under the pointer is shown, and a click makes it a box."""

from __future__ import annotations

import math

from PySide6.QtCore import QObject, QPointF, QTimer

from core.boxes import iou
from core.model import Box, Origin, OriginKind, Proposals, SliceRef
from core.review.snap import POOR, SnapCandidate, snap_at
from gui import actions
from gui.actions import Desk
from gui.scene import color_of
from gui.viewer.canvas import Canvas
from gui.viewer.labels import size_text
from gui.viewer.scene import Tool
from gui.viewer.snapping import SnapShown

SAME_BOX = 0.9
"""IoU from which a candidate is taken to be a box that is there already."""
STEADY = 8.0
"""Screen pixels that the pointer may move without the choice among the candidates being lost."""

REST_MS = 200
"""A slice in view for so long is made ready, once the reader is known to snap: the next answer is at hand."""

Point = tuple[float, float]
DRAWING = "a drag, or B, draws"


class Snapper(QObject):
    """Follows the pointer while the snap tool is in hand."""

    def __init__(self, desk: Desk, canvas: Canvas) -> None:
        super().__init__()
        self._desk, self._canvas = desk, canvas
        self._before: Tool | None = None
        self._point: Point | None = None
        self._candidates: tuple[SnapCandidate, ...] = ()
        self._chosen = 0
        self._chosen_at: QPointF | None = None
        self._snaps = False
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._make_ready)
        canvas.pointed.connect(self._pointed)
        canvas.tool_changed.connect(self._tool_changed)
        canvas.snap_cycled.connect(self.cycle)
        canvas.snap_taken.connect(self._take)
        desk.regions.arrived.connect(self._arrived)
        desk.session.place_changed.connect(self._moved)
        desk.session.annotations_changed.connect(lambda _keys: self._show())

    @property
    def active(self) -> bool:
        """Whether the snap tool is in hand."""
        return self._canvas.tool() is Tool.SNAP

    def hold(self, down: bool) -> None:
        """Snap while a key is down, then go back to the tool from before."""
        if down and not self.active:
            self._before = self._canvas.tool()
            self._canvas.setFocus()
            self._canvas.set_tool(Tool.SNAP)
        elif not down and self._before is not None:
            before, self._before = self._before, None
            if self.active:
                self._canvas.set_tool(before)

    def cycle(self, by: int) -> None:
        """Go on to another of the candidates."""
        if self._candidates and self._point is not None:
            self._chosen = (self._chosen + by) % len(self._candidates)
            self._chosen_at = self._canvas.widget_point(*self._point)
            self._show()

    def _make_ready(self) -> None:
        ref = self._desk.session.current_slice
        if ref is not None:
            self._desk.regions.of(ref)

    def _tool_changed(self) -> None:
        self._snaps = self._snaps or self.active
        if self.active and self._point is None:
            # From the keyboard alone: what is in the middle of the view.
            middle = QPointF(self._canvas.width() / 2, self._canvas.height() / 2)
            self._point = self._canvas.image_point(middle)
        self._look()

    def _pointed(self, point: Point | None) -> None:
        self._point = point
        if self.active:
            self._look()

    def _moved(self) -> None:
        self._canvas.set_snap(None)
        if self._snaps:
            self._rest.start()
        self._look()

    def _arrived(self, slice_key: str) -> None:
        if slice_key == self._desk.session.current_slice_key:
            self._look()

    def _look(self) -> None:
        """Find the candidates at the pointer anew; that chosen before stays while the pointer is steady."""
        ref, before = self._desk.session.current_slice, self._now()
        self._candidates, self._chosen = (), 0
        proposals = self._desk.regions.of(ref) if self.active and ref is not None else None
        if proposals is not None and ref is not None and self._point is not None:
            self._candidates = snap_at(proposals, *self._point, ref.rows, ref.columns).candidates
            if before is not None and self._steady(self._point):
                rows = [c.proposal for c in self._candidates]
                self._chosen = rows.index(before.proposal) if before.proposal in rows else 0
            else:
                self._chosen_at = None
        self._show()

    def _steady(self, point: Point) -> bool:
        if self._chosen_at is None:
            return False
        way = self._canvas.widget_point(*point) - self._chosen_at
        return math.hypot(way.x(), way.y()) <= STEADY

    def _now(self) -> SnapCandidate | None:
        return self._candidates[self._chosen] if self._chosen < len(self._candidates) else None

    def _show(self) -> None:
        ref, point = self._desk.session.current_slice, self._point
        proposals = self._desk.regions.of(ref) if self.active and ref is not None else None
        if ref is None or point is None or not self.active or self._desk.display.pixels is None:
            self._canvas.set_snap(None)
        elif proposals is None:
            failure = self._desk.regions.failure(ref)
            text = f"No proposals: {failure}" if failure else "Looking for proposals …"
            self._canvas.set_snap(SnapShown(point, None, text=text, poor=bool(failure)))
        else:
            self._canvas.set_snap(self._shown(ref, point, proposals))

    def _shown(self, ref: SliceRef, point: Point, proposals: Proposals) -> SnapShown:
        now, count = self._now(), len(self._candidates)
        if now is None:
            return SnapShown(point, None, text=f"No proposal here: {DRAWING}", poor=True)
        which = f"{self._chosen + 1} of {count}" if count > 1 else "the only one"
        if self._standing(now.box):
            return SnapShown(point, None, text=f"{which} · a box already", count=count)
        poor = now.chance < POOR
        size = size_text(now.box, ref.spacing)
        text = f"{which} · {size}" + (" · unlikely to fit: B draws" if poor else "")
        outline = proposals.regions.outline(now.proposal) if proposals.regions is not None else ()
        session = self._desk.session
        color = color_of(session.workspace.schema, session.current_label)
        return SnapShown(point, now.box, outline, color, text, poor, count)

    def _standing(self, box: Box) -> str:
        """Id of an annotation that is this very box, or ""."""
        found = (a.id for a in self._desk.session.record.annotations if iou(a.box, box) >= SAME_BOX)
        return next(found, "")

    def _take(self, candidate: Box | None, box: Box | None) -> None:
        """Make a box of the candidate, as it is or as it was pulled; where one stands it is selected."""
        session, now = self._desk.session, self._now()
        if candidate is None or box is None:
            standing = self._standing(now.box) if now is not None else ""
            if standing:
                session.select(standing)
            else:
                session.said.emit("info", f"There is nothing to snap to here: {DRAWING}.")
            return
        actions.draw(self._desk, box, Origin(OriginKind.PROPOSAL, proposal=candidate))
