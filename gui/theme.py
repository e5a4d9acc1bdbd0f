"""The look of the chrome: tokens from resources/theme.toml to a palette, a style sheet and tinted icons.

The theme is chrome only. Annotation colours are data, and the canvas is dark in every theme.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from string import Template

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

THEMES = ("dark", "light")
ICON_GRID = 20
_ICON_RATIOS = (1.0, 1.5, 2.0, 3.0)
_PROPERTY = "overread_theme"


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of one theme, each "#rrggbb".

    Attributes are the theme's name and the names in resources/theme.toml, where each is explained.
    """

    name: str
    window: str
    surface: str
    raised: str
    base: str
    alternate: str
    border: str
    text: str
    muted: str
    disabled: str
    accent: str
    accent_text: str
    selection: str
    selection_text: str
    hover: str
    link: str
    danger: str
    warning: str
    success: str
    tooltip: str
    tooltip_text: str

    def color(self, token: str) -> QColor:
        """The colour of a token, for widgets that paint themselves.

        Raises:
            AttributeError: There is no such token.
        """
        return QColor(getattr(self, token))


@cache
def load_theme(name: str) -> Theme:
    """The theme of that name.

    Raises:
        KeyError: There is no such theme.
        TypeError: A token is missing from the file, or unknown.
    """
    tokens = tomllib.loads(_resource("theme.toml"))
    return Theme(name=name, **tokens[name])


def apply_theme(app: QApplication, name: str) -> Theme:
    """Dress the application; may be called again to change over.

    Icons made by `icon` before a change keep their old tint: ask for them again (the widgets' `changeEvent`
    of type PaletteChange is the moment).

    Args:
        app: The application.
        name: One of THEMES.

    Returns:
        The theme, for widgets that paint themselves.

    Raises:
        KeyError: There is no such theme.
    """
    theme = load_theme(name)
    app.setProperty(_PROPERTY, name)
    app.setStyle("Fusion")
    app.setPalette(palette(theme))
    app.setStyleSheet(style_sheet(theme))
    return theme


def current_theme() -> Theme:
    """The theme in force; dark before any was applied."""
    app = QApplication.instance()
    name = app.property(_PROPERTY) if app is not None else None
    return load_theme("light" if name == "light" else "dark")


def palette(theme: Theme) -> QPalette:
    """The theme as a palette: all that Fusion draws by itself follows it."""
    role = QPalette.ColorRole
    made = QPalette()
    for where, token in (
        (role.Window, "surface"),
        (role.WindowText, "text"),
        (role.Base, "base"),
        (role.AlternateBase, "alternate"),
        (role.Text, "text"),
        (role.PlaceholderText, "muted"),
        (role.Button, "raised"),
        (role.ButtonText, "text"),
        (role.BrightText, "danger"),
        (role.Highlight, "accent"),
        (role.HighlightedText, "accent_text"),
        (role.Link, "link"),
        (role.LinkVisited, "link"),
        (role.ToolTipBase, "tooltip"),
        (role.ToolTipText, "tooltip_text"),
        (role.Light, "hover"),
        (role.Midlight, "hover"),
        (role.Mid, "border"),
        (role.Dark, "window"),
        (role.Shadow, "window"),
        (role.Accent, "accent"),
    ):
        made.setColor(where, theme.color(token))
    for where in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, where, theme.color("disabled"))
    made.setColor(QPalette.ColorGroup.Disabled, role.Highlight, theme.color("border"))
    return made


def style_sheet(theme: Theme) -> str:
    """resources/style.qss with the theme's colours.

    Raises:
        KeyError: The sheet names a token that themes do not have.
    """
    tokens = {name: getattr(theme, name) for name in Theme.__dataclass_fields__}
    # Style sheets can name pictures by a file's path only; with slashes on Windows too.
    chrome = Path(str(resources.files("resources") / "chrome")).as_posix()
    return Template(_resource("style.qss")).substitute(tokens, chrome=chrome)


def icon(name: str, color: str | None = None) -> QIcon:
    """An icon of ours, tinted.

    Args:
        name: File name in resources/icons without ".svg".
        color: "#rrggbb"; by default the text colour of the theme in force.

    Raises:
        FileNotFoundError: There is no such icon.
    """
    theme = current_theme()
    svg = _resource(f"icons/{name}.svg")
    made = QIcon()
    for modes, tint in (
        ((QIcon.Mode.Normal, QIcon.Mode.Active), color or theme.text),
        ((QIcon.Mode.Selected,), color or theme.selection_text),
        ((QIcon.Mode.Disabled,), theme.disabled),
    ):
        renderer = QSvgRenderer(QByteArray(svg.replace("currentColor", tint).encode()))
        for ratio in _ICON_RATIOS:
            pixmap = _render(renderer, ratio)
            for mode in modes:
                made.addPixmap(pixmap, mode)
    return made


def icon_names() -> tuple[str, ...]:
    """Names of all icons, sorted."""
    folder = resources.files("resources") / "icons"
    return tuple(sorted(f.name.removesuffix(".svg") for f in folder.iterdir() if f.name.endswith(".svg")))


def _render(renderer: QSvgRenderer, ratio: float) -> QPixmap:
    side = round(ICON_GRID * ratio)
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, side, side))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def _resource(path: str) -> str:
    return (resources.files("resources") / path).read_text(encoding="utf-8")
