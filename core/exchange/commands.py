"""Export, import and key image as the command line asks for them, over a workspace file."""

from __future__ import annotations

from pathlib import Path

from core.detection.base import Detector
from core.detection.requests import make_request
from core.edits import with_reading_states
from core.errors import ExchangeError, InputError
from core.exchange.datasets import from_workspace
from core.exchange.export import export_dataset
from core.exchange.importing import import_annotations, import_edit
from core.imaging.keyimage import KeyBox, render_key_image
from core.imaging.neighbours import ALONE, beside
from core.imaging.pixels import PixelCache
from core.imaging.window import default_window
from core.jobs import CancelToken, Progress
from core.model import Catalog, LabelSchema, Series, SliceRef
from core.settings import SETTINGS_FILE, Settings, home, reader_name
from core.store.workspace import Workspace

CACHE_BYTES = 64 << 20


def export_workspace(workspace: Path, kind: str, out: Path, *, images: str, progress: Progress) -> str:
    """Export the read slices of a workspace.

    Returns:
        The report for people.

    Raises:
        StoreError: The workspace cannot be opened.
        InputError: Nothing in it has been read.
        ExchangeError: It cannot be written, or does not read back the same.
    """
    with Workspace.open(workspace, reader=_reader(), create=False) as opened:
        dataset = from_workspace(opened)
    if not dataset.slices:
        raise InputError(f"{workspace}: nothing has been read yet; sign off slices in the window first.")
    cache = PixelCache(CACHE_BYTES)
    return export_dataset(dataset, kind, out, images=images, load=cache.get, progress=progress).to_text()


def import_into_workspace(source: Path, workspace: Path, kind: str | None, found: Catalog | None) -> str:
    """Import labels onto the slices that a workspace knows.

    Args:
        source: The label file or folder.
        workspace: The workspace; made where there is none.
        kind: "coco", "yolo", "voc", or None to find out.
        found: Slices to make known first.

    Returns:
        The report for people.

    Raises:
        StoreError: The workspace cannot be opened or written.
        InputError: The labels cannot be understood, or no slice is known.
    """
    with Workspace.open(workspace, reader=_reader()) as opened:
        for series in found.series if found else ():
            opened.remember(series)
        slices = tuple(known.ref for known in opened.known_slices())
        if not slices:
            raise InputError(f"{workspace}: knows no slices yet; name them with --slices FOLDER.")
        result = import_annotations(source, kind, opened.schema, slices)
        for label in result.new_classes:
            opened.add_class(label.name, label.color)
        edit = import_edit(result, opened.schema, opened.annotations, opened.reader)
        if edit is not None:
            opened.commit(with_reading_states(edit, opened.annotations, opened.reader))
    return result.to_text() if edit else f"{result.to_text()}\nEvery box of it was there already."


def write_key_image(
    series: Series,
    number: int | None,
    out: Path,
    *,
    workspace: Path | None = None,
    detector: Detector | None = None,
    min_score: float = 0.5,
) -> None:
    """Draw a key image of a slice: window, boxes, letters, scale bar.

    Args:
        series: The series.
        number: 1-based slice; None for the middle one.
        out: File to write; its suffix tells the format.
        workspace: Draw its annotations.
        detector: Draw its predictions.
        min_score: Least score of a prediction drawn.

    Raises:
        InputError: No such slice.
        UnreadableFile: Its pixels cannot be read.
        ExchangeError: The file cannot be written.
    """
    count = len(series.slices)
    index = count // 2 if number is None else number - 1
    if not 0 <= index < count:
        raise InputError(f"--slice {number}: the series has slices 1 to {count}.")
    ref = series.slices[index]
    cache = PixelCache(CACHE_BYTES)
    pixels = cache.get(ref)
    boxes: list[KeyBox] = []
    if detector is not None:
        around = beside(series, index) if detector.neighbours else ALONE
        request = make_request(ref, cache.get, around)
        result = detector.detect(request, cancel=CancelToken())
        boxes += [
            KeyBox(d.box, f"{d.label} {d.score:.2f}", dashed=True)
            for d in result.detections
            if d.score >= min_score
        ]
    if workspace is not None:
        with Workspace.open(workspace, reader=_reader(), create=False) as opened:
            boxes += _annotations(opened, opened.schema, ref)
    # A folder's name is often a person's; a picture is made to be passed on.
    name = (series.description or series.modality) if series.is_stack else ""
    caption = [f"{name} {index + 1}/{count}".strip()]
    picture = render_key_image(ref, pixels, default_window(ref, pixels), boxes, caption=caption)
    try:
        picture.save(out)
    except (OSError, ValueError) as error:
        raise ExchangeError(f"{out}: cannot be written ({error}).") from error


def _annotations(workspace: Workspace, schema: LabelSchema, ref: SliceRef) -> list[KeyBox]:
    rows = []
    for a in workspace.annotations.on(ref.key).annotations:
        label = schema.by_id(a.label_id)
        rows.append(KeyBox(a.box, schema.name_of(a.label_id), label.color if label else "#ffffff"))
    return rows


def _reader() -> str:
    return reader_name(Settings(home() / SETTINGS_FILE))
