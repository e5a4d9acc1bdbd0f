from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.edits import AnnotationSet, Change, SetEdit, create, delete, mark_read, relabel, reshape
from core.errors import EditConflict, InputError, StoreError
from core.model import (
    Annotation,
    Box,
    Geometry,
    LabelClass,
    LabelSchema,
    Origin,
    OriginKind,
    Series,
    SliceRef,
)
from core.store.codec import canonical, encode_edit
from core.store.journal import entry_hash, genesis
from core.store.workspace import Workspace, workspace_file
from tests.core.strategies import KEYS, annotation, edits, moved, slice_ref


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "w.overread", reader="anna") as opened:
        yield opened


def reopened(workspace: Workspace) -> Workspace:
    workspace.close()
    return Workspace.open(workspace.path, reader="ben", create=False)


@pytest.mark.parametrize(
    ("given_path", "file"),
    [
        ("a.overread", "a.overread"),
        ("folder", "folder/workspace.overread"),
        ("x/y", "x/y/workspace.overread"),
    ],
)
def test_a_path_means_a_file_or_the_file_in_a_folder(tmp_path: Path, given_path: str, file: str) -> None:
    (tmp_path / "folder").mkdir()
    with Workspace.open(tmp_path / given_path, reader="r") as workspace:
        assert workspace.path == tmp_path / file
    assert workspace_file(tmp_path / file) == tmp_path / file


def test_a_new_workspace_has_the_default_classes_and_says_nothing(workspace: Workspace) -> None:
    assert workspace.schema.by_name("meningioma") == LabelClass(3, "meningioma", "#f0e442")
    assert workspace.annotations == AnnotationSet()
    assert (workspace.can_undo, workspace.can_redo, workspace.undo_text, workspace.redo_text) == (
        False, False, "", "",
    )  # fmt: skip
    assert workspace.undo() is None
    assert workspace.redo() is None
    assert workspace.history() == ()


def test_an_edit_says_who_what_when_and_why(workspace: Workspace) -> None:
    one = annotation(label_id=2)
    entry = workspace.commit(SetEdit("create", (Change(None, one),), "seen on T2"))
    assert (entry.seq, entry.reader, entry.action, entry.reason) == (1, "anna", "create", "seen on T2")
    assert (entry.text, entry.slice_keys, entry.undoes) == ("draw glioma box", (KEYS[0],), None)
    assert entry.at.endswith("+00:00")
    assert workspace.history() == (entry,)
    assert workspace.annotations.on(KEYS[0]).annotations == (one,)


def test_undo_and_redo_cross_restarts(workspace: Workspace) -> None:
    one = annotation()
    bigger = reshape(one, Box(0, 0, 40, 60), "anna")
    workspace.commit(create(one))
    workspace.commit(bigger)
    workspace = reopened(workspace)
    assert workspace.undo_text == "resize tumour box"
    undone = workspace.undo()
    assert undone is not None
    assert (undone.undoes, undone.action, undone.reader) == (2, "undo", "ben")
    assert workspace.annotations.find("a") == one
    workspace = reopened(workspace)
    assert (workspace.undo_text, workspace.redo_text) == ("draw tumour box", "resize tumour box")
    redone = workspace.redo()
    assert redone is not None
    assert (redone.redoes, redone.undoes) == (2, None)
    assert workspace.annotations.find("a") == bigger.changes[0].after
    workspace = reopened(workspace)
    for _ in range(2):
        workspace.undo()
    assert workspace.annotations == AnnotationSet()
    assert not workspace.can_undo
    assert [e.action for e in reversed(workspace.history())] == [
        "create", "resize", "undo", "redo", "undo", "undo",
    ]  # fmt: skip
    assert workspace.verify().ok
    workspace.close()


def test_a_new_edit_after_undo_forgets_what_could_be_redone(workspace: Workspace) -> None:
    workspace.commit(create(annotation(name="a")))
    workspace.undo()
    assert workspace.redo_text == "draw tumour box"
    workspace.commit(create(annotation(name="b")))
    assert workspace.redo_text == ""
    workspace = reopened(workspace)
    assert workspace.redo() is None
    assert not workspace.can_redo
    workspace.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_run_of_edits_undos_redos_and_restarts(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Against a model: the list of states gone through, and where in it we are."""
    path = tmp_path_factory.mktemp("run") / "w.overread"
    workspace = Workspace.open(path, reader="r")
    states, here = [AnnotationSet()], 0
    for _ in range(data.draw(st.integers(1, 12))):
        what = data.draw(st.sampled_from(["edit", "edit", "undo", "redo", "restart"]))
        if what == "edit":
            edit = data.draw(edits(states[here]))
            workspace.commit(edit)
            states = [*states[: here + 1], edit.apply(states[here])[0]]
            here += 1
        elif what == "undo":
            assert (workspace.undo() is None) == (here == 0)
            here = max(here - 1, 0)
        elif what == "redo":
            assert (workspace.redo() is None) == (here == len(states) - 1)
            here = min(here + 1, len(states) - 1)
        else:
            workspace = reopened(workspace)
        assert workspace.annotations == states[here]
        assert (workspace.can_undo, workspace.can_redo) == (here > 0, here < len(states) - 1)
    assert workspace.verify().ok
    workspace.close()


def test_edits_that_do_not_fit_change_nothing(workspace: Workspace) -> None:
    one = annotation()
    workspace.commit(create(one))
    before = workspace.annotations
    nan = Annotation("n", KEYS[0], one.box, 1, Origin(OriginKind.MODEL, "m", float("nan")))
    for bad in (create(one), SetEdit("create", ()), create(nan), delete([annotation(name="ghost")])):
        with pytest.raises(EditConflict):
            workspace.commit(bad)
    assert workspace.annotations is before
    assert len(workspace.history()) == 1
    assert workspace.commit(relabel(one, 2, "anna")).seq == 2


def test_a_closed_workspace_says_so(workspace: Workspace) -> None:
    workspace.commit(create(annotation()))
    workspace.close()
    workspace.close()
    for call in (workspace.undo, workspace.history, lambda: workspace.commit(create(annotation(name="b")))):
        with pytest.raises(StoreError, match="was closed"):
            call()


def test_history_of_one_slice(workspace: Workspace) -> None:
    for i, key in enumerate(KEYS * 2):
        workspace.commit(create(annotation(key=key, name=f"a{i}")))
    both = mark_read(workspace.annotations, KEYS[:2], "anna")
    assert both is not None
    workspace.commit(both)
    assert [e.seq for e in workspace.history(KEYS[1])] == [7, 5, 2]
    assert [e.seq for e in workspace.history(KEYS[1], limit=2)] == [7, 5]
    assert [e.seq for e in workspace.history(limit=3)] == [7, 6, 5]
    assert workspace.history("dicom:unknown#0") == ()
    assert workspace.history(KEYS[1], limit=0) == ()


def test_class_ids_are_stable(workspace: Workspace) -> None:
    added = workspace.add_class(" cyst ")
    assert (added.id, added.name) == (5, "cyst")
    assert workspace.add_class("metastasis", "#123456") == LabelClass(6, "metastasis", "#123456")
    for taken in ("cyst", "", "  "):
        with pytest.raises(InputError, match="needs a name"):
            workspace.add_class(taken)
    before = workspace.schema
    workspace = reopened(workspace)
    assert workspace.schema == before
    workspace.close()


def test_an_existing_workspace_keeps_its_schema(tmp_path: Path) -> None:
    mine = LabelSchema("mine", (LabelClass(4, "d", "#111111"), LabelClass(9, "b", "#222222")))
    with Workspace.open(tmp_path, reader="r", schema=mine):
        pass
    with Workspace.open(tmp_path, reader="r", schema=LabelSchema("other", (LabelClass(1, "x"),))) as again:
        assert again.schema == mine
        assert again.add_class("c").id == 10


def stack(uid: str, *refs: SliceRef) -> Series:
    return Series(uid, "study", "MR", "T1 post", refs, is_stack=True)


def test_slices_are_remembered(workspace: Workspace, tmp_path: Path) -> None:
    geometry = Geometry((0, 0, 1), (1, 0, 0), (0, 1, 0), 1, 1)
    one = SliceRef(KEYS[0], tmp_path / "1.dcm", 0, 64, 80, "series", geometry, patient="abcdef")
    two, three = slice_ref(KEYS[1], tmp_path / "2.dcm"), slice_ref(KEYS[2], tmp_path / "00054_12.png")
    workspace.remember(stack("series", one, two))
    workspace.remember([three])
    workspace = reopened(workspace)
    known = workspace.known_slices()
    assert [k.ref for k in known] == [one, two, three]
    assert [(k.series_description, k.group, k.grouped_by) for k in known] == [
        ("T1 post", "abcdef", "patient"), ("T1 post", known[1].group, "study"), ("", "00054", "patient"),
    ]  # fmt: skip
    assert "study" not in known[1].group, "a study's number is not written down"
    # Found elsewhere: the new place counts, what was known of its series stays.
    workspace.remember([moved(two, tmp_path / "elsewhere.dcm")])
    workspace = reopened(workspace)
    assert [k.ref.path.name for k in workspace.known_slices()] == ["1.dcm", "elsewhere.dcm", "00054_12.png"]
    assert workspace.known_slices()[1].series_description == "T1 post"
    workspace.close()


def test_independent_images_stand_alone(workspace: Workspace) -> None:
    refs = [slice_ref(f"raster:{i}#{page}", f"/x/{i}.tif") for i in range(2) for page in range(2)]
    workspace.remember(Series("series", "", "", "photos", tuple(refs), is_stack=False))
    groups = [k.group for k in workspace.known_slices()]
    assert groups[0] == groups[1] != groups[2] == groups[3], "pages of one file belong together"
    assert {k.grouped_by for k in workspace.known_slices()} == {"file"}


def test_relative_paths_are_made_absolute(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace.remember([slice_ref(path="sub/1.dcm")])
    assert workspace.known_slices()[0].ref.path == tmp_path / "sub/1.dcm"


def test_threads_may_commit_at_once(workspace: Workspace) -> None:
    def work(name: str) -> None:
        for i in range(20):
            workspace.commit(create(annotation(name=f"{name}{i}")))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(workspace.annotations.on(KEYS[0]).annotations) == 60
    assert workspace.verify().ok


def test_ten_thousand_edits_open_quickly(tmp_path: Path) -> None:
    """The projection is a replay; if that ever takes long, it needs a table of its own."""
    path = tmp_path / "w.overread"
    Workspace.open(path, reader="r").close()
    write_entries(path, [create(annotation(f"dicom:1.2.{i % 1500}#0", name=f"a{i}")) for i in range(10_000)])
    start = time.perf_counter()
    with Workspace.open(path, reader="r") as workspace:
        seconds = time.perf_counter() - start
        assert sum(1 for _ in workspace.annotations.annotations()) == 10_000
        assert len(workspace.annotations.by_slice) == 1500
    assert seconds < 3, "0.4 s on an idle core"


def write_entries(path: Path, run: list[SetEdit]) -> None:
    """Journal entries in one transaction, to be quick: one fsync instead of one for each."""
    with closing(sqlite3.connect(path)) as raw, raw:
        (number,) = raw.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()
        head = genesis(number)
        for seq, edit in enumerate(run, 1):
            row = {
                "seq": seq, "at": "2026-01-01T00:00:00+00:00", "reader": "r", "action": edit.action,
                "text": "", "reason": "", "undoes": None, "redoes": None,
                "edit": canonical(encode_edit(edit)),
            }  # fmt: skip
            head = entry_hash(row, head)
            raw.execute(
                "INSERT INTO journal (seq, at, reader, action, text, reason, undoes, redoes, edit, hash)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [*row.values(), head],
            )
