"""`overread doctor`: is everything there that Overread needs on this machine?"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core import __version__
from core.detection.registry import ModelRegistry
from core.errors import OverreadError
from core.system import missing_packages

PACKAGES = (
    "PySide6-Essentials",
    "numpy",
    "numba",
    "opencv-contrib-python-headless",
    "torch",
    "torchvision",
    "pydicom",
    "imagecodecs",
    "Pillow",
    "SQLAlchemy",
    "safetensors",
)
LEAST_FREE = 1 << 30
"""Bytes of disk below which a journal and a model may not fit for long."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    found: str
    ok: bool = True


def check(home: Path) -> Iterator[Finding]:
    """Look at Python, packages, Qt's libraries, the display, the home folder and the models."""
    yield Finding("Overread", __version__)
    yield Finding("Python", sys.version.split()[0], sys.version_info >= (3, 11))
    for package in PACKAGES:
        try:
            yield Finding(package, version(package))
        except PackageNotFoundError:
            yield Finding(package, "not installed: run make run, or pip install overread", ok=False)
    yield Finding("SQLite", sqlite3.sqlite_version)
    missing = missing_packages()
    yield Finding(
        "Qt's system libraries", f"missing: {' '.join(missing)}" if missing else "found", not missing
    )
    yield Finding("display", _display())
    yield _home(home)
    yield _models(home)


def _display() -> str:
    if not sys.platform.startswith("linux"):
        return sys.platform
    names = ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY")
    found = next((f"{n}={os.environ[n]}" for n in names if os.environ.get(n)), "")
    return found or "none: overread snapshot works, the window needs QT_QPA_PLATFORM=offscreen"


def _home(home: Path) -> Finding:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            free = shutil.disk_usage(home).free
    except OSError as error:
        return Finding("home folder", f"{home}: cannot be written ({error.strerror})", ok=False)
    return Finding("home folder", f"{home}, {free / LEAST_FREE:.1f} GiB free", free >= LEAST_FREE)


def _models(home: Path) -> Finding:
    try:
        current = ModelRegistry(home / "models").current()
    except OverreadError as error:
        return Finding("model in use", str(error), ok=False)
    if current is None:
        return Finding("model in use", "none: overread train makes one", ok=False)
    return Finding("model in use", f"{current.name} ({', '.join(current.card.classes)})")
