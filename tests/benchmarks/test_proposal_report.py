"""The tables of the page on proposals, from a result."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.proposal_metrics import BUDGETS, HEADLINES, Lesions, by_part, intervals, summary
from benchmarks.proposal_report import TABLES, filled
from benchmarks.tables import NOT_YET, as_json, figure

MARKS = "".join(f"<!-- table: {name}, generated -->\nold\n<!-- end -->\n" for name in TABLES)


def a_result() -> dict[str, object]:
    """Recall of one method on two lesions, one of them found."""
    best = np.tile([[0.8], [0.0]], len(BUDGETS))
    found = Lesions(best, ("a", "b"), ("axial", "coronal"), ("small", "small"))
    method = {
        "slices": 2,
        "boxes_median": 12.0,
        "overall": {**summary(found), "ci95": intervals(found, 100)},
        "plane": by_part(found, found.planes, ("axial", "coronal")),
        "size": by_part(found, found.sizes, ("small",)),
    }
    measured = {
        "slices": 2, "lesions": 2, "resampled_by": "patient", "groups": 2, "methods": {"fast": method},
    }  # fmt: skip
    listed = [n or "all" for n in BUDGETS]
    recall = {
        "command": "measure", "date": "2026-01-02T03:04:05", "cpu": "a processor", "budgets": listed,
        "headline_budgets": [n or "all" for n in HEADLINES], "sets": {"some/set": measured},
    }  # fmt: skip
    return {"recall": recall}


def test_shares_are_written_without_their_zero() -> None:
    assert [figure(v) for v in (0.985, 1.0, 0.0, 0.0004)] == [".985", "1.000", ".000", ".000"]


def test_tables_replace_what_stood_between_the_marks() -> None:
    page = filled(f"before\n{MARKS}after\n", a_result())
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    assert "`measure`, 2026-01-02, a processor." in page
    assert (
        "| fast | 2 | 12 | .500 (.000–1.000) | .500 (.000–1.000) | .400 (.000–.800) | .350 (.000–.700) |"
        in page
    )
    assert "| method | axial (1) | coronal (1) |" in page
    assert "| fast | 1.000 / 1.000 / .800 | .000 / .000 / .000 |" in page
    assert filled(page, a_result()) == page


def test_what_is_not_measured_is_said() -> None:
    assert filled(MARKS, {}).count(NOT_YET) == len(TABLES)


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(KeyError, match="0 places for table 'headline'"):
        filled("nothing", {})


def test_results_are_written_with_numbers_on_one_line() -> None:
    assert as_json({"a": [1, 2.5, "all"], "b": {"c": [[1, 2], [3, 4]]}}) == (
        '{\n "a": [1, 2.5, "all"],\n "b": {\n  "c": [[1, 2], [3, 4]]\n }\n}\n'
    )
