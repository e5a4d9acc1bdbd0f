"""The HTML report of a run, with pictures of the worst cases."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from core.errors import ExchangeError, UnreadableFile
from core.evaluation.page import FOUND_COLOR, TRUE_COLOR, Content, Picture, render
from core.evaluation.plots import free_response, lesion_response, precision_recall, reliability_plot
from core.evaluation.svg import Plot
from core.evaluation.worst import Case, operating_score, worst_cases
from core.exchange.evaluating import Figures, Load, Run
from core.imaging.keyimage import KeyBox, render_key_image
from core.imaging.window import default_window

_SIDE = 448


def write_page(run: Run, figures: Figures, load: Load, path: Path, other: Run | None = None) -> None:
    """Write the report.

    Slices are named by their number in the data set and a hash of the file's name, never by a name that
    could be a patient's.

    Args:
        run: What was measured.
        figures: Its figures.
        load: Gives a slice's pixels, for the pictures.
        path: File to write.
        other: The model compared with.

    Raises:
        ExchangeError: It cannot be written; an older file of that name is as it was.
    """
    temporary = path.with_name(path.name + ".part")
    text = render(_content(run, figures, load, other))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ExchangeError(f"{path}: cannot be written ({error.strerror}).") from error


def _content(run: Run, figures: Figures, load: Load, other: Run | None) -> Content:
    pairs, parts = run.pairs, figures.details
    name = _name(run.model)
    second = (_name(other.model), other.pairs) if other is not None else None
    least = operating_score(pairs)
    facts = [
        ("slices", str(len(run.slices))),
        ("true boxes", str(figures.evaluation.n_boxes)),
        (f"groups ({run.grouped_by})", str(len(set(run.groups)))),
        ("classes", "taken as one" if run.one_class else ", ".join(c.name for c in run.schema.classes)),
    ]
    if run.unread:
        facts.append(("slices that could not be read", str(run.unread)))
    by_slice = free_response(pairs, parts.froc, name, second)
    by_group = free_response(pairs, parts.froc_per_group, name, second, per_group=run.grouped_by)
    return Content(
        model=run.model,
        dataset=run.dataset,
        facts=facts,
        group=run.grouped_by,
        evaluation=figures.evaluation,
        details=parts,
        class_rows=[(run.schema.name_of(label), row) for label, row in parts.per_class.items()],
        plots=[
            ("Precision and recall", precision_recall(pairs, run.schema)),
            ("Reliability of scores", reliability_plot(parts.calibration)),
            ("False positives per slice", by_slice),
            (f"False positives per {run.grouped_by}", by_group),
        ],
        lesions=figures.lesions,
        lesion_plot=_lesion_plot(figures, name, other),
        other=other.model if other is not None else "",
        comparison=figures.comparison,
        least=least,
        pictures=[p for c in worst_cases(pairs, least) if (p := _picture(run, c, load)) is not None],
    )


def _lesion_plot(figures: Figures, name: str, other: Run | None) -> Plot | None:
    if figures.lesions is None:
        return None
    return lesion_response(figures.lesions, name, (_name(other.model), other.series) if other else None)


def _picture(run: Run, case: Case, load: Load) -> Picture | None:
    """The slice in its window; None where it can no longer be read."""
    ref = run.slices[case.index].ref
    try:
        pixels = load(ref)
    except UnreadableFile:
        return None
    boxes = [
        KeyBox(box, run.schema.name_of(label) + (", missed" if i in case.missed else ""), TRUE_COLOR)
        for i, (box, label) in enumerate(run.truth[case.index])
    ]
    boxes += [
        KeyBox(d.box, f"{run.schema.name_of(d.label_id)} {d.score:.2f}", FOUND_COLOR, dashed=True)
        for d in reversed(case.shown)
    ]
    image = render_key_image(ref, pixels, default_window(ref, pixels), boxes, size=_SIDE)
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))
    return Picture(encoded.tobytes(), _caption(run, case)) if done else None


def _caption(run: Run, case: Case) -> str:
    ref = run.slices[case.index].ref
    digest = hashlib.sha256(ref.path.name.encode()).hexdigest()[:8]
    number = f", number {ref.instance_number} of its series" if ref.instance_number is not None else ""
    parts = [f"Slice {case.index + 1} ({digest}){number}"]
    if case.missed:
        boxes = "box" if len(case.missed) == 1 else "boxes"
        parts.append(f"{len(case.missed)} {boxes} missed, side {case.largest:.0f} of 512")
    if case.surest:
        parts.append(f"false positive of score {case.surest:.2f}")
    return "; ".join(parts) + "."


def _name(identity: str) -> str:
    return identity.partition("@")[0]
