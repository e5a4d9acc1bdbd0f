"""Links the boxes of the series in view into lesions, beside the main thread: many boxes take a while."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from core.jobs import CancelToken, Progress
from core.model import LabelSchema, Series
from core.review.lesions import read_lesions
from gui.panels.finding_rows import Item, Row, items_of, marked_boxes
from gui.runner import JobOutcome, JobRunner, Lane, error_text
from gui.session import Session

KEY = "link"


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be linked.

    Attributes:
        series: A stack.
        rows: Its boxes.
        schema: Their classes.
    """

    series: Series
    rows: tuple[Row, ...]
    schema: LabelSchema


@dataclass(frozen=True, slots=True)
class Linked:
    """How the boxes of a series belong together.

    Attributes:
        question: Which boxes.
        items: What to list; the boxes alone where they could not be linked.
        lesions: How many lesions.
    """

    question: Question
    items: tuple[Item, ...]
    lesions: int


class Linker(QObject):
    """One linking at a time; of what is asked meanwhile the last is next.

    Signals:
        linked: (Linked) An answer arrived; what was asked since will follow.
    """

    linked = Signal(object)

    def __init__(self, session: Session, runner: JobRunner) -> None:
        super().__init__()
        self._session = session
        self._runner = runner
        self._answer: Linked | None = None
        self._wanted: Question | None = None
        self._at_work: Question | None = None

    def ask(self, question: Question) -> Linked | None:
        """The answer where it is known; None where `linked` will bring it."""
        if self._answer is not None and self._answer.question == question:
            self._wanted = None
            return self._answer
        self._wanted = question
        self._next()
        return None

    def _next(self) -> None:
        question = self._wanted
        if question is None or self._at_work is not None:
            return
        self._wanted, self._at_work = None, question

        def job(progress: Progress, cancel: CancelToken) -> Linked:
            slices = question.series.slices
            lesions = read_lesions(slices, marked_boxes(question.rows, len(slices)))
            return Linked(question, items_of(question.rows, lesions, question.schema), len(lesions))

        self._runner.submit(job, key=KEY, lane=Lane.QUICK, done=self._arrived)

    def _arrived(self, outcome: JobOutcome[Linked]) -> None:
        question, self._at_work = self._at_work, None
        assert question is not None
        if outcome.error is not None:
            self._session.said.emit("error", error_text(outcome.error))
        # Also without a result: the boxes are to be listed whatever happened.
        self._answer = outcome.result or Linked(question, question.rows, 0)
        if self._wanted == question:
            self._wanted = None  # asked again while it was at work
        self._next()
        self.linked.emit(self._answer)
