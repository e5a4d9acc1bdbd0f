"""Results on disk: the same again, never another's, bounded, and sound or not there."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.detection.base import DetectRequest, DetectResult, TraceRow
from core.detection.operating_point import OperatingPoint, detections_at
from core.model import Box, Detection, LabelClass, LabelSchema, Proposals
from core.review.ahead import direction, nearest
from core.review.point_book import PointBook
from core.review.result_cache import ResultCache, content_key
from core.review.results_codec import DamagedResultError, decode, encode
from core.review.shortlist import Shortlist

SCHEMA = LabelSchema("s", (LabelClass(1, "glioma"), LabelClass(2, "meningioma")))
CLASSES = (("glioma", 1), ("meningioma", 2))
sides = st.floats(0.01, 1e4, allow_nan=False)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), sides, sides, sides, sides)
scores = st.floats(0.0, 1.0)


@st.composite
def results(draw: st.DrawFn) -> DetectResult:
    given_boxes = tuple(draw(st.lists(boxes, min_size=1, max_size=8)))
    count = len(given_boxes)
    rows = []
    for i in range(count):
        score = draw(scores)
        told = ((1, score), (2, draw(scores))) if draw(st.booleans()) else ()
        by = draw(st.none() | st.integers(0, count - 1))
        rows.append(
            TraceRow(i, draw(st.sampled_from([1, 2])), score, draw(boxes), by, told, draw(st.none() | scores))
        )
    found = tuple(
        Detection(t.box, t.label_id, "gliome à é", t.score, draw(st.none() | boxes))
        for t in rows
        if t.score > 0.5
    )
    ranks = tuple(draw(scores) for _ in range(count))
    return DetectResult(
        "slice", "m@1", found, Proposals(given_boxes, ranks, "fast"), tuple(rows), draw(scores)
    )


@given(results())
def test_a_result_comes_back_as_it_was(result: DetectResult) -> None:
    assert decode(encode(result), "slice", "m@1") == result


def test_every_field_is_kept() -> None:
    # A new field must be written too (or left out with a reason): this fails when there is one.
    assert {f.name for f in fields(TraceRow)} == {
        "proposal", "label_id", "score", "box", "suppressed_by", "scores", "promise",
    }  # fmt: skip
    assert {f.name for f in fields(DetectResult)} == {
        "slice_key", "model", "detections", "proposals", "trace", "milliseconds",
    }  # fmt: skip


@given(results(), scores, st.floats(0.05, 0.95))
def test_the_shortlist_shows_what_the_whole_result_shows(
    result: DetectResult, score: float, overlap: float
) -> None:
    point = OperatingPoint(score, overlap)
    assert Shortlist.of(result).shown_at(point, SCHEMA) == detections_at(result, point, SCHEMA)


def some(score: float = 0.9) -> DetectResult:
    box = Box(1, 2, 30, 40)
    trace = (TraceRow(0, 1, score, box, None, ((1, score), (2, 0.1)), 0.7),)
    return DetectResult(
        "slice", "m@1", (Detection(box, 1, "glioma", score, box),), Proposals((box,), (1.0,)), trace
    )


@pytest.mark.parametrize("where", ["start", "middle", "end", "cut", "empty", "pickle"])
def test_damage_is_known_as_such(where: str) -> None:
    data = bytearray(encode(some()))
    at = {"start": 0, "middle": len(data) // 2, "end": len(data) - 1}.get(where)
    if at is not None:
        data[at] ^= 0x40
    damaged = {"cut": bytes(data[:-3]), "empty": b"", "pickle": b"\x80\x04K\x01."}.get(where, bytes(data))
    with pytest.raises(DamagedResultError):
        decode(damaged, "slice", "m@1")


def request(value: float = 1.0, slice_key: str = "slice") -> DetectRequest:
    return DetectRequest(slice_key, np.full((4, 5), value, dtype=np.float32))


def test_the_key_is_of_the_pixels_the_model_and_its_classes() -> None:
    key = content_key(request(), "m@1", CLASSES)
    assert key == content_key(request(slice_key="copied elsewhere"), "m@1", CLASSES)
    others = [
        content_key(request(2.0), "m@1", CLASSES),
        content_key(request(), "m@2", CLASSES),
        content_key(request(), "m@1", (("glioma", 2), ("meningioma", 1))),
        content_key(replace(request(), image=np.full((5, 4), 1.0, dtype=np.float32)), "m@1", CLASSES),
        content_key(replace(request(), proposals=some().proposals), "m@1", CLASSES),
    ]
    assert len({key, *others}) == 6


def test_an_entry_is_there_again_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    ResultCache(tmp_path / "r", 1 << 20).write("ab12", some())
    again = ResultCache(tmp_path / "r", 1 << 20)
    assert again.read("ab12", "slice", "m@1") == some()
    assert again.read("ab13", "slice", "m@1") is None
    (entry,) = (tmp_path / "r").rglob("*.result")
    entry.write_bytes(entry.read_bytes()[:-1])
    assert again.read("ab12", "slice", "m@1") is None
    assert not entry.exists()
    assert again.write("ab12", some())
    assert again.read("ab12", "slice", "m@1") == some()


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    size = len(encode(some()))
    cache = ResultCache(tmp_path, 4 * size + size // 2)
    for i in range(4):
        cache.write(f"k{i}", some())
        (path,) = tmp_path.rglob(f"k{i}.result")
        os.utime(path, (i + 1, i + 1))
    assert cache.read("k0", "slice", "m@1") is not None  # now it is the last one used
    cache.write("k4", some())
    left = {p.stem for p in tmp_path.rglob("*.result")}
    assert left == {"k0", "k2", "k3", "k4"}
    assert sum(p.stat().st_size for p in tmp_path.rglob("*.result")) <= 4 * size + size // 2


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = ResultCache(tmp_path / "file", 1 << 20)
    assert not cache.write("ab", some())
    assert cache.read("ab", "slice", "m@1") is None
    assert not ResultCache(tmp_path / "none", 0).write("ab", some())
    assert not (tmp_path / "none").exists()


def order(at: int, travel: int, count: int = 8) -> list[int]:
    wanted, found = set(range(count)), []
    while (index := nearest(wanted, at, travel)) is not None:
        found.append(index)
        wanted.remove(index)
    return found


def test_neighbours_come_in_the_direction_of_travel() -> None:
    assert order(3, 0) == [3, 2, 4, 1, 5, 0, 6, 7]
    assert order(3, 1) == [3, 4, 5, 2, 6, 7, 1, 0]
    assert order(3, -1) == [3, 2, 1, 4, 0, 5, 6, 7]


def test_a_jump_has_no_direction() -> None:
    assert [direction(3, now, -1) for now in (4, 5, 3, 2, 7, 0)] == [1, 1, -1, -1, 0, 0]


def test_points_are_remembered_by_model(tmp_path: Path) -> None:
    book = PointBook(tmp_path / "points.json")
    book.put("a@1", OperatingPoint(0.2, 0.3))
    book.put("b@2", OperatingPoint(0.6, 0.5))
    book.write()
    again = PointBook(tmp_path / "points.json")
    assert (again.get("a@1"), again.get("b@2")) == (OperatingPoint(0.2, 0.3), OperatingPoint(0.6, 0.5))
    assert again.get("c@3") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a@1": {"min_score": "high", "nms_iou": 0.4}}', '{"a@1": 3}']
)
def test_points_that_cannot_be_read_are_not_there(tmp_path: Path, text: str) -> None:
    path = tmp_path / "points.json"
    path.write_text(text)
    assert PointBook(path).get("a@1") is None
