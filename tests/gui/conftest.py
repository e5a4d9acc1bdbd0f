"""The window as `gui.app` builds it, on a workspace of its own; a test fails on threads it leaves."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import Phantom, PhantomSpec, make_phantom
from core.imaging.pixels import PixelCache
from gui.app import App, build
from tests.gui.hands import Hands


class MakeApp(Protocol):
    """Builds the application."""

    def __call__(self, cache: PixelCache | None = None) -> App:
        """Build it, with a pixel cache of the test's own where given."""


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """A small head with known lesions."""
    return make_phantom(PhantomSpec(size=192, slices=8, lesions=2, seed=3))


@pytest.fixture(scope="session")
def phantom_folder(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom as a DICOM series."""
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom_dicom(phantom, folder)
    return folder


@pytest.fixture
def make_app(qapp: QApplication, qtbot: QtBot, tmp_path: Path) -> Iterator[MakeApp]:
    """Builds the application on one workspace; call again after closing to come back to it."""
    apps: list[App] = []

    def make(cache: PixelCache | None = None) -> App:
        app = build(qapp, tmp_path / "reading.overread", cache)
        apps.append(app)
        app.window.resize(1280, 820)
        app.window.show()
        app.window.activateWindow()
        qtbot.waitExposed(app.window)
        return app

    yield make
    for app in apps:
        if app.window.isVisible():
            app.window.close()
        app.window.deleteLater()
    qapp.processEvents()
    gc.collect()


@pytest.fixture
def app(make_app: MakeApp) -> App:
    """The application with nothing open."""
    return make_app()


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("overread-"):
            thread.join(5)
            assert not thread.is_alive(), f"{thread.name} is still running"


@pytest.fixture
def hands(app: App, qtbot: QtBot) -> Hands:
    """A person at the window with nothing open."""
    return Hands(app, qtbot)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of four different pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(4):
        write_picture(folder / f"p{i}.png", i)
    return folder


def write_picture(path: Path, seed: int, size: int = 160) -> Path:
    """A grey picture of noise, different for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
