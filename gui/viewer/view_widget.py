"""A widget that shows a slice at some zoom and pan, which are its own and survive another scene."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, QSizeF, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from gui.viewer.scene import SliceScene
from gui.viewer.transform import ViewTransform, centred, fitted, pixel_aspect


class ViewWidget(QWidget):
    """Zoom and pan of the scene that is shown.

    Signals:
        view_changed(): The reader has changed zoom or pan, or is about it.
    """

    view_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = SliceScene()
        self._view = ViewTransform()
        self._fitted = True
        self._view_shape: tuple[int, int] | None = None

    def scene(self) -> SliceScene:
        """The scene that is shown."""
        return self._scene

    def fit(self) -> None:
        """Show the whole slice, centred; it stays fitted while the widget is resized."""
        self._fit()
        self.view_changed.emit()

    def _fit(self) -> None:
        self._fitted = True
        shape = self._scene.shape
        if shape is None:
            return
        self._view_shape = shape
        aspect, orientation = aspect_of(self._scene), self._scene.orientation
        self._view = fitted(shape, QSizeF(self.size()), aspect, orientation=orientation)
        self.update()

    def _refit_for(self, old: SliceScene) -> None:
        """Fit a new scene where the zoom of the one before makes no sense in it."""
        scene = self._scene
        turned = scene.orientation != old.orientation
        if scene.fit_key != old.fit_key or turned or aspect_of(scene) != aspect_of(old):
            self._view_shape = None
        if scene.shape is not None and scene.shape != self._view_shape:
            self._fit()

    def one_to_one(self) -> None:
        """One pixel of the slice on one pixel of the screen, in the middle."""
        shape = self._scene.shape
        if shape is not None:
            aspect = aspect_of(self._scene)
            scale = 1 / self.devicePixelRatioF()
            self._set_view(centred(shape, QSizeF(self.size()), scale, aspect, self._scene.orientation))

    def view(self) -> ViewTransform:
        """Zoom and pan as they are, a running drag included."""
        return self._transform()

    def set_view(self, view: ViewTransform) -> None:
        """Zoom and pan as a linked viewport does; says nothing of it."""
        if view != self._view:
            self._view, self._fitted = view, False
            self.update()

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom about a widget point (the middle by default), which keeps its image point."""
        middle = QPointF(self.width() / 2, self.height() / 2)
        self._set_view(self._view.zoomed(factor, middle if at is None else at))

    def image_point(self, at: QPointF) -> tuple[float, float]:
        """The image point (x, y) under a widget point; may lie outside the slice."""
        return self._transform().to_image(at)

    def widget_point(self, x: float, y: float) -> QPointF:
        """The widget point of an image point."""
        return self._transform().to_widget(x, y)

    def _transform(self) -> ViewTransform:
        return self._view

    def _set_view(self, view: ViewTransform) -> None:
        if self._scene.shape is None:
            return
        self._view = view.kept_in_view(self._scene.shape, QSizeF(self.size()))
        self._fitted = False
        self.update()
        self.view_changed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Refit, or keep the middle in the middle where the reader has zoomed or panned."""
        if self._fitted:
            self._fit()
        elif event.oldSize().isValid():
            by = QSizeF(event.size()) - QSizeF(event.oldSize())
            self._view = self._view.panned(QPointF(by.width() / 2, by.height() / 2))
            if self._scene.shape is not None:
                self._view = self._view.kept_in_view(self._scene.shape, QSizeF(self.size()))
        super().resizeEvent(event)

    def sizeHint(self) -> QSize:
        """A comfortable slice."""
        return QSize(640, 640)

    def minimumSizeHint(self) -> QSize:
        """Still recognisable."""
        return QSize(120, 120)


def aspect_of(scene: SliceScene) -> float:
    """Height over width of a pixel of the scene."""
    return pixel_aspect(scene.spacing, scene.aspect)
