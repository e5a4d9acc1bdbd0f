"""The plots of a report: precision and recall, FROC by box and by lesion, reliability."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.evaluation.calibration import Calibration
from core.evaluation.froc import RATES, FrocPoint
from core.evaluation.lesions import LesionFigures, SeriesLesions, lesion_froc
from core.evaluation.ranking import AT_HALF, Compared, once, precision_curve, rank, sensitivities
from core.evaluation.svg import SERIES, SHARES, Axis, Line, Plot
from core.model import LabelSchema

_BETWEEN = 49  # points of the FROC curve, evenly spaced on its axis
_RATE_AXIS = tuple((rate, f"1/{round(1 / rate)}" if rate < 1 else f"{rate:g}") for rate in RATES)


def precision_recall(pairs: Compared, schema: LabelSchema) -> Plot:
    """Interpolated precision over recall at IoU .5, one line a class, those with most boxes first."""
    rankings = {label: rank(pairs, label, AT_HALF) for label in pairs.labels}
    often = sorted(rankings, key=lambda label: -int(rankings[label].truths.sum()))
    lines = []
    for label in often[:SERIES]:
        recall, precision = precision_curve(rankings[label])
        lines.append(Line(schema.name_of(label), list(zip(recall.tolist(), precision.tolist(), strict=True))))
    return Plot(
        "Precision over recall at IoU 0.5, per class",
        Axis("recall", SHARES),
        Axis("precision", SHARES),
        lines,
    )


def free_response(
    pairs: Compared,
    points: Sequence[FrocPoint],
    name: str,
    other: tuple[str, Compared] | None = None,
    *,
    per_group: str = "",
) -> Plot:
    """Sensitivity over false positives, on a logarithmic axis.

    Args:
        pairs: What is compared.
        points: Its figures with intervals at RATES.
        name: The model's.
        other: Name and detections of another model.
        per_group: What a group is, where false positives are counted per group; "" for per slice.
    """
    lines = [
        Line(
            name,
            _curve(pairs, per_group=bool(per_group)),
            [(p.rate, p.ci95.low, p.ci95.high) for p in points],
        )
    ]
    if other is not None:
        lines.append(Line(other[0], _curve(other[1], per_group=bool(per_group))))
    unit = per_group or "slice"
    return _response(
        f"Sensitivity over false positives per {unit} at IoU 0.5, whatever the class",
        f"false positives per {unit}",
        lines,
    )


def lesion_response(
    figures: LesionFigures, name: str, other: tuple[str, Sequence[SeriesLesions]] | None = None
) -> Plot:
    """Sensitivity by lesion over boxes of false lesions per slice, on a logarithmic axis.

    Args:
        figures: The model's.
        name: Its name.
        other: Name and series of another model.
    """
    bars = [(p.rate, p.ci95.low, p.ci95.high) for p in figures.points]
    lines = [Line(name, _lesion_curve(figures.series), bars)]
    if other is not None:
        lines.append(Line(other[0], _lesion_curve(other[1])))
    return _response(
        "Sensitivity by lesion over boxes of false lesions per slice", "false boxes per slice", lines
    )


def _response(title: str, axis: str, lines: Sequence[Line]) -> Plot:
    return Plot(title, Axis(axis, _RATE_AXIS, logarithmic=True), Axis("sensitivity", SHARES), lines)


def _lesion_curve(series: Sequence[SeriesLesions]) -> list[tuple[float, float]]:
    rates = np.geomspace(RATES[0], RATES[-1], _BETWEEN).tolist()
    return [(p.rate, p.sensitivity) for p in lesion_froc(series, rates)]


def _curve(pairs: Compared, *, per_group: bool) -> list[tuple[float, float]]:
    rates = np.geomspace(RATES[0], RATES[-1], _BETWEEN).tolist()
    ranking = rank(pairs, None, AT_HALF)
    found = sensitivities(ranking, once(pairs), rates, per_group=per_group)[0]
    return list(zip(rates, found.tolist(), strict=True))


def reliability_plot(of: Calibration) -> Plot:
    """Share of hits over mean score of each bin; under the axis how many detections it holds."""
    filled = [b for b in of.bins if b.count]
    return Plot(
        "Share of detections that found a lesion, by score",
        Axis("score (small: number of detections)", SHARES),
        Axis("share that found a lesion", SHARES),
        [
            Line(
                "detections", [(b.score, b.hit_rate) for b in filled if not math.isnan(b.score)], markers=True
            )
        ],
        ideal=True,
        notes=[((b.low + b.high) / 2, str(b.count)) for b in filled],
    )
