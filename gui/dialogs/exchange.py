"""Export and import of labels."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from core.errors import OverreadError
from core.exchange.datasets import from_workspace
from core.exchange.export import ExportReport, export_dataset
from core.exchange.importing import ImportResult, import_annotations, import_edit
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken, Progress
from core.model import Dataset
from gui.actions import Desk
from gui.opened import all_slices
from gui.retraining import describe
from gui.runner import JobOutcome, JobProgress, JobRunner, Lane, error_text

FORMATS = (("COCO", "coco"), ("YOLO", "yolo"), ("Pascal VOC", "voc"))
IMAGES = (("Copies (PNG, grey values kept)", "copy"), ("References to the files where they are", "reference"))


class _PathRow(QWidget):
    """A path, typed or chosen."""

    def __init__(self, name: str, *, folder: bool, new: bool = False) -> None:
        super().__init__()
        self._name, self._folder, self._new = name, folder, new
        self.text = QLineEdit()
        self.text.setAccessibleName(name)
        choose = QPushButton("Choose…")
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        layout.addWidget(choose)

    def path(self) -> Path | None:
        """The path, or None while there is none."""
        text = self.text.text().strip()
        return Path(text).expanduser() if text else None

    def _choose(self) -> None:
        if self._new:
            chosen, _ = QFileDialog.getSaveFileName(self, self._name)
        elif self._folder:
            chosen = QFileDialog.getExistingDirectory(self, self._name)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, self._name)
        if chosen:
            self.text.setText(chosen)


class ExportDialog(QDialog):
    """Write what was read; it counts as done once it was read back and compared."""

    def __init__(self, desk: Desk, runner: JobRunner, cache: PixelCache, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export labels")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(620, 420)
        self._desk, self._runner, self._cache = desk, runner, cache
        self._dataset = from_workspace(desk.session.workspace)
        self._job_id = 0
        self.counts = QLabel(_count(self._dataset))
        self.counts.setWordWrap(True)
        self.format = _choices("Format", FORMATS)
        self.images = _choices("Pictures", IMAGES)
        self.target = _PathRow("Folder to make", folder=True, new=True)
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        self.report = QPlainTextEdit(readOnly=True)
        self.report.setAccessibleName("Report")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.go = buttons.addButton("Export", QDialogButtonBox.ButtonRole.ActionRole)
        self.go.setDefault(True)
        self.go.clicked.connect(self._export)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow(self.counts)
        form.addRow("Format", self.format)
        form.addRow("Pictures", self.images)
        form.addRow("Folder to make", self.target)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.bar)
        layout.addWidget(self.report, 1)
        layout.addWidget(buttons)
        runner.progressed.connect(self._progressed)

    def _export(self) -> None:
        out = self.target.path()
        if out is None:
            self.report.setPlainText("Name the folder to make.")
            return
        # The window goes on beside this dialog: what was read since it opened counts too.
        self._dataset = from_workspace(self._desk.session.workspace)
        self.counts.setText(_count(self._dataset))
        if not self._dataset.slices:
            self.report.setPlainText("Nothing has been read yet: sign off slices (R), then export.")
            return
        dataset, cache = self._dataset, self._cache
        kind, images = str(self.format.currentData()), str(self.images.currentData())

        def job(progress: Progress, cancel: CancelToken) -> ExportReport:
            return export_dataset(
                dataset, kind, out, images=images, load=cache.get, progress=progress, cancel=cancel
            )

        self.go.setEnabled(False)
        self.bar.setVisible(True)
        self.report.setPlainText("Writing …")
        self._job_id = self._runner.submit(
            job, key=f"export:{out}", lane=Lane.LONG, title="Exporting", done=self._done
        )

    def _progressed(self, report: JobProgress) -> None:
        if report.job_id == self._job_id:
            self.bar.setRange(0, 1000 if report.total else 0)
            if report.total:
                self.bar.setValue(round(1000 * report.done / report.total))

    def _done(self, outcome: JobOutcome[ExportReport]) -> None:
        level, text = "info", "Exported, read back and compared."
        if outcome.cancelled:
            level, text = "warning", "Export cancelled. Nothing was left behind."
        elif outcome.error is not None:
            level, text = "error", f"Not exported. {error_text(outcome.error)}"
        self._desk.session.said.emit(level, text)
        if isValid(self):  # the reader may have closed the dialog meanwhile
            self.go.setEnabled(True)
            self.bar.setVisible(False)
            self.report.setPlainText(outcome.result.to_text() if outcome.result else text)


class ImportDialog(QDialog):
    """Read labels onto the open slices: first a report of what fits, then one edit."""

    def __init__(self, desk: Desk, runner: JobRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import labels")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(620, 460)
        self._desk, self._runner = desk, runner
        self._result: ImportResult | None = None
        self.source = _PathRow("COCO json, or folder of YOLO or VOC", folder=False)
        self.folder = _PathRow("Folder", folder=True)
        self.format = _choices("Format", (("By content", ""), *FORMATS))
        self.report = QPlainTextEdit(readOnly=True)
        self.report.setAccessibleName("Report")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.look = buttons.addButton("Look", QDialogButtonBox.ButtonRole.ActionRole)
        self.go = buttons.addButton("Import", QDialogButtonBox.ButtonRole.ActionRole)
        self.go.setEnabled(False)
        self.look.clicked.connect(self._look)
        self.go.clicked.connect(self._import)
        for row in (self.source, self.folder):
            row.text.textChanged.connect(self._forget)
        self.format.currentIndexChanged.connect(self._forget)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow("File", self.source)
        form.addRow("or folder", self.folder)
        form.addRow("Format", self.format)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.report, 1)
        layout.addWidget(buttons)

    def _look(self) -> None:
        path = self.source.path() or self.folder.path()
        if path is None:
            self.report.setPlainText("Name a file or a folder.")
            return
        session = self._desk.session
        slices = all_slices(session.series)
        schema, kind = session.workspace.schema, str(self.format.currentData()) or None

        def job(progress: Progress, cancel: CancelToken) -> ImportResult:
            found = import_annotations(path, kind, schema, slices)
            cancel.check()
            return found

        self.report.setPlainText("Reading …")
        self._runner.submit(job, key="import", lane=Lane.LONG, title="Reading labels", done=self._looked)

    def _forget(self) -> None:
        """What was looked at is not what is named now."""
        self._runner.cancel("import")
        self._result = None
        self.report.clear()
        self.go.setEnabled(False)

    def _looked(self, outcome: JobOutcome[ImportResult]) -> None:
        if outcome.cancelled or not isValid(self):
            return
        self._result = outcome.result
        if outcome.error is not None:
            self.report.setPlainText(f"Cannot be imported. {error_text(outcome.error)}")
        elif outcome.result is not None:
            self.report.setPlainText(outcome.result.to_text())
        self.go.setEnabled(bool(outcome.result and outcome.result.annotations))

    def _import(self) -> None:
        if self._result is None:
            return
        session = self._desk.session
        if not all(session.add_class(c.name) for c in self._result.new_classes):
            return
        workspace = session.workspace
        try:
            edit = import_edit(self._result, workspace.schema, workspace.annotations, session.reader)
        except OverreadError as error:
            self.report.appendPlainText(f"\nNot imported. {error}")
            return
        if edit is None:
            self.report.appendPlainText("\nEvery box of it is here already.")
        elif session.commit(edit):
            self.report.appendPlainText("\nImported. One undo takes it back.")
        self.go.setEnabled(False)


def _count(dataset: Dataset) -> str:
    return f"{describe(dataset)} Unread slices are left out."


def _choices(name: str, rows: tuple[tuple[str, str], ...]) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    for title, value in rows:
        box.addItem(title, value)
    return box
