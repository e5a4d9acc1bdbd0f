"""Why a lesion was missed: the question, its answer as things stand, and what of it is on the slice."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from core.model import Box
from core.review.missed import Explanation, Fate, Spot, Verdict, explain
from gui.actions import selected_detection
from gui.desk import Desk
from gui.viewer.canvas import Canvas
from gui.viewer.hints import NO_HINTS, Hint, HintRole, Hints
from gui.viewer.scene import Tool


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        slice_key: On which slice.
        lesion: A box or a spot.
        annotation: Id of the annotation whose box it is, or "": the question follows it.
    """

    slice_key: str
    lesion: Box | Spot
    annotation: str = ""


class Missed(QObject):
    """Answers from the result that is there; where there is none the slice is computed first.

    The answer follows the operating point, and the box it is about. It goes with the slice.

    Signals:
        changed: Another answer, or none any more.
        asked: The reader has asked; the answer is worth showing.
    """

    changed = Signal()
    asked = Signal()

    def __init__(self, desk: Desk, canvas: Canvas) -> None:
        super().__init__()
        self._desk, self._canvas = desk, canvas
        self._question: Question | None = None
        self.explanation: Explanation | None = None
        self.waiting = ""
        canvas.spot_asked.connect(self.ask_of_spot)
        session, engine = desk.session, desk.engine
        session.place_changed.connect(self._moved)
        session.annotations_changed.connect(lambda _keys: self._answer())
        engine.results_changed.connect(lambda _key: self._answer())
        engine.point_changed.connect(self._answer)
        engine.model_changed.connect(self._answer)

    def ask(self) -> None:
        """Ask of the selected box; without one, of the spot that is clicked next."""
        session = self._desk.session
        annotation, detection = session.selected_annotation, selected_detection(self._desk)
        if annotation is not None:
            self._ask(Question(annotation.slice_key, annotation.box, annotation.id))
        elif detection is not None:
            self._ask(Question(session.current_slice_key, detection.box))
        else:
            self._canvas.setFocus()
            self._canvas.set_tool(Tool.WHY)
            session.said.emit("info", "Click the spot where something was missed; Esc to leave it.")

    def ask_of_spot(self, x: float, y: float) -> None:
        """Ask of a point of the slice in view."""
        ref = self._desk.session.current_slice
        if ref is not None and 0 <= x < ref.columns and 0 <= y < ref.rows:
            self._ask(Question(ref.key, Spot(x, y)))

    @property
    def roles(self) -> frozenset[HintRole]:
        """Which lines are on the slice."""
        return frozenset(hint.role for hint in self._canvas.hints().boxes)

    def close(self) -> None:
        """Have no more of it."""
        if self._question is not None:
            self._question, self.explanation, self.waiting = None, None, ""
            self._canvas.set_hints(NO_HINTS)
            self.changed.emit()

    def _ask(self, question: Question) -> None:
        self._question = question
        engine = self._desk.engine
        if engine.result(question.slice_key) is None and engine.ready:
            engine.detect_slice()
        self._answer()
        self.asked.emit()

    def _moved(self) -> None:
        if self._question is not None and self._question.slice_key != self._desk.session.current_slice_key:
            self.close()

    def _answer(self) -> None:
        question = self._question
        if question is None:
            return
        lesion = self._lesion(question)
        if lesion is None:
            self.close()  # the box is gone
            return
        engine = self._desk.engine
        result = engine.result(question.slice_key)
        self.explanation, self.waiting = None, ""
        if result is not None:
            schema = self._desk.session.workspace.schema
            self.explanation = explain(result, lesion, engine.point, schema)
        elif failure := engine.failure(question.slice_key):
            self.waiting = f"This slice could not be computed: {failure}"
        else:
            self.waiting = "This slice is being computed …" if engine.ready else "There is no model in use."
        self._canvas.set_hints(self._hints(lesion))
        self.changed.emit()

    def _lesion(self, question: Question) -> Box | Spot | None:
        if not question.annotation:
            return question.lesion
        record = self._desk.session.workspace.annotations.on(question.slice_key)
        return next((a.box for a in record.annotations if a.id == question.annotation), None)

    def _hints(self, lesion: Box | Spot) -> Hints:
        spot = (lesion.x, lesion.y) if isinstance(lesion, Spot) else None
        found = self.explanation
        if found is None or found.deciding is None:
            return Hints((), spot)
        one, boxes = found.deciding, list[Hint]()
        if found.by is not None:
            boxes.append(Hint(HintRole.SUPPRESSOR, found.by.box, f"suppressed by {self._named(found.by)}"))
        told = "best proposal" if found.verdict is Verdict.NO_PROPOSAL else "proposal"
        boxes.append(Hint(HintRole.PROPOSAL, one.proposal, told + _fit(one.overlap)))
        if one.judged:
            text = f"{self._named(one)}{_fit(one.overlap_after)}"
            boxes.append(Hint(HintRole.REGRESSED, one.box, text))
        return Hints(tuple(boxes), spot)

    def _named(self, one: Fate) -> str:
        return f"{self._desk.session.workspace.schema.name_of(one.label_id)} {one.score:.2f}"


def _fit(overlap: float | None) -> str:
    return "" if overlap is None else f" · IoU {overlap:.2f}"
