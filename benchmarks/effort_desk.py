"""The simulated annotator at a real journal: every box is an edit in a workspace, as the window makes them.

What she sees is what the window shows: predictions at the operating point that nobody has decided, snap
candidates, findings as they are linked, propagated boxes. What she knows is the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.boxes import Boxes, from_array, iou, to_array
from core.detection.base import DetectResult
from core.detection.findings import link
from core.detection.operating_point import OperatingPoint, ShownDetection, detections_at, undecided
from core.edits import (
    SetEdit,
    accept,
    add,
    create,
    delete,
    mark_read,
    reject,
    relabel,
    reshape,
    with_reading_states,
)
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
    Step,
    actions_of,
    by_hand,
    next_step,
    together_is_cheaper,
    with_corner,
)
from core.model import Annotation, Box, Detection, Origin, OriginKind, Proposals, SliceRef, new_id
from core.review.propagate import Propagated, SliceView, propagate, propagated_annotation
from core.review.snap import likely_class, snap_at
from core.store.workspace import Workspace

READER = "simulated"
WORTH_CARRYING = 3
"""Slices of a lesion from which she tries whether its first box carries to the others."""


@dataclass(frozen=True, slots=True)
class Case:
    """One slice as the annotator meets it.

    Attributes:
        ref: The slice.
        truths: Box and class of every lesion.
        result: What the detector says.
        image: Its pixels; None for independent slices, where nothing looks at them.
        proposals: What snapping chooses from.
    """

    ref: SliceRef
    truths: tuple[tuple[Box, int], ...]
    result: DetectResult
    image: NDArray[np.float32] | None
    proposals: Proposals


@dataclass(frozen=True, slots=True)
class Spot:
    """A lesion on a slice: indices into the cases and their truths."""

    case: int
    truth: int


class Annotator:
    """Works through cases and keeps the account.

    Args:
        workspace: Where the edits go; its schema is the detector's own.
        point: The operating point.
        policy: What the annotator is content with.
        one_class: Classes are not looked at.
        seed: Of the hand.
    """

    def __init__(
        self, workspace: Workspace, point: OperatingPoint, policy: Policy, *, one_class: bool, seed: int = 0
    ) -> None:
        self.account = Account()
        self._workspace = workspace
        self._point = point
        self._policy = policy
        self._one_class = one_class
        self._rng = np.random.default_rng(seed)
        self._class_in_use = workspace.schema.classes[0].id
        # Annotation id of every lesion that has a box.
        self._boxes: dict[tuple[str, int], str] = {}

    # -- independent slices ----------------------------------------------------------------------------

    def collection(self, cases: Sequence[Case]) -> None:
        """Slices that have nothing to do with each other: each signed off by itself."""
        for case in cases:
            self._slice(case)
            self._sign_off([case])

    def _slice(self, case: Case) -> None:
        """Everything on one slice."""
        while (step := self._next(case)) is not None:
            self._take(case, step)

    def _open(self, case: Case) -> list[int]:
        return [k for k in range(len(case.truths)) if (case.ref.key, k) not in self._boxes]

    def _next(self, case: Case) -> Step | None:
        boxes = to_array(case.truths[k][0] for k in self._open(case))
        found = to_array(s.detection.box for s in self._undecided(case))
        return next_step(boxes, found, lambda k: self._candidates(case, boxes[k]), self._policy)

    def _candidates(self, case: Case, truth: NDArray[np.float64]) -> Boxes:
        x, y = ((truth[:2] + truth[2:]) / 2).tolist()
        snap = snap_at(case.proposals, x, y, case.ref.rows, case.ref.columns)
        return to_array(c.box for c in snap.candidates)

    def _undecided(self, case: Case) -> tuple[ShownDetection, ...]:
        shown = detections_at(case.result, self._point, self._workspace.schema)
        return undecided(shown, self._workspace.annotations.on(case.ref.key), case.result.model)

    def _take(self, case: Case, step: Step) -> None:
        self.account.do(*actions_of(step))
        if isinstance(step, Reject):
            found = self._undecided(case)[step.prediction].detection
            self._commit(reject(found, case.ref.key, case.result.model, READER, "other"))
            return
        truth = self._open(case)[step.truth]
        if isinstance(step, Accept):
            found = self._undecided(case)[step.prediction].detection
            self._accept(case, truth, found, Made.ACCEPTED)
            self._name(case, truth)
        elif isinstance(step, Correct):
            self._edit(case, truth, step)
            self._name(case, truth)
        else:
            self._make(case, truth, step)

    def _edit(self, case: Case, truth: int, step: Correct) -> None:
        """Accept a prediction and move one corner to where the hand takes it."""
        found = self._undecided(case)[step.prediction].detection
        edit = accept([found], case.ref.key, case.result.model, READER)
        self._commit(edit)
        (change,) = edit.changes
        assert isinstance(change.after, Annotation)
        aim = to_array([self._drawn(case, case.truths[truth][0]), found.box])
        x1, y1, x2, y2 = with_corner(aim[1], aim[0], step.corner).tolist()
        self._commit(reshape(change.after, Box(x1, y1, x2, y2), READER))
        self._boxes[case.ref.key, truth] = change.after.id
        self.account.made(Made.CORRECTED, iou(Box(x1, y1, x2, y2), case.truths[truth][0]))

    def _make(self, case: Case, truth: int, step: Snap | Draw) -> None:
        box, _ = case.truths[truth]
        if isinstance(step, Draw):
            made = self._drawn(case, box)
            annotation = self._annotation(case, made, self._class_in_use, Origin(OriginKind.HUMAN))
            how = Made.DRAWN
        else:
            (made,) = from_array(
                self._candidates(case, to_array([box])[0])[step.candidate : step.candidate + 1]
            )
            said = likely_class(case.result, made) or self._class_in_use
            annotation = self._annotation(case, made, said, Origin(OriginKind.PROPOSAL, proposal=made))
            how = Made.SNAPPED
        self._commit(create(annotation))
        self._has(case, truth, annotation, how)
        self._name(case, truth)

    def _drawn(self, case: Case, box: Box) -> Box:
        (made,) = from_array(by_hand(to_array([box]), self._policy, self._rng))
        return made.clipped(case.ref.columns, case.ref.rows) or box

    def _annotation(self, case: Case, box: Box, label: int, origin: Origin) -> Annotation:
        return Annotation(new_id(), case.ref.key, box, label, origin, READER)

    def _label(self, label: int) -> int:
        return self._class_in_use if self._one_class else label

    def _accept(self, case: Case, truth: int, found: Detection, how: Made) -> None:
        edit = accept([found], case.ref.key, case.result.model, READER)
        self._commit(edit)
        (change,) = edit.changes
        assert isinstance(change.after, Annotation)
        self._has(case, truth, change.after, how)

    def _has(self, case: Case, truth: int, annotation: Annotation, how: Made) -> None:
        self._boxes[case.ref.key, truth] = annotation.id
        self.account.made(how, iou(annotation.box, case.truths[truth][0]))

    def _name(self, case: Case, truth: int) -> None:
        """The key for a wrong class."""
        annotation, wanted = self._of(case, truth), case.truths[truth][1]
        if not self._one_class and annotation.label_id != wanted:
            self.account.do(Action.CLASS)
            self._commit(relabel(annotation, wanted, READER))
        self._class_in_use = self._label(wanted)

    def _of(self, case: Case, truth: int) -> Annotation:
        entry = self._workspace.annotations.on(case.ref.key).entries[self._boxes[case.ref.key, truth]]
        assert isinstance(entry, Annotation)
        return entry

    def _sign_off(self, cases: Sequence[Case]) -> None:
        for case in cases:
            assert not self._open(case), "a lesion was left without a box"
            assert not self._undecided(case), "a prediction was left undecided"
        edit = mark_read(self._workspace.annotations, [c.ref.key for c in cases], READER)
        assert edit is not None
        self._commit(edit)
        self.account.do(Action.SIGN_OFF)
        self.account.slices += len(cases)

    def _commit(self, edit: SetEdit) -> None:
        self._workspace.commit(with_reading_states(edit, self._workspace.annotations, READER))

    # -- a stack ---------------------------------------------------------------------------------------

    def stack(self, cases: Sequence[Case]) -> None:
        """A series: findings first, then what propagation brings, then slice by slice."""
        self._findings(cases)
        for lesion in sorted(self._lesions(cases), key=len, reverse=True):
            self._lesion(cases, lesion)
        for case in cases:
            if self._open(case) or self._undecided(case):
                self.account.do(Action.GO)
                self._slice(case)
        self._sign_off(cases)

    def _lesions(self, cases: Sequence[Case]) -> list[list[Spot]]:
        """The true boxes by lesion, linked as findings are."""
        found = [[Detection(b, label, "", 1.0) for b, label in c.truths] for c in cases]
        return [[Spot(m.slice, m.index) for m in one.members] for one in link(found, [c.ref for c in cases])]

    def _findings(self, cases: Sequence[Case]) -> None:
        """Accept a model's finding across its slices where that is cheaper than box by box."""
        shown = [self._undecided(c) for c in cases]
        for one in link([[s.detection for s in row] for row in shown], [c.ref for c in cases]):
            members = [(m.slice, shown[m.slice][m.index].detection) for m in one.members]
            homes = [self._home(cases[k], d.box, self._policy.enough) for k, d in members]
            good = sum(h is not None for h in homes)
            if len(members) > 1 and together_is_cheaper(good, len(members) - good):
                self.account.do(Action.ACCEPT_FINDING)
                self._take_all(cases, members, homes)
                taken = {Spot(k, h) for (k, _), h in zip(members, homes, strict=True) if h is not None}
                self._carry(cases, max(self._lesions(cases), key=lambda spots: len(taken & set(spots))))

    def _home(self, case: Case, box: Box, least: float) -> int | None:
        """The open lesion that a box fits best, if by at least so much."""
        fits = [(iou(box, case.truths[k][0]), k) for k in self._open(case)]
        best = max(fits, default=(0.0, 0))
        return best[1] if fits and best[0] >= least else None

    def _take_all(
        self, cases: Sequence[Case], members: Sequence[tuple[int, Detection]], homes: Sequence[int | None]
    ) -> None:
        edits = [accept([d], cases[k].ref.key, cases[k].result.model, READER) for k, d in members]
        self._commit(SetEdit("accept", tuple(c for e in edits for c in e.changes)))
        wrong = False
        for (k, _), home, edit in zip(members, homes, edits, strict=True):
            (change,) = edit.changes
            assert isinstance(change.after, Annotation)
            if home is None:
                self._correct(cases[k], change.after)
                continue
            self._has(cases[k], home, change.after, Made.ACCEPTED)
            wrong |= self._relabel_quietly(cases[k], home)
        if wrong:  # the finding's class, for all its boxes at once
            self.account.do(Action.CLASS)

    def _relabel_quietly(self, case: Case, truth: int) -> bool:
        annotation, wanted = self._of(case, truth), case.truths[truth][1]
        if self._one_class or annotation.label_id == wanted:
            return False
        self._commit(relabel(annotation, wanted, READER))
        return True

    def _correct(self, case: Case, annotation: Annotation) -> None:
        """Go to a box taken with others that does not fit; move two corners, or delete it."""
        self.account.do(Action.GO)
        home = self._home(case, annotation.box, self._policy.same)
        if home is None:
            self.account.do(Action.SELECT, Action.DELETE)
            self._commit(delete([annotation]))
            return
        self.account.do(Action.CORRECT_DRAG, Action.CORRECT_DRAG)
        self._commit(reshape(annotation, self._drawn(case, case.truths[home][0]), READER))
        self._boxes[case.ref.key, home] = annotation.id
        self.account.made(Made.CORRECTED, iou(self._of(case, home).box, case.truths[home][0]))
        self._relabel_quietly(case, home)

    def _lesion(self, cases: Sequence[Case], lesion: Sequence[Spot]) -> None:
        """Give a lesion that has no box its first one, in its middle, and carry it on."""
        if len(lesion) < WORTH_CARRYING or any(self._has_box(cases, s) for s in lesion):
            return
        self.account.do(Action.GO)
        self._slice(cases[lesion[len(lesion) // 2].case])
        self._carry(cases, lesion)

    def _has_box(self, cases: Sequence[Case], spot: Spot) -> bool:
        return (cases[spot.case].ref.key, spot.truth) in self._boxes

    def _carry(self, cases: Sequence[Case], lesion: Sequence[Spot]) -> None:
        """Carry a lesion's box, which is in view and selected, where enough of its slices have none."""
        known = [s for s in lesion if self._has_box(cases, s)]
        if known and len(lesion) - len(known) >= WORTH_CARRYING - 1:
            self._propagate(cases, lesion, known[len(known) // 2])

    def _propagate(self, cases: Sequence[Case], lesion: Sequence[Spot], start: Spot) -> None:
        known = {
            s.case: self._of(cases[s.case], s.truth).box
            for s in lesion
            if self._has_box(cases, s) and s != start
        }
        source = self._of(cases[start.case], start.truth)
        made = propagate(start.case, source.box, len(cases), lambda k: _view(cases[k]), known)
        self.account.do(Action.PROPAGATE)
        wanted = {s.case: s.truth for s in lesion}
        homes = [self._fits(cases, wanted, one) for one in made.boxes]
        good = sum(h is not None for h in homes)
        together = together_is_cheaper(good, len(homes) - good)
        if together:
            self.account.do(Action.ACCEPT)
        for one, home in zip(made.boxes, homes, strict=True):
            if home is None and not together:
                continue
            case = cases[one.slice]
            annotation = propagated_annotation(one, case.result, case.ref.key, source, READER)
            self._commit(add([annotation], "copy"))
            if home is None:
                self._correct(case, annotation)
                continue
            if not together:
                self.account.do(Action.GO, Action.ACCEPT)
            self._has(case, home, annotation, Made.PROPAGATED)

    def _fits(self, cases: Sequence[Case], wanted: dict[int, int], one: Propagated) -> int | None:
        truth = wanted.get(one.slice)
        if truth is None or (cases[one.slice].ref.key, truth) in self._boxes:
            return None
        overlap = iou(one.box, cases[one.slice].truths[truth][0])
        return truth if overlap >= self._policy.enough else None


def _view(case: Case) -> SliceView | None:
    return None if case.image is None else SliceView(case.result, case.image)
