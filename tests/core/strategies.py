"""Hypothesis strategies for the domain, and short ways to make examples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from core.edits import AnnotationSet, Change, Entry, SetEdit, entry_key
from core.label_schema import attributes_of
from core.model import (
    Annotation,
    Box,
    LabelClass,
    LabelSchema,
    Origin,
    OriginKind,
    ReadingMark,
    ReadState,
    Rejection,
    SchemaBook,
    SliceRef,
)

SCHEMA = LabelSchema(
    "test", (LabelClass(1, "tumour"), LabelClass(3, "gliome à 3 ans"), LabelClass(7, "x, y"))
)
BOOK = SchemaBook((SCHEMA, LabelSchema("other", (LabelClass(9, "tumour", key=3),), fields=())), "other")
KEYS = ("dicom:1.2.3#0", "dicom:1.2.3#1", "raster:ab#0")

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
numbers = st.floats(-1e6, 1e6)
ids = st.integers(0, 30).map(lambda n: f"id{n}")


@st.composite
def spans(draw: st.DrawFn, size: int) -> tuple[float, float]:
    """(low, high) in [0, size]: whole pixels, one pixel, any floats, up to an edge; at least 1e-3 apart."""
    if draw(st.booleans()):
        low = float(draw(st.integers(0, size - 1)))
        return low, float(draw(st.integers(int(low) + 1, size)))
    low = draw(st.floats(0, size - 1e-3))
    return low, draw(st.one_of(st.just(float(size)), st.floats(min(low + 1e-3, size), size)))


@st.composite
def boxes(draw: st.DrawFn, width: int = 512, height: int = 384) -> Box:
    """A box inside a slice."""
    (x1, x2), (y1, y2) = draw(spans(width)), draw(spans(height))
    return Box(x1, y1, x2, y2)


def origins() -> st.SearchStrategy[Origin]:
    optional_box = st.none() | boxes()
    score = st.none() | st.floats(0, 1)
    return st.builds(Origin, st.sampled_from(OriginKind), texts, score, optional_box, optional_box, texts)


attributes = st.dictionaries(texts, st.booleans() | st.integers(1, 5) | texts, max_size=3).map(attributes_of)


def some_annotations(keys: tuple[str, ...] = KEYS) -> st.SearchStrategy[Annotation]:
    return st.builds(
        Annotation,
        id=ids,
        slice_key=st.sampled_from(keys),
        box=boxes(),
        label_id=st.sampled_from([1, 3, 7]),
        origin=origins(),
        author=texts,
        window=st.none() | st.tuples(numbers, numbers),
        attributes=attributes,
        locked=st.booleans(),
        checked=st.booleans(),
        finding=texts,
    )


def entries() -> st.SearchStrategy[Entry]:
    """Any entry with everything in it that can be."""
    rejections = st.builds(
        Rejection,
        id=ids,
        slice_key=st.sampled_from(KEYS),
        box=boxes(),
        label_id=st.sampled_from([1, 3]),
        model=texts,
        score=st.floats(0, 1),
        reason=texts,
        author=texts,
    )
    marks = st.builds(ReadingMark, st.sampled_from(KEYS), st.sampled_from(ReadState), texts)
    return st.one_of(some_annotations(), rejections, marks, st.just(BOOK))


def _plain_entry(number: int) -> Entry:
    """One of 5 annotations, 2 rejections and 1 mark on 3 slices, each in 3 versions; cheap to draw."""
    number, key = divmod(number, len(KEYS))
    version, which = divmod(number, 8)
    box = Box(version, which, version + 5, which + 5)
    if which < 5:
        return Annotation(f"a{which}", KEYS[key], box, 1 + version)
    if which < 7:
        return Rejection(f"r{which}", KEYS[key], box, 1 + version, "m@1", 0.5)
    return ReadingMark(KEYS[key], list(ReadState)[version % 2], f"reader {version}")


plain_entries = st.integers(0, 3 * 8 * len(KEYS) - 1).map(_plain_entry)


@st.composite
def edits(draw: st.DrawFn, before: AnnotationSet) -> SetEdit:
    """An edit that fits a set: additions, replacements and removals, each entry touched once."""
    there = {(key, name): e for key, record in before.by_slice.items() for name, e in record.entries.items()}
    changes: dict[tuple[str, str], Change] = {}
    for entry in draw(st.lists(plain_entries, min_size=1, max_size=4)):
        at = (entry.slice_key, entry_key(entry))
        old = there.get(at)
        if old is None:
            changes[at] = Change(None, entry)
        elif type(old) is type(entry) and draw(st.booleans()):
            changes[at] = Change(old, entry)
        else:
            changes[at] = Change(old, None)
    return SetEdit(draw(st.sampled_from(["create", "delete", "import", "read"])), tuple(changes.values()))


@st.composite
def sets(draw: st.DrawFn) -> AnnotationSet:
    """A set that some edits made."""
    made = AnnotationSet()
    for _ in range(draw(st.integers(0, 3))):
        made, _inverse = draw(edits(made)).apply(made)
    return made


def annotation(key: str = KEYS[0], box: Box | None = None, label_id: int = 1, name: str = "a") -> Annotation:
    """An annotation for an example."""
    return Annotation(name, key, box or Box(10, 20, 30, 50), label_id)


def slice_ref(
    key: str = KEYS[0], path: Path | str = "/nowhere/a.dcm", rows: int = 64, columns: int = 80, frame: int = 0
) -> SliceRef:
    """A slice for an example."""
    return SliceRef(key, Path(path), frame, rows, columns, "series")


def moved(ref: SliceRef, path: Path) -> SliceRef:
    """The same slice found elsewhere."""
    return replace(ref, path=path)
