from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.settings import SETTINGS, Settings, home


def test_defaults_are_allowed_values_of_their_own_rows() -> None:
    for row in SETTINGS:
        assert row.checked(row.default) == row.default
    assert len({row.key for row in SETTINGS}) == len(SETTINGS)


def test_what_is_set_survives_and_only_differences_are_written(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "settings.toml"
    settings = Settings(file)
    settings.set("view.theme", "light")
    settings.set("engine.min_score", 0.25)
    settings.set("engine.ahead", False)
    again = Settings(file)
    assert (again.text("view.theme"), again.number("engine.min_score")) == ("light", 0.25)
    assert again.flag("engine.ahead") is False
    assert "nms_iou" not in file.read_text()
    again.set("view.theme", "dark")
    assert "theme" not in file.read_text(), "back at the default, the row is gone"


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20))
def test_any_name_of_a_reader_survives(name: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.toml"
        Settings(file).set("reader.name", name)
        assert Settings(file).text("reader.name") == name


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("view.theme", "pink", id="not a choice"),
        pytest.param("engine.min_score", 1.5, id="above the limit"),
        pytest.param("cache.pixels_mb", 1, id="below the limit"),
        pytest.param("engine.ahead", "yes", id="wrong type"),
        pytest.param("cache.pixels_mb", True, id="a flag is not a number"),
    ],
)
def test_values_that_are_not_allowed_are_refused_and_change_nothing(key: str, value: object) -> None:
    settings = Settings()
    before = settings.get(key)
    with pytest.raises(InputError, match=key):
        settings.set(key, value)  # type: ignore[arg-type]
    assert settings.get(key) == before


def test_whole_numbers_pass_for_fractions() -> None:
    settings = Settings()
    settings.set("train.minutes", 15)
    assert settings.number("train.minutes") == 15.0


@pytest.mark.parametrize("text", ["view.theme = ", "[view]\ntheme = 'pink'\n", "\xff"])
def test_a_bad_file_is_named_and_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"settings|view\.theme"):
        Settings(file)
    assert file.read_bytes() == text.encode("latin-1")


def test_rows_of_another_version_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[view]\nfuture = 3\ntheme = 'light'\n")
    assert Settings(file).text("view.theme") == "light"


def test_the_home_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERREAD_HOME", str(tmp_path))
    assert home() == tmp_path
