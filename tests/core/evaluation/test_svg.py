from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from core.evaluation.calibration import calibration
from core.evaluation.coco import evaluate_boxes
from core.evaluation.froc import froc_points
from core.evaluation.plots import free_response, precision_recall, reliability_plot
from core.evaluation.ranking import AT_HALF, compared, draws, precision_curve, rank
from core.evaluation.svg import HEIGHT, SERIES, SHARES, WIDTH, Axis, Line, Plot, draw
from core.model import Box
from tests.core.evaluation.scenes import SCHEMA, Scene, detection, scene

X, Y = Axis("x < y", SHARES), Axis("y", SHARES)
NOTHING: Scene = ([[]], [[]])


def _texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_plot_is_well_formed_and_says_what_it_shows() -> None:
    svg = draw(Plot("a & b", X, Y, [Line("one <1>", [(0, 0), (1, 1)], markers=True)], ideal=True))
    texts = _texts(svg)
    assert ET.fromstring(svg).attrib["aria-label"] == "a & b"
    assert {"x < y", "y", "one <1>", "0.0", "1.0"} <= set(texts)


def test_a_logarithmic_axis_has_equal_steps() -> None:
    axis = Axis("x", ((0.125, "1/8"), (1.0, "1"), (8.0, "8")), logarithmic=True)
    assert [axis.place(v) for v in (0.125, 1.0, 8.0)] == pytest.approx([0, 0.5, 1])
    assert (axis.place(0.0), axis.place(100.0)) == (0.0, 1.0)


def test_names_of_lines_do_not_overlap_and_stay_inside() -> None:
    lines = [Line(f"line {i}", [(0, 0), (1, 0.001 * i)]) for i in range(SERIES + 2)]
    root = ET.fromstring(draw(Plot("t", X, Y, lines)))
    names = [e for e in root.iter("{http://www.w3.org/2000/svg}text") if (e.text or "").startswith("line")]
    heights = sorted(float(e.attrib["y"]) for e in names)
    assert len(heights) == SERIES
    assert min(np.diff(heights)) >= 14
    assert 0 < heights[0] < heights[-1] < HEIGHT
    assert all(0 < float(e.attrib["x"]) < WIDTH for e in names)


def test_what_is_not_a_number_is_left_out() -> None:
    line = Line("a", [(0, math.nan), (0.5, 0.5)], bars=[(0.5, math.nan, math.nan)])
    svg = draw(Plot("t", X, Y, [line]))
    assert "nan" not in svg
    empty = draw(Plot("t", X, Y, [Line("a", [(0, math.nan)])]))
    assert "no figure: nothing to measure" in _texts(empty)


@pytest.mark.parametrize(
    "case", [NOTHING, ([[(Box(0, 0, 9, 9), 1)]], [[]]), scene(np.random.default_rng(0), 9)]
)
def test_every_plot_of_anything(case: Scene) -> None:
    pairs = compared(*case)
    ranking = rank(pairs, None, AT_HALF)
    points = froc_points(pairs, ranking, draws(pairs.groups, 20, 0))
    for plot in (
        precision_recall(pairs, SCHEMA),
        free_response(pairs, points, "a model", ("another", pairs)),
        free_response(pairs, points, "a model", per_group="patient"),
        reliability_plot(calibration(pairs)),
    ):
        svg = draw(plot)
        ET.fromstring(svg)
        assert "nan" not in svg.replace("no figure: nothing to measure", "")


def test_the_area_under_the_precision_curve_is_the_average_precision() -> None:
    truth, found = scene(np.random.default_rng(4), 20)
    pairs = compared(truth, found)
    _, precision = precision_curve(rank(pairs, 1, AT_HALF))
    expected = evaluate_boxes(truth, found, SCHEMA).per_class["glioma"].ap50
    assert precision.sum() / 101 == pytest.approx(expected)


def test_a_detection_without_truth_has_no_precision_curve() -> None:
    pairs = compared([[]], [[detection(Box(0, 0, 5, 5), 0.5)]])
    assert all(len(axis) == 0 for axis in precision_curve(rank(pairs, 1, AT_HALF)))
