"""Why a lesion was missed: one case of each verdict, for a drawn box and for a spot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.boxes import iou
from core.detection.base import DetectResult, TraceRow
from core.detection.operating_point import OperatingPoint, detections_at
from core.model import Box, LabelClass, LabelSchema, Proposals
from core.review.missed import Spot, Verdict, explain
from tests.core.strategies import boxes

SCHEMA = LabelSchema("two", (LabelClass(1, "glioma"), LabelClass(2, "meningioma")))
POINT = OperatingPoint(0.5, 0.4)
LESION = Box(20, 20, 60, 60)
SPOT = Spot(40, 40)
NEAR = Box(22, 20, 62, 60)  # IoU .90
SHIFTED = Box(40, 20, 80, 60)  # IoU .33 with the lesion, .38 with NEAR
FAR = Box(100, 100, 120, 120)


def row(
    region: Box, box: Box | None = None, glioma: float = 0.0, other: float = 0.0, promise: float = 0.5
) -> tuple[Box, TraceRow]:
    """A proposal, and its row; not judged where neither class has a score."""
    judged = glioma > 0.0 or other > 0.0
    label, score = max(((1, glioma), (2, other)), key=lambda s: s[1])
    scores = ((1, glioma), (2, other)) if judged else ()
    return region, TraceRow(0, label, score, box or region, None, scores, promise)


def result(*rows: tuple[Box, TraceRow]) -> DetectResult:
    trace = tuple(
        TraceRow(i, t.label_id, t.score, t.box, None, t.scores, t.promise) for i, (_, t) in enumerate(rows)
    )
    proposals = Proposals(tuple(r for r, _ in rows), tuple(1.0 - i / 999 for i in range(len(rows))))
    return DetectResult("k", "m@1", (), proposals, trace)


@pytest.mark.parametrize("lesion", [LESION, SPOT])
def test_found(lesion: Box | Spot) -> None:
    told = explain(result(row(FAR, glioma=0.9), row(SHIFTED, NEAR, other=0.7)), lesion, POINT, SCHEMA)
    assert told.verdict is Verdict.FOUND
    assert told.deciding is not None
    assert told.deciding.row == 1
    assert told.sentences[0].startswith("Found: meningioma 0.70 is shown")
    assert "Its scores: meningioma 0.70, glioma 0.00." in told.sentences


@pytest.mark.parametrize("lesion", [LESION, SPOT])
def test_no_proposal(lesion: Box | Spot) -> None:
    told = explain(result(row(FAR, glioma=0.9), row(Box(50, 20, 90, 60), glioma=0.2)), lesion, POINT, SCHEMA)
    assert told.verdict is Verdict.NO_PROPOSAL
    assert told.best is not None
    assert told.best.row == 1
    assert told.sentences[0].startswith("No proposal: ")
    assert len(told.sentences) == 1


@pytest.mark.parametrize("lesion", [LESION, SPOT])
def test_a_slice_without_proposals(lesion: Box | Spot) -> None:
    told = explain(result(), lesion, POINT, SCHEMA)
    assert (told.verdict, told.best, told.deciding) == (Verdict.NO_PROPOSAL, None, None)
    assert told.sentences == ("No proposal: nothing was proposed on this slice.",)


@pytest.mark.parametrize("lesion", [LESION, SPOT])
def test_low_score(lesion: Box | Spot) -> None:
    rows = result(row(LESION, promise=0.1), row(NEAR, glioma=0.2, other=0.3), row(FAR, glioma=0.9))
    told = explain(rows, lesion, POINT, SCHEMA)
    assert told.verdict is Verdict.LOW_SCORE
    assert told.deciding is not None
    assert told.deciding.row == 1
    assert told.deciding.scores == ((2, 0.3), (1, 0.2))
    assert told.sentences[0].startswith("Low score: the best judged region ")
    assert "meningioma 0.30; shown is what scores 0.50 or more" in told.sentences[0]


def test_low_score_names_a_better_proposal_that_was_not_judged() -> None:
    told = explain(result(row(LESION), row(NEAR, glioma=0.2)), LESION, POINT, SCHEMA)
    assert told.best is not None
    assert told.best.row == 0
    assert told.sentences[-1] == "The proposal that fits best (IoU 1.00) was not judged."


@pytest.mark.parametrize("lesion", [LESION, SPOT])
def test_not_judged(lesion: Box | Spot) -> None:
    rows = result(row(NEAR, promise=0.04), row(LESION, promise=0.02), row(FAR, glioma=0.9, promise=0.31))
    told = explain(rows, lesion, POINT, SCHEMA)
    assert told.verdict is Verdict.LOW_SCORE
    assert told.deciding is not None
    assert told.deciding.row == 0
    assert not told.deciding.judged
    assert "the lesion map saw nothing there" in told.sentences[0]
    assert "fit 0.04; what was judged has 0.31 or more" in told.sentences[0]


def test_nothing_at_all_was_judged() -> None:
    told = explain(result(row(NEAR, promise=0.04)), LESION, POINT, SCHEMA)
    assert told.sentences[0].endswith("the lesion map saw nothing there.")


def test_suppressed_names_the_box_that_did_it() -> None:
    # Both fit the lesion badly or well enough on their own; the stronger, worse one stands.
    stronger = Box(32, 20, 84, 60)  # IoU .44 with the lesion, .48 with NEAR
    rows = result(row(LESION, NEAR, glioma=0.8), row(stronger, other=0.9))
    told = explain(rows, LESION, POINT, SCHEMA)
    assert told.verdict is Verdict.SUPPRESSED
    assert told.deciding is not None
    assert told.deciding.row == 0
    assert told.deciding.suppressed_by == 1
    assert told.by is not None
    assert told.by.row == 1
    overlap = iou(NEAR, stronger)
    assert told.sentences[0] == (
        f"Suppressed: glioma 0.80 fits (IoU 0.90), but meningioma 0.90 overlaps it by {overlap:.2f}, and "
        "from 0.40 on only the stronger is shown."
    )
    # With more overlap allowed it is shown.
    assert explain(rows, LESION, OperatingPoint(0.5, 0.6), SCHEMA).verdict is Verdict.FOUND


def test_suppressed_at_a_spot() -> None:
    rows = result(row(NEAR, glioma=0.6), row(Box(34, 20, 88, 70), other=0.9))
    told = explain(rows, Spot(41, 40), OperatingPoint(0.5, 0.3), SCHEMA)
    assert told.verdict is Verdict.SUPPRESSED
    assert told.by is not None
    assert told.by.row == 1


@pytest.mark.parametrize("lesion", [LESION, Spot(25, 40)])
def test_badly_regressed(lesion: Box | Spot) -> None:
    region = LESION if isinstance(lesion, Box) else Box(5, 20, 45, 60)
    told = explain(result(row(region, SHIFTED, glioma=0.8)), lesion, POINT, SCHEMA)
    assert told.verdict is Verdict.REGRESSED
    assert told.deciding is not None
    assert (told.deciding.proposal, told.deciding.box) == (region, SHIFTED)
    assert told.sentences[0].startswith("Badly regressed: glioma 0.80: its region ")


def test_a_right_box_that_is_suppressed_goes_before_a_badly_regressed_one() -> None:
    rows = result(row(LESION, Box(32, 20, 84, 60), glioma=0.9), row(LESION, NEAR, glioma=0.8))
    told = explain(rows, LESION, POINT, SCHEMA)
    assert told.verdict is Verdict.SUPPRESSED
    assert told.by is not None
    assert told.by.row == 0


def test_raising_the_score_turns_found_into_low_score() -> None:
    rows = result(row(NEAR, glioma=0.6))
    assert explain(rows, LESION, OperatingPoint(0.6, 0.4), SCHEMA).verdict is Verdict.FOUND
    assert explain(rows, LESION, OperatingPoint(0.61, 0.4), SCHEMA).verdict is Verdict.LOW_SCORE


ROWS = st.builds(row, boxes(), boxes(), st.just(0.0) | st.floats(0.01, 1), st.just(0.0) | st.floats(0.01, 1))


@given(
    st.lists(ROWS, max_size=6),
    boxes() | st.builds(Spot, st.floats(0, 400), st.floats(0, 400)),
    st.floats(0, 1),
    st.floats(0.05, 0.95),
)
def test_found_is_what_is_on_screen(
    rows: list[tuple[Box, TraceRow]], lesion: Box | Spot, score: float, overlap: float
) -> None:
    found, point = result(*rows), OperatingPoint(score, overlap)
    told = explain(found, lesion, point, SCHEMA)
    shown = detections_at(found, point, SCHEMA)
    if isinstance(lesion, Box):
        agrees = any(iou(s.detection.box, lesion) >= 0.5 for s in shown)
        assert (told.verdict is Verdict.FOUND) is agrees
    if told.verdict is Verdict.FOUND:
        assert told.deciding is not None
        assert told.deciding.row in {s.row for s in shown}
    if told.by is not None:
        assert told.by.row in {s.row for s in shown}, "only a box on screen suppresses"
    assert told.sentences
    assert all(s.endswith(".") for s in told.sentences)
