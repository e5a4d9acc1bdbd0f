"""From what is so (session, display, engine) to what is shown (scene records of the viewer)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.imaging.geometry import normal, orientation_letters
from core.model import Annotation, LabelSchema, OriginKind, ReadState, Series, SliceRef, Window
from core.review.checks import duplicates
from core.review.stability import Stood
from gui.actions import detection_id
from gui.desk import Desk
from gui.display import Pixels
from gui.viewer.scene import BoxItem, BoxKind, CornerText, SliceScene
from gui.viewer.strip import SliceMark

# Computed boxes that a reader has looked at are drawn as accepted.
KIND_OF_ORIGIN = {
    OriginKind.HUMAN: BoxKind.HUMAN,
    OriginKind.MODEL: BoxKind.ACCEPTED,
    OriginKind.PROPOSAL: BoxKind.ACCEPTED,
    OriginKind.INTERPOLATED: BoxKind.ACCEPTED,
    OriginKind.COPIED: BoxKind.ACCEPTED,
    OriginKind.PROJECTED: BoxKind.ACCEPTED,
    OriginKind.IMPORTED: BoxKind.IMPORTED,
}
PROPOSAL_COLOR = "#9fb3c8"
UNKNOWN_CLASS_COLOR = "#ffffff"
NO_WINDOW = Window(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Shown:
    """A slice of a series, and what is there of it.

    Attributes:
        series: The series.
        index: The slice.
        pixels: As decoded, or None until they arrive.
        message: Why there are none, or "".
    """

    series: Series
    index: int
    pixels: Pixels | None = None
    message: str = ""

    @property
    def ref(self) -> SliceRef:
        """The slice."""
        return self.series.slices[self.index]


def build_scene(desk: Desk) -> SliceScene:
    """The slice in view with its boxes, text and warnings."""
    session, display = desk.session, desk.display
    ref, series = session.current_slice, session.current_series
    if ref is None or series is None:
        return SliceScene()  # the start card says how to begin
    message = ""
    if display.unreadable:
        message = f"This slice cannot be shown.\n{display.unreadable}"
    elif display.slow:
        message = "Loading…"
    assert session.place is not None
    return _scene(desk, Shown(series, session.place.index, display.pixels, message), session.selected or None)


def pane_scene(desk: Desk, shown: Shown) -> SliceScene:
    """A slice in a viewport that is not the active one: to look at, its boxes cannot be moved."""
    made, here = _scene(desk, shown, None), desk.session.current_series
    badges = made.badges
    if here is not None and shown.series.study_uid != here.study_uid:
        badges = (f"another study: {shown.series.study_label or 'no label'}", *badges)
    boxes = tuple(replace(b, editable=False) for b in made.boxes)
    return replace(made, boxes=boxes, badges=badges)


def _scene(desk: Desk, shown: Shown, selected: str | None) -> SliceScene:
    display, series, ref = desk.display, shown.series, shown.ref
    view, window = display.view_of(series), display.window_of(ref, series)
    return SliceScene(
        pixels=display.picture(ref, shown.pixels),
        window=window or NO_WINDOW,
        inverted=ref.inverted != view.inverted,
        spacing=ref.spacing,
        aspect=ref.aspect,
        letters=view.orientation.letters(orientation_letters(ref.geometry)) if ref.geometry else None,
        boxes=_boxes(desk, ref) if shown.pixels is not None else (),
        selected=selected,
        corners=_corners(desk, shown),
        badges=_badges(desk, ref, series),
        message=shown.message,
        identity=ref.key,
        fit_key=f"{series.uid} {ref.columns}×{ref.rows}",
        orientation=view.orientation,
        colors=view.colors,
        smooth=display.options.smooth,
        up_brightens=display.options.up_brightens,
        measures=display.measures.of(ref),
    )


def color_of(schema: LabelSchema, label_id: int) -> str:
    """The class's colour; white for an id the schema lacks."""
    found = schema.by_id(label_id)
    return found.color if found else UNKNOWN_CLASS_COLOR


def _boxes(desk: Desk, ref: SliceRef) -> tuple[BoxItem, ...]:
    workspace, layers = desk.session.workspace, desk.engine.layers
    record, schema = workspace.annotations.on(ref.key), workspace.schema
    items: list[BoxItem] = []
    result = desk.engine.result(ref.key)
    if layers.proposals and result is not None:
        items += [
            BoxItem(f"p{i}", box, BoxKind.PROPOSAL, PROPOSAL_COLOR)
            for i, box in enumerate(result.proposals.boxes[: layers.proposal_limit])
        ]
    if layers.rejections:
        items += [
            BoxItem(r.id, r.box, BoxKind.REJECTED, color_of(schema, r.label_id), r.reason or "rejected")
            for r in record.rejections
        ]
    if layers.predictions:
        fared = desk.check.of(ref.key)
        items += [
            BoxItem(
                detection_id(s.row),
                s.detection.box,
                BoxKind.DETECTION,
                color_of(schema, s.detection.label_id),
                f"{s.detection.label} {s.detection.score:.2f}{_sensitive(fared.get(s.row))}",
            )
            for s in desk.engine.undecided(ref.key)
        ]
    items += [_annotation_item(a, schema) for a in record.annotations]
    return tuple(items)


def _sensitive(stood: Stood | None) -> str:
    """Of a prediction that comes and goes with the window, how often it stood."""
    if stood is None or not stood.window_sensitive:
        return ""
    return f" · window-sensitive {stood.times}/{stood.variants}"


def _annotation_item(annotation: Annotation, schema: LabelSchema) -> BoxItem:
    return BoxItem(
        annotation.id,
        annotation.box,
        KIND_OF_ORIGIN[annotation.origin.kind] if annotation.checked else BoxKind.INTERPOLATED,
        color_of(schema, annotation.label_id),
        schema.name_of(annotation.label_id),
        editable=not annotation.locked,
        locked=annotation.locked,
    )


def reading_text(desk: Desk, slice_key: str) -> str:
    """The reading state of a slice in words."""
    mark = desk.session.workspace.annotations.on(slice_key).reading
    if mark is None:
        return "Unread"
    return "Read, no finding" if mark.state is ReadState.NO_FINDING else "Read, findings"


def engine_text(desk: Desk, slice_key: str) -> str:
    """What the engine has to say on a slice, in words."""
    if desk.engine.failure(slice_key):
        return f"Not computed: {desk.engine.failure(slice_key)}"
    if not desk.engine.computed(slice_key):
        return "Not computed yet" if desk.engine.ready else "No model in use"
    n = len(desk.engine.undecided(slice_key))
    return f"{n} undecided prediction{'' if n == 1 else 's'}"


def _corners(desk: Desk, shown: Shown) -> CornerText:
    ref, series = shown.ref, shown.series
    window, turn = desk.display.window_of(ref, series), desk.display.view_of(series).orientation.words()
    top_left = [series.description or series.modality or "Pictures"]
    if series.modality:
        top_left.append(series.modality)
    if not series.is_stack:
        top_left.append(ref.path.name)
    bottom_left = [f"{shown.index + 1} / {len(series.slices)}"]
    if ref.geometry is not None:
        along = sum(p * n for p, n in zip(ref.geometry.position, normal(ref.geometry), strict=True))
        bottom_left.append(f"{along:+.1f} mm along the normal")
    bottom_right = []
    if window is not None:
        bottom_right.append(f"C {window.center:.0f}  W {window.width:.0f}")
        bottom_right.append({"auto": "percentile window", "full": "full range"}.get(window.name, window.name))
    bottom_right.append(f"{ref.columns} × {ref.rows}")
    bottom_right.append(turn)
    return CornerText(
        tuple(top_left),
        (reading_text(desk, ref.key), engine_text(desk, ref.key)),
        tuple(bottom_left),
        tuple(line for line in bottom_right if line),
    )


def _badges(desk: Desk, ref: SliceRef, series: Series) -> tuple[str, ...]:
    window = desk.display.window_of(ref, series)
    badges = list(series.notes)
    if ref.spacing is None:
        badges.append("no spacing: sizes in pixels")
    chosen = next((s.row for s in desk.engine.undecided(ref.key) if _is_chosen(desk, ref, s.row)), None)
    stood = desk.check.of(ref.key).get(chosen) if chosen is not None else None
    if stood is not None and stood.window_sensitive:
        badges.append(f"window-sensitive: {stood.text[0].lower()}{stood.text[1:].rstrip('.')}")
    twice = len(duplicates(desk.session.workspace.annotations.on(ref.key).annotations))
    if twice:
        badges.append("1 box is there twice" if twice == 1 else f"{twice} boxes are there twice")
    if window is not None and window.name == "auto" and series.modality:
        badges.append("percentile window")
    return tuple(badges)


def _is_chosen(desk: Desk, ref: SliceRef, row: int) -> bool:
    return ref.key == desk.session.current_slice_key and desk.session.selected == detection_id(row)


def strip_marks(desk: Desk) -> tuple[SliceMark, ...]:
    """What the slice strip shows of the series in view."""
    series = desk.session.current_series
    if series is None:
        return ()
    open_ones = desk.engine.undecided_on(series.slices)
    return tuple(_mark(desk, s.key, len(o)) for s, o in zip(series.slices, open_ones, strict=True))


def _mark(desk: Desk, slice_key: str, predicted: int) -> SliceMark:
    record = desk.session.workspace.annotations.on(slice_key)
    annotations = record.annotations if record.entries else ()
    as_predicted = sum(a.checked and a.origin.predicted == a.box for a in annotations)
    return SliceMark(
        unread=record.reading is None,
        predicted=predicted,
        accepted=as_predicted,
        edited=len(annotations) - as_predicted,
        rejected=len(record.rejections) if record.entries else 0,
        computed=desk.engine.computed(slice_key),
    )
