"""An evaluation as one HTML file: no script, nothing loaded from elsewhere, light and dark."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from core.evaluation.bootstrap import Interval
from core.evaluation.calibration import Calibration
from core.evaluation.coco import Evaluation
from core.evaluation.compare import RATE, Comparison, Difference
from core.evaluation.details import Details, PartFigures
from core.evaluation.lesions import LesionFigures
from core.evaluation.svg import DARK_COLORS, LIGHT_COLORS, STYLE, Plot, draw

TRUE_COLOR, FOUND_COLOR = "#f0a000", "#56b4e9"
"""Of boxes in pictures: true ones and predictions, distinct to colour-blind eyes and on grey."""

_CSS = f"""
:root {{ color-scheme: light dark; --page: #ffffff; --text: #1c2329; --muted: #525d68; --line: #dfe4e8; {LIGHT_COLORS} }}
@media (prefers-color-scheme: dark) {{
  :root {{ --page: #15181c; --text: #d6dce2; --muted: #98a4b0; --line: #2b323a; {DARK_COLORS} }}
}}
body {{ background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 64rem; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin-bottom: 0; }}
h2 {{ font-size: 1.1rem; margin: 2.2rem 0 .5rem; }}
p {{ margin: .3rem 0; max-width: 46rem; }}
.soft, figcaption {{ color: var(--muted); font-size: .88rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .2rem 1.2rem .2rem 0; text-align: left; }}
td + td, th + th {{ text-align: right; white-space: nowrap; }}
th {{ color: var(--muted); font-weight: 500; }}
.headline {{ font-size: 1.05rem; }}
.row {{ display: flex; flex-wrap: wrap; gap: 1.5rem; }}
.pictures {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 1.2rem; }}
figure {{ margin: 0; }}
figure img {{ background: #000; max-width: 100%; }}
.key {{ border: 2px solid; display: inline-block; height: .6em; margin: 0 .35em 0 0; width: 1.3em; }}
{STYLE}
"""  # noqa: E501 - one line a rule


@dataclass(frozen=True, slots=True)
class Picture:
    """A slice that went wrong.

    Attributes:
        png: The slice with its boxes.
        caption: Which slice, without a name of a patient or file, and what went wrong.
    """

    png: bytes
    caption: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a report says.

    Attributes:
        model: The model's identity.
        dataset: Name of the data set.
        facts: Name and value of what the figures rest on (slices, groups, …).
        group: What a group is.
        evaluation: Headline figures.
        details: The others.
        class_rows: Name and figures of each class.
        plots: Title and plot.
        lesions: Figures by lesion; None where the slices are single pictures.
        lesion_plot: Their curve, with them.
        other: Identity of the model compared with, or "".
        comparison: With it.
        least: Lowest score of the predictions in the pictures; infinite where there is none.
        pictures: The worst cases.
    """

    model: str
    dataset: str
    facts: Sequence[tuple[str, str]]
    group: str
    evaluation: Evaluation
    details: Details
    class_rows: Sequence[tuple[str, PartFigures]]
    plots: Sequence[tuple[str, Plot]]
    lesions: LesionFigures | None
    lesion_plot: Plot | None
    other: str
    comparison: Comparison | None
    least: float
    pictures: Sequence[Picture]


def render(content: Content) -> str:
    """The HTML file."""
    parts = [
        f"<h1>{escape(content.model)} on {escape(content.dataset)}</h1>",
        f'<p class="soft">{escape(" · ".join(f"{name} {value}" for name, value in content.facts))}</p>',
        _headline(content.evaluation),
        f'<p class="soft">In brackets: 95 % intervals over resampled groups ({escape(content.group)}).</p>',
        _comparison(content),
        '<div class="row">',
        *(f"<section><h2>{escape(title)}</h2>{draw(plot)}</section>" for title, plot in content.plots),
        "</div>",
        '<div class="row">',
        _parts("By class", content.class_rows),
        _parts("By size of the lesion", list(content.details.per_size.items())),
        _parts("By plane", list(content.details.per_plane.items())),
        "</div>",
        '<p class="soft">Small: the square of the same area has a side under 32 pixels of a slice 512 pixels '
        "long; medium: to 96; large: over. Planes are those of the file's geometry.</p>",
        _froc(content),
        _lesions(content),
        _calibration(content.details.calibration),
        _pictures(content),
    ]
    title = f"{content.model} on {content.dataset}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head>\n<body>\n"
        + "\n".join(p for p in parts if p)
        + "\n</body></html>\n"
    )


def _headline(of: Evaluation) -> str:
    rows = [
        ["AP50", _with(of.ap50, of.ci95.get("ap50"))],
        ["AP50-95", _with(of.ap50_95, of.ci95.get("ap50_95"))],
    ]
    return _table(["mean over classes", "average precision"], rows, "headline")


def _comparison(content: Content) -> str:
    if content.comparison is None:
        return ""
    named: list[tuple[str, Difference]] = [
        ("AP50", content.comparison.ap50),
        (f"sensitivity at {RATE:g} false positive per slice", content.comparison.sensitivity),
    ]
    rows = [
        [name, _number(d.first), _number(d.second), _with(d.difference, d.ci95, "+"), _percent(d.below_zero)]
        for name, d in named
    ]
    head = ["", content.model, content.other, "difference", "resamples below 0"]
    return f"<h2>Compared with {escape(content.other)}</h2>" + _table(head, rows)


def _parts(title: str, rows: Sequence[tuple[str, PartFigures]]) -> str:
    cells = [[name, _with(p.ap50, p.ci95), _number(p.ap50_95), str(p.boxes)] for name, p in rows]
    if not cells:
        return ""
    return f"<section><h2>{escape(title)}</h2>{_table(['', 'AP50', 'AP50-95', 'boxes'], cells)}</section>"


def _froc(content: Content) -> str:
    rows = [
        [f"{a.rate:g}", _with(a.sensitivity, a.ci95), _with(b.sensitivity, b.ci95)]
        for a, b in zip(content.details.froc, content.details.froc_per_group, strict=True)
    ]
    head = ["false positives", "sensitivity, per slice", f"per {content.group}"]
    return "<h2>Sensitivity by false positives, whatever the class</h2>" + _table(head, rows)


def _lesions(content: Content) -> str:
    title, of = "<h2>Sensitivity by lesion</h2>", content.lesions
    if of is None or content.lesion_plot is None:
        return (
            f"{title}<p>Not measured: boxes are linked into lesions across the slices of a series, and no "
            "two slices here are known to belong to one. Files without a position count as pictures.</p>"
        )
    lesions = f"{of.lesions} true lesion{'' if of.lesions == 1 else 's'}"
    rows = [[f"{p.rate:g}", _with(p.sensitivity, p.ci95)] for p in of.points]
    return (
        f"{title}<p>{lesions} in {len(of.series)} series ({of.slices} slices): the true boxes, linked across "
        "slices. A lesion counts as found where a finding of the model overlaps one of its boxes, on that "
        "box's slice, at IoU 0.5, whatever the class.</p>"
        f'<div class="row"><section>{_table(["false boxes per slice", "lesions found"], rows)}</section>'
        f"<section>{draw(content.lesion_plot)}</section></div>"
        '<p class="soft">False boxes are those of findings that overlap no true lesion so. In brackets: 95 % '
        f"intervals over resampled groups; {of.groups} of them hold these series.</p>"
    )


def _calibration(of: Calibration) -> str:
    return (
        "<h2>Calibration</h2>"
        f"<p>Expected calibration error {_number(of.error)}; at temperature {of.temperature:.2f}, which fits "
        f"these detections best, {_number(of.error_after)}.</p>"
    )


def _pictures(content: Content) -> str:
    if not content.pictures:
        return "<h2>Worst cases</h2><p>None: nothing was missed and nothing was found that is not there.</p>"
    least = f"predictions of score {content.least:.2f} and more" if math.isfinite(content.least) else "none"
    figures = "".join(
        f'<figure><img alt="{escape(p.caption)}" src="data:image/png;base64,'
        f'{base64.b64encode(p.png).decode("ascii")}"><figcaption>{escape(p.caption)}</figcaption></figure>'
        for p in content.pictures
    )
    return (
        "<h2>Worst cases</h2>"
        "<p>The largest lesions missed, then the surest false positives, at the score that allows one false "
        "positive per slice.</p>"
        f'<p class="soft"><span class="key" style="border-color:{TRUE_COLOR}"></span>true boxes &ensp;'
        f'<span class="key" style="border-color:{FOUND_COLOR};border-style:dashed"></span>{least}</p>'
        f'<div class="pictures">{figures}</div>'
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table{kind}><tr>{top}</tr>{body}</table>"


def _with(value: float, interval: Interval | None, sign: str = "") -> str:
    if interval is None or math.isnan(interval.low) or math.isnan(value):
        return _number(value, sign)
    return f"{_number(value, sign)} ({_number(interval.low, sign)} to {_number(interval.high, sign)})"


def _number(value: float, sign: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:{sign}.3f}"


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.1%}"
