from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.ranking import AT_HALF, Compared, compared, draws, once, precisions, rank, sensitivities
from tests.core.evaluation.scenes import scene


def _drawn(pairs: Compared, counts: list[int]) -> Compared:
    """The resample itself, written out; each copy of a group is one of its own."""
    chosen = [i for i, g in enumerate(pairs.members) for _ in range(counts[g])]
    alone = pairs.only(chosen)
    return compared(alone.truth, alone.found)


@pytest.mark.parametrize("seed", range(4))
def test_counting_is_the_same_as_drawing(seed: int) -> None:
    truth, found = scene(np.random.default_rng(seed), 12, ties=False)
    pairs = compared(truth, found, [str(i // 2) for i in range(12)])
    counts = draws(pairs.groups, 6, seed)
    assert counts.sum(axis=1).tolist() == [6] * 6
    classes, anything = precisions(rank(pairs, 1), counts), rank(pairs, None, AT_HALF)
    found_at = sensitivities(anything, counts, (0.25, 1.0, 2.0))
    for k, row in enumerate(counts.tolist()):
        alone = _drawn(pairs, row)
        assert classes[k] == pytest.approx(precisions(rank(alone, 1), once(alone))[0], nan_ok=True)
        expected = sensitivities(rank(alone, None, AT_HALF), once(alone), (0.25, 1.0, 2.0))[0]
        assert found_at[k] == pytest.approx(expected, nan_ok=True)


def test_many_resamples_are_worked_off_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, found = scene(np.random.default_rng(0), 8)
    pairs = compared(truth, found)
    counts, ranking = draws(8, 50, 1), rank(pairs, 1)
    whole = precisions(ranking, counts), sensitivities(ranking, counts, (1.0,))
    monkeypatch.setattr("core.evaluation.ranking._AT_ONCE", 3 * len(ranking.scores))
    np.testing.assert_array_equal(precisions(ranking, counts), whole[0])
    np.testing.assert_array_equal(sensitivities(ranking, counts, (1.0,)), whole[1])


def test_slices_must_be_as_many_as_truths() -> None:
    with pytest.raises(ValueError, match="one entry per slice"):
        compared([[]], [[]], refs=[None, None])  # type: ignore[list-item]
