"""Shows dialogs and views of their own by name; keeps those that live on between showings."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from core import __version__
from core.detection.registry import ModelEntry
from core.errors import OverreadError
from core.imaging.pixels import PixelCache
from core.settings import Settings
from gui.actions import Desk
from gui.command_table import COMMANDS
from gui.dialogs.accept_from import AcceptFrom
from gui.dialogs.choosing import ask_finding, ask_series
from gui.dialogs.exchange import ExportDialog, ImportDialog
from gui.dialogs.key_editor import KeyEditor
from gui.dialogs.lists import key_sheet, skipped_files
from gui.dialogs.models import ModelsDialog, told
from gui.dialogs.palette import Palette
from gui.dialogs.schema import SchemaEditor
from gui.dialogs.settings import SettingsDialog
from gui.dialogs.tags import TagsDialog
from gui.display import view_options
from gui.panels.box_fields import BoxFields
from gui.retraining import Retraining
from gui.runner import JobRunner
from gui.theme import apply_theme
from gui.walk import Order
from gui.window import MainWindow

ABOUT = """<h3>Overread {version}</h3>
<p>Review MRI slices, correct an R-CNN's boxes, sign off, retrain:
on your own machine, with the network off.</p>
<p>For research and dataset work. Not a cleared medical device; not for diagnosis.</p>
<p>Apache License 2.0</p>"""


class DialogDesk:
    """The dialogs of the window."""

    def __init__(
        self, desk: Desk, window: MainWindow, runner: JobRunner, cache: PixelCache, settings: Settings
    ) -> None:
        self._desk = desk
        self._window = window
        self._runner = runner
        self._cache = cache
        self._settings = settings
        self._training: QWidget | None = None
        self.retraining = Retraining(desk, runner, cache)
        self._shows: dict[str, Callable[[], QWidget]] = {
            "export": lambda: ExportDialog(desk, runner, cache, window),
            "import": lambda: ImportDialog(desk, runner, window),
            "skipped": lambda: skipped_files(desk.session.skipped, desk.session.objects, window),
            "tags": lambda: window.findChild(TagsDialog) or TagsDialog(desk, runner, window),
            "models": lambda: ModelsDialog(desk, self.use_model, window),
            "training": self._training_view,
            "keys": lambda: key_sheet(window.keymap, window),
            "change-keys": lambda: KeyEditor(window.keymap, window),
            "palette": self._palette,
            "settings": self._settings_form,
            "about": self._about,
            "schemas": lambda: SchemaEditor(desk, window),
            "box-fields": self._box_fields,
            "accept-from": lambda: AcceptFrom(desk, window),
            "project": lambda: ask_series(desk, window),
            "merge-findings": lambda: ask_finding(desk, window),
        }

    def show(self, name: str) -> None:
        """Show a dialog; none blocks the window."""
        dialog = self._shows[name]()
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def use_model(self, entry: ModelEntry) -> None:
        """Put a model in use, now and for later; offer to add the classes that only it knows."""
        schema = self._desk.session.workspace.schema
        unknown = [name for name in entry.card.classes if schema.by_name(name) is None]
        if unknown:
            self._ask_for_classes(entry, unknown)
        else:
            self._promote(entry)

    def _promote(self, entry: ModelEntry) -> None:
        try:
            self._desk.engine.registry.promote(entry.name)
        except (OverreadError, OSError) as error:
            self._desk.session.said.emit("error", f"{entry.name} is not in use. {told(error)}")
            return
        self._desk.engine.use_model(entry)

    def _ask_for_classes(self, entry: ModelEntry, names: list[str]) -> None:
        yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
        question = QMessageBox(
            QMessageBox.Icon.Question,
            "New classes",
            f"{entry.name} predicts {', '.join(names)}, which the label schema of this workspace does not "
            "have.\n\nAdd to the schema? Ids of the other classes stay as they are.",
            yes | no,
            self._window,
        )
        question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        question.setDefaultButton(yes)

        def answered(button: int) -> None:
            if button == yes.value and all(map(self._desk.session.add_class, names)):
                self._promote(entry)

        question.finished.connect(answered)
        question.open()  # the window answers meanwhile

    def shut_down(self) -> None:
        """Close what is on its own."""
        if self._training is not None:
            self._training.close()

    def _training_view(self) -> QWidget:
        if self._training is None:
            # pyqtgraph takes a third of a second to import: only when it is wanted.
            from gui.dialogs.training import TrainingView  # noqa: PLC0415

            minutes = self._settings.number("train.minutes")
            view = TrainingView(self.retraining, minutes, self._window)
            view.use_wanted.connect(self.use_model)
            self._training = view
        self.retraining.count()
        return self._training

    def _palette(self) -> QWidget:
        palette = Palette(COMMANDS, self._window.keymap, self._window.context, self._window)
        middle = self._window.geometry().center()
        palette.move(middle.x() - palette.width() // 2, self._window.geometry().top() + 90)
        return palette

    def _box_fields(self) -> QWidget:
        fields = self._window.findChild(BoxFields)
        assert fields is not None
        fields.begin()
        return fields

    def _settings_form(self) -> QWidget:
        form = SettingsDialog(self._settings, self._window)
        form.changed.connect(self._setting_changed)
        return form

    def _setting_changed(self, key: str) -> None:
        """Put in force what can be put in force at once."""
        app = QApplication.instance()
        if key == "view.theme" and isinstance(app, QApplication):
            apply_theme(app, self._settings.text(key))
        elif key in {"view.smooth", "view.window_up"}:
            self._desk.display.set_options(view_options(self._settings))
        elif key == "view.cine_fps":
            self._window.page.cine.set_fps(self._settings.number(key))
        elif key == "view.linked":
            self._window.page.viewports.relink()
        elif key == "walk.goes_on":
            self._desk.walk.goes_on = self._settings.flag(key)
        elif key == "walk.order":
            self._desk.walk.order = Order(self._settings.text(key))

    def _about(self) -> QWidget:
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowModality(Qt.WindowModality.NonModal)
        box.setWindowTitle("About Overread")
        box.setText(ABOUT.format(version=__version__))
        return box
