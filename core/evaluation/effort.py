"""What it costs a person to get every box right: a simulated annotator's policy, and its account.

The policy, on one slice, until every lesion has its box and no prediction is undecided:

1. The prediction at hand (the best undecided one) that agrees with no open lesion (IoU ≥ `same`) is rejected.
2. A lesion that some prediction has IoU ≥ `enough` with is accepted: Enter, with a click before it where that
   prediction is not at hand.
3. Any other lesion is snapped to where one of the first `candidates` at its centre has IoU ≥ `enough`:
   the key, a notch for each candidate passed over, the click.
4. Else it is drawn: key, drag.

With `Policy.corrects`, beside the policy above, a prediction that one corner moved would bring to
`enough` is edited: key and drag, where snapping does not cost less.

A wrong class costs its key, however the box came about: a drawn box has the class that was last in use, a
snapped one that of `core.review.snap.likely_class`. Manual drawing without any of this is 3 actions a box by
definition (`MANUAL`): key, drag, class.
Over a stack, what is decided for a whole finding at once costs once (`together_is_cheaper`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from core.boxes import Boxes, iou_matrix

MANUAL = 3.0
"""Actions for a box drawn without help."""


class Action(StrEnum):
    """A key, click, drag or wheel notch, by what it is for."""

    ACCEPT = "accept"
    ACCEPT_FINDING = "accept a finding"
    REJECT = "reject"
    SELECT = "select"
    CLASS = "class"
    SNAP_KEY = "snap: key"
    SNAP_NOTCH = "snap: next candidate"
    SNAP_CLICK = "snap: click"
    DRAW_KEY = "draw: key"
    DRAW_DRAG = "draw: drag"
    CORRECT_KEY = "correct: key"
    CORRECT_DRAG = "correct: drag"
    DELETE = "delete"
    PROPAGATE = "propagate"
    GO = "go to a slice"
    SIGN_OFF = "sign off"


class Made(StrEnum):
    """How a box came about."""

    ACCEPTED = "accepted"
    SNAPPED = "snapped"
    DRAWN = "drawn"
    PROPAGATED = "propagated"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the annotator is content with.

    Attributes:
        enough: IoU with the truth from which a box is left as it is.
        same: IoU from which a prediction means a lesion.
        candidates: Snap candidates looked at.
        hand: Standard deviation of each edge of a drawn box, as a share of its side: nobody draws exactly.
        corrects: Moves a corner of a prediction that nearly fits.
    """

    enough: float = 0.75
    same: float = 0.5
    candidates: int = 3
    hand: float = 0.02
    corrects: bool = False


@dataclass(frozen=True, slots=True)
class Accept:
    """Accept a prediction for a lesion; `at_hand` where no click is needed first."""

    truth: int
    prediction: int
    at_hand: bool


@dataclass(frozen=True, slots=True)
class Reject:
    """Reject a prediction."""

    prediction: int


@dataclass(frozen=True, slots=True)
class Snap:
    """Make a lesion's box of a snap candidate."""

    truth: int
    candidate: int


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw a lesion's box."""

    truth: int


@dataclass(frozen=True, slots=True)
class Correct:
    """Edit a prediction by one corner (0 and 1 the upper ones, 2 and 3 the lower), which accepts it."""

    truth: int
    prediction: int
    at_hand: bool
    corner: int


Step = Accept | Reject | Snap | Draw | Correct


@dataclass
class Account:
    """What was done, and how good the boxes are.

    Attributes:
        actions: How many of each.
        overlaps: IoU with the truth of each box, by how it was made.
        slices: How many slices were gone through.
    """

    actions: Counter[Action] = field(default_factory=Counter)
    overlaps: dict[Made, list[float]] = field(default_factory=dict)
    slices: int = 0

    def do(self, *actions: Action) -> None:
        """Count actions."""
        self.actions.update(actions)

    def made(self, how: Made, overlap: float) -> None:
        """Count a box."""
        self.overlaps.setdefault(how, []).append(overlap)

    @property
    def boxes(self) -> int:
        """How many boxes were made."""
        return sum(len(v) for v in self.overlaps.values())

    def per_box(self, *, with_sign_off: bool = True) -> float | None:
        """Actions for each box, or None where there is no box."""
        left_out = 0 if with_sign_off else self.actions[Action.SIGN_OFF]
        return (self.actions.total() - left_out) / self.boxes if self.boxes else None

    def as_dict(self) -> dict[str, object]:
        """For a file of results."""
        every = [o for values in self.overlaps.values() for o in values]
        return {
            "slices": self.slices,
            "boxes": self.boxes,
            "actions_per_box": _rounded(self.per_box(with_sign_off=False)),
            "with_sign_off": _rounded(self.per_box()),
            "mean_iou": _rounded(float(np.mean(every)) if every else None),
            "actions": {a.value: self.actions[a] for a in Action if self.actions[a]},
            "made": {
                how.value: {"boxes": len(v), "mean_iou": _rounded(float(np.mean(v)))}
                for how, v in self.overlaps.items()
            },
        }


def next_step(
    truths: Boxes, predictions: Boxes, candidates: Callable[[int], Boxes], policy: Policy
) -> Step | None:
    """What the annotator does next on a slice.

    Args:
        truths: (T, 4) the lesions without a box.
        predictions: (P, 4) the undecided predictions, that at hand first.
        candidates: The snap candidates at the centre of an open lesion, best first.
        policy: The annotator's.

    Returns:
        The step, or None where nothing is left to do.
    """
    overlap = iou_matrix(predictions, truths)
    if len(predictions):
        if not len(truths) or overlap[0].max() < policy.same:
            return Reject(0)
        return _settle(int(overlap[0].argmax()), truths, overlap, predictions, candidates, policy)
    return _settle(0, truths, overlap, predictions, candidates, policy) if len(truths) else None


def _settle(
    truth: int,
    truths: Boxes,
    overlap: Boxes,
    predictions: Boxes,
    candidates: Callable[[int], Boxes],
    policy: Policy,
) -> Step:
    correction: Correct | None = None
    if len(overlap):
        # The one at hand where it will do: that saves the click.
        best = 0 if overlap[0, truth] >= policy.enough else int(overlap[:, truth].argmax())
        if overlap[best, truth] >= policy.enough:
            return Accept(truth, best, at_hand=best == 0)
        correction = _correction(truth, best, truths[truth], predictions[best], policy)
    fits = iou_matrix(truths[truth : truth + 1], candidates(truth)[: policy.candidates])[0] >= policy.enough
    other: Step = Snap(truth, int(fits.argmax())) if fits.any() else Draw(truth)
    if correction is not None and len(actions_of(correction)) <= len(actions_of(other)):
        return correction
    return other


def _correction(truth: int, prediction: int, wanted: Boxes, found: Boxes, policy: Policy) -> Correct | None:
    """The corner to move, where moving one suffices."""
    if not policy.corrects:
        return None
    fits = iou_matrix(wanted[None], np.stack([with_corner(found, wanted, k) for k in range(4)]))[0]
    corner = int(fits.argmax())
    return Correct(truth, prediction, prediction == 0, corner) if fits[corner] >= policy.enough else None


def with_corner(box: Boxes, other: Boxes, corner: int) -> Boxes:
    """A box (4,) with one corner where another box has it."""
    moved = box.copy()
    edges = [2 * (corner % 2), 1 + 2 * (corner // 2)]
    moved[edges] = other[edges]
    return moved


def actions_of(step: Step) -> tuple[Action, ...]:
    """What a step costs, without the key for a wrong class."""
    match step:
        case Accept(at_hand=True):
            return (Action.ACCEPT,)
        case Accept():
            return (Action.SELECT, Action.ACCEPT)
        case Reject():
            return (Action.REJECT,)
        case Snap(candidate=passed):
            return (Action.SNAP_KEY, *[Action.SNAP_NOTCH] * passed, Action.SNAP_CLICK)
        case Correct(at_hand=at_hand):
            select = () if at_hand else (Action.SELECT,)
            return (*select, Action.CORRECT_KEY, Action.CORRECT_DRAG)
        case Draw():
            return (Action.DRAW_KEY, Action.DRAW_DRAG)


def together_is_cheaper(good: int, bad: int) -> bool:
    """Whether boxes on as many slices are taken at once rather than decided one by one.

    At once: one action, and three for each bad one (go there; two drags, or select and delete). One by one:
    go there and decide.
    """
    return good > 0 and 1 + 3 * bad < 2 * (good + bad)


def by_hand(truth: Boxes, policy: Policy, rng: np.random.Generator) -> Boxes:
    """Boxes as a hand draws them: every edge off by a little."""
    sides = np.tile(truth[:, 2:] - truth[:, :2], 2)
    return np.asarray(truth + np.clip(rng.normal(0.0, policy.hand, truth.shape), -0.1, 0.1) * sides)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
