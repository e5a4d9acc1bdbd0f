"""Figures beyond the mean: by lesion size, by plane, FROC with intervals, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.evaluation.bootstrap import Interval, interval, pair, plain
from core.evaluation.calibration import Calibration, calibration
from core.evaluation.froc import FrocPoint, froc_points
from core.evaluation.parts import PLANES, SIZES, plane_of
from core.evaluation.ranking import AT_HALF, Compared, Counts, draws, mean_precisions, once, rank


@dataclass(frozen=True, slots=True)
class PartFigures:
    """Figures of a part of the data set, means over its classes. NaN where it has no true box.

    Attributes:
        ap50: Average precision at IoU .5.
        ap50_95: The same, averaged over IoU .5, .55 … .95.
        boxes: True boxes that count.
        ci95: Interval of `ap50`.
    """

    ap50: float
    ap50_95: float
    boxes: int
    ci95: Interval


@dataclass(frozen=True, slots=True)
class Details:
    """What `Evaluation` does not hold.

    Attributes:
        per_class: By class id, those that there are true boxes of.
        per_size: By one of SIZES.
        per_plane: By one of PLANES, those that there are slices of.
        froc: At RATES false positives per slice, any class.
        froc_per_group: The same per group (patient, block).
        calibration: Of the scores, each class against its own true boxes.
    """

    per_class: Mapping[int, PartFigures]
    per_size: Mapping[str, PartFigures]
    per_plane: Mapping[str, PartFigures]
    froc: tuple[FrocPoint, ...]
    froc_per_group: tuple[FrocPoint, ...]
    calibration: Calibration

    def as_dict(self) -> dict[str, object]:
        """Part of the command line's JSON, all but the classes; null for a figure that does not exist."""
        return {
            "per_size": {name: _part(part) for name, part in self.per_size.items()},
            "per_plane": {name: _part(part) for name, part in self.per_plane.items()},
            "froc_per_group": {f"{p.rate:g}": plain(p.sensitivity) for p in self.froc_per_group},
            "froc_ci95": {f"{p.rate:g}": pair(p.ci95) for p in self.froc},
            "froc_per_group_ci95": {f"{p.rate:g}": pair(p.ci95) for p in self.froc_per_group},
            "calibration": self.calibration.as_dict(),
        }


def details(pairs: Compared, *, resamples: int = 0, seed: int = 0) -> Details:
    """Compute them.

    Args:
        pairs: What is compared; with its slices, else there are no figures per size and plane.
        resamples: Bootstrap resamples over groups; 0 for intervals of NaN.
        seed: Of the draws.
    """
    counts = draws(pairs.groups, resamples, seed)
    anything = rank(pairs, None, AT_HALF)
    return Details(
        per_class={label: _figures(pairs, counts, labels=[label]) for label in pairs.labels},
        per_size=_by_size(pairs, counts) if pairs.refs else {},
        per_plane=_by_plane(pairs, counts) if pairs.refs else {},
        froc=froc_points(pairs, anything, counts),
        froc_per_group=froc_points(pairs, anything, counts, per_group=True),
        calibration=calibration(pairs),
    )


def _by_size(pairs: Compared, counts: Counts) -> dict[str, PartFigures]:
    return {name: _figures(pairs, counts, size=size) for size, name in enumerate(SIZES)}


def _by_plane(pairs: Compared, counts: Counts) -> dict[str, PartFigures]:
    planes = [plane_of(ref.geometry) for ref in pairs.refs]
    chosen = {name: [i for i, plane in enumerate(planes) if plane == name] for name in PLANES}
    return {name: _figures(pairs.only(part), counts) for name, part in chosen.items() if part}


def _figures(
    pairs: Compared, counts: Counts, *, labels: Sequence[int] | None = None, size: int | None = None
) -> PartFigures:
    among = pairs.labels if labels is None else labels
    whole = mean_precisions(pairs, once(pairs), size=size, labels=among)[0]
    boxes = sum(int(rank(pairs, label, AT_HALF, size).truths.sum()) for label in among)
    drawn = mean_precisions(pairs, counts, AT_HALF, size=size, labels=among)[:, 0]
    return PartFigures(float(whole[0]), float(whole.mean()), boxes, interval(drawn))


def _part(part: PartFigures) -> dict[str, object]:
    return {
        "ap50": plain(part.ap50),
        "ap50_95": plain(part.ap50_95),
        "boxes": part.boxes,
        "ci95": {"ap50": pair(part.ci95)},
    }
