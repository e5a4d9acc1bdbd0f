"""The slice on screen: shows a scene, turns the mouse into signals, changes nothing by itself.

Zoom, pan, hover and the preview of a running gesture are the canvas's own; everything else is the
scene's. A gesture ends in one signal, and whoever hears it hands over the next scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from PySide6.QtCore import QEvent, QPointF, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.model import Window
from gui.viewer.box_layer import BoxLayer
from gui.viewer.chip_layer import ChipLayer
from gui.viewer.gestures import (
    BoxDrag,
    DrawBox,
    DrawLine,
    Gesture,
    PanDrag,
    Preview,
    View,
    WindowDrag,
    ZoomDrag,
)
from gui.viewer.hints import NO_HINTS, Hints
from gui.viewer.interaction import HANDLE_CURSORS, Hit, HitContext, hit_test
from gui.viewer.keyboard import Nudge, box_in_view, nudge_of, nudged
from gui.viewer.measures import measure
from gui.viewer.mouse import Mouse, Step
from gui.viewer.overlays import lay_out
from gui.viewer.paint_context import PaintContext
from gui.viewer.painting import in_layers, paint
from gui.viewer.proposal_layer import ProposalLayer
from gui.viewer.scene import BoxItem, CornerMode, SliceScene, Tool
from gui.viewer.slice_image import SliceImage
from gui.viewer.snapping import SnapDrag, SnapShown, step_of, takes
from gui.viewer.transform import ViewTransform
from gui.viewer.view_widget import ViewWidget

# Text over the slice is a little smaller than that of the chrome.
_TEXT_SCALE = 0.92
_WHEEL_STEP = 120
_ZOOM_PER_STEP = 1.2


class Canvas(ViewWidget):
    """Shows one slice with its boxes and text.

    Signals:
        grasped(): The reader has begun a gesture on the slice.
        box_drawn(Box): A new box, in image pixels, inside the slice.
        box_reshaped(id, Box): A box was moved or resized; once per gesture, at its end.
        box_copied(id, Box): A copy of a box was put elsewhere on the slice.
        box_clicked(id): A box was picked; "" for empty ground, or where Esc lets go.
        box_activated(id): A box was double-clicked.
        window_changed(center, width, finished): The window was dragged; finished is True once at the
            end (also after Esc, with the window from before).
        scrolled(slices): The wheel turned; positive is onwards.
        pointed((x, y) | None): The pointer is over this image point; None outside the slice.
        tool_finished(): The one-shot Box tool has drawn its box.
        line_drawn(((x, y), (x, y))): A measuring line, in image pixels.
        tool_changed(): Another tool is in hand.
        spot_asked(x, y): The reader asks of this image point.
        snap_cycled(by): Another candidate to snap to is wanted; positive is onwards.
        snap_taken(candidate, box): The candidate shown is to be a box, pulled by a corner or as it is; both
            None where none was shown.
    """

    grasped = Signal()
    box_drawn = Signal(object)
    box_reshaped = Signal(str, object)
    box_copied = Signal(str, object)
    box_clicked = Signal(str)
    box_activated = Signal(str)
    window_changed = Signal(float, float, bool)
    scrolled = Signal(int)
    pointed = Signal(object)
    tool_finished = Signal()
    line_drawn = Signal(object)
    tool_changed = Signal()
    spot_asked = Signal(float, float)
    snap_cycled = Signal(int)
    snap_taken = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layered: tuple[BoxItem, ...] = ()
        self._tool = Tool.SELECT
        self._boxes_hidden = False
        self._corner_mode = CornerMode.ALL
        self._hovered: str | None = None
        # A box just drawn with the mouse: Up and Down still go to the next slice, where the next is drawn.
        self._fresh: str | None = None
        self._pointed: tuple[float, float] | None = None
        self._mouse = Mouse()
        self._wheel = 0
        self._lens = False
        self._snap: SnapShown | None = None
        self._hints = NO_HINTS
        self._pointer = QPointF()
        self._slice_image = SliceImage()
        self._proposal_layer = ProposalLayer()
        self._box_layer = BoxLayer()
        self._chip_layer = ChipLayer()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        # A right drag zooms; the main window's own context menu must not open under it.
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setAccessibleName("Slice viewer")

    # What is shown

    def set_scene(self, scene: SliceScene) -> None:
        """Show a scene. Zoom and pan stay unless its `fit_key` or the slice's size changed."""
        old = self._scene
        if scene.same_as(old):
            return
        self._scene = scene
        if scene.selected != self._fresh:
            self._fresh = None
        self._layered = in_layers(scene.boxes, scene.selected) if scene.shape is not None else ()
        if self._mouse.gesture is not None and self._outlived(self._mouse.gesture, old):
            self._forget_gesture()
        self._refit_for(old)
        if self._hovered not in {b.id for b in scene.boxes}:
            self._hovered = None
        if scene.description() != old.description():
            self.setAccessibleDescription(scene.description())
        self.update()

    def set_tool(self, tool: Tool) -> None:
        """Choose what a left drag does. A running gesture is cancelled; that of a key let go early is not."""
        if tool is self._tool:
            return
        if not isinstance(self._mouse.gesture, SnapDrag):
            self._cancel_gesture()
        self._tool = tool
        self._hovered = None
        self._show_cursor(None)
        self.update()
        self.tool_changed.emit()

    def tool(self) -> Tool:
        """The tool in hand."""
        return self._tool

    def set_boxes_hidden(self, hidden: bool) -> None:
        """Hide or show all boxes; hidden boxes cannot be hit either."""
        if hidden != self._boxes_hidden:
            self._boxes_hidden = hidden
            self._hovered = None
            self.update()

    def boxes_hidden(self) -> bool:
        """Whether all boxes are hidden."""
        return self._boxes_hidden

    def set_corner_mode(self, mode: CornerMode | Literal["all", "minimal", "none"]) -> None:
        """Choose how much corner text is shown; letters, scale bar and badges stay."""
        if CornerMode(mode) is not self._corner_mode:
            self._corner_mode = CornerMode(mode)
            self.update()

    def toggle_lens(self) -> None:
        """Show the magnifier, or put it away."""
        self.set_lens(not self._lens)

    def set_lens(self, shown: bool) -> None:
        """Show the magnifier at the pointer, or put it away."""
        self._lens = shown
        self.update()

    def set_snap(self, snap: SnapShown | None) -> None:
        """Show what a click would snap to; None for nothing."""
        if snap != self._snap:
            self._snap = snap
            self.update()

    def snap(self) -> SnapShown | None:
        """What a click would snap to."""
        return self._snap

    def hints(self) -> Hints:
        """The explanation on the slice."""
        return self._hints

    def set_hints(self, hints: Hints) -> None:
        """Show the boxes of an explanation."""
        if hints != self._hints:
            self._hints = hints
            self.update()

    def _transform(self) -> ViewTransform:
        return self._mouse.preview.transform or self._view

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a gesture, or set the second corner of a box drawn by two clicks."""
        if self._mouse.gesture is not None:
            self._mouse.press_again(event.button())
            return
        self._point(event.position())  # a finger has not moved there before
        gesture = self._gesture_for(event.button(), event.position(), event.modifiers())
        if gesture is not None:
            self._mouse.begin(gesture, event.button(), event.position())
            self.grasped.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with the gesture, or show what is under the pointer."""
        at = event.position()
        self._pointer = at
        if self._lens:
            self.update()
        if self._mouse.lost(event.buttons()):
            self._cancel_gesture()
        elif self._mouse.gesture is None:
            self._hover(at)
        else:
            self._drag_to(at)
        self._point(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the gesture of this button: a click where the pointer did not wander, else its signal."""
        at = event.position()
        ended = self._mouse.release(event.button(), at, self._gesture_view())
        if ended is None:
            return
        self.update()
        if ended.preview is not None:
            self._conclude(ended.gesture, ended.preview)
        elif isinstance(ended.gesture, SnapDrag):
            self.snap_taken.emit(ended.gesture.candidate, ended.gesture.candidate)
        elif event.button() is Qt.MouseButton.LeftButton and self._tool is Tool.WHY:
            self._ask_of(at)
        elif event.button() is Qt.MouseButton.LeftButton:
            hit = self._hit(at, prefer_selected=False)
            self._fresh = None
            self.box_clicked.emit(hit.item.id if hit else "")
        self._hover(at)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Activate a box; with the Box tool a double click is two clicks."""
        hit = self._hit(event.position())
        selecting = self._tool is Tool.SELECT and event.button() is Qt.MouseButton.LeftButton
        if selecting and hit is not None and self._mouse.gesture is None:
            self.box_activated.emit(hit.item.id)
        else:
            self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll through the slices; with Ctrl zoom at the pointer."""
        event.accept()
        delta = event.angleDelta().y()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            # Between the two clicks of a box zooming helps; during a drag it would be an accident.
            if self._mouse.gesture is None or self._mouse.waiting:
                self.zoom_by(_ZOOM_PER_STEP ** (delta / _WHEEL_STEP), event.position())
            return
        if self._mouse.gesture is not None:
            return
        # Fine wheels and touchpads send fractions of a step: they add up, and turning round starts anew.
        self._wheel = delta if self._wheel * delta < 0 else self._wheel + delta
        steps = int(self._wheel / _WHEEL_STEP)
        if steps:
            self._wheel -= steps * _WHEEL_STEP
            cycling = self._tool is Tool.SNAP and self._snap is not None and self._snap.count > 0
            (self.snap_cycled if cycling else self.scrolled).emit(-steps)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self._set_hovered(None)
        self._set_pointed(None)
        super().leaveEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show what is under the pointer."""
        self._hover(event.position())
        super().enterEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc ends a gesture or lets go of a box, arrows move the selected box; others are the window's."""
        act = self._key_act(event)
        if act is None:
            event.ignore()
        else:
            act()

    def event(self, event: QEvent) -> bool:
        """Keep from the window's shortcuts the keys that mean something here just now."""
        if (
            event.type() is QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self._key_act(event) is not None
        ):
            event.accept()
            return True
        return super().event(event)

    def _key_act(self, event: QKeyEvent) -> Callable[[], None] | None:
        """What a key does here; None where it is the window's."""
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape:
            return self._escape_act()
        if self._scene.shape is None or self._mouse.gesture is not None or self._boxes_hidden:
            return None
        return self._tool_act(key) or self._nudge_act(key, event.modifiers())

    def _tool_act(self, key: Qt.Key) -> Callable[[], None] | None:
        if self._tool is Tool.BOX and takes(key):
            return self._draw_in_view
        if self._tool is Tool.SNAP and takes(key):
            box = self._snap.box if self._snap is not None else None
            return lambda: self.snap_taken.emit(box, box)
        if self._tool is Tool.SNAP and (by := step_of(key)):
            return lambda: self.snap_cycled.emit(by)
        if self._tool is Tool.WHY and takes(key):
            return lambda: self._ask_of(self._pointer)
        return None

    def _ask_of(self, at: QPointF) -> None:
        self.spot_asked.emit(*self.image_point(at))
        self.tool_finished.emit()

    def _nudge_act(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> Callable[[], None] | None:
        scene = self._scene
        item = next((b for b in scene.boxes if b.id == scene.selected and b.editable), None)
        nudge = nudge_of(key, modifiers)
        if item is None or nudge is None or (item.id == self._fresh and nudge.scrolls):
            return None
        return lambda: self._nudge(item, nudge)

    def _escape_act(self) -> Callable[[], None] | None:
        if self._mouse.gesture is not None:
            return self._cancel_gesture
        if self._tool in {Tool.BOX, Tool.SNAP, Tool.WHY}:
            return self.tool_finished.emit
        return (lambda: self.box_clicked.emit("")) if self._scene.selected else None

    def _nudge(self, item: BoxItem, nudge: Nudge) -> None:
        self._fresh = None
        box = nudged(item.box, nudge, self._view.orientation, self._gesture_view().bounds)
        if box != item.box:
            self.box_reshaped.emit(item.id, box)

    def _draw_in_view(self) -> None:
        box = box_in_view(self._view, QSizeF(self.size()), self._gesture_view().bounds)
        if box is not None:
            self.box_drawn.emit(box)
            self.tool_finished.emit()

    # Gestures

    def _gesture_for(self, button: Qt.MouseButton, at: QPointF, keys: Qt.KeyboardModifier) -> Gesture | None:
        if self._scene.shape is None:
            return None
        match button:
            case Qt.MouseButton.MiddleButton:
                return PanDrag(at, self._view)
            case Qt.MouseButton.RightButton:
                return ZoomDrag(at, self._view)
            case Qt.MouseButton.LeftButton:
                return self._left_gesture(at, keys)
        return None

    def _left_gesture(self, at: QPointF, keys: Qt.KeyboardModifier) -> Gesture:
        point = self._view.to_image(at)
        if self._tool is Tool.BOX:
            return DrawBox(point)
        if self._tool in {Tool.DISTANCE, Tool.ANGLE}:
            return DrawLine(point)
        hit = self._hit(at)
        if self._tool is Tool.SNAP and (hit is None or hit.handle is None):
            return SnapDrag(point, self._snap.box if self._snap is not None else None)
        if hit is not None and hit.item.editable and self._tool is not Tool.WHY:
            copying = bool(keys & Qt.KeyboardModifier.ControlModifier)
            return BoxDrag(point, hit.item, None if copying else hit.handle, copying)
        return WindowDrag(at, self._scene.window, self._scene.up_brightens)

    def _gesture_view(self) -> View:
        return View(self._view, self._scene.shape or (1, 1), QSizeF(self.size()))

    def _drag_to(self, at: QPointF) -> None:
        step, gesture = self._mouse.move(at), self._mouse.gesture
        if step is Step.IDLE:
            return
        if step is Step.STARTED and isinstance(gesture, BoxDrag) and gesture.item.id != self._scene.selected:
            self.box_clicked.emit(gesture.item.id)
        preview = self._mouse.update(at, self._gesture_view())
        # Whoever heard the signal may have shown another scene and so ended the gesture.
        if self._mouse.gesture is not None:
            self.setCursor(self._mouse.gesture.cursor)
        if preview.window is not None:
            self._emit_window(preview.window, finished=False)
        if preview.transform is not None:
            self.view_changed.emit()
        self.update()

    def _conclude(self, gesture: Gesture, preview: Preview) -> None:
        if preview.transform is not None:
            self._set_view(preview.transform)
        elif preview.window is not None:
            self._emit_window(preview.window, finished=True)
        elif preview.line is not None:
            self.line_drawn.emit(preview.line)
        elif isinstance(gesture, SnapDrag) and gesture.candidate is not None and preview.box is not None:
            self.snap_taken.emit(gesture.candidate, preview.box)
        elif isinstance(gesture, SnapDrag) and preview.box is not None:
            self.box_drawn.emit(preview.box)
        elif isinstance(gesture, DrawBox) and preview.box is not None:
            self.box_drawn.emit(preview.box)
            self._fresh = self._scene.selected
            self.tool_finished.emit()
        elif isinstance(gesture, BoxDrag) and gesture.copying and preview.box is not None:
            self.box_copied.emit(gesture.item.id, preview.box)
        elif isinstance(gesture, BoxDrag) and preview.box not in (None, gesture.item.box):
            self._fresh = None
            self.box_reshaped.emit(gesture.item.id, preview.box)

    def _cancel_gesture(self) -> None:
        gesture, dragging = self._mouse.gesture, self._mouse.dragging
        self._forget_gesture()
        if isinstance(gesture, WindowDrag) and dragging:
            self._emit_window(gesture.window, finished=True)

    def _forget_gesture(self) -> None:
        self._mouse.forget()
        self._show_cursor(None)
        self.update()

    def _outlived(self, gesture: Gesture, old: SliceScene) -> bool:
        """Whether the new scene has no place for a gesture begun in the old one."""
        scene = self._scene
        if scene.fit_key != old.fit_key or scene.shape is None:
            return True
        if isinstance(gesture, BoxDrag):
            still = next((b for b in scene.boxes if b.id == gesture.item.id), None)
            if still is None or still.box != gesture.item.box or not still.editable:
                return True
        return isinstance(gesture, BoxDrag | DrawBox | DrawLine | SnapDrag) and scene.identity != old.identity

    def _emit_window(self, window: Window, *, finished: bool) -> None:
        self.window_changed.emit(window.center, window.width, finished)

    # Pointer

    def _hit(self, at: QPointF, *, prefer_selected: bool = True) -> Hit | None:
        boxes = () if self._boxes_hidden else self._layered
        context = HitContext(boxes, self._scene.selected, self._transform())
        return hit_test(context, at, prefer_selected=prefer_selected)

    def _hover(self, at: QPointF) -> None:
        hit = self._hit(at) if self._tool in {Tool.SELECT, Tool.SNAP} else None
        if self._tool is Tool.SNAP and hit is not None and hit.handle is None:
            hit = None  # there a click snaps
        self._set_hovered(hit.item.id if hit else None)
        self._show_cursor(hit)

    def _set_hovered(self, box_id: str | None) -> None:
        if box_id != self._hovered:
            self._hovered = box_id
            self.update()

    def _show_cursor(self, hit: Hit | None) -> None:
        if self._tool is not Tool.SELECT and hit is None:
            cursor = Qt.CursorShape.CrossCursor
        elif hit is None:
            cursor = Qt.CursorShape.ArrowCursor
        elif hit.handle is not None:
            cursor = HANDLE_CURSORS[hit.handle]
        else:
            cursor = Qt.CursorShape.SizeAllCursor if hit.item.editable else Qt.CursorShape.PointingHandCursor
        if self.cursor().shape() is not cursor:
            self.setCursor(cursor)

    def _point(self, at: QPointF) -> None:
        x, y = self.image_point(at)
        rows, columns = self._scene.shape or (0, 0)
        self._set_pointed((x, y) if 0 <= x < columns and 0 <= y < rows else None)

    def _set_pointed(self, point: tuple[float, float] | None) -> None:
        if point != self._pointed:
            self._pointed = point
            self.pointed.emit(point)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all layers."""
        painter = QPainter(self)
        paint(painter, self._paint_context())
        painter.end()

    def _paint_context(self) -> PaintContext:
        preview, scene = self._mouse.preview, self._scene
        boxes = standing = () if self._boxes_hidden else self._layered
        if preview.box is not None and preview.box_id is not None:
            boxes = tuple(replace(b, box=preview.box) if b.id == preview.box_id else b for b in boxes)
        window = preview.window or scene.window
        image = None
        if scene.shape is not None and scene.pixels is not None:
            image = self._slice_image.get(
                scene.pixels, window, scene.inverted, scene.orientation, scene.colors
            )
        font = QFont(self.font())
        if font.pointSizeF() > 0:
            font.setPointSizeF(font.pointSizeF() * _TEXT_SCALE)
        size, transform = QSizeF(self.size()), self._transform()
        return PaintContext(
            scene=scene,
            transform=transform,
            size=size,
            device_ratio=self.devicePixelRatioF(),
            image=image,
            slice_image=self._slice_image,
            proposal_layer=self._proposal_layer,
            box_layer=self._box_layer,
            chip_layer=self._chip_layer,
            overlays=lay_out(scene, transform, size, QFontMetricsF(font), self._corner_mode),
            boxes=boxes,
            standing=standing,
            in_hand=preview.box_id,
            hovered=self._hovered,
            preview=preview.box if preview.box_id is None else None,
            measured=preview.box,
            measuring=measure((preview.line,), scene.spacing) if preview.line else None,
            snap=self._snap if self._mouse.gesture is None else None,
            hints=self._hints,
            lens=self._pointer if self._lens and self.underMouse() else None,
            font=font,
            focus=self.palette().color(QPalette.ColorRole.Highlight) if self.hasFocus() else None,
        )
