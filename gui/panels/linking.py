"""Links the boxes of the series in view into lesions, beside the main thread: many boxes take a while."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from core.jobs import CancelToken, Progress
from core.model import Series
from core.review.lesions import ReadLesion, read_lesions
from gui.panels.finding_rows import Row, marked_boxes
from gui.runner import JobOutcome, JobRunner, Lane, error_text
from gui.session import Session

KEY = "link"


@dataclass(frozen=True, slots=True)
class Linked:
    """The boxes of a series, and how they belong together.

    Attributes:
        series: The series.
        rows: Its boxes as they were.
        lesions: Of these boxes; none where they could not be linked.
    """

    series: Series
    rows: tuple[Row, ...]
    lesions: tuple[ReadLesion, ...]


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
        self._wanted: tuple[Series, tuple[Row, ...]] | None = None
        self._at_work: tuple[Series, tuple[Row, ...]] | None = None

    def ask(self, series: Series, rows: tuple[Row, ...]) -> Linked | None:
        """The answer where it is known; None where `linked` will bring it.

        Args:
            series: A stack.
            rows: Its boxes.
        """
        answer = self._answer
        if answer is not None and answer.series == series and answer.rows == rows:
            self._wanted = None
            return answer
        self._wanted = (series, rows)
        self._next()
        return None

    def _next(self) -> None:
        question = self._wanted
        if question is None or self._at_work is not None:
            return
        self._wanted, self._at_work = None, question
        series, rows = question

        def job(progress: Progress, cancel: CancelToken) -> tuple[ReadLesion, ...]:
            return read_lesions(series.slices, marked_boxes(rows, len(series.slices)))

        self._runner.submit(job, key=KEY, lane=Lane.QUICK, done=self._arrived)

    def _arrived(self, outcome: JobOutcome[tuple[ReadLesion, ...]]) -> None:
        assert self._at_work is not None
        (series, rows), self._at_work = self._at_work, None
        if outcome.error is not None:
            self._session.said.emit("error", error_text(outcome.error))
        # Also without a result: the boxes themselves are to be listed whatever happened.
        self._answer = Linked(series, rows, outcome.result or ())
        if self._wanted == (series, rows):
            self._wanted = None  # asked again while it was at work
        self._next()
        self.linked.emit(self._answer)
