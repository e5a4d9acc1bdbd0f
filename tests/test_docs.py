"""The docs: links lead somewhere, commands exist, nothing private is committed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from core.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def tracked() -> list[Path]:
    """The project's own files, as git or, in an unpacked copy, the file system has them."""
    listed = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [p for line in listed.stdout.splitlines() if (p := ROOT / line).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{name(page)} links to {target}"


def commands_in(text: str) -> Iterator[str]:
    """Words after `overread` in code, as in `overread train …`."""
    for code in re.findall(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", text, re.S):
        for line in "\n".join(code).splitlines():
            yield from re.findall(r"(?:^|·|[:&]) *overread +([a-z]+)", line)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_is_there(page: Path) -> None:
    known = set(getattr(get_command(app), "commands"))  # noqa: B009
    wanted = set(commands_in(page.read_text(encoding="utf-8")))
    assert wanted <= known, f"{name(page)} speaks of {wanted - known}"


def test_the_readme_names_commands() -> None:
    wanted = set(commands_in((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"demo", "snapshot", "doctor", "models"} <= wanted


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    wanted = set(re.findall(r"`?\bmake ([a-z]+)\b[^`\n]*`", page.read_text(encoding="utf-8")))
    assert wanted <= targets, f"{name(page)} speaks of {wanted - targets}"


def test_the_two_commands_come_first_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("make run") < text.index("make test") < text.index("pipx")


def test_no_machine_or_registry_is_named_in_what_is_committed() -> None:
    words = ("/" + "work/", "pypi" + ".org", "python" + "hosted", "/" + "root/")
    for path in tracked():
        if path.suffix in {".safetensors", ".png"}:
            continue
        text = path.read_text(encoding="utf-8")
        assert not [w for w in words if w in text], name(path)


def test_no_large_or_clinical_file_is_committed() -> None:
    for path in tracked():
        assert path.suffix.lower() not in {".dcm", ".nii", ".gz", ".pt", ".pth", ".pkl"}, name(path)
        limit = 20 << 20 if path.suffix == ".safetensors" else 1 << 20
        assert path.stat().st_size <= limit, name(path)
