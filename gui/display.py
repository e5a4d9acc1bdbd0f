"""The pixels and grey-level window of the slice in view, decoded in the background; never a wrong slice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from core.errors import UnreadableFile
from core.imaging import prefetch
from core.imaging.pixels import PixelCache
from core.imaging.window import auto_window, default_window, presets
from core.jobs import CancelToken, Progress
from core.model import Series, SliceRef, Window
from core.settings import Settings
from gui.measuring import Measures
from gui.runner import JobOutcome, JobRunner, Lane, error_text
from gui.series_view import AS_IT_COMES, SeriesView, SeriesViews
from gui.session import Session

Pixels = NDArray[np.float32]
Loaded = tuple[Pixels, Window | None]
SLOW_MS = 150
"""A slice that comes sooner is shown without saying "Loading" first, which would flicker."""

WRITE_MS = 1000
"""A window that is being dragged is written to disk when it has come to rest."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What holds for every series.

    Attributes:
        smooth: Whether enlarged pixels are smoothed.
        up_brightens: Whether dragging the window upwards makes the slice brighter.
    """

    smooth: bool = True
    up_brightens: bool = True


def view_options(settings: Settings) -> ViewOptions:
    """What the settings say of every series."""
    return ViewOptions(settings.flag("view.smooth"), settings.text("view.window_up") == "brighter")


def preset_name(window: Window, number: int) -> str:
    """A window's name for people: the file's explanation, or what it is."""
    known = {"auto": "Percentile", "full": "Full range", "soft": "Soft", "hard": "Hard"}
    return known.get(window.name, window.name) or f"The file's window {number}"


class Display(QObject):
    """Pixels of the slice in view, and how each series is shown.

    A window that the reader chose is kept for the series. Until then each slice has its file's own window;
    a stack whose files have none gets one percentile window for all its slices.

    Signals:
        pixels_changed: The pixels of the slice in view arrived, or it is known that they cannot be read.
        window_changed: Another window, inversion, turn or colour map is in force.

    Attributes:
        measures: Distances and angles drawn on the slices.
        options: What holds for every series.
    """

    pixels_changed = Signal()
    window_changed = Signal()

    def __init__(
        self, session: Session, runner: JobRunner, cache: PixelCache, views: SeriesViews | None = None
    ) -> None:
        super().__init__()
        self.measures = Measures()
        self.options = ViewOptions()
        self._views = views or SeriesViews()
        self._write_views = QTimer(self, singleShot=True, interval=WRITE_MS)
        self._write_views.timeout.connect(self.remember_views)
        self._session = session
        self._runner = runner
        self._cache = cache
        self._pixels: tuple[str, Pixels] | None = None
        self._unreadable: dict[str, str] = {}
        self._default: dict[str, Window] = {}
        self._default_of: dict[str, int] = {}
        self._trail = prefetch.Trail()
        self._waiting = QTimer(self, singleShot=True, interval=SLOW_MS)
        self._waiting.timeout.connect(self.pixels_changed)
        session.place_changed.connect(self._show)
        session.catalog_changed.connect(self._series_grew)

    @property
    def pixels(self) -> Pixels | None:
        """Pixels of the slice in view, or None until they arrive; never another slice's."""
        if self._pixels is not None and self._pixels[0] == self._session.current_slice_key:
            return self._pixels[1]
        return None

    def picture(self, ref: SliceRef, pixels: Pixels | None) -> NDArray[Any] | None:
        """What to draw of a slice: its colours where it has them, else its pixels; None until they arrive."""
        colours = self._cache.peek_colour(ref) if pixels is not None else None
        return pixels if colours is None else colours

    @property
    def slow(self) -> bool:
        """Whether the slice in view has kept the reader waiting long enough to say so."""
        return self.pixels is None and not self._waiting.isActive()

    @property
    def unreadable(self) -> str:
        """Why the slice in view cannot be shown, or ""."""
        return self._unreadable.get(self._session.current_slice_key, "")

    @property
    def window(self) -> Window | None:
        """The window in force on the slice in view; None until its pixels were seen."""
        ref, series = self._session.current_slice, self._session.current_series
        return self.window_of(ref, series) if ref and series else None

    @property
    def window_values(self) -> tuple[float, float] | None:
        """(centre, width) in force, for the provenance of what is drawn now."""
        window = self.window
        return (window.center, window.width) if window else None

    @property
    def inverted(self) -> bool:
        """Whether the slice in view is shown inverted: its own inversion and the reader's."""
        ref, series = self._session.current_slice, self._session.current_series
        return ref is not None and series is not None and ref.inverted != self.view_of(series).inverted

    def view_of(self, series: Series) -> SeriesView:
        """How a series is shown."""
        return self._views.of(series.uid)

    @property
    def view(self) -> SeriesView:
        """How the series in view is shown."""
        series = self._session.current_series
        return self.view_of(series) if series else AS_IT_COMES

    def set_view(self, series: Series, view: SeriesView) -> None:
        """Show a series so, now and when it is opened again."""
        if view != self.view_of(series):
            self._views.put(series.uid, view)
            self._write_views.start()
            self.window_changed.emit()
            here, ref = self._session.current_series, self._session.current_slice
            if ref is not None and here is not None and here.uid == series.uid and self.window is None:
                self._load(ref, series)  # its own window was never asked for

    def change_view(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of SeriesView
        """Change fields of how the series in view is shown."""
        series = self._session.current_series
        if series is not None:
            self.set_view(series, replace(self.view_of(series), **changes))

    def reset_view(self) -> None:
        """Show the series in view as it came."""
        series = self._session.current_series
        if series is not None:
            self.set_view(series, AS_IT_COMES)

    def set_options(self, options: ViewOptions) -> None:
        """Change what holds for every series."""
        if options != self.options:
            self.options = options
            self.window_changed.emit()

    def remember_views(self) -> None:
        """Write how the series are shown; where that fails, it is forgotten on closing, and said."""
        self._write_views.stop()
        try:
            self._views.write()
        except OSError:
            self._session.said.emit("warning", "Windows and turns of the series cannot be kept: disk?")

    def set_window(self, window: Window) -> None:
        """Put a window in force for the series in view."""
        if window != self.window:
            self.change_view(window=window)

    def set_preset(self, number: int) -> None:
        """Put the n-th preset (1-based) in force; where there are fewer, nothing happens."""
        ref, pixels = self._session.current_slice, self.pixels
        if ref is None or pixels is None:
            return
        rows = presets(ref, pixels)
        if 1 <= number <= len(rows):
            self.set_window(rows[number - 1])
            self._session.said.emit("info", f"Window {number}: {rows[number - 1].name or 'from the file'}")

    def preset_names(self) -> tuple[str, ...]:
        """What the presets of the slice in view are called, by number; none before its pixels are there."""
        ref, pixels = self._session.current_slice, self.pixels
        if ref is None or pixels is None:
            return ()
        return tuple(preset_name(w, n) for n, w in enumerate(presets(ref, pixels), 1))

    def set_auto_window(self) -> None:
        """Put the percentile window of the slice in view in force."""
        ref = self._session.current_slice
        if self.pixels is not None and ref is not None:
            self.set_window(auto_window(self.pixels, ref.padding))

    def toggle_inverted(self) -> None:
        """Invert the series in view."""
        self.change_view(inverted=not self.view.inverted)

    def window_of(self, ref: SliceRef, series: Series) -> Window | None:
        """The window of a slice: the reader's, else the file's or automatic; None until pixels were seen."""
        return self.view_of(series).window or self._default.get(_default_key(ref, series))

    def _show(self) -> None:
        ref, series = self._session.current_slice, self._session.current_series
        if ref is None or series is None:
            return
        cached = self._cache.peek(ref)
        if cached is not None and self.window_of(ref, series) is not None and not self._outgrown(ref, series):
            self._pixels = (ref.key, cached)
            self._waiting.stop()
            self._runner.cancel("pixels")
            self.pixels_changed.emit()
            self._prefetch()
        else:
            self._waiting.start()
            self._load(ref, series)

    def _series_grew(self) -> None:
        ref, series = self._session.current_slice, self._session.current_series
        if ref is not None and series is not None and self._outgrown(ref, series):
            self._load(ref, series)

    def _outgrown(self, ref: SliceRef, series: Series) -> bool:
        """Whether a stack's window was found before the stack was whole: what was there may be air."""
        known, now = self._default_of.get(_default_key(ref, series)), len(series.slices)
        if known is None or not series.is_stack or ref.windows or self.view_of(series).window:
            return False
        return now >= 2 * known if self._session.growing else now > known

    def _load(self, ref: SliceRef, series: Series) -> None:
        self._runner.cancel("prefetch")  # what the reader waits for comes first
        self._submit(ref, series, "pixels", lambda outcome: self._arrived(ref, series, outcome))

    def is_kept(self, ref: SliceRef) -> bool:
        """Whether a slice can be shown without reading it."""
        return self._cache.peek(ref) is not None

    def fetch(self, ref: SliceRef, series: Series, key: str, done: Callable[[Pixels | None], None]) -> None:
        """Get the pixels of a slice for another viewport, and a window for its series.

        Args:
            ref: The slice.
            series: Its series.
            key: Of the viewport: a newer request takes the place of an older one.
            done: Called with the pixels, or None where they cannot be read; at once where they are there.
        """
        cached = self._cache.peek(ref)
        if cached is not None and self.window_of(ref, series) is not None:
            self._runner.cancel(key)
            done(cached)
            return

        def arrived(outcome: JobOutcome[Loaded]) -> None:
            if outcome.result is not None:
                pixels, window = outcome.result
                if window is not None:
                    self._keep_default(ref, series, window)
                done(pixels)
            elif outcome.error is not None:
                done(None)

        self._submit(ref, series, key, arrived)

    def _submit(
        self, ref: SliceRef, series: Series, key: str, done: Callable[[JobOutcome[Loaded]], None]
    ) -> None:
        cache = self._cache
        find = self.window_of(ref, series) is None or self._outgrown(ref, series)

        def job(progress: Progress, cancel: CancelToken) -> Loaded:
            pixels = cache.get(ref)
            cancel.check()
            if not find:
                return pixels, None
            if ref.windows or not series.is_stack:
                return pixels, default_window(ref, pixels)
            return pixels, _stack_window(series, cache, cancel)

        self._runner.submit(job, key=key, lane=Lane.READ, done=done)

    def _arrived(self, ref: SliceRef, series: Series, outcome: JobOutcome[Loaded]) -> None:
        if outcome.error is not None:
            self._unreadable[ref.key] = error_text(outcome.error)
        if outcome.result is not None:
            pixels, window = outcome.result
            if window is not None:
                self._keep_default(ref, series, window)
            self._unreadable.pop(ref.key, None)
            if ref.key == self._session.current_slice_key:
                self._pixels = (ref.key, pixels)
        if ref.key == self._session.current_slice_key and not outcome.cancelled:
            self._waiting.stop()
            self.pixels_changed.emit()
            self._prefetch()
            if outcome.succeeded:
                self._series_grew()  # it may have, while this was on its way

    def _keep_default(self, ref: SliceRef, series: Series, window: Window) -> None:
        key = _default_key(ref, series)
        self._default_of[key] = len(series.slices)
        if self._default.get(key) != window:
            self._default[key] = window
            self.window_changed.emit()

    def _prefetch(self) -> None:
        series, place, cache = self._session.current_series, self._session.place, self._cache
        if series is None or place is None:
            return
        step = self._trail.step(series.uid, place.index)
        ahead = prefetch.wanted(series.slices, place.index, step, cache)
        if not ahead:
            return

        def job(progress: Progress, cancel: CancelToken) -> None:
            prefetch.fetch(ahead, cache, cancel)

        self._runner.submit(job, key="prefetch", lane=Lane.READ)


def _stack_window(series: Series, cache: PixelCache, cancel: CancelToken) -> Window:
    """A percentile window from a slice that holds anatomy: the middle one, or the nearest that can be read.

    The end slices are mostly air.
    """
    middle = len(series.slices) // 2
    for _, ref in sorted(enumerate(series.slices), key=lambda row: abs(row[0] - middle)):
        cancel.check()
        with suppress(UnreadableFile):
            return auto_window(cache.get(ref), ref.padding)
    return auto_window(np.empty(0, dtype=np.float32))


def _default_key(ref: SliceRef, series: Series) -> str:
    return ref.key if ref.windows or not series.is_stack else series.uid
