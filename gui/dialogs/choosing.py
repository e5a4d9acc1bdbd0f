"""Small menus from the keyboard: with which finding to merge, to which series to project."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from gui import box_actions, finding_actions
from gui.desk import Desk

Choice = tuple[str, Callable[[], None]]


def ask_finding(desk: Desk, window: QWidget) -> QMenu:
    """The findings that that of the selected box can be merged with."""
    schema = desk.session.workspace.schema
    choices: list[Choice] = [
        (
            f"Finding {f.number}: {schema.name_of(f.read.lesion.label_id)}, {f.span}",
            lambda f=f: finding_actions.merge(desk, f),  # type: ignore[misc]
        )
        for f in finding_actions.merge_targets(desk)
    ]
    return _menu(
        "Merge with", "merge-findings", choices, "No other finding without a box on the same slices", window
    )


def ask_series(desk: Desk, window: QWidget) -> QMenu:
    """The series that the selected box can be projected to."""
    choices: list[Choice] = [
        (
            f"{series.description or series.modality}: {len(series.slices)} slices",
            lambda series=series: box_actions.project(desk, series),  # type: ignore[misc]
        )
        for series in box_actions.projection_targets(desk)
    ]
    nothing = "No open series of the same frame of reference and plane"
    return _menu("Project to", "project-series", choices, nothing, window)


def _menu(title: str, name: str, choices: Sequence[Choice], nothing: str, window: QWidget) -> QMenu:
    menu = QMenu(title, window)
    menu.setObjectName(name)
    menu.setAccessibleName(title)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.addSection(title)
    for number, (text, act) in enumerate(choices, 1):
        label = text.replace("&", "&&")
        action = menu.addAction(f"&{number}  {label}" if number < 10 else label)
        action.triggered.connect(lambda _on=False, act=act: act())
        if number == 1:
            menu.setActiveAction(action)
    if not choices:
        menu.addAction(nothing).setEnabled(False)
    menu.popup(window.mapToGlobal(window.rect().center()))
    return menu
