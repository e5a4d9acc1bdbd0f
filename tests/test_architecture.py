"""The house: who may import whom, how long a file may be, what is kept where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(p for top in ("core", "gui") for p in (ROOT / top).rglob("*.py"))
ALL = SOURCES + sorted(p for top in ("tests", "benchmarks", "docs") for p in (ROOT / top).rglob("*.py"))

# Rank of each room of core; a module imports from its own rank or below only.
RANK = {
    "core.errors": 0, "core.regions": 1, "core.label_schema": 1, "core.model": 1, "core.boxes": 1,
    "core.edits": 2, "core.jobs": 2, "core.settings": 2, "core.system": 2, "core.imaging": 3,
    "core.proposals": 3, "core.evaluation": 4, "core.detection": 5, "core.store": 5, "core.exchange": 6,
    "core.review": 6, "core.doctor": 7, "core.cli_support": 7, "core.cli": 8,
}  # fmt: skip
ONLY_IN = {
    "PySide6": ("gui",),
    "pyqtgraph": ("gui",),
    "torch": ("core.detection",),
    "torchvision": ("core.detection",),
    "sqlalchemy": ("core.store",),
    "pydicom": ("core.imaging.dicom", "core.exchange"),
    "typer": ("core.cli",),
    "numba": ("core.proposals.compiled",),
}
FORBIDDEN = {"pickle", "joblib", "shelve", "marshal", "dill"}
LIMIT = 600


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module and whether the import runs when the file is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(n) for n in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) in top


def rank(module: str) -> int | None:
    if module == "core":
        return 0
    return next((r for name, r in RANK.items() if module == name or module.startswith(name + ".")), None)


def inside(module: str, places: tuple[str, ...]) -> bool:
    return any(module == p or module.startswith((p + ".", p + "_")) for p in places)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_point_downwards(path: Path) -> None:
    here = module_name(path)
    for target, _ in imports(path):
        if here.startswith("core"):
            assert not target.startswith("gui"), f"{here} imports {target}"
        if here.startswith("core.") and target.startswith("core."):
            mine, theirs = rank(here), rank(target)
            assert mine is not None, f"{here} has no place in the house"
            assert theirs is not None, f"{target} has no place in the house"
            assert theirs <= mine, f"{here} (rank {mine}) imports {target} (rank {theirs})"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    here = module_name(path)
    for target, _ in imports(path):
        library = target.split(".")[0]
        if library in ONLY_IN:
            assert inside(here, ONLY_IN[library]), f"{here} imports {target}"
        assert library not in FORBIDDEN, f"{here} imports {target}: nothing is unpickled"


def test_store_and_detection_do_not_know_each_other() -> None:
    for path in SOURCES:
        here = module_name(path)
        for target, _ in imports(path):
            assert not (here.startswith("core.store") and target.startswith("core.detection")), here
            assert not (here.startswith("core.detection") and target.startswith("core.store")), here


def reached_at_import(start: str) -> set[str]:
    """Our modules and the libraries that importing a module imports, without running anything."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = ROOT / Path(*module.split(".")).with_suffix(".py")
        path = path if path.exists() else ROOT / Path(*module.split(".")) / "__init__.py"
        if module.split(".")[0] in {"core", "gui", "resources"} and path.exists():
            waiting += [target for target, at_import in imports(path) if at_import]
    return seen


@pytest.mark.parametrize("start", ["gui.app", "core.cli"])
def test_heavy_libraries_are_not_imported_before_they_are_needed(start: str) -> None:
    assert not {m for m in reached_at_import(start) if m.split(".")[0] in {"torch", "torchvision", "numba"}}


def test_the_command_line_does_not_import_qt() -> None:
    assert not {m for m in reached_at_import("gui.__main__") if m.startswith("PySide6")}


@pytest.mark.parametrize("path", ALL, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_can_be_read_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LIMIT, f"{path.name} has {lines} lines"


def test_nothing_loads_code_from_data() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                text = ast.unparse(node)
                assert not text.startswith(("torch.load(", "eval(", "exec(")), f"{path.name}: {text}"
                assert "allow_pickle=True" not in text, f"{path.name}: {text}"
