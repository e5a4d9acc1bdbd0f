"""The settings as a form: one line a row of core/settings.py; a change is in force, and kept, at once."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.errors import InputError
from core.settings import SETTINGS, Setting, Settings, Value

LATER = frozenset({"reader.name", "view.scale", "cache.pixels_mb"})
"""These, and those of the engine, are in force from the next start, and the form says so."""

GROUPS = {"reader": "Reader", "view": "View", "cache": "Memory", "engine": "Engine", "train": "Training"}


class SettingsDialog(QDialog):
    """Every setting, by group.

    Signals:
        changed: (key) It has another value now.
    """

    changed = Signal(str)

    def __init__(self, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Settings")
        self.resize(640, 620)
        self._settings = settings
        self.editors: dict[str, QWidget] = {}
        self.message = QLabel("Changes are kept at once.")
        self.message.setAccessibleName("What became of it")
        self.message.setWordWrap(True)
        forms = QWidget()
        column = QVBoxLayout(forms)
        for group in dict.fromkeys(row.key.partition(".")[0] for row in SETTINGS):
            column.addWidget(self._group(group))
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(forms)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
        buttons.rejected.connect(self.reject)
        back: QPushButton = buttons.addButton("All as at first", QDialogButtonBox.ButtonRole.ResetRole)
        back.setAutoDefault(False)
        back.clicked.connect(self._reset)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.message)
        layout.addWidget(buttons)

    def _group(self, group: str) -> QGroupBox:
        box = QGroupBox(GROUPS.get(group, group.capitalize()))
        form = QFormLayout(box)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for row in SETTINGS:
            if row.key.partition(".")[0] == group:
                editor = self._editor(row)
                editor.setAccessibleName(row.key)
                editor.setAccessibleDescription(row.help)
                editor.setToolTip(f"{row.key}, at first {row.default!r}")
                later = " (From the next start.)" if row.key in LATER or row.key.startswith("engine.") else ""
                label = QLabel(row.help + later)
                label.setWordWrap(True)
                label.setBuddy(editor)
                form.addRow(label, editor)
                self.editors[row.key] = editor
        return box

    def _editor(self, row: Setting) -> QWidget:
        value, put = self._settings.get(row.key), self._putter(row.key)
        if isinstance(value, bool):
            check = QCheckBox()
            check.setChecked(value)
            check.toggled.connect(put)
            return check
        if row.choices:
            choice = QComboBox()
            choice.addItems(list(row.choices))
            choice.setCurrentText(str(value))
            choice.currentTextChanged.connect(put)
            return choice
        if isinstance(value, int | float):
            return _number(row, value, put)
        line = QLineEdit(str(value))
        line.editingFinished.connect(lambda: put(line.text()))
        return line

    def _putter(self, key: str) -> Callable[[Value], None]:
        def put(value: Value) -> None:
            if value == self._settings.get(key):
                return
            try:
                self._settings.set(key, value)
            except InputError as error:
                self.message.setText(f"✖ {error}")
                return
            except OSError:
                self.message.setText("⚠ In force until Overread is closed: the file cannot be written.")
            else:
                self.message.setText(f"{key} is {value!r} now.")
            self.changed.emit(key)

        return put

    def _reset(self) -> None:
        for row in SETTINGS:
            self._putter(row.key)(row.default)
            editor = self.editors[row.key]
            editor.blockSignals(True)
            _show(editor, row.default)
            editor.blockSignals(False)
        self.message.setText("Every setting is as at first.")


def _number(row: Setting, value: float, put: Callable[[Value], None]) -> QWidget:
    spin: QSpinBox | QDoubleSpinBox
    if isinstance(row.default, int):
        spin = QSpinBox()
        spin.setRange(int(row.low or 0), int(row.high or 10**6))
        spin.setValue(int(value))
    else:
        spin = QDoubleSpinBox()
        spin.setDecimals(2)
        spin.setSingleStep(0.05 if (row.high or 2) <= 2 else 1.0)
        spin.setRange(float(row.low or 0), float(row.high or 10**6))
        spin.setValue(float(value))
    # Only what is meant: not every digit on the way to 512.
    spin.setKeyboardTracking(False)
    spin.valueChanged.connect(put)
    return spin


def _show(editor: QWidget, value: Value) -> None:
    if isinstance(editor, QCheckBox):
        editor.setChecked(bool(value))
    elif isinstance(editor, QComboBox):
        editor.setCurrentText(str(value))
    elif isinstance(editor, QSpinBox):
        editor.setValue(int(value))
    elif isinstance(editor, QDoubleSpinBox):
        editor.setValue(float(value))
    elif isinstance(editor, QLineEdit):
        editor.setText(str(value))
