"""What is undecided on each slice at the operating point: asked for at every change, so it is remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from core.detection.operating_point import OperatingPoint, ShownDetection, undecided
from core.edits import EMPTY_RECORD, SliceRecord
from core.model import LabelSchema, SliceRef
from core.review.shortlist import Shortlist
from gui.session import Session

Question = tuple[Shortlist, OperatingPoint, SliceRecord, LabelSchema]
SWEEP_SECONDS = 0.008
"""How long the main thread answers questions on slices out of view at a time."""


class Answers(QObject):
    """Answers each question once.

    Args:
        session: What readers have said.
        short: The judged regions of a slice, of the model in use.
        point: The operating point in force.

    Signals:
        changed: What is undecided is known anew for slices that are not in view.
    """

    changed = Signal()

    def __init__(
        self, session: Session, short: Callable[[str], Shortlist | None], point: Callable[[], OperatingPoint]
    ) -> None:
        super().__init__()
        self._session = session
        self._short = short
        self._point = point
        self._known: dict[str, tuple[Question, tuple[ShownDetection, ...]]] = {}
        self._stale: dict[str, None] = {}
        self._sweep = QTimer(self, singleShot=True, interval=0)
        self._sweep.timeout.connect(self._answer_some)

    def on(self, slice_key: str) -> tuple[ShownDetection, ...]:
        """Predictions on a slice that nobody has judged yet, best first."""
        short = self._short(slice_key)
        if short is None:
            return ()
        workspace = self._session.workspace
        question = (short, self._point(), workspace.annotations.on(slice_key), workspace.schema)
        known = self._known.get(slice_key)
        if known is not None and _same(known[0], question):
            return known[1]
        _, point, record, schema = question
        answer = undecided(short.shown_at(point, schema), record, short.model)
        self._known[slice_key] = (question, answer)
        return answer

    def on_each(self, slices: Sequence[SliceRef]) -> list[tuple[ShownDetection, ...]]:
        """As `on` for many slices at once; for those not in view it may be the answer before.

        Strip and table ask for every slice at each change. `changed` tells when to ask again.
        """
        known_of, point, schema = self._known, self._point(), self._session.workspace.schema
        records, in_view = self._session.workspace.annotations.by_slice, self._session.current_slice_key
        shown: list[tuple[ShownDetection, ...]] = []
        for key in [s.key for s in slices]:
            short, known = self._short(key), known_of.get(key)
            if short is None:
                shown.append(())
            elif known is None or known[0][0] is not short or key == in_view:
                shown.append(self.on(key))
            else:
                _, then, record, classes = known[0]
                if then is not point or record is not records.get(key, EMPTY_RECORD) or classes is not schema:
                    self._stale[key] = None
                shown.append(known[1])
        if self._stale:
            self._sweep.start()
        return shown

    def _answer_some(self) -> None:
        """Answer stale questions for a few milliseconds; the window must go on in between."""
        end = time.perf_counter() + SWEEP_SECONDS
        while self._stale and time.perf_counter() < end:
            self.on(self._stale.popitem()[0])
        if self._stale:
            self._sweep.start()
        else:
            self.changed.emit()


def _same(known: Question, asked: Question) -> bool:
    return all(a is b for a, b in zip(known, asked, strict=True))
