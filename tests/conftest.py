"""Shared fixtures: no screen, no home of the user's, real data where it lies beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def data_dir() -> Path:
    """The folder of real data beside the project, or a skip that says what is missing."""
    if not _DATA.is_dir():
        pytest.skip("real data (../shared/data) is not on this machine")
    return _DATA


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERREAD_HOME", str(tmp_path_factory.mktemp("home")))
