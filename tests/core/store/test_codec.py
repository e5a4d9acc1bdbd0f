from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.edits import Change, SetEdit
from core.model import Annotation, Box, Geometry, Origin, OriginKind, SliceRef, ValueMap, VoiTable, Window
from core.store.codec import canonical, decode_edit, decode_slice, encode_edit, encode_slice
from tests.core.strategies import KEYS, entries, texts


@given(st.lists(entries(), max_size=3), texts, texts)
def test_an_edit_survives_as_text_exactly(found: list[Annotation], action: str, reason: str) -> None:
    changes = (
        [Change(None, e) for e in found] + [Change(e, e) for e in found] + [Change(e, None) for e in found]
    )
    edit = SetEdit(action, tuple(changes), reason)
    text = canonical(encode_edit(edit))
    assert decode_edit(json.loads(text)) == edit
    assert canonical(encode_edit(decode_edit(json.loads(text)))) == text


def test_numbers_of_numpy_are_numbers() -> None:
    edges: list[Any] = [np.float64(0.1), np.float32(0.5), np.int64(3), 4]
    box = Box(*edges)
    score = float(np.float32(0.3))
    made = Annotation("a", KEYS[0], box, np.int64(2), Origin(OriginKind.MODEL, "m", np.float32(0.3)))  # type: ignore[arg-type]
    back = decode_edit(json.loads(canonical(encode_edit(SetEdit("create", (Change(None, made),))))))
    assert back.changes[0].after == Annotation(
        "a", KEYS[0], Box(0.1, 0.5, 3.0, 4.0), 2, Origin(OriginKind.MODEL, "m", score)
    )


def test_a_number_that_is_none_is_refused() -> None:
    made = Annotation("a", KEYS[0], Box(0, 0, 1, 1), 1, Origin(OriginKind.MODEL, "m", float("nan")))
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(encode_edit(SetEdit("create", (Change(None, made),))))


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"action": "x", "reason": "", "changes": [{}]},
        {
            "action": "x",
            "reason": "",
            "changes": [{"before": None, "after": {"kind": "ghost", "slice": "k"}}],
        },
    ],
)
def test_what_is_no_edit_is_refused(tree: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError)):
        decode_edit(tree)


@pytest.mark.parametrize(
    "ref",
    [
        SliceRef("raster:0#0", Path("/a/b c.png"), 0, 3, 4, "folder"),
        SliceRef(
            "dicom:1#2", Path("/a/ü.dcm"), 2, 256, 255, "1.2.3",
            Geometry((1.5, -2, 0.1), (1, 0, 0), (0, 1, 0), 0.9, 0.8), (0.9, 0.8),
            (Window(40, 80, "BRAIN"), Window(0.5, 1, "x", "SIGMOID")), True, "abc", "1.2.9", 7,
            padding=(-0.5, 0.5),
        ),
        SliceRef(
            "dicom:1#3", Path("/a/table.dcm"), 3, 2, 2, "1.2.4",
            windows=(Window(2, 4, "VOI", "TABLE", VoiTable(b"\0\0\x01\0\xff\x0f\x02\0", 4095)), Window(1, 2)),
            colour=True,
            value_maps=(ValueMap(0, 9, 0.1, -1, "mm2/s", "ADC"), ValueMap(0, 2, 0, 0, "1", "t", (5, 7, 6))),
        ),
    ],
    ids=["plain", "everything", "tables"],
)  # fmt: skip
def test_a_slice_survives_as_text(ref: SliceRef) -> None:
    assert decode_slice(json.loads(canonical(encode_slice(ref)))) == ref


def test_a_slice_keeps_its_dimension_aspect_and_odd_name() -> None:
    path = Path(os.fsdecode(b"/caf\xe9/a.dcm"))
    ref = SliceRef("dicom:1#0", path, 0, 4, 5, "1", dimension=(1, 3), aspect=1.25)
    text = canonical(encode_slice(ref))
    assert decode_slice(json.loads(text)) == ref
    text.encode("utf-8")
