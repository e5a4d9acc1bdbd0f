from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation.calibration import (
    HOTTEST,
    ScoreScale,
    at_temperature,
    calibration,
    expected_error,
    fit_scale,
    fit_temperature,
    reliability,
)
from core.evaluation.ranking import compared
from core.model import Box
from tests.core.evaluation.scenes import detection


def _honest(count: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.02, 0.98, count)
    return scores, rng.random(count) < scores


def test_bins_by_hand() -> None:
    scores = np.array([0.0, 0.05, 0.1, 0.95, 1.0])
    hits = np.array([False, True, False, True, True])
    bins = reliability(scores, hits)
    assert [b.count for b in bins] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert bins[0].score == pytest.approx(0.025)
    assert bins[0].hit_rate == 0.5
    assert math.isnan(bins[4].hit_rate)
    # 2/5 of |.025 - .5|, 1/5 of |.1 - 0|, 2/5 of |.975 - 1|.
    assert expected_error(bins) == pytest.approx(0.4 * 0.475 + 0.2 * 0.1 + 0.4 * 0.025)


def test_honest_scores_need_no_temperature() -> None:
    scores, hits = _honest()
    assert fit_temperature(scores, hits) == pytest.approx(1.0, abs=0.03)
    assert expected_error(reliability(scores, hits)) < 0.01


@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_a_temperature_is_found_again(factor: float) -> None:
    scores, hits = _honest()
    wrong = at_temperature(scores, 1 / factor)
    assert fit_temperature(wrong, hits) == pytest.approx(factor, rel=0.03)
    assert expected_error(reliability(at_temperature(wrong, factor), hits)) < 0.01


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30), st.floats(1 / HOTTEST, HOTTEST))
def test_a_temperature_never_changes_the_order(rows: list[tuple[float, bool]], temperature: float) -> None:
    scores, hits = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=np.bool_)
    for t in (temperature, fit_temperature(scores, hits)):
        assert 1 / HOTTEST <= t <= HOTTEST
        after = at_temperature(scores, t)
        assert ((after >= 0) & (after <= 1)).all()
        assert (np.diff(after[np.argsort(scores)]) >= 0).all()


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=2, max_size=30))
def test_the_fitted_temperature_is_the_best(rows: list[tuple[float, bool]]) -> None:
    scores, hits = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])

    def loss(temperature: float) -> float:
        p = np.clip(at_temperature(scores, temperature), 1e-300, 1.0)
        q = np.clip(at_temperature(1 - scores, temperature), 1e-300, 1.0)
        return float(-np.where(hits, np.log(p), np.log(q)).mean())

    if hits.any() and not hits.all():
        best = loss(fit_temperature(scores, hits))
        assert all(best <= loss(t) + 1e-6 for t in np.geomspace(1 / HOTTEST, HOTTEST, 25))


@pytest.mark.parametrize("hits", [[], [True], [False, False]])
def test_nothing_to_fit(hits: list[bool]) -> None:
    assert fit_temperature(np.full(len(hits), 0.7), np.array(hits, dtype=np.bool_)) == 1.0


def test_each_class_is_matched_to_its_own_boxes() -> None:
    box = Box(0, 0, 10, 10)
    found = [[detection(box, 0.85, 1), detection(box, 0.85, 4), detection(box, 0.75, 1)]]
    result = calibration(compared([[(box, 1)]], found))
    assert result.bins[8].count == 2
    assert result.bins[8].hit_rate == 0.5
    assert result.bins[7].hit_rate == 0.0  # a second look at the same box
    assert result.error_after < result.error


def test_without_detections_there_is_no_figure() -> None:
    result = calibration(compared([[(Box(0, 0, 5, 5), 1)]], [[]]))
    assert math.isnan(result.error)
    assert result.as_dict()["error"] is None


def test_a_scale_and_a_shift_are_found_again() -> None:
    """Where scores are all too high a temperature cannot help: .5 stays .5."""
    scores, hits = _honest()
    wrong = ScoreScale(0.5, 1.5).apply(scores)
    found = fit_scale(wrong, hits)
    assert found.scale == pytest.approx(2.0, rel=0.05)
    assert found.shift == pytest.approx(-3.0, rel=0.05)
    assert expected_error(reliability(found.apply(wrong), hits)) < 0.01
    assert expected_error(reliability(at_temperature(wrong, fit_temperature(wrong, hits)), hits)) > 0.05


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30))
def test_a_scale_never_changes_the_order(rows: list[tuple[float, bool]]) -> None:
    scores, hits = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=np.bool_)
    after = fit_scale(scores, hits).apply(scores)
    assert ((after >= 0) & (after <= 1)).all()
    assert (np.diff(after[np.argsort(scores)]) >= 0).all()


@pytest.mark.parametrize("hits", [[], [True], [False, False]])
def test_no_scale_where_nothing_can_be_learnt(hits: list[bool]) -> None:
    assert fit_scale(np.full(len(hits), 0.3), np.array(hits, dtype=np.bool_)) == ScoreScale()
