"""The domain in frozen dataclasses: slices, boxes, classes, annotations, datasets.

Coordinates: a box is (x1, y1, x2, y2) in image pixels, (0, 0) the outer corner of the top-left
pixel, (W, H) the outer corner of the bottom-right one; width = x2 - x1. See docs/adr/0001.

Nothing here knows how a thing is shown: selection, hover and colour belong to the view.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from core.label_schema import Attributes, AttributeValue
from core.label_schema import LabelClass as LabelClass  # noqa: PLC0414 - part of the domain
from core.label_schema import LabelSchema as LabelSchema  # noqa: PLC0414 - part of the domain
from core.label_schema import SchemaBook as SchemaBook  # noqa: PLC0414 - part of the domain
from core.regions import Regions

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in image pixels, corner convention.

    Raises:
        ValueError: A coordinate is not finite, or the box has no area.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in self.as_tuple()):
            raise ValueError(f"box {self.as_tuple()}: coordinates must be finite")
        if self.x2 <= self.x1 or self.y2 <= self.y1:
            raise ValueError(f"box {self.as_tuple()}: x2 must exceed x1 and y2 exceed y1")

    @property
    def width(self) -> float:
        """Extent along x, in pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Extent along y, in pixels."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Width times height, in square pixels."""
        return self.width * self.height

    def as_tuple(self) -> tuple[float, float, float, float]:
        """(x1, y1, x2, y2)."""
        return (self.x1, self.y1, self.x2, self.y2)

    def clipped(self, width: float, height: float) -> Box | None:
        """The part inside [0, width] × [0, height], or None where nothing is left."""
        x1, y1 = max(self.x1, 0.0), max(self.y1, 0.0)
        x2, y2 = min(self.x2, float(width)), min(self.y2, float(height))
        return Box(x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None

    def moved(self, dx: float, dy: float) -> Box:
        """The same box shifted by (dx, dy)."""
        return Box(self.x1 + dx, self.y1 + dy, self.x2 + dx, self.y2 + dy)

    def contains(self, x: float, y: float) -> bool:
        """Whether the point lies in the half-open box."""
        return self.x1 <= x < self.x2 and self.y1 <= y < self.y2


@dataclass(frozen=True, slots=True)
class VoiTable:
    """A VOI look-up table (PS3.3 C.11.2.1.1).

    Attributes:
        levels: The entries, 16 bits each, little endian.
        top: The entry that is white.
    """

    levels: bytes = field(repr=False)
    top: int


@dataclass(frozen=True, slots=True)
class ValueMap:
    """What rescaled values stand for in the real world: real = value × slope + intercept, or a table's entry.

    Attributes:
        low: Lowest rescaled value that it holds for.
        high: Highest.
        slope: Slope.
        intercept: Intercept.
        unit: UCUM code of the unit, or "".
        label: What is measured, in the file's words; may be "".
        table: Real values from `low` to `high` at equal steps; then slope and intercept do not count.
    """

    low: float
    high: float
    slope: float
    intercept: float
    unit: str
    label: str = ""
    table: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """A grey-level window in rescaled units (PS3.3 C.11.2.1.2).

    Attributes:
        center: Window centre.
        width: Window width, > 0.
        name: The file's explanation, or "auto" for a percentile window, "full" for the data range.
        function: LINEAR, LINEAR_EXACT, SIGMOID, or TABLE.
        table: With TABLE, the grey levels from the lower end of the window to the upper one.
    """

    center: float
    width: float
    name: str = ""
    function: str = "LINEAR_EXACT"
    table: VoiTable | None = None


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a slice lies in the patient (LPS, millimetres).

    Attributes:
        position: Centre of the top-left pixel (ImagePositionPatient).
        row_cosine: Direction of growing x (ImageOrientationPatient[0:3]).
        column_cosine: Direction of growing y (ImageOrientationPatient[3:6]).
        row_spacing: Millimetres between rows (PixelSpacing[0], along y).
        column_spacing: Millimetres between columns (PixelSpacing[1], along x).
    """

    position: Vector
    row_cosine: Vector
    column_cosine: Vector
    row_spacing: float
    column_spacing: float


@dataclass(frozen=True, slots=True)
class SliceRef:
    """One slice: where its pixels are and what is known without reading them.

    Attributes:
        key: Identity of the content, independent of the path: "dicom:<SOP UID>#<frame>" or
            "raster:<hash>#<page>". Annotations hang on it.
        path: The file.
        frame: 0-based frame in the file.
        rows: Height in pixels.
        columns: Width in pixels.
        series_uid: Series the slice belongs to; for plain images a key derived from the folder.
        geometry: Where it lies, or None where the file does not say.
        spacing: (row, column) spacing in mm where known, even without a position.
        windows: The file's own windows, first is the default. May be empty.
        inverted: MONOCHROME1 or PresentationLUTShape INVERSE: shown inverted after the window.
        patient: Pseudonym of the patient (a hash), or "" where unknown; groups splits.
        frame_of_reference: FrameOfReferenceUID, or "".
        instance_number: InstanceNumber where present.
        dimension: Where it comes among the frames of its file, where that counts them by dimension.
        aspect: Height over width of a pixel where no spacing says it (PixelAspectRatio).
        padding: Range of rescaled values that are no image (PixelPaddingValue), or None.
        colour: The file holds it in colour. Its pixels are luma; the colours are for the screen.
        value_maps: What its values stand for, where the file says so.
    """

    key: str
    path: Path
    frame: int
    rows: int
    columns: int
    series_uid: str
    geometry: Geometry | None = None
    spacing: tuple[float, float] | None = None
    windows: tuple[Window, ...] = ()
    inverted: bool = False
    patient: str = ""
    frame_of_reference: str = ""
    instance_number: int | None = None
    dimension: tuple[int, ...] = ()
    aspect: float = 1.0
    padding: tuple[float, float] | None = None
    colour: bool = False
    value_maps: tuple[ValueMap, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """Slices in reading order.

    Attributes:
        uid: SeriesInstanceUID (with a suffix where one UID holds several stacks), or a folder key.
        study_uid: StudyInstanceUID, or a folder key.
        modality: "MR", …; "" for plain images.
        description: SeriesDescription or the folder's name.
        slices: In order of position along the normal; plain images by natural name.
        is_stack: True where neighbouring slices are neighbours in the patient; False for a
            collection of independent images.
        notes: Warnings to show as badges ("no position: ordered by instance number", …).
        study_label: Patient id and study date, to tell cases apart on the reader's own screen. Never in a
            log, a title, a file name or an export; not even in this record's repr.
    """

    uid: str
    study_uid: str
    modality: str
    description: str
    slices: tuple[SliceRef, ...]
    is_stack: bool
    notes: tuple[str, ...] = ()
    study_label: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class DicomObject:
    """A DICOM object that is not an image: a report, a segmentation, a presentation state.

    Attributes:
        path: The file.
        sop_class: SOPClassUID.
        kind: What it is, in words: "structured report", …
        sop_uid: SOPInstanceUID.
        series_uid: SeriesInstanceUID.
        study_uid: StudyInstanceUID.
        modality: "SR", "SEG", "PR", "KO", …
        refers_to: SOP instances that it refers to, in the order of the file.
    """

    path: Path
    sop_class: str
    kind: str
    sop_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""
    modality: str = ""
    refers_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """What was found under the opened paths.

    Attributes:
        series: What can be read.
        skipped: Files that were left out; other objects are among them.
        objects: DICOM that is not an image, kept for what wants to read it.
    """

    series: tuple[Series, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    objects: tuple[DicomObject, ...] = ()


class OriginKind(StrEnum):
    """Where a box came from."""

    HUMAN = "human"
    MODEL = "model"
    PROPOSAL = "proposal"
    INTERPOLATED = "interpolated"
    IMPORTED = "imported"
    COPIED = "copied"
    PROJECTED = "projected"


@dataclass(frozen=True, slots=True)
class Origin:
    """Provenance of an annotation.

    Attributes:
        kind: Human, model, proposal or imported; interpolated, copied or projected from other boxes.
        model: "name@hash" where a model predicted it.
        score: The model's score.
        proposal: The proposal the prediction came from.
        predicted: The box as predicted, before any correction.
        source: Name of the imported file; of a copied or projected box, the id of the one it was made from.
    """

    kind: OriginKind
    model: str = ""
    score: float | None = None
    proposal: Box | None = None
    predicted: Box | None = None
    source: str = ""


HUMAN = Origin(OriginKind.HUMAN)


def new_id() -> str:
    """A fresh identifier for an annotation or rejection."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Annotation:
    """A box that counts: human-made, imported or accepted.

    Attributes:
        id: Stays the same over corrections.
        slice_key: The slice it is on.
        box: Where.
        label_id: Class, an id of the label schema.
        origin: Where it came from.
        author: The reader who made or last changed it.
        window: (centre, width) in force when it was made.
        attributes: What a reader said of it beside the class, by the id of the schema's field.
        locked: It can be neither moved, resized nor deleted.
        checked: False while a computed box (interpolated, copied, projected) waits for a reader's eye.
        finding: Name of the finding a reader put it in, or "": linked by where it lies.
    """

    id: str
    slice_key: str
    box: Box
    label_id: int
    origin: Origin = HUMAN
    author: str = ""
    window: tuple[float, float] | None = None
    attributes: Attributes = ()
    locked: bool = False
    checked: bool = True
    finding: str = ""

    def attribute(self, field_id: str) -> AttributeValue | None:
        """The value of a field, or None where nothing was said."""
        return next((value for name, value in self.attributes if name == field_id), None)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A prediction that a reader judged wrong: hidden for that model, a hard negative in training.

    Attributes:
        id: Identifier.
        slice_key: The slice it is on.
        box: The rejected prediction's box.
        label_id: The class it was predicted as.
        model: "name@hash" of the model that predicted it.
        score: Its score.
        reason: Why (a code of REJECTION_REASONS), or "".
        author: The reader.
    """

    id: str
    slice_key: str
    box: Box
    label_id: int
    model: str
    score: float
    reason: str = ""
    author: str = ""


REJECTION_REASONS = (
    "vessel",
    "artefact",
    "normal anatomy",
    "partial volume",
    "wrong extent",
    "duplicate",
    "other",
)


class ReadState(StrEnum):
    """The explicit outcome of reading a slice. A slice without one is unread."""

    NO_FINDING = "no_finding"
    FINDINGS = "findings"


@dataclass(frozen=True, slots=True)
class ReadingMark:
    """A reader's statement that a slice has been read."""

    slice_key: str
    state: ReadState
    reader: str = ""


@dataclass(frozen=True, slots=True)
class Proposals:
    """Regions nobody has judged, best first.

    Attributes:
        boxes: Each (x1, y1, x2, y2).
        scores: Rank scores in [0, 1], falling.
        method: The proposer's name.
        regions: What each box encloses, where the proposer knows; takes megabytes, so it is not kept for
            slices out of sight.
    """

    boxes: tuple[Box, ...]
    scores: tuple[float, ...]
    method: str = ""
    regions: Regions | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Detection:
    """A proposal that a model has classified and regressed.

    Attributes:
        box: After regression, clipped to the slice.
        label_id: Class id in the label schema.
        label: Class name, as the model knows it.
        score: In [0, 1].
        proposal: The box before regression.
    """

    box: Box
    label_id: int
    label: str
    score: float
    proposal: Box | None = None


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A true box of a dataset, and what is known beside its class.

    Attributes:
        box: Where.
        label_id: What.
        attributes: What a reader said of it.
        outlines: Polygons around the lesion where the data set has them, each (x1, y1, x2, y2, …) in pixels
            of the slice, corner convention.
    """

    box: Box
    label_id: int
    attributes: Attributes = ()
    outlines: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledSlice:
    """A slice of a dataset: everything on it is known.

    Attributes:
        ref: The slice.
        boxes: All true boxes; empty is an explicit negative.
        group: Slices of one group never stand on both sides of a split (patient, block, file).
        hard_negatives: Boxes a reader rejected; background with emphasis.
    """

    ref: SliceRef
    boxes: tuple[LabelledBox, ...]
    group: str
    hard_negatives: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled slices under one schema.

    Attributes:
        name: For reports.
        schema: Classes of the boxes.
        slices: The labelled slices.
        grouped_by: "patient", "block" or "file": what `group` means, said aloud in reports.
        notes: What the loader found worth saying (unknown classes, missing files, …).
    """

    name: str
    schema: LabelSchema
    slices: tuple[LabelledSlice, ...]
    grouped_by: str = "file"
    notes: tuple[str, ...] = ()
    info: Mapping[str, str] = field(default_factory=dict)
