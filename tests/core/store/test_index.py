"""The index: what is known is not opened again; what has changed is; and it never stands in the way."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from core.errors import Cancelled
from core.imaging import catalog, looking, records
from core.imaging.archive import file_status
from core.imaging.base import file_boundary
from core.imaging.catalog import scan
from core.imaging.reader import open_content
from core.imaging.records import Contents
from core.jobs import CancelToken
from core.model import Catalog
from core.store.index import FileIndex, index_file
from core.store.workspace import Workspace
from tests.core.imaging.files import plane, ramp, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Slices, a picture, a text, a damaged file, in two folders."""
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    for z in range(4):
        write_dicom(folder / f"{z}.dcm", ramp(), **plane(z, WindowCenter=[40, 10], WindowWidth=[80, 20]))
    Image.fromarray(ramp()).save(folder / "deep" / "x.png")
    (folder / "deep" / "notes.txt").write_text("hello")
    (folder / "broken.dcm").write_bytes((folder / "0.dcm").read_bytes()[:400])
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FileIndex]:
    made = FileIndex(tmp_path / "w.overread.index")
    yield made
    made.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were opened, as they are."""
    names: list[str] = []
    real = looking.look_into

    def look_into(path: Path) -> Contents:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(looking, "look_into", look_into)
    return names


def test_nothing_is_opened_twice_and_the_answer_is_the_same(
    folder: Path, index: FileIndex, opened: list[str]
) -> None:
    first = scan([folder], index=index)
    assert len(opened) == 7
    assert scan([folder], index=index) == first == scan([folder])
    assert len(opened) == 7 + 7, "only the scan without the index opened them again"


def test_what_has_changed_is_opened_again(folder: Path, index: FileIndex, opened: list[str]) -> None:
    scan([folder], index=index)
    opened.clear()
    write_dicom(folder / "1.dcm", ramp(7, 9), **plane(1))
    os.utime(folder / "2.dcm", ns=(0, 1))
    write_dicom(folder / "new.dcm", ramp(), **plane(9))
    (folder / "3.dcm").unlink()
    found = scan([folder], index=index)
    assert sorted(opened) == ["1.dcm", "2.dcm", "new.dcm"]
    assert found == scan([folder])


def test_what_is_gone_is_forgotten_but_a_disk_that_is_out_is_not(
    folder: Path, index: FileIndex, tmp_path: Path, opened: list[str]
) -> None:
    scan([folder], index=index)
    (folder / "3.dcm").rename(tmp_path / "3.dcm")
    scan([folder], index=index)
    (tmp_path / "3.dcm").rename(folder / "3.dcm")
    opened.clear()
    scan([folder], index=index)
    assert opened == ["3.dcm"]
    folder.rename(tmp_path / "drawer")
    assert [s.reason for s in scan([folder], index=index).skipped] == ["does not exist"]
    (tmp_path / "drawer").rename(folder)
    opened.clear()
    scan([folder], index=index)
    assert opened == []


def test_a_relative_path_finds_what_an_absolute_one_noted(
    folder: Path, index: FileIndex, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scan([folder], index=index)
    opened.clear()
    monkeypatch.chdir(folder)
    found = scan([Path()], index=index)
    assert opened == []
    assert {r.path for s in found.series for r in s.slices} == {Path(f"{z}.dcm") for z in range(4)} | {
        Path("deep/x.png")
    }


def test_names_in_any_encoding(tmp_path: Path, index: FileIndex, opened: list[str]) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    for z, name in enumerate((b"caf\xe9.dcm", "Größe 磁気.dcm".encode(), b"new\nline", b"\xff\xfe")):
        write_dicom(Path(os.fsdecode(os.fsencode(folder) + b"/" + name)), ramp(), **plane(z))
    first = scan([folder], index=index)
    assert len(first.series[0].slices) == 4
    opened.clear()
    assert scan([folder], index=index) == first
    assert opened == []


def test_a_file_without_permission_is_asked_again(
    folder: Path, index: FileIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = open_content

    def refused(path: Path) -> object:
        if path.name == "1.dcm":
            with file_boundary(path, "file"):
                raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(looking, "open_content", refused)
    reasons = {s.path.name: s.reason for s in scan([folder], index=index).skipped}
    assert reasons["1.dcm"] == "no permission to read this file"
    monkeypatch.setattr(looking, "open_content", real)
    assert len(scan([folder], index=index).series[0].slices) == 4


def test_a_disk_taken_out_while_it_is_read_is_one_row(
    folder: Path, index: FileIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = looking.look_into
    seen = 0

    def look_into(path: Path) -> Contents:
        nonlocal seen
        seen += 1
        if seen == 3:
            folder.rename(tmp_path / "drawer")
        return real(path)

    monkeypatch.setattr(looking, "look_into", look_into)
    found = scan([folder], index=index)
    assert [len(s.slices) for s in found.series] == [2], "what had been read stays"
    assert [(s.path, s.reason) for s in found.skipped] == [
        (folder, "was taken away while it was read; 5 files in it were not. Open it again.")
    ]
    (tmp_path / "drawer").rename(folder)
    assert scan([folder], index=index) == scan([folder])


def test_what_was_read_before_a_cancel_is_kept(folder: Path, index: FileIndex, opened: list[str]) -> None:
    token = CancelToken()

    def stop(done: float, total: float, text: str = "", **metrics: float) -> None:
        if done == 4:
            token.cancel()

    with pytest.raises(Cancelled):
        scan([folder], index=index, progress=stop, cancel=token)
    before = len(opened)
    assert before < 7
    scan([folder], index=index)
    assert len(opened) == 7


def test_an_index_of_another_version_is_emptied(
    folder: Path, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "i.index"
    old = FileIndex(path)
    scan([folder], index=old)
    old.close()
    monkeypatch.setattr("core.store.index.stamp", lambda: "another")
    opened.clear()
    new = FileIndex(path)
    scan([folder], index=new)
    new.close()
    assert len(opened) == 7


def test_the_stamp_is_that_of_the_source() -> None:
    assert records.stamp() == records.stamp()
    assert len(records.stamp()) == 24


@pytest.mark.parametrize("damage", ["garbage", "flipped", "truncated"])
def test_a_damaged_index_costs_time_and_nothing_else(folder: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "i.index"
    old = FileIndex(path)
    expected = scan([folder], index=old)
    old.close()
    if damage == "garbage":
        path.write_bytes(b"SQLite format 3\0" + os.urandom(4096))
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        data = bytearray(path.read_bytes())
        at = data.find(b'"dicom:')
        data[at + 8 : at + 12] = b"9999"  # another number: still JSON, but not what was written
        path.write_bytes(data)
    for _ in range(2):
        damaged = FileIndex(path)
        assert scan([folder], index=damaged) == expected
        damaged.close()


def test_one_that_cannot_be_written_is_done_without(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    none = FileIndex(tmp_path / "file" / "i.index")
    assert scan([folder], index=none) == scan([folder])
    path = tmp_path / "busy.index"
    first = FileIndex(path)
    scan([folder], index=first)
    holder = sqlite3.connect(path)
    holder.execute("BEGIN EXCLUSIVE")
    assert scan([folder], index=first) == scan([folder])
    second = FileIndex(path)
    assert scan([folder], index=second) == scan([folder])
    holder.close()
    third = FileIndex(path)
    assert third.known([(folder / "0.dcm", file_status(folder / "0.dcm"))]), "nothing was lost"
    for one in (none, first, second, third):
        one.close()


def test_it_is_for_its_owner_only(index: FileIndex) -> None:
    assert stat.S_IMODE(index.path.stat().st_mode) == 0o600
    assert index_file(Path("a/b.overread")) == Path("a/b.overread.index")


def test_every_record_comes_back_exactly(folder: Path) -> None:
    for path in sorted(folder.rglob("*.*")):
        contents = looking.look_into(path)
        assert records.decode(records.encode(contents)) == contents
    for text in ("", "[]", "{}", "[1,2,3]", "null", "[" * 100_000, '["a"]'):
        with pytest.raises(ValueError, match=r"not a record|[Ee]xpect|unpack|longer|shorter"):
            records.decode(text)


def in_children(paths: Sequence[Path], count: int = 2) -> list[Contents]:
    return list(looking.look_into_all(paths, CancelToken(), count))


def test_children_say_the_same_in_the_same_order(folder: Path) -> None:
    paths = sorted(p for p in folder.rglob("*") if p.is_file()) * 20
    assert in_children(paths) == [looking.look_into(p) for p in paths]


def test_a_file_that_ends_its_child_costs_that_file_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A child that dies of a certain name, started instead of ours.
    script = tmp_path / "child.py"
    script.write_text(
        "import os, sys, json\n"
        "from pathlib import Path\n"
        "from core.imaging import looking\n"
        "real = looking.look_into\n"
        "looking.look_into = lambda p: os.abort() if p.name == 'killer' else real(p)\n"
        "looking.answer(sys.stdin, sys.stdout)\n"
    )
    monkeypatch.setattr(looking, "_COMMAND", (str(script),))
    shutil.copy(folder / "0.dcm", folder / "killer")
    paths = sorted(p for p in folder.iterdir() if p.is_file())
    found = dict(zip(paths, in_children(paths, 1), strict=True))
    killer = found.pop(folder / "killer")
    assert killer.reason == "reading its header ended the process that read it"
    assert not killer.durable
    assert found == {p: looking.look_into(p) for p in found}


def test_a_child_that_hangs_is_ended(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "child.py"
    script.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(looking, "_COMMAND", (str(script),))
    monkeypatch.setattr(looking, "_DEADLINE_S", 0.2)
    (found,) = in_children([folder / "0.dcm"], 1)
    assert found.slices == ()
    assert found.reason


def test_cancelling_ends_the_children(folder: Path) -> None:
    token = CancelToken()
    paths = sorted(folder.glob("*.dcm")) * 60
    found = looking.look_into_all(paths, token, 2)
    next(found)
    token.cancel()
    with pytest.raises(Cancelled):
        list(found)


def test_many_files_are_scanned_in_children_to_the_same_catalogue(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected: Catalog = scan([folder])
    monkeypatch.setattr(looking, "PARALLEL_FROM", 2)
    monkeypatch.setattr(catalog, "_AT_ONCE", 2)
    assert scan([folder]) == expected


def test_a_workspace_knows_slices_of_odd_names(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    write_dicom(folder / "a.dcm", ramp(), **plane(0))
    Image.fromarray(ramp()).save(folder / "x.png")
    found = scan([folder])
    with Workspace.open(tmp_path / "w.overread", reader="r") as workspace:
        for series in found.series:
            workspace.remember(series)
    with Workspace.open(tmp_path / "w.overread", reader="r") as workspace:
        known = workspace.known_slices()
    assert {k.ref.path for k in known} == {folder / "a.dcm", folder / "x.png"}
    assert {k.series_description for k in known} == {"MR", "caf\ufffd"}
