"""What the findings panel lists: a row a box, the boxes of a lesion under a row of its own. No widgets."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.boxes import to_array
from core.detection.operating_point import ShownDetection
from core.edits import SliceRecord
from core.imaging.geometry import size_mm
from core.model import Annotation, Box, Detection, LabelSchema, OriginKind, SliceRef
from core.review.lesions import CERTAIN, MarkedBox, ReadLesion
from gui.actions import detection_id
from gui.desk import Desk
from gui.scene import color_of

ORIGIN_TEXT = {
    OriginKind.HUMAN: "✎ drawn",
    OriginKind.MODEL: "✓ accepted",
    OriginKind.PROPOSAL: "✓ snapped",
    OriginKind.INTERPOLATED: "✓ interpolated",
    OriginKind.COPIED: "✓ copied",
    OriginKind.PROJECTED: "✓ projected",
    OriginKind.IMPORTED: "↓ imported",
}
UNDECIDED = "? undecided"
UNCHECKED = "≈ unchecked"

Facts = tuple[SliceRef, SliceRecord, tuple[ShownDetection, ...], LabelSchema]
BoxKey = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One box.

    Attributes:
        index: Of its slice.
        box_id: Id on screen.
        place: Where it is, in words.
        label: Name of its class.
        color: Of its class.
        score: The model's, or None.
        size: In words.
        state: In words.
        box: Where on the slice.
        label_id: Its class.
        standing: Whether it counts or may yet; a rejected one does not.
        finding: The finding that a reader put it in, or "".
        remarks: What else a reader said of it, in words.
    """

    index: int
    box_id: str
    place: str
    label: str
    color: str
    score: float | None
    size: str
    state: str
    box: Box
    label_id: int
    standing: bool = True
    finding: str = ""
    remarks: str = ""

    @property
    def key(self) -> BoxKey:
        """What tells it from all others of the series."""
        return self.index, self.box_id

    @property
    def tip(self) -> str:
        """All of it in one sentence."""
        said = f"; {self.remarks}" if self.remarks else ""
        return f"Slice {self.index + 1}: {self.label}, {self.size}, {self.state[2:]}{said}"


@dataclass(frozen=True, slots=True)
class Group:
    """A row over several boxes: a lesion, or what was rejected.

    Attributes:
        place: Which lesion, on which slices.
        label: Name of its class.
        color: Of its class, or "".
        score: The best of its boxes', or None.
        size: In words, through the stack too.
        state: In words.
        tip: All of it in one sentence.
        rows: Its boxes, by slice.
        target: Of them the one that picking the group shows.
    """

    place: str
    label: str
    color: str
    score: float | None
    size: str
    state: str
    tip: str
    rows: tuple[Row, ...]
    target: Row


Item = Row | Group


def size_text(box: Box, spacing: tuple[float, float] | None) -> str:
    """Extent in mm where the spacing is known, else in pixels."""
    if spacing is None:
        return f"{box.width:.0f} × {box.height:.0f} px"
    width, height = size_mm(box, spacing)
    return f"{width:.1f} × {height:.1f} mm"


def annotation_state(annotation: Annotation) -> str:
    """Where a box that counts came from and whether somebody has looked at it, with a sign before it."""
    origin = annotation.origin
    if not annotation.checked:
        return UNCHECKED
    edited = origin.predicted is not None and origin.predicted != annotation.box
    return "✓ corrected" if edited else ORIGIN_TEXT[origin.kind]


def remarks(annotation: Annotation, schema: LabelSchema) -> str:
    """What a reader said of a box beside its class: "Certainty 4, Comment: …, locked"."""
    titles = {f.id: f.title for f in schema.fields}
    said = [] if annotation.checked else [ORIGIN_TEXT[annotation.origin.kind][2:]]
    for field_id, value in annotation.attributes:
        told = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
        colon = ":" if isinstance(value, str) else ""
        said.append(f"{titles.get(field_id, field_id)}{colon} {told}")
    return ", ".join([*said, *(["locked"] if annotation.locked else [])])


class RowsBySlice:
    """The rows of each slice, made again only where something about the slice is different."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._series_uid = ""
        self._known: dict[int, tuple[Facts, tuple[Row, ...]]] = {}

    def rows(self) -> tuple[Row, ...]:
        """The boxes of the series in view, by slice; annotations, then undecided, then rejected."""
        series = self._desk.session.current_series
        if series is None:
            return ()
        if series.uid != self._series_uid:
            self._series_uid = series.uid
            self._known.clear()
        workspace, engine = self._desk.session.workspace, self._desk.engine
        annotations, schema = workspace.annotations, workspace.schema
        rows: list[Row] = []
        for index, (ref, open_ones) in enumerate(
            zip(series.slices, engine.undecided_on(series.slices), strict=True)
        ):
            record = annotations.on(ref.key)
            if not open_ones and not record.entries:
                continue
            facts = (ref, record, open_ones, schema)
            known = self._known.get(index)
            if known is None or not all(map(operator.is_, known[0], facts)):
                known = self._known[index] = (facts, _rows_of_slice(index, facts))
            rows += known[1]
        return tuple(rows)


def _rows_of_slice(index: int, facts: Facts) -> tuple[Row, ...]:
    ref, record, open_ones, schema = facts

    def row(box_id: str, label_id: int, score: float | None, box: Box, state: str) -> Row:
        name, color, size = schema.name_of(label_id), color_of(schema, label_id), size_text(box, ref.spacing)
        return Row(index, box_id, str(index + 1), name, color, score, size, state, box, label_id)

    rows = []
    for a in record.annotations:
        made = row(a.id, a.label_id, a.origin.score, a.box, annotation_state(a))
        rows.append(replace(made, finding=a.finding, remarks=remarks(a, schema)))
    for s in open_ones:
        d = s.detection
        rows.append(row(detection_id(s.row), d.label_id, d.score, d.box, UNDECIDED))
    for r in record.rejections:
        state = f"✗ rejected: {r.reason}" if r.reason else "✗ rejected"
        rows.append(replace(row(r.id, r.label_id, r.score, r.box, state), standing=False))
    return tuple(rows)


def marked_boxes(rows: Sequence[Row], slices: int) -> list[list[MarkedBox]]:
    """Per slice the boxes to link into lesions: those that count or may yet."""
    marked: list[list[MarkedBox]] = [[] for _ in range(slices)]
    for row in rows:
        if row.standing:
            score = row.score if row.state == UNDECIDED and row.score is not None else CERTAIN
            marked[row.index].append(
                MarkedBox(row.box_id, Detection(row.box, row.label_id, row.label, score), row.finding)
            )
    return marked


def items_of(rows: Sequence[Row], lesions: Sequence[ReadLesion], schema: LabelSchema) -> tuple[Item, ...]:
    """The rows under their lesions, numbered in reading order; a lesion of one box is that box's row.

    What was rejected comes last; a box that no lesion holds stands between.

    Args:
        rows: All boxes.
        lesions: How they were linked; of these very boxes.
        schema: For the colours of the classes.
    """
    by_key = {row.key: row for row in rows}
    items: list[Item] = []
    for number, lesion in enumerate(lesions, 1):
        of = [by_key.pop(key) for key in lesion.boxes]
        items.append(_lesion(number, lesion, of, schema) if len(of) > 1 else _single(number, of[0]))
    items += [row for row in by_key.values() if row.standing]
    rejected = tuple(row for row in by_key.values() if not row.standing)
    return (*items, _rejected(rejected)) if rejected else tuple(items)


def _single(number: int, row: Row) -> Row:
    return replace(row, place=f"{number} · {row.place}")


def _lesion(number: int, read: ReadLesion, rows: Sequence[Row], schema: LabelSchema) -> Group:
    lesion = read.lesion
    first, last = lesion.first + 1, lesion.last + 1
    span = f"{first}–{last}" if last > first else str(first)
    slices = f"slices {span}" if last > first else f"slice {span}"
    size, state = _extent(read, rows), _state(rows)
    volume = (
        f" About {lesion.volume_ml:.1f} ml, estimated from its boxes." if lesion.volume_ml is not None else ""
    )
    label = schema.name_of(lesion.label_id)
    return Group(
        place=f"{number} · {span}",
        label=label,
        color=color_of(schema, lesion.label_id),
        score=max((r.score for r in rows if r.score is not None), default=None),
        size=size,
        state=state,
        tip=f"Lesion {number}: {slices}, {size}, {label}, {_told(rows, state)}.{volume}",
        rows=tuple(rows),
        target=next(r for r in rows if r.key == read.middle),
    )


def _extent(read: ReadLesion, rows: Sequence[Row]) -> str:
    """Along x, y and through the stack in mm; of the boxes together in pixels where these are not known."""
    if read.lesion.extent_mm is not None:
        return " × ".join(f"{mm:.0f}" for mm in read.lesion.extent_mm) + " mm"
    corners = to_array(r.box for r in rows)
    width, height = corners[:, 2:].max(axis=0) - corners[:, :2].min(axis=0)
    return f"{width:.0f} × {height:.0f} px"


def _state(rows: Sequence[Row]) -> str:
    open_ones = sum(r.state == UNDECIDED for r in rows)
    if open_ones:
        return UNDECIDED if open_ones == len(rows) else f"? {open_ones} of {len(rows)}"
    waiting = sum(r.state == UNCHECKED for r in rows)
    if 0 < waiting < len(rows):
        return f"≈ {waiting} of {len(rows)}"
    states = {r.state for r in rows}
    return states.pop() if len(states) == 1 else "✓ judged"


def _told(rows: Sequence[Row], state: str) -> str:
    """The state as a sentence has it: "4 of 6 boxes undecided", "6 boxes accepted"."""
    for word in (UNDECIDED, UNCHECKED):
        some = sum(r.state == word for r in rows)
        if 0 < some < len(rows):
            return f"{some} of {len(rows)} boxes {word[2:]}"
    return f"{len(rows)} boxes {state[2:]}"


def _rejected(rows: tuple[Row, ...]) -> Group:
    number = f"{len(rows)} prediction{'' if len(rows) == 1 else 's'}"
    return Group("Rejected", number, "", None, "", "✗ rejected", f"{number} rejected", rows, rows[0])
