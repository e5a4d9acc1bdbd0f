"""Lesions and findings of a data set's series, in the JSON and on the page of an evaluation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.exchange.evaluating import Run, measure, report_of, run_models
from core.exchange.evaluation_page import write_page
from core.exchange.lesions import Judged, series_lesions
from core.model import Box, Dataset, Detection, Geometry, LabelledBox, LabelledSlice, SliceRef
from tests.core.evaluation.scenes import PLANES
from tests.core.exchange.test_evaluating import SCHEMA, Found, load

BOX, OTHER, FALSE = Box(10, 10, 40, 40), Box(60, 60, 90, 90), Box(0, 60, 30, 90)


def one(
    series: str, index: int, *boxes: Box, group: str = "", plane: str = "axial", z: float | None = None
) -> LabelledSlice:
    place = (0.0, 0.0, 5.0 * index if z is None else z)
    geometry = Geometry(place, *PLANES[plane], 1.0, 1.0)
    ref = SliceRef(f"{series}-{index}", Path(f"{series}{index}.dcm"), 0, 100, 100, series, geometry)
    return LabelledSlice(ref, tuple(LabelledBox(b, 1) for b in boxes), group or f"patient of {series}")


def dataset(slices: Sequence[LabelledSlice]) -> Dataset:
    return Dataset("made up", SCHEMA, tuple(slices), "patient")


def found(*boxes: tuple[Box, float]) -> tuple[Detection, ...]:
    return tuple(Detection(box, 1, "glioma", score) for box, score in boxes)


# Series a: one lesion on slices 0 to 2, another on slice 4. Series b of another patient: one on slice 1.
SLICES = [
    one("a", 0, BOX), one("a", 1, BOX), one("a", 2, BOX), one("a", 3), one("a", 4, OTHER),
    one("b", 0), one("b", 1, BOX), one("b", 2),
]  # fmt: skip
FOUND = {
    "a-1": found((BOX, 0.9)),  # one slice of the first lesion is enough
    "a-2": found((BOX.moved(20, 0), 0.6)),  # linked to it: a weak box of a found lesion is not false
    "a-3": found((FALSE, 0.8)),  # two boxes of one false finding
    "a-4": found((FALSE, 0.5), (OTHER, 0.4)),  # and the second lesion, surely last
}


def run(slices: Sequence[LabelledSlice], by_key: Mapping[str, tuple[Detection, ...]], name: str = "m") -> Run:
    (made,) = run_models(dataset(slices), [Found(name, by_key)], load)
    return made


def report(made: Run, resamples: int = 0) -> Any:
    return json.loads(json.dumps(report_of(made, measure(made, resamples=resamples)), allow_nan=False))


def test_a_hand_worked_data_set_of_two_series() -> None:
    told = report(run(SLICES, FOUND), resamples=100)["lesions"]
    assert {k: told[k] for k in ("n_lesions", "n_series", "n_slices", "n_groups")} == {
        "n_lesions": 3, "n_series": 2, "n_slices": 8, "n_groups": 2
    }  # fmt: skip
    # At .9 one of three lesions, nothing false; from .8 two false boxes on eight slices, 1/4 a slice; at .4
    # the second lesion. The third is never found.
    assert told["sensitivity"] == pytest.approx(
        {"0.125": 1 / 3, "0.25": 2 / 3, "0.5": 2 / 3, "1": 2 / 3, "2": 2 / 3, "4": 2 / 3, "8": 2 / 3}
    )
    # Of a alone both, of b alone none.
    assert told["ci95"]["8"] == [0.0, 1.0]


def test_the_order_of_the_slices_in_the_data_set_does_not_matter() -> None:
    assert report(run(SLICES[::-1], FOUND))["lesions"] == report(run(SLICES, FOUND))["lesions"]


def test_single_pictures_have_no_figures_by_lesion() -> None:
    pictures = [replace(s, ref=replace(s.ref, geometry=None)) for s in SLICES]
    assert report(run(pictures, FOUND))["lesions"] is None
    # Nor has one slice each of several series.
    assert report(run([SLICES[0], SLICES[6]], FOUND))["lesions"] is None


def judged(slices: Sequence[LabelledSlice]) -> list[Judged]:
    return [Judged(s, [(b.box, b.label_id) for b in s.boxes], ()) for s in slices]


def test_pictures_among_series_are_left_out() -> None:
    picture = replace(one("p", 0, BOX), ref=replace(one("p", 0).ref, geometry=None))
    told = report(run([*SLICES, picture], FOUND))["lesions"]
    assert (told["n_series"], told["n_slices"], told["n_lesions"]) == (2, 8, 3)


def test_planes_of_one_series_uid_are_series_of_their_own() -> None:
    slices = [one("a", i, BOX, plane=p) for p in ("axial", "coronal") for i in range(2)]
    # Coronal slices lie along y; moved along z they all have one place and nothing to be linked across.
    (axial,) = series_lesions(judged(slices), SCHEMA)
    assert (axial.slices, len(axial.truth)) == (2, 1)
    along = [
        replace(s, ref=replace(s.ref, geometry=Geometry((0.0, 5.0 * i, 0.0), *PLANES["coronal"], 1.0, 1.0)))
        for i, s in enumerate(slices[2:])
    ]
    assert [s.slices for s in series_lesions(judged([*slices[:2], *along]), SCHEMA)] == [2, 2]


def test_groups_that_share_a_series_are_drawn_as_one() -> None:
    # Every slice its own group, and one of them in another series too.
    a = [one("a", i, group=f"a{i}") for i in range(2)]
    b = [one("b", 0, group="a1"), one("b", 1, group="b1")]
    c = [one("c", i, group="c") for i in range(2)]
    groups = [s.patient for s in series_lesions(judged([*a, *b, *c]), SCHEMA)]
    assert groups[0] == groups[1] != groups[2]


def page(made: Run, path: Path, other: Run | None = None) -> str:
    write_page(made, measure(made, other, resamples=20), load, path, other)
    return re.sub(r'src="[^"]+"', "", path.read_text(encoding="utf-8"))


def test_the_page_has_a_table_and_a_curve(tmp_path: Path) -> None:
    text = page(run(SLICES, FOUND), tmp_path / "e.html", run(SLICES, {}, "second"))
    section = text[text.index("<h2>Sensitivity by lesion</h2>") : text.index("<h2>Calibration</h2>")]
    assert "3 true lesions in 2 series (8 slices)" in section
    assert "<tr><td>8</td><td>0.667 (0.000 to 1.000)</td></tr>" in section
    assert section.count("<svg") == 1
    assert ">m</text>" in section
    assert ">second</text>" in section
    assert "2 of them hold these series" in section


def test_the_page_says_why_there_are_no_figures_by_lesion(tmp_path: Path) -> None:
    pictures = [replace(s, ref=replace(s.ref, geometry=None)) for s in SLICES]
    text = page(run(pictures, FOUND), tmp_path / "e.html")
    assert "Not measured: boxes are linked into lesions across the slices of a series" in text


def test_a_series_without_a_lesion_is_a_page_without_nan(tmp_path: Path) -> None:
    empty = [one("a", i) for i in range(3)]
    told = report(run(empty, {"a-0": found((BOX, 0.9))}))["lesions"]
    assert set(told["sensitivity"].values()) == {None}
    text = page(run(empty, {"a-0": found((BOX, 0.9))}), tmp_path / "e.html")
    assert "0 true lesions in 1 series (3 slices)" in text
    assert "nan" not in text
