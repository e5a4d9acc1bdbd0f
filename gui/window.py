"""The main window: docks, menus, status bar, geometry. Owns no state of the reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QObject, QSettings, Qt, Signal
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QInputDialog,
    QMainWindow,
    QMenu,
    QTabWidget,
    QToolBar,
    QWidget,
)

from core.model import REJECTION_REASONS
from gui import actions
from gui.actions import Desk
from gui.command_table import COMMANDS
from gui.commands import Command, Context, enabled, present
from gui.focus_keys import TEXT, keeps_key
from gui.keymap import Keymap, key_of
from gui.statusbar import StatusBar
from gui.theme import icon
from gui.viewer.scene import CornerMode, Tool
from gui.viewer_page import ViewerPage

TOOLBAR = (
    ("open-folder",),
    ("tool-select", "tool-box", "tool-snap", "delete", "undo", "redo"),
    ("previous-prediction", "next-prediction", "accept", "reject"),
    ("layer-predictions", "layer-proposals", "detect-slice", "detect-series"),
    ("fit", "invert", "tool-distance", "tool-angle", "cine"),
    ("layout-1x1", "layout-1x2", "layout-2x2", "linked"),
    ("sign-off", "export", "train"),
)
CORNER_MODES = (CornerMode.ALL, CornerMode.MINIMAL, CornerMode.NONE)


class MainWindow(QMainWindow):
    """Docks around the viewer; every action comes from the table of commands.

    Signals:
        dialog_wanted: (name) A dialog or view of its own is to be shown.
        demo_wanted: The phantom study is to be opened.
        theme_wanted: The other theme is to be put on.
        closing: The window is about to close for good.
    """

    dialog_wanted = Signal(str)
    demo_wanted = Signal()
    theme_wanted = Signal()
    closing = Signal()

    def __init__(
        self, desk: Desk, page: ViewerPage, status: StatusBar, keymap: Keymap, geometry: QSettings
    ) -> None:
        super().__init__()
        self.actions_by_id: dict[str, QAction] = {}
        self._held: dict[Qt.Key, Callable[[Context, bool], None]] = {}
        self._down: set[Qt.Key] = set()
        self._able: dict[str, bool] = {}
        self.setWindowTitle("Overread")
        self.setAcceptDrops(True)
        self._desk = desk
        self.keymap = keymap
        self._geometry = geometry
        self._corner = 0
        self._last_reason = REJECTION_REASONS[0]
        self.page = page
        self.context = Context(desk, self)
        self.setCentralWidget(page)
        self.setStatusBar(status)
        self._build_actions()
        self._tint_icons()
        page.start.offer(self.actions_by_id)
        self._build_menus()
        self.toolbar = self._build_toolbar()
        app = QApplication.instance()
        assert app is not None
        app.installEventFilter(self)
        for signal in (
            desk.session.place_changed,
            desk.session.selection_changed,
            desk.session.catalog_changed,
            desk.engine.point_changed,
            desk.display.window_changed,
            page.viewports.changed,
            page.cine.changed,
        ):
            signal.connect(self.refresh_actions)
        desk.session.annotations_changed.connect(lambda _keys: self.refresh_actions())
        # The box tool draws one box; a slip of the hand afterwards must not draw a second.
        page.canvas.tool_changed.connect(self.refresh_actions)
        page.canvas.tool_finished.connect(lambda: self.use_tool(Tool.SELECT.value))
        self.refresh_actions()

    # -- building ------------------------------------------------------------------------------------

    def add_left(self, title: str, panel: QWidget) -> QDockWidget:
        """A dock on the left."""
        dock = self._dock(title, panel)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        self.resizeDocks([dock], [350], Qt.Orientation.Horizontal)
        return dock

    def add_right(self, panels: dict[str, QWidget]) -> QTabWidget:
        """A dock on the right with one tab a panel."""
        tabs = QTabWidget()
        tabs.setDocumentMode(True)
        tabs.setAccessibleName("Reading")
        for title, panel in panels.items():
            tabs.addTab(panel, title)
        dock = self._dock("Reading", tabs)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        self.resizeDocks([dock], [500], Qt.Orientation.Horizontal)
        return tabs

    def _dock(self, title: str, panel: QWidget) -> QDockWidget:
        dock = QDockWidget(title)
        dock.setObjectName(f"dock-{title.lower()}")
        dock.setWidget(panel)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        return dock

    def restore_geometry(self) -> None:
        """Put window and docks where they were last time, if that is known."""
        geometry, state = self._geometry.value("geometry"), self._geometry.value("state")
        if isinstance(geometry, QByteArray) and isinstance(state, QByteArray):
            self.restoreGeometry(geometry)
            self.restoreState(state)
        else:
            self.resize(1440, 900)

    def _build_actions(self) -> None:
        for command in COMMANDS:
            action = QAction(command.title, self)
            action.setObjectName(command.id)
            action.setStatusTip(command.help)
            action.setCheckable(command.checked is not None)
            action.triggered.connect(self._runner_of(command))
            self.addAction(action)
            self.actions_by_id[command.id] = action
        self._give_keys()
        self.keymap.changed.connect(self._give_keys)

    def _give_keys(self) -> None:
        """Put the keys in force on the actions; a key that acts while held is the event filter's."""
        for command in COMMANDS:
            keys, action = self.keymap.keys(command.id), self.actions_by_id[command.id]
            if command.held is None:
                action.setShortcuts([QKeySequence(k) for k in keys])
            title = command.title.rstrip("…")
            action.setToolTip(f"{title} ({keys[0]})" if keys else title)
        self._held = {key_of(k): c.held for c in COMMANDS if c.held for k in self.keymap.keys(c.id)}

    def _tint_icons(self) -> None:
        for command in COMMANDS:
            if command.icon:
                self.actions_by_id[command.id].setIcon(icon(command.icon))

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self.actions_by_id:
            self._tint_icons()
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            # The release of a held key goes to the other window: boxes must not stay hidden.
            self._let_go()

    def _runner_of(self, command: Command) -> Callable[[], None]:
        def run() -> None:
            if enabled(command, self.context):
                command.run(self.context)
            self.refresh_actions()

        return run

    def _build_menus(self) -> None:
        menus: dict[str, QMenu] = {}
        for command in COMMANDS:
            parent: QMenu | None = None
            path = ""
            for part in command.menu.split("/"):
                path = f"{path}/{part}"
                if path not in menus:
                    title = part if parent is not None else f"&{part}"
                    menus[path] = (
                        parent.addMenu(title) if parent is not None else self.menuBar().addMenu(title)
                    )
                parent = menus[path]
            assert parent is not None
            parent.addAction(self.actions_by_id[command.id])
        menus["/View/Window"].aboutToShow.connect(self.name_presets)

    def _build_toolbar(self) -> QToolBar:
        bar = QToolBar("Tools")
        bar.setObjectName("toolbar")
        bar.setMovable(False)
        for group in TOOLBAR:
            if bar.actions():
                bar.addSeparator()
            for command_id in group:
                bar.addAction(self.actions_by_id[command_id])
        self.addToolBar(bar)
        return bar

    def name_presets(self) -> None:
        """Name the window presets after what they are on the slice in view; asked when their menu opens."""
        rows = self._desk.display.preset_names()
        for number in range(1, 10):
            action = self.actions_by_id[f"preset-{number}"]
            action.setText(rows[number - 1] if number <= len(rows) else f"Window {number}")
            action.setVisible(number <= len(rows) or not rows)

    def refresh_actions(self) -> None:
        """Enable, check and name the actions as things stand."""
        workspace, schema = self._desk.session.workspace, self._desk.session.workspace.schema
        there = present(self.context)
        able = {c.id: there[c.needs] for c in COMMANDS}
        able |= {"undo": workspace.can_undo, "redo": workspace.can_redo}
        for command in COMMANDS:
            action, now = self.actions_by_id[command.id], able[command.id]
            # This runs at every slice, and a button is painted anew even where nothing is new. A hidden
            # action says that it is disabled, whatever it was told.
            if self._able.get(command.id) is not now:
                action.setEnabled(now)
            if command.checked is not None:
                action.setChecked(command.checked(self.context))
        self._able = able
        for name, text in (("undo", workspace.undo_text), ("redo", workspace.redo_text)):
            self.actions_by_id[name].setText(f"{name.capitalize()} {text}".rstrip())
        for number in range(1, 10):
            label = schema.by_key(number)
            action = self.actions_by_id[f"class-{number}"]
            action.setVisible(label is not None)
            action.setText(label.name if label else "")

    # -- WindowPort ----------------------------------------------------------------------------------

    def ask_open_folder(self) -> None:
        """Let the reader choose a folder to open."""
        chosen = QFileDialog.getExistingDirectory(self, "Open a folder of slices")
        if chosen:
            self._desk.session.open_paths([Path(chosen)])

    def ask_open_files(self) -> None:
        """Let the reader choose files to open."""
        chosen, _ = QFileDialog.getOpenFileNames(self, "Open files")
        if chosen:
            self._desk.session.open_paths([Path(p) for p in chosen])

    def open_demo(self) -> None:
        """Open the phantom study."""
        self.demo_wanted.emit()

    def show_dialog(self, name: str) -> None:
        """Ask for a dialog or view of its own."""
        self.dialog_wanted.emit(name)

    def ask_rejection(self) -> None:
        """Show the reasons at the cursor; a digit or Enter picks one."""
        if not actions.has_prediction(self._desk):
            actions.reject_selected(self._desk, "")  # says that there is none
            return
        menu = QMenu("Reject because", self)
        menu.setObjectName("rejection-reasons")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for number, reason in enumerate(REJECTION_REASONS, 1):
            action = menu.addAction(f"&{number}  {reason}")
            action.triggered.connect(lambda _on=False, r=reason: self._reject(r))
            if reason == self._last_reason:
                menu.setActiveAction(action)
        menu.popup(self.page.mapToGlobal(self.page.rect().center()))

    def _reject(self, reason: str) -> None:
        self._last_reason = reason
        actions.reject_selected(self._desk, reason)

    def ask_new_class(self) -> None:
        """Let the reader name a new class."""
        name, chosen = QInputDialog.getText(self, "New class", "Name of the new class:")
        if chosen and name.strip():
            self._desk.session.add_class(name)
            self.refresh_actions()

    def use_tool(self, name: str) -> None:
        """Put a tool in the hand."""
        self._desk.display.measures.stop_waiting()
        self.page.canvas.set_tool(Tool(name))
        self.refresh_actions()

    def tool(self) -> str:
        """The tool in the hand."""
        return self.page.canvas.tool().value

    def fit(self) -> None:
        """Fit the slice to the viewer."""
        self.page.canvas.fit()

    def zoom(self, factor: float) -> None:
        """Zoom about the middle of the viewer."""
        self.page.canvas.zoom_by(factor)

    def cycle_corners(self) -> None:
        """Corner text: all, minimal, none."""
        self._corner = (self._corner + 1) % len(CORNER_MODES)
        self.page.viewports.set_corner_mode(CORNER_MODES[self._corner])

    def hide_boxes(self, hidden: bool) -> None:
        """Hide every box, or show them again."""
        self.page.viewports.set_boxes_hidden(hidden)

    def toggle_boxes(self) -> None:
        """Hide every box, or where they are hidden show them."""
        self.hide_boxes(not self.page.canvas.boxes_hidden())

    def toggle_theme(self) -> None:
        """Dark or light."""
        self.theme_wanted.emit()

    # -- events --------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Held keys act while they are down; a field, slider or button in focus keeps its own keys."""
        if isinstance(event, QKeyEvent) and event.key() in self._held and not event.isAutoRepeat():
            self._hold(event)
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self.isActiveWindow()
            and keeps_key(QApplication.focusWidget(), event)
        ):
            event.accept()
            return True
        return super().eventFilter(watched, event)

    def _hold(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if event.type() == QEvent.Type.KeyRelease and key in self._down:
            self._down.discard(key)
            self._held[key](self.context, False)
        elif (
            event.type() == QEvent.Type.KeyPress
            and event.modifiers() == Qt.KeyboardModifier.NoModifier
            and self.isActiveWindow()
            and not isinstance(QApplication.focusWidget(), TEXT)
            and self._desk.session.current_slice is not None
        ):
            self._down.add(key)
            self._held[key](self.context, True)

    def _let_go(self) -> None:
        for key in self._down:
            self._held[key](self.context, False)
        self._down.clear()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take local files and folders."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self._desk.session.open_paths(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember where the docks were; nothing else is unwritten."""
        self._geometry.setValue("geometry", self.saveGeometry())
        self._geometry.setValue("state", self.saveState())
        app = QApplication.instance()
        if app is not None:
            app.removeEventFilter(self)
        self.closing.emit()
        super().closeEvent(event)
