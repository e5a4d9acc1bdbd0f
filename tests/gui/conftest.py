"""The window as `gui.app` builds it, on a workspace of its own; a test fails on threads it leaves."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import Phantom, PhantomSpec, make_phantom
from gui.app import App, build

MakeApp = Callable[[], App]


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

    def make() -> App:
        app = build(qapp, tmp_path / "reading.overread")
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
