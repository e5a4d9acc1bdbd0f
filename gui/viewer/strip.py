"""The slice strip: the whole stack at a glance, a column a slice; click or drag to jump.

Rows, from the top: predicted (hollow diamond), accepted (check), edited (filled square), rejected
(cross), and at the bottom the reading: hollow = unread, filled = read. A column without a ground is one
that the engine has not been over. Place and shape carry the
meaning, colour only helps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.theme import current_theme
from gui.viewer.glyphs import Glyph, paint_glyph
from gui.viewer.strip_layout import Column, SliceMark, StripGeometry, columns, words

__all__ = ["SliceMark", "SliceStrip"]

_GUTTER = 18.0
_TOP = 7.0
_ROW = 9.0
_BASELINE = 6.0
_HEIGHT = round(_TOP + 4 * _ROW + _BASELINE + 7)
_SIGN = 7.0
# From this width on a column shows signs; below, ticks in the sign's row.
_ROOM_FOR_SIGNS = 9.0
_ROOM_FOR_GAP = 3.0


class _Row(NamedTuple):
    glyph: Glyph
    token: str
    count: Callable[[Column], int]


_ROWS = (
    _Row(Glyph.DIAMOND, "warning", lambda c: c.predicted),
    _Row(Glyph.CHECK, "success", lambda c: c.accepted),
    _Row(Glyph.PENCIL, "text", lambda c: c.edited),
    _Row(Glyph.CROSS, "danger", lambda c: c.rejected),
)


class SliceStrip(QWidget):
    """One column per slice, several slices a column where there are very many.

    Signals:
        picked(index): The reader wants this slice.
    """

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._marks: tuple[SliceMark, ...] = ()
        self._current = -1
        self._columns: tuple[Column, ...] = ()
        self._geometry = StripGeometry(0, _GUTTER, 1.0)
        self._wanted = -1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)
        self.setAccessibleName("Slice strip")

    def set_marks(self, marks: tuple[SliceMark, ...], current: int) -> None:
        """Show these slices.

        Args:
            marks: One a slice, in reading order.
            current: Index of the slice on screen; -1 for none.
        """
        if marks == self._marks and current == self._current:
            return
        if marks != self._marks:
            self._marks = marks
            self._arrange()
        self._current = current
        if 0 <= current < len(marks):
            self.setAccessibleDescription(words(marks[current], current, len(marks)))
        self.update()

    def slice_at(self, x: float) -> int:
        """Index of the slice at a widget x, -1 without slices."""
        return self._geometry.slice_at(x) if self._marks else -1

    def x_of(self, index: int) -> float:
        """Widget x of the middle of a slice."""
        return self._geometry.middle_of(index)

    def sizeHint(self) -> QSize:
        """As wide as there is room, one fixed height."""
        return QSize(480, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Narrow still works: slices share columns."""
        return QSize(80, _HEIGHT)

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._wanted = -1
            self._pick(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Scrub while the button is down."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._pick(event.position())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """One slice a step."""
        delta = event.angleDelta().y()
        event.accept()
        target = self._current + (-1 if delta > 0 else 1)
        if delta and 0 <= target < len(self._marks):
            self.picked.emit(target)

    def event(self, event: QEvent) -> bool:
        """A tooltip of its own for every slice."""
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._marks:
            index = self.slice_at(event.pos().x())
            QToolTip.showText(event.globalPos(), words(self._marks[index], index, len(self._marks)), self)
            return True
        return super().event(event)

    def _pick(self, at: QPointF) -> None:
        index = self.slice_at(at.x())
        if index not in (-1, self._wanted):
            self._wanted = index
            self.picked.emit(index)

    # Painting

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share out the new width."""
        self._arrange()
        super().resizeEvent(event)

    def _arrange(self) -> None:
        self._geometry = StripGeometry.of(len(self._marks), _GUTTER, self.width() - _GUTTER - 8)
        self._columns = columns(self._marks, self._geometry)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Legend, columns, and the current slice on top."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = _Ink()
        painter.fillRect(self.rect(), ink.ground)
        if self._marks:
            self._paint_legend(painter, ink)
            for column in self._columns:
                _paint_column(painter, column, ink)
            self._paint_current(painter, ink)
        painter.end()

    def _paint_legend(self, painter: QPainter, ink: _Ink) -> None:
        for place, row in enumerate(_ROWS):
            sign = QRectF((_GUTTER - _SIGN) / 2 - 1, _row_top(place) + (_ROW - _SIGN) / 2, _SIGN, _SIGN)
            paint_glyph(painter, row.glyph, sign, ink.faint, width=1.2)

    def _paint_current(self, painter: QPainter, ink: _Ink) -> None:
        if not 0 <= self._current < len(self._marks):
            return
        x = self._geometry.middle_of(self._current)
        half = max(self._geometry.per_slice / 2, 1.5)
        painter.setPen(QPen(ink.current, 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(x - half, _TOP - 2, 2 * half, self.height() - _TOP), 2, 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink.current)
        painter.drawPolygon(QPolygonF([QPointF(x - 5, 0), QPointF(x + 5, 0), QPointF(x, 5.5)]))


class _Ink:
    """Colours of the theme in force; asked for at every painting, so that a change of theme is seen."""

    def __init__(self) -> None:
        theme = current_theme()
        self.ground = theme.color("surface")
        self.computed = theme.color("hover")
        self.text = theme.color("text")
        self.faint = theme.color("muted")
        self.current = theme.color("accent")
        self.marks = {row.glyph: theme.color(row.token) for row in _ROWS}


def _row_top(place: int) -> float:
    return _TOP + place * _ROW


def _paint_column(painter: QPainter, column: Column, ink: _Ink) -> None:
    gap = 1.0 if column.width >= _ROOM_FOR_GAP else 0.0
    cell = QRectF(column.left, _TOP, column.width - gap, len(_ROWS) * _ROW)
    if column.computed == column.slices:
        painter.fillRect(cell, ink.computed)
    else:  # a line where the engine has not been
        painter.fillRect(QRectF(cell.left(), cell.center().y() - 0.5, cell.width(), 1.0), ink.computed)
    for place, row in enumerate(_ROWS):
        if row.count(column):
            _paint_mark(painter, cell, place, row.glyph, ink)
    _paint_reading(painter, column, QRectF(cell.left(), cell.bottom() + 2, cell.width(), _BASELINE), ink)


def _paint_mark(painter: QPainter, cell: QRectF, place: int, glyph: Glyph, ink: _Ink) -> None:
    top, color = _row_top(place), ink.marks[glyph]
    if cell.width() >= _ROOM_FOR_SIGNS:
        sign = QRectF(cell.center().x() - _SIGN / 2, top + (_ROW - _SIGN) / 2, _SIGN, _SIGN)
        paint_glyph(painter, glyph, sign, color, width=1.4)
        return
    tick = QRectF(cell.left(), top + 1.5, max(cell.width(), 2.0), _ROW - 3)
    if glyph is Glyph.DIAMOND:  # hollow here too: nobody has judged it
        painter.setPen(QPen(color, 1.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(tick.adjusted(0.5, 0.5, -0.5, -0.5))
    else:
        painter.fillRect(tick, color)


def _paint_reading(painter: QPainter, column: Column, rect: QRectF, ink: _Ink) -> None:
    """Filled as far as the slices of the column are read; the outline stays for the rest."""
    read = 1 - column.unread / column.slices
    painter.setPen(QPen(ink.faint, 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(rect.adjusted(0.5, 0.5, -0.5, -0.5))
    if read > 0:
        filled = QRectF(rect)
        filled.setTop(rect.bottom() - rect.height() * read)
        painter.fillRect(filled, ink.faint if read < 1 else ink.text)
