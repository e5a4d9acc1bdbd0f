"""The rows of a metadata view: what they are, how they are searched, and what we understood of a slice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from core.imaging.geometry import normal
from core.model import SliceRef

MAX_TEXT = 400
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class TagRow:
    """One line of the tree.

    Attributes:
        tag: "0010,0010"; "" for items and groups.
        vr: Value representation, "" where there is none.
        name: In words.
        value: Bounded text; may name the patient, so it is for the reader's own screen only.
        private: Whether the element is not the standard's.
        children: Items of a sequence; elements of an item.
    """

    tag: str
    vr: str
    name: str
    value: str = ""
    private: bool = False
    children: tuple[TagRow, ...] = ()


@dataclass(frozen=True, slots=True)
class TagTree:
    """What a metadata view shows of one slice.

    Attributes:
        rows: The top level.
        note: What is to be said of the whole: "not a DICOM file", "cut short", …
    """

    rows: tuple[TagRow, ...]
    note: str = ""

    @property
    def count(self) -> int:
        """Rows at all depths."""
        return sum(1 for _ in walk_rows(self.rows))


def walk_rows(rows: Iterable[TagRow]) -> Iterable[TagRow]:
    """Every row, parents first."""
    for row in rows:
        yield row
        yield from walk_rows(row.children)


def matching(rows: Iterable[TagRow], query: str) -> tuple[TagRow, ...]:
    """The rows that hold every word of the query in tag, name, kind or value, with what they lie in and hold.

    Args:
        rows: The tree.
        query: Words; case does not matter, "0010,0010", "(0010,0010)" and "00100010" are one tag. "private"
            finds private elements.
    """
    words = query.casefold().split()
    return tuple(rows) if not words else _matching(rows, words)


def _matching(rows: Iterable[TagRow], words: list[str]) -> tuple[TagRow, ...]:
    found = []
    for row in rows:
        if all(word in haystack(row) for word in words):
            found.append(row)
        elif row.children and (children := _matching(row.children, words)):
            found.append(replace(row, children=children))
    return tuple(found)


def haystack(row: TagRow) -> str:
    """All of a row that is searched, in lower case."""
    plain = row.tag.replace(",", "")
    keyword = row.name.replace(" ", "")
    private = "private" if row.private else ""
    return f"{row.tag} ({row.tag}) {plain} {row.vr} {row.name} {keyword} {row.value} {private}".casefold()


def shown(text: str) -> str:
    """A value that is safe to show: control characters as their symbols, long text cut."""
    plain = "".join(c if c.isprintable() else " " for c in text[: MAX_TEXT + 1]).strip()
    return plain if len(text) <= MAX_TEXT else f"{plain[:MAX_TEXT]}… ({len(text)} characters)"


def understood(ref: SliceRef) -> TagRow:
    """What Overread took from the file, in its own words: to compare with what the file says."""
    rows = [("Frame", f"{ref.frame + 1}"), ("Size", f"{ref.columns} × {ref.rows} pixels")]
    if ref.geometry is not None:
        rows += [
            ("Position of the first pixel (LPS mm)", _numbers(ref.geometry.position)),
            ("Direction of rows", _numbers(ref.geometry.row_cosine)),
            ("Direction of columns", _numbers(ref.geometry.column_cosine)),
            ("Normal", _numbers(normal(ref.geometry))),
        ]
    else:
        rows.append(("Position", "not in the file"))
    if ref.spacing is not None:
        rows.append(("Pixel spacing (row, column; mm)", _numbers(ref.spacing)))
    elif ref.aspect != 1.0:
        rows.append(("Pixel height over width", f"{ref.aspect:.6g}"))
    for window in ref.windows:
        text = f"C {window.center:g}  W {window.width:g}  {window.function}"
        rows.append((f"Window {shown(window.name)}".rstrip(), text))
    if ref.padding is not None:
        rows.append(("Padding (rescaled values)", f"{ref.padding[0]:.6g} to {ref.padding[1]:.6g}"))
    if ref.inverted:
        rows.append(("Shown", "inverted after the window"))
    return TagRow("", "", "As Overread reads it", "", children=tuple(TagRow("", "", n, v) for n, v in rows))


def _numbers(values: tuple[float, ...]) -> str:
    return "  ".join(f"{v:.6g}" for v in values)
