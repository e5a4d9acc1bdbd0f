"""Lesion-level figures: an example worked by hand, laws, and a real series with shaken boxes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.detection.findings import Lesion, link
from core.evaluation.lesions import LesionBoxes, SeriesLesions, lesion_curve, lesion_figures, lesion_froc
from core.imaging.catalog import scan
from core.model import Box, Detection


def lesion(x: float, slices: Sequence[int], score: float = 1.0, size: float = 10) -> LesionBoxes:
    """A square lesion at the left edge x, the same on each slice."""
    return LesionBoxes(tuple((k, Box(x, 0, x + size, size)) for k in slices), score)


# Patient a: 10 slices, lesions at 0 and 100. Patient b: two series of 5 slices, one lesion at 0 in the first.
A = SeriesLesions(
    "a", 10,
    (lesion(0, [1, 2, 3]), lesion(100, [6, 7])),
    (
        lesion(2, [3, 4], 0.9),  # IoU 8/12 on slice 3: finds the first
        lesion(1, [1], 0.5),  # on the first again: neither hit nor false
        lesion(6, [1, 2, 3], 0.8),  # IoU 4/16: false, three boxes
        lesion(100, [5], 0.7),  # right place, wrong slice: false, one box
        lesion(101, [6], 0.4),  # finds the second
    ),
)  # fmt: skip
B = SeriesLesions("b", 5, (lesion(0, [0]),), (lesion(0, [0], 0.6), lesion(50, [2], 0.4)))
C = SeriesLesions("b", 5, (), (lesion(50, [2, 3], 0.3),))


def test_the_hand_worked_curve() -> None:
    curve = lesion_curve([A, B, C])
    # By score: hit, false (3 boxes), false (1), hit, nothing, hit and false (1), false (2).
    assert curve.scores.tolist() == [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    assert curve.sensitivity == pytest.approx(np.array([1, 1, 1, 2, 2, 3, 3]) / 3)
    assert curve.per_slice == pytest.approx(np.array([0, 3, 4, 4, 4, 5, 7]) / 20)
    assert curve.per_series == pytest.approx(np.array([0, 1, 2, 2, 2, 3, 4]) / 3)


def test_sensitivity_at_rates_of_boxes_per_slice_and_of_lesions_per_series() -> None:
    rates = [0.0, 0.1, 0.2, 0.25, 1.0]
    by_slice = lesion_froc([A, B, C], rates)
    assert [p.sensitivity for p in by_slice] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1, 1])
    by_series = lesion_froc([A, B, C], [0.3, 0.7, 1.0], per="series")
    assert [p.sensitivity for p in by_series] == pytest.approx([1 / 3, 2 / 3, 1])
    assert all(np.isnan(p.ci95.low) for p in by_slice)


def test_intervals_draw_patients_whole() -> None:
    (point,) = lesion_froc([A, B, C], [0.0], resamples=400, seed=1)
    # Without a false box: of a alone 1/2, of b alone 1, of both 1/3; nothing else can be drawn.
    assert point.sensitivity == pytest.approx(1 / 3)
    assert (point.ci95.low, point.ci95.high) == pytest.approx((1 / 3, 1.0))
    assert lesion_froc([A, B, C], [0.0], resamples=400, seed=1) == (point,)


def test_one_lesion_that_covers_two_true_ones_finds_both() -> None:
    both = SeriesLesions("a", 2, (lesion(0, [0]), lesion(100, [1])), (
        LesionBoxes((*lesion(0, [0]).boxes, *lesion(100, [1]).boxes), 0.9),
    ))  # fmt: skip
    assert lesion_curve([both]).sensitivity.tolist() == [1.0]


def test_without_lesions_there_is_no_sensitivity_but_there_are_false_ones() -> None:
    curve = lesion_curve([C])
    assert np.isnan(curve.sensitivity).all()
    assert curve.per_slice.tolist() == [0.4]
    assert np.isnan(lesion_froc([C], [1.0], resamples=5)[0].sensitivity)
    assert np.isnan(lesion_froc([], [1.0], resamples=5)[0].sensitivity)


def test_where_nothing_was_predicted_nothing_was_found() -> None:
    silent = replace(A, found=())
    assert lesion_curve([silent]).scores.size == 0
    assert [p.sensitivity for p in lesion_froc([silent], [0.125, 8.0])] == [0.0, 0.0]


def test_figures_say_what_they_rest_on() -> None:
    figures = lesion_figures([A, B, C], resamples=50)
    assert figures is not None
    told = figures.as_dict()
    assert {k: told[k] for k in ("n_lesions", "n_series", "n_slices", "n_groups")} == {
        "n_lesions": 3, "n_series": 3, "n_slices": 20, "n_groups": 2
    }  # fmt: skip
    # At most 2.5 false boxes at 1/8 a slice: the first; 5 at 1/4, and 7 are all there are.
    assert [p.sensitivity for p in figures.points] == pytest.approx([1 / 3, 1, 1, 1, 1, 1, 1])
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert lesion_figures([]) is None
    only_false = lesion_figures([C], resamples=50)
    assert only_false is not None
    assert only_false.as_dict()["sensitivity"] == dict.fromkeys(("0.125", "0.25", "0.5", "1", "2", "4", "8"))


lesions = st.builds(
    lesion,
    st.integers(0, 30),
    st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True),
    st.sampled_from([0.2, 0.5, 0.8]),
)
cases = st.lists(
    st.builds(
        SeriesLesions,
        st.sampled_from("abc"),
        st.just(5),
        st.lists(lesions, max_size=3).map(tuple),
        st.lists(lesions, max_size=4).map(tuple),
    ),
    min_size=1,
    max_size=4,
)


@given(cases)
def test_the_curve_only_rises_as_the_score_falls(series: list[SeriesLesions]) -> None:
    curve = lesion_curve(series)
    for values in (curve.sensitivity, curve.per_slice, curve.per_series):
        assert np.isnan(values).all() or (np.diff(values) >= 0).all()
    if any(s.truth for s in series):
        assert ((curve.sensitivity >= 0) & (curve.sensitivity <= 1)).all()


@given(cases)
def test_the_order_of_series_and_lesions_does_not_matter(series: list[SeriesLesions]) -> None:
    turned = [replace(s, truth=s.truth[::-1], found=s.found[::-1]) for s in reversed(series)]
    a, b = lesion_curve(series), lesion_curve(turned)
    assert a.scores.tolist() == b.scores.tolist()
    assert np.allclose(a.sensitivity, b.sensitivity, equal_nan=True)
    assert np.allclose(a.per_slice, b.per_slice)


@given(cases)
def test_predicting_the_truth_finds_all_of_it_without_a_false_one(series: list[SeriesLesions]) -> None:
    perfect = [replace(s, found=s.truth) for s in series]
    if any(s.truth for s in series):
        assert lesion_froc(perfect, [0.0])[0].sensitivity == 1.0


@pytest.mark.data
@pytest.mark.parametrize("name", ["01-pre", "02-post"])
def test_the_true_boxes_of_a_real_series_shaken_find_its_lesions(data_dir: Path, name: str) -> None:
    (series,) = scan([data_dir / "progression-dicom" / name]).series
    listed = json.loads((data_dir / "progression" / name / "boxes.json").read_text(encoding="utf-8"))["boxes"]
    truth: list[list[Detection]] = [[] for _ in series.slices]
    for row in listed:
        truth[row["slice"]].append(Detection(Box(*map(float, row["box_xyxy"])), 1, "tumour", 1.0))
    rng = np.random.default_rng(0)
    false = Detection(Box(1, 1, 9, 9), 1, "tumour", 0.3)
    shaken = [[*(_shaken(d, rng) for d in row), *([false] if not row else [])] for row in truth]
    true_lesions, found = link(truth, series.slices), link(shaken, series.slices)

    assert sum(len(a.members) for a in true_lesions) == len(listed)
    assert len(true_lesions) < len(listed) / 2, "most lesions are on several slices"
    again = link(shaken[::-1], series.slices[::-1])
    assert {_places(a, len(shaken)) for a in again} == {_places(a) for a in found}
    largest, estimate = (max(group, key=lambda a: a.volume_ml or 0) for group in (true_lesions, found))
    assert largest.extent_mm is not None
    assert estimate.extent_mm == pytest.approx(largest.extent_mm, rel=0.15)

    case = SeriesLesions(
        name,
        len(series.slices),
        tuple(LesionBoxes(a.boxes) for a in true_lesions),
        tuple(LesionBoxes(a.boxes, a.score) for a in found),
    )
    curve = lesion_curve([case])
    assert lesion_froc([case], [0.0])[0].sensitivity >= 0.9
    empty = sum(not row for row in truth)
    assert curve.per_slice[-1] == pytest.approx(empty / len(series.slices))


def _places(found: Lesion, mirrored: int = 0) -> frozenset[tuple[int, int]]:
    return frozenset((mirrored - 1 - m.slice if mirrored else m.slice, m.index) for m in found.members)


def _shaken(true: Detection, rng: np.random.Generator) -> Detection:
    """The edges moved by up to a twelfth of the side, and a score from .5."""
    box = true.box
    dx1, dy1, dx2, dy2 = rng.uniform(-1 / 12, 1 / 12, 4) * ([box.width, box.height] * 2)
    moved = Box(box.x1 + dx1, box.y1 + dy1, box.x2 + dx2, box.y2 + dy2)
    return replace(true, box=moved, score=float(rng.uniform(0.5, 1.0)))
