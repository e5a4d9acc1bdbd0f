"""A disk that is full while journalling: said so, nothing half done, and it goes on once there is room.

The errors are real ones: SQLite's own at a page limit, the operating system's at a file-size limit, and a
small file system that is really full.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from core.edits import create
from core.errors import JournalWriteFailed, StoreError
from core.store.workspace import Workspace
from tests.core.strategies import annotation, slice_ref

Full = Callable[[Workspace], AbstractContextManager[None]]


@contextmanager
def page_limit(workspace: Workspace) -> Iterator[None]:
    connection = workspace._database.connection
    with connection.begin():
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    yield
    with connection.begin():
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")


@contextmanager
def file_size_limit(workspace: Workspace) -> Iterator[None]:
    resource = pytest.importorskip("resource", reason="this system has no file-size limits")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (workspace.path.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def disk_full(workspace: Workspace) -> Iterator[None]:
    filler = workspace.path.parent / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1024))
    yield
    filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KB, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "overread-test", str(folder)]
    if (
        not sys.platform.startswith("linux")
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_page_limit(tmp_path: Path) -> None:
    check_that_it_holds(tmp_path, page_limit, "the disk is full")


def test_file_size_limit(tmp_path: Path) -> None:
    check_that_it_holds(tmp_path, file_size_limit, "the disk refused to read or write")


def test_a_small_disk_that_is_full(small_disk: Path) -> None:
    check_that_it_holds(small_disk, disk_full, "the disk is full")


def check_that_it_holds(folder: Path, full: Full, why: str) -> None:
    file = folder / "w.overread"
    with Workspace.open(file, reader="r") as workspace:
        workspace.commit(create(annotation(name="first")))
        with full(workspace):
            message = commit_until_it_fails(workspace)
            assert f"{file}: the edit was not recorded, because {why}" in message
            assert "Free space or restore access, then try again" in message
            before, seqs = workspace.annotations, [e.seq for e in workspace.history()]
            with pytest.raises(StoreError, match="slices were not noted"):
                workspace.remember([slice_ref(f"dicom:{i}#0") for i in range(4000)])
            with pytest.raises(StoreError, match="edit was not recorded"):
                workspace.add_class("x" * 100_000)
            assert (workspace.known_slices(), len(workspace.schema.classes)) == ((), 4)
            assert workspace.annotations is before
            assert [e.seq for e in workspace.history()] == seqs
        entry = workspace.commit(create(annotation(name="after")))
        assert entry.seq == seqs[0] + 1
        assert workspace.undo() is not None
        assert workspace.redo() is not None
        workspace.remember([slice_ref()])
        final = workspace.annotations
        assert workspace.verify().ok
    with Workspace.open(file, reader="r", create=False) as workspace:
        assert workspace.annotations == final
        assert workspace.annotations.find("first") is not None
        assert workspace.annotations.find("after") is not None


def commit_until_it_fails(workspace: Workspace) -> str:
    """Large edits until one is refused; what was acknowledged stands, what was refused does not."""
    for i in range(300):
        edit = replace(create(annotation(name=f"a{i}")), reason="x" * 3000)
        before = workspace.annotations
        try:
            workspace.commit(edit)
        except JournalWriteFailed as error:
            assert workspace.annotations is before
            with pytest.raises(JournalWriteFailed):
                workspace.commit(edit)
            return str(error)
        assert workspace.annotations.find(f"a{i}") is not None
    raise AssertionError("the disk never got full")
