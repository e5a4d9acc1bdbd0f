"""What the simulated annotator does next, and what it costs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.boxes import iou_matrix, to_array
from core.evaluation.effort import (
    Accept,
    Account,
    Action,
    Correct,
    Draw,
    Made,
    Policy,
    Reject,
    Snap,
    actions_of,
    by_hand,
    next_step,
    together_is_cheaper,
    with_corner,
)
from core.model import Box
from tests.core.strategies import boxes

A, B, FAR = Box(10, 10, 50, 50), Box(80, 80, 120, 120), Box(200, 10, 240, 50)
A_GOOD = Box(12, 10, 52, 50)  # IoU .90
A_POOR = Box(22, 10, 62, 50)  # IoU .54
POLICY = Policy()


def step(truths: list[Box], predictions: list[Box], *candidates: Box) -> object:
    return next_step(to_array(truths), to_array(predictions), lambda t: to_array(candidates), POLICY)


def test_a_good_prediction_at_hand_is_accepted_with_one_key() -> None:
    taken = step([B, A], [A_GOOD])
    assert taken == Accept(1, 0, at_hand=True)
    assert actions_of(Accept(1, 0, at_hand=True)) == (Action.ACCEPT,)


def test_a_good_one_that_is_not_at_hand_costs_a_click_more() -> None:
    taken = step([A], [A_POOR, A_GOOD])
    assert taken == Accept(0, 1, at_hand=False)
    assert actions_of(Accept(0, 1, at_hand=False)) == (Action.SELECT, Action.ACCEPT)


def test_the_one_at_hand_is_taken_though_another_fits_better() -> None:
    assert step([A], [A_GOOD, A]) == Accept(0, 0, at_hand=True)


def test_a_false_prediction_is_rejected_first() -> None:
    assert step([A], [FAR, A_GOOD]) == Reject(0)
    assert step([], [A]) == Reject(0)
    assert actions_of(Reject(0)) == (Action.REJECT,)


def test_a_poor_prediction_is_snapped_over_and_each_candidate_passed_costs_a_notch() -> None:
    assert step([A], [A_POOR], A_POOR, FAR, A_GOOD) == Snap(0, 2)
    assert actions_of(Snap(0, 2)) == (
        Action.SNAP_KEY, Action.SNAP_NOTCH, Action.SNAP_NOTCH, Action.SNAP_CLICK,
    )  # fmt: skip


def test_only_three_candidates_are_looked_at_then_it_is_drawn() -> None:
    assert step([A], [], FAR, FAR, FAR, A) == Draw(0)
    assert actions_of(Draw(0)) == (Action.DRAW_KEY, Action.DRAW_DRAG)


def test_a_corner_is_moved_where_that_suffices_and_snapping_costs_no_less() -> None:
    corrects = Policy(corrects=True)

    def taken(prediction: Box, *candidates: Box) -> object:
        return next_step(to_array([A]), to_array([prediction]), lambda t: to_array(candidates), corrects)

    short = Box(10, 10, 42, 36)  # its lower right corner is off; IoU .52
    assert taken(short) == Correct(0, 0, at_hand=True, corner=3)
    assert taken(short, A) == Correct(0, 0, at_hand=True, corner=3)
    assert actions_of(Correct(0, 0, at_hand=True, corner=3)) == (Action.CORRECT_KEY, Action.CORRECT_DRAG)
    assert len(actions_of(Correct(0, 1, at_hand=False, corner=3))) == 3
    slanted = Box(2, 15, 42, 57)  # off on all sides; IoU .58, at best .70 by one corner
    assert taken(slanted) == Draw(0)
    assert taken(slanted, A) == Snap(0, 0)
    np.testing.assert_array_equal(with_corner(np.arange(4.0), -np.ones(4), 1), [0, -1, -1, 3])
    np.testing.assert_array_equal(with_corner(np.arange(4.0), -np.ones(4), 2), [-1, 1, 2, -1])


def test_nothing_is_left_to_do() -> None:
    assert step([], []) is None


def test_together_only_where_it_is_cheaper() -> None:
    assert together_is_cheaper(2, 0)
    assert together_is_cheaper(4, 2)
    assert not together_is_cheaper(1, 1)
    assert not together_is_cheaper(0, 3)
    assert not together_is_cheaper(0, 0)


def test_the_account_with_and_without_sign_off() -> None:
    account = Account()
    assert account.per_box() is None
    account.do(Action.ACCEPT, Action.SIGN_OFF, Action.CLASS, *actions_of(Draw(0)))
    account.made(Made.ACCEPTED, 0.8)
    account.made(Made.DRAWN, 1.0)
    account.slices += 1
    assert (account.per_box(), account.per_box(with_sign_off=False)) == (2.5, 2.0)
    told = account.as_dict()
    assert told["mean_iou"] == 0.9
    assert told["actions"] == {
        "accept": 1, "class": 1, "draw: key": 1, "draw: drag": 1, "sign off": 1,
    }  # fmt: skip
    assert told["made"] == {
        "accepted": {"boxes": 1, "mean_iou": 0.8}, "drawn": {"boxes": 1, "mean_iou": 1.0},
    }  # fmt: skip


def test_a_hand_is_not_exact_but_near() -> None:
    truth = np.repeat(to_array([A]), 200, axis=0)
    drawn = by_hand(truth, POLICY, np.random.default_rng(0))
    overlap = iou_matrix(to_array([A]), drawn)[0]
    assert 0.9 < overlap.mean() < 0.99
    assert overlap.min() > 0.65
    exact = by_hand(truth, Policy(hand=0.0), np.random.default_rng(0))
    np.testing.assert_array_equal(exact, truth)


@given(st.lists(boxes(), max_size=5), st.lists(boxes(), max_size=5), st.lists(boxes(), max_size=5))
def test_following_the_policy_comes_to_an_end_with_every_box_good(
    truths: list[Box], predictions: list[Box], candidates: list[Box]
) -> None:
    waiting, shown = list(truths), list(predictions)
    for _ in range(len(truths) + len(predictions)):
        taken = step(waiting, shown, *candidates)
        match taken:
            case Accept(truth, prediction):
                assert iou_matrix(to_array([waiting[truth]]), to_array([shown[prediction]])) >= POLICY.enough
                del waiting[truth], shown[prediction]
            case Reject(prediction):
                del shown[prediction]
            case Snap(truth, candidate):
                assert candidate < POLICY.candidates
                box = to_array([candidates[candidate]])
                assert iou_matrix(to_array([waiting[truth]]), box) >= POLICY.enough
                del waiting[truth]
            case Draw(truth):
                del waiting[truth]
            case _:
                break
    assert (waiting, shown) == ([], [])
