"""Composition root: builds settings, store, runner, session, window; nothing else does."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QLibraryInfo, QSettings, Qt, QTimer
from PySide6.QtWidgets import QApplication

from core.detection.registry import ModelRegistry
from core.errors import InputError, OverreadError
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken, Progress
from core.proposals.registry import warm_up
from core.review.point_book import POINTS_FILE, PointBook
from core.review.result_cache import ResultCache
from core.settings import SETTINGS_FILE, Settings, home, reader_name
from core.store.index import FileIndex, index_file
from core.store.workspace import Workspace
from gui.actions import Desk
from gui.command_table import COMMANDS
from gui.dialog_desk import DialogDesk
from gui.display import Display, view_options
from gui.engine import Engine
from gui.hanging import HANGINGS_FILE, Hangings
from gui.keymap import KEYS_FILE, Keymap
from gui.panels.findings import FindingsPanel
from gui.panels.history import HistoryPanel
from gui.panels.linking import Linker
from gui.panels.missed import MissedDock
from gui.panels.operating_point import OperatingPointPanel
from gui.panels.worklist import WorklistPanel
from gui.propagation import Propagator
from gui.runner import JobOutcome, JobRunner, Lane
from gui.second import Second
from gui.series_view import VIEWS_FILE, SeriesViews
from gui.session import Session
from gui.snap_regions import SliceRegions
from gui.statusbar import StatusBar
from gui.theme import apply_theme
from gui.viewer_page import ViewerPage
from gui.walk import Order, Walk
from gui.window import MainWindow
from gui.window_check import WindowCheck

log = logging.getLogger("overread")
MIB = 1 << 20


@dataclass(frozen=True, slots=True, weakref_slot=True)
class App:
    """Everything that lives as long as the window."""

    settings: Settings
    workspace: Workspace
    runner: JobRunner
    desk: Desk
    window: MainWindow
    dialogs: DialogDesk
    index: FileIndex

    def open_demo(self) -> None:
        """Make the phantom study (once) and open it."""
        folder = home() / "demo"

        def job(progress: Progress, cancel: CancelToken) -> Path:
            from core.imaging.phantom_demo import make_demo  # noqa: PLC0415 - 0.1 s of every start

            return make_demo(folder)

        def made(outcome: JobOutcome[Path]) -> None:
            if outcome.result is not None:
                self.desk.session.open_paths([outcome.result])
            elif outcome.error is not None:
                self.desk.session.said.emit("error", f"{folder}: the demo study cannot be written there.")

        self.runner.submit(job, key="demo", lane=Lane.LONG, title="Making the demo study", done=made)

    def warm_up(self) -> None:
        """Compile what finds proposals while nobody waits for it; from the second start on, load it."""

        def job(progress: Progress, cancel: CancelToken) -> None:
            warm_up(cancel)

        self.runner.submit(job, key="warm", lane=Lane.LONG, title="Getting selective search ready")

    def shut_down(self) -> None:
        """Stop what runs and close the workspace. Nothing is unwritten."""
        self.dialogs.shut_down()
        self.desk.display.remember_views()
        try:
            self.desk.engine.remember_point()
        except OSError as error:
            log.warning("settings could not be written: %s", type(error).__name__)
        self.runner.shut_down()
        self.workspace.close()
        self.index.close()


def build(qt: QApplication, workspace_path: Path, cache: PixelCache | None = None) -> App:
    """Build the application, with nothing open yet.

    Args:
        qt: The Qt application.
        workspace_path: The workspace; made where there is none.
        cache: Where slices are decoded; None for one as large as the settings say.

    Raises:
        OverreadError: The workspace or the settings cannot be used.
    """
    settings = Settings(home() / SETTINGS_FILE)
    apply_theme(qt, settings.text("view.theme"))
    workspace = Workspace.open(workspace_path, reader=reader_name(settings))
    runner = JobRunner()
    cache = cache or PixelCache(int(settings.number("cache.pixels_mb")) * MIB)
    index = FileIndex(index_file(workspace.path))
    session = Session(workspace, runner, reader_name(settings), index)
    display = Display(session, runner, cache, SeriesViews(home() / VIEWS_FILE))
    display.set_options(view_options(settings))
    results = ResultCache(home() / "cache" / "results", int(settings.number("cache.results_mb")) * MIB)
    points = PointBook(home() / POINTS_FILE)
    engine = Engine(session, runner, cache, ModelRegistry(home() / "models"), settings, results, points)
    walk = Walk(Order(settings.text("walk.order")), settings.flag("walk.goes_on"))
    window_check = WindowCheck(session, engine, runner, cache, settings)
    desk = Desk(session, display, engine, SliceRegions(runner, cache), window_check, walk)
    propagator = Propagator(desk, runner, cache)
    page = ViewerPage(desk, settings, Hangings(home() / HANGINGS_FILE), propagator)
    status = StatusBar(desk, runner)
    page.pointed.connect(status.point_at)
    geometry = QSettings(str(home() / "window.ini"), QSettings.Format.IniFormat)
    keymap = Keymap(COMMANDS, home() / KEYS_FILE)
    window = MainWindow(desk, page, status, keymap, geometry)
    window.add_left("Worklist", WorklistPanel(desk, runner, cache))
    window.add_right(
        {
            "Findings": FindingsPanel(desk, Linker(session, runner)),
            "Operating point": OperatingPointPanel(desk, Second(session, runner, cache, engine)),
            "History": HistoryPanel(desk),
        }
    )
    missed = MissedDock(page.missed)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, missed)
    dialogs = DialogDesk(desk, window, runner, cache, settings)
    app = App(settings, workspace, runner, desk, window, dialogs, index)
    window.dialog_wanted.connect(dialogs.show)
    window.demo_wanted.connect(app.open_demo)
    window.theme_wanted.connect(lambda: _other_theme(qt, settings))
    window.closing.connect(app.shut_down)
    window.restore_geometry()
    missed.hide()  # until something is asked, wherever it was last time
    if keymap.problem:
        session.said.emit("error", keymap.problem)
    return app


def _scale() -> None:
    """Make text and controls as large as the settings say; Qt wants to know before it starts."""
    with suppress(InputError):  # said when the settings are read in earnest
        scale = Settings(home() / SETTINGS_FILE).number("view.scale")
        if scale != 1.0:
            os.environ.setdefault("QT_SCALE_FACTOR", f"{scale:g}")


def _other_theme(qt: QApplication, settings: Settings) -> None:
    settings.set("view.theme", "light" if settings.text("view.theme") == "dark" else "dark")
    apply_theme(qt, settings.text("view.theme"))


def no_screen() -> str:
    """What to tell a person on a machine without a display; "" where there is one."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return ""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return (
        "There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set).\n"
        "  A picture without a window:  overread snapshot PATH --slice K --out F.png\n"
        "  The window without a screen: QT_QPA_PLATFORM=offscreen overread …\n"
        "  A virtual screen:            xvfb-run overread …"
    )


def _install_hooks(app: App) -> None:
    def on_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        # Where, not what: an exception's text may quote a patient's data.
        log.error("unexpected %s\n%s", kind.__name__, "".join(traceback.format_tb(trace)))
        if threading.current_thread() is threading.main_thread():
            app.desk.session.said.emit("error", f"An unexpected {kind.__name__}. Nothing written is lost.")

    sys.excepthook = on_error


def _collect_on_main_thread(qt: QApplication) -> QTimer:
    """Python's cyclic collector could destroy Qt objects from a worker thread: run it here only."""
    gc.disable()
    timer = QTimer(qt, interval=2000)
    timer.timeout.connect(lambda: gc.collect(1))
    timer.start()
    return timer


def run(
    paths: Sequence[Path],
    *,
    demo: bool = False,
    workspace: Path | None = None,
    ready: Callable[[App], None] | None = None,
) -> int:
    """Open the application and stay until it is closed.

    Args:
        paths: What to open.
        demo: Open the phantom study.
        workspace: The workspace; None for the reader's own.
        ready: Called once the window is up (screenshots, measurements).

    Returns:
        Exit status.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for noisy in ("pydicom", "PIL"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)  # their messages quote file contents
    if problem := no_screen():
        print(problem, file=sys.stderr)  # noqa: T201 - there is no window to say it in
        return 1
    _scale()
    qt = QApplication.instance() or QApplication(["overread"])
    assert isinstance(qt, QApplication)
    qt.setApplicationName("Overread")
    qt.setApplicationDisplayName("Overread")
    try:
        app = build(qt, workspace or home() / "workspace.overread")
    except OverreadError as error:
        print(f"overread: {error}", file=sys.stderr)  # noqa: T201 - there is no window to say it in
        return 1
    _install_hooks(app)
    timer = _collect_on_main_thread(qt)
    app.window.show()
    log.info("Qt %s", QLibraryInfo.version().toString())
    if demo:
        app.open_demo()
    if paths:
        app.desk.session.open_paths(paths)
    # After the first paint: the window is up before torch is imported in a worker.
    QTimer.singleShot(0, app.warm_up)
    QTimer.singleShot(0, app.desk.engine.use_current_model)
    if ready is not None:
        QTimer.singleShot(0, lambda: ready(app))
    status = qt.exec()
    timer.stop()
    gc.enable()
    return status
