"""Format 2 of the workspace: one of format 1 stays as it was, and what the new one adds comes back."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from core.edits import AnnotationSet, create, set_attributes, set_locked
from core.errors import EditConflict, InputError
from core.label_schema import LabelClass, LabelSchema
from core.store.codec import encode_edit
from core.store.journal import entry_hash, genesis
from core.store.tables import header_version
from core.store.workspace import Workspace
from tests.core.strategies import KEYS, annotation

# As the first release wrote it.
ENTRY_OF_FORMAT_1 = (
    '{"action":"create","changes":[{"after":{"author":"r","box":[10.0,20.0,30.0,50.0],"id":"a",'
    '"kind":"annotation","label":1,"origin":{"kind":"human","model":"","predicted":null,"proposal":null,'
    '"score":null,"source":""},"slice":"dicom:1.2.3#0","window":null},"before":null}],"reason":""}'
)


def of_format_1(path: Path) -> Path:
    """A workspace as the first release left it: a class added by hand, one box."""
    Workspace.open(path, reader="r").close()
    with sqlite3.connect(path) as raw:
        ident = raw.execute("SELECT value FROM meta WHERE name='id'").fetchone()[0]
        row = {
            "seq": 1, "at": "2026-01-01T00:00:00.000+00:00", "reader": "r", "action": "create",
            "text": "draw tumour box", "reason": "", "undoes": None, "redoes": None,
            "edit": ENTRY_OF_FORMAT_1,
        }  # fmt: skip
        row["hash"] = entry_hash(row, genesis(ident))
        raw.execute(
            f"INSERT INTO journal ({','.join(row)}) VALUES ({','.join('?' * len(row))})", [*row.values()]
        )
        raw.execute("INSERT INTO classes VALUES (9, 'cyst', '#123456')")
        raw.execute("PRAGMA user_version=1")
    raw.close()
    return path


def test_a_workspace_of_format_1_opens_as_it_was_and_goes_on(tmp_path: Path) -> None:
    path = of_format_1(tmp_path / "w.overread")
    assert header_version(path) == 1
    with Workspace.open(path, reader="r") as workspace:
        (box,) = workspace.annotations.annotations()
        assert box == replace(annotation(), author="r")
        assert [c.id for c in workspace.schema.classes] == [1, 2, 3, 4, 9]
        workspace.commit(set_attributes(box, (("certainty", 4),), "r"))
        assert workspace.add_class("cavernoma").id == 10
        assert workspace.verify().ok
    assert header_version(path) == 2
    with Workspace.open(path, reader="r") as workspace:
        assert workspace.annotations.find("a") == replace(box, attributes=(("certainty", 4),))
        assert workspace.schema.name_of(10) == "cavernoma"
        for _ in range(3):
            assert workspace.undo() is not None
        assert workspace.annotations == AnnotationSet()
        assert [c.id for c in workspace.schema.classes] == [1, 2, 3, 4, 9]
        assert workspace.undo() is None


def test_a_plain_box_is_written_as_in_format_1() -> None:
    made = replace(annotation(), author="r")
    text = json.dumps(encode_edit(create(made)), sort_keys=True, separators=(",", ":"))
    assert text == ENTRY_OF_FORMAT_1


def test_schemas_change_by_edits_that_are_undone_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "w.overread"
    with Workspace.open(path, reader="r") as workspace:
        workspace.commit(create(annotation()))
        book = workspace.schemas
        mine = book.own(book.active)
        renamed = mine.changed(replace(mine.classes[0], name="mass", key=7)).without_class(2)
        workspace.change_schemas(book.changed(renamed), "rename tumour to mass, remove glioma")
        workspace.change_schemas(
            workspace.schemas.added(LabelSchema("spine", (LabelClass(1, "disc"),), fields=()))[0], "add spine"
        )
        with pytest.raises(EditConflict):
            workspace.change_schemas(workspace.schemas, "nothing")
        with pytest.raises(InputError, match="retired, not forgotten"):
            workspace.change_schemas(book, "forget the new ids")
    with Workspace.open(path, reader="r") as workspace:
        assert [e.text for e in workspace.history()][:2] == [
            "add spine",
            "rename tumour to mass, remove glioma",
        ]
        assert (workspace.schema.name, workspace.schema.fields) == ("spine", ())
        assert [workspace.schema.name_of(i) for i in (1, 2, 5)] == ["mass", "glioma", "disc"]
        workspace.undo()
        assert workspace.schema.by_key(7) == LabelClass(1, "mass", "#e69f00", 7)
        workspace.undo()
        assert workspace.schemas == book
        assert workspace.annotations.on(KEYS[0]).annotations == (annotation(),)
        workspace.redo()
        assert workspace.schema.name_of(1) == "mass"
        assert workspace.verify().ok


def test_a_lock_is_in_the_journal(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w.overread", reader="r") as workspace:
        workspace.commit(create(annotation()))
        entry = workspace.commit(set_locked(annotation(), True, "anna"))
        assert entry.text == "lock tumour box"
        found = workspace.annotations.find("a")
        assert found is not None
        assert found.locked
