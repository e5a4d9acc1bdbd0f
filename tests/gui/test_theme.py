"""Contrast is measured from the tokens; the sheet, the palette and the icons must be whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QImage, QPalette
from PySide6.QtWidgets import QApplication, QCheckBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from gui.theme import (
    THEMES,
    Theme,
    apply_theme,
    current_theme,
    icon,
    icon_names,
    load_theme,
    palette,
    style_sheet,
)
from gui.viewer import looks

PROMISED = (
    *(
        "open",
        "select",
        "box",
        "accept",
        "reject",
        "undo",
        "redo",
        "fit",
        "invert",
        "proposals",
        "predictions",
    ),
    *("detect", "detect-series", "read", "export", "import", "train", "next", "previous", "delete", "hide"),
    "search",
)

GROUNDS = ("window", "surface", "raised", "base", "alternate", "hover")
TEXT_ON = [
    *[(text, ground) for text in ("text", "muted") for ground in GROUNDS],
    *[(text, ground) for text in ("link", "danger", "warning", "success") for ground in ("surface", "base")],
    ("accent_text", "accent"),
    ("selection_text", "selection"),
    ("tooltip_text", "tooltip"),
]


@pytest.fixture(autouse=True)
def _undressed(qapp: QApplication) -> Iterator[None]:
    sheet, colors, style = qapp.styleSheet(), qapp.palette(), qapp.style().objectName()
    yield
    qapp.setStyleSheet(sheet)
    qapp.setStyle(style)
    qapp.setPalette(colors)
    qapp.setProperty("overread_theme", None)


def channels(color: QColor) -> tuple[float, float, float]:
    """Red, green, blue in [0, 1]."""
    return (color.redF(), color.greenF(), color.blueF())


def luminance(color: QColor) -> float:
    """Relative luminance as of WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else float((c + 0.055) / 1.055) ** 2.4 for c in channels(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: QColor, other: QColor) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_of_contrast() -> None:
    assert contrast(QColor("#000000"), QColor("#ffffff")) == pytest.approx(21.0)
    assert contrast(QColor("#777777"), QColor("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_can_be_read(name: str, text: str, ground: str) -> None:
    theme = load_theme(name)
    assert contrast(theme.color(text), theme.color(ground)) >= 4.5


@pytest.mark.parametrize("name", THEMES)
def test_focus_and_selection_can_be_seen(name: str) -> None:
    theme = load_theme(name)
    for ground in ("surface", "base", "raised"):
        assert contrast(theme.color("accent"), theme.color(ground)) >= 3.0


@pytest.mark.parametrize("color", [looks.TEXT, looks.WARNING])
def test_text_over_the_slice_can_be_read_on_its_plate_over_white_tissue(color: QColor) -> None:
    plate, alpha = looks.PLATE, looks.PLATE.alphaF()
    over_white = QColor.fromRgbF(*(alpha * c + (1 - alpha) for c in channels(plate)))
    assert contrast(color, over_white) >= 4.5
    assert contrast(color, looks.GROUND) >= 4.5


@pytest.mark.parametrize("name", THEMES)
def test_the_sheet_has_no_hole_and_names_no_colour_of_its_own(name: str) -> None:
    sheet = style_sheet(load_theme(name))
    assert "$" not in sheet
    own = set(Theme.__dataclass_fields__)
    known = {getattr(load_theme(name), token) for token in own}
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", sheet)) <= known


@pytest.mark.parametrize("name", THEMES)
def test_the_sheets_pictures_are_there(name: str) -> None:
    pictures = re.findall(r'url\("([^"]+)"\)', style_sheet(load_theme(name)))
    assert len(pictures) == 3
    assert all(Path(p).is_file() for p in pictures)


@pytest.mark.parametrize("name", THEMES)
def test_check_boxes_show_their_state(qapp: QApplication, qtbot: QtBot, name: str) -> None:
    theme = apply_theme(qapp, name)
    box = QCheckBox()
    qtbot.addWidget(box)
    box.resize(box.sizeHint())
    empty = box.grab().toImage()
    box.setChecked(True)
    full = box.grab().toImage()
    middle = empty.height() // 2
    outline = [empty.pixelColor(x, middle) for x in range(4)]
    assert max(contrast(c, theme.color("surface")) for c in outline) >= 3.0
    ticked = {full.pixelColor(x, y).name() for x in range(full.width()) for y in range(full.height())}
    assert {theme.accent, theme.accent_text} <= ticked


def test_themes_differ_and_an_unknown_one_is_refused() -> None:
    assert load_theme("dark") != load_theme("light")
    with pytest.raises(KeyError):
        load_theme("sepia")


@pytest.mark.parametrize("name", THEMES)
def test_it_is_worn(qapp: QApplication, qtbot: QtBot, name: str) -> None:
    theme = apply_theme(qapp, name)
    assert current_theme() == theme
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.resize(20, 20)
    assert widget.grab().toImage().pixelColor(10, 10) == theme.color("surface")
    assert qapp.palette().color(QPalette.ColorRole.Text) == theme.color("text")
    disabled = palette(theme).color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText)
    assert disabled == theme.color("disabled")


@pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen plugin about any window of limited size
@pytest.mark.parametrize("name", THEMES)
def test_the_focused_button_has_a_ring(qapp: QApplication, qtbot: QtBot, name: str) -> None:
    theme = apply_theme(qapp, name)
    button = QPushButton("Detect")
    qtbot.addWidget(button)
    with qtbot.waitActive(button):
        button.show()
        button.activateWindow()
    button.setFocus()
    image = button.grab().toImage()
    assert image.pixelColor(image.width() // 2, 0) == theme.color("accent")


def test_every_icon_promised_is_there() -> None:
    assert set(PROMISED) <= set(icon_names())


@pytest.mark.parametrize("name", PROMISED)
def test_an_icon_is_drawn_in_the_text_colour(qapp: QApplication, name: str) -> None:
    for theme in (apply_theme(qapp, theme) for theme in THEMES):
        image = icon(name).pixmap(QSize(20, 20), 2.0).toImage().convertToFormat(QImage.Format.Format_ARGB32)
        assert image.width() == 40
        ink = [
            image.pixelColor(x, y)
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() == 255
        ]
        assert 40 < len(ink) < 900
        wanted = channels(theme.color("text"))
        assert max(abs(a - b) for c in ink for a, b in zip(channels(c), wanted, strict=True)) < 0.006
        edges = [image.pixelColor(i, j).alpha() for i in range(40) for j in (0, 39)]
        assert max(edges) == 0  # nothing is cut off


def test_icons_are_one_family_and_free_of_colours() -> None:
    for name in icon_names():
        svg = (resources.files("resources") / "icons" / f"{name}.svg").read_text()
        assert 'viewBox="0 0 20 20"' in svg
        assert 'stroke-width="1.6"' in svg
        assert "currentColor" in svg
        assert "#" not in svg


def test_a_disabled_icon_is_dimmer_and_a_tint_can_be_chosen(qapp: QApplication) -> None:
    theme = apply_theme(qapp, "dark")

    def color(mode: QIcon.Mode, tint: str | None = None) -> str:
        image = icon("accept", tint).pixmap(QSize(20, 20), 1.0, mode).toImage()
        colors = [image.pixelColor(x, y) for x in range(20) for y in range(20)]
        return max(colors, key=lambda c: c.alpha()).name()

    assert color(QIcon.Mode.Disabled) == theme.disabled
    assert color(QIcon.Mode.Normal, "#12ab34") == "#12ab34"


def test_an_icon_that_does_not_exist_is_an_error(qapp: QApplication) -> None:
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon")
