"""Files that are not, or no longer, workspaces: each is named, none is altered."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.edits import create
from core.errors import InputError, StoreError, WorkspaceDamaged, WorkspaceLocked, WorkspaceTooNew
from core.store.workspace import Workspace
from tests.core.strategies import annotation

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A workspace of three edits, closed."""
    path = tmp_path / "w.overread"
    with Workspace.open(path, reader="anna") as workspace:
        for name in "abc":
            workspace.commit(create(annotation(name=name)))
    return path


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as raw:
        for statement in statements:
            raw.execute(statement)
        raw.commit()


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.overread: there is no workspace"):
        Workspace.open(tmp_path / "no.overread", reader="r", create=False)
    assert not list(tmp_path.iterdir())


def test_a_later_version_is_not_touched(file: Path) -> None:
    sql(file, "PRAGMA user_version=3", "CREATE TABLE from_the_future (x)")
    before, when = file.read_bytes(), file.stat().st_mtime_ns
    with pytest.raises(WorkspaceTooNew, match=r"w\.overread: written by a later Overread \(format 3"):
        Workspace.open(file, reader="r")
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (before, when)
    assert [p.name for p in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"just some text\n", id="text"),
        pytest.param(b"SQLite format 3\x00", id="cut in the header"),
        pytest.param(bytes(4096), id="zeros"),
    ],
)
def test_something_else_is_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.overread"
    path.write_bytes(content)
    with pytest.raises(WorkspaceDamaged, match=r"w\.overread: not an Overread workspace"):
        Workspace.open(path, reader="r")
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "w.overread"
    sql(path, "CREATE TABLE journal (x)")
    before = path.read_bytes()
    with pytest.raises(WorkspaceDamaged, match="another program"):
        Workspace.open(path, reader="r")
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_workspace(tmp_path: Path) -> None:
    """It is what a crash in the very first moment leaves behind."""
    path = tmp_path / "w.overread"
    path.touch()
    with pytest.raises(InputError):
        Workspace.open(path, reader="r", create=False)
    with Workspace.open(path, reader="r") as workspace:
        assert workspace.commit(create(annotation())).seq == 1


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_file_cut_short(file: Path, keep: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(WorkspaceDamaged, match=r"w\.overread: .*start a new workspace"):
        Workspace.open(file, reader="r")


def test_the_journal_cannot_be_changed_by_the_way(file: Path) -> None:
    for statement in ("UPDATE journal SET reader = 'x'", "DELETE FROM journal", "DELETE FROM classes"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            sql(file, statement)
    with Workspace.open(file, reader="r") as workspace:
        assert workspace.verify().ok


CHANGED_BOX = "UPDATE journal SET edit = replace(edit, '30.0', '31.0') WHERE seq = 1"


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        pytest.param("UPDATE journal SET reader = 'eve' WHERE seq = 2", "after entry 1 .*entry 2", id="who"),
        pytest.param(CHANGED_BOX, "hash of entry 1", id="what"),
        pytest.param("UPDATE journal SET at = '2020-01-01' WHERE seq = 3", "hash of entry 3", id="when"),
        pytest.param("DELETE FROM journal WHERE seq = 2", "entry 2 is missing", id="one removed"),
        pytest.param("UPDATE meta SET value = 'x' WHERE name = 'id'", "hash of entry 1", id="transplanted"),
    ],
)
def test_tampering_shows(file: Path, statement: str, problem: str) -> None:
    drop = ("DROP TRIGGER journal_no_update", "DROP TRIGGER journal_no_delete")
    sql(file, *drop, statement)
    with pytest.raises(WorkspaceDamaged, match=problem):
        Workspace.open(file, reader="r")


def test_tampering_while_open_shows_when_verified(file: Path) -> None:
    with Workspace.open(file, reader="r") as workspace:
        head = workspace.verify().head
        # Only the connection that holds the file can still change it.
        with workspace._database.connection.begin():
            workspace._database.connection.exec_driver_sql("DROP TRIGGER journal_no_delete")
            workspace._database.connection.exec_driver_sql("DELETE FROM journal WHERE seq = 3")
        report = workspace.verify()
        assert not report.ok
        assert (report.entries, report.problems) == (
            2,
            (f"{file}: the journal on disk is not what this session wrote.",),
        )
        assert report.head != head


def test_a_table_is_missing(file: Path) -> None:
    sql(file, "DROP TABLE slices")
    with pytest.raises(WorkspaceDamaged, match=r"w\.overread"):
        Workspace.open(file, reader="r")


def test_a_read_only_file(file: Path) -> None:
    file.chmod(stat.S_IRUSR | stat.S_IRGRP)
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"w\.overread: is read-only. Allow writing"):
        Workspace.open(file, reader="r")
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"w\.overread: cannot be opened"):
        Workspace.open(tmp_path / "file" / "w.overread", reader="r")


@pytest.fixture
def other_process() -> Callable[[Path], subprocess.Popen[str]]:
    def start(path: Path) -> subprocess.Popen[str]:
        code = (
            "import sys; from pathlib import Path; from core.store.workspace import Workspace\n"
            "w = Workspace.open(Path(sys.argv[1]), reader='other')\n"
            "print('open', flush=True); sys.stdin.read()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        return process

    return start


def test_another_process_has_it(file: Path, other_process: Callable[[Path], subprocess.Popen[str]]) -> None:
    with other_process(file) as process:
        with pytest.raises(WorkspaceLocked, match=r"w\.overread: another process has it open"):
            Workspace.open(file, reader="r")
        process.communicate("")
    with Workspace.open(file, reader="r") as workspace:
        assert len(workspace.history()) == 3


def test_this_process_has_it_already(file: Path) -> None:
    with Workspace.open(file, reader="r") as first:
        with pytest.raises(WorkspaceLocked):
            Workspace.open(file, reader="r")
        first.commit(create(annotation(name="d")))


def test_messages_name_no_reader_or_patient(file: Path) -> None:
    os.truncate(file, 5000)
    with pytest.raises(WorkspaceDamaged) as caught:
        Workspace.open(file, reader="r")
    assert "anna" not in str(caught.value)
