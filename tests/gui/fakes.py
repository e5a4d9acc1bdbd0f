"""Parts at the machine's edge that a test can slow down, break and count."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from core.detection.base import DetectRequest, DetectResult, TraceRow
from core.detection.card import ModelCard
from core.detection.registry import ModelEntry
from core.errors import OverreadError, UnreadableFile
from core.imaging.base import Pixels
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Box, Detection, LabelSchema, Proposals, SliceRef
from core.proposals.normalise import NORMALISATION

GATE_SECONDS = 20.0


class FakeDetector:
    """Says the same boxes of every slice; waits, fails and counts as told.

    Attributes:
        rows: (class name, score, box) of what it predicts.
        gate: While it is closed no slice gets done.
        asked: Slice keys in the order they were asked for.
        fails_on: Slice keys that it cannot do.
    """

    class_names = ("glioma", "meningioma")

    def __init__(self, name: str = "fake", rows: tuple[tuple[str, float, Box], ...] | None = None) -> None:
        self.identity = f"{name}@1"
        self.neighbours = 0
        self.rows = rows if rows is not None else DEFAULT_ROWS
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[str] = []
        self.fails_on: set[str] = set()
        self.ignores_cancel = False
        self._ids: dict[str, int] = {}

    def bind(self, schema: LabelSchema) -> None:
        """Map names to ids."""
        self._ids = {c.name: c.id for c in schema.classes}

    def detect_many(
        self, requests: Iterable[DetectRequest], *, cancel: CancelToken
    ) -> Iterator[DetectResult]:
        """One after the other."""
        for request in requests:
            yield self.detect(request, cancel=cancel)

    def detect(self, request: DetectRequest, *, cancel: CancelToken) -> DetectResult:
        """What it always says."""
        self.asked.append(request.slice_key)
        end = time.monotonic() + GATE_SECONDS
        while not self.gate.wait(0.01) and time.monotonic() < end:
            if not self.ignores_cancel:
                cancel.check()
        if request.slice_key in self.fails_on:
            raise OverreadError("the slice is too small for this model")
        boxes = tuple(box for _, _, box in self.rows)
        scores = tuple(score for _, score, _ in self.rows)
        trace = tuple(TraceRow(i, self._ids[n], s, b) for i, (n, s, b) in enumerate(self.rows))
        found = tuple(Detection(b, self._ids[n], n, s, b) for n, s, b in self.rows)
        return DetectResult(
            request.slice_key, self.identity, found, Proposals(boxes, scores, "fake"), trace, 1.0
        )


DEFAULT_ROWS = (
    ("glioma", 0.9, Box(30, 30, 60, 60)),
    ("meningioma", 0.7, Box(100, 100, 130, 120)),
    ("glioma", 0.2, Box(140, 40, 160, 60)),
)


def entry_of(name: str) -> ModelEntry:
    """A registry entry for a fake."""
    card = ModelCard(name, "2026-01-01T00:00:00Z", FakeDetector.class_names, {}, "none", "fake")
    return ModelEntry(name, Path(f"{name}.safetensors"), "1", card, bundled=False, current=True)


class HeldCache(PixelCache):
    """A pixel cache whose decoding waits for slices that are held."""

    def __init__(self) -> None:
        super().__init__(256 << 20)
        self.held: Callable[[SliceRef], bool] = lambda _ref: False
        self.broken: set[str] = set()

    def get(self, ref: SliceRef) -> Pixels:
        """The pixels, once they are no longer held."""
        end = time.monotonic() + GATE_SECONDS
        while self.held(ref) and time.monotonic() < end:
            time.sleep(0.005)
        if ref.key in self.broken:
            raise UnreadableFile(ref.path, "the tape is torn")
        return super().get(ref)


def write_small_model(path: Path, name: str, classes: tuple[str, ...]) -> Path:
    """A sound model file that has learnt nothing."""
    from core.detection.export import write_model
    from core.detection.network import NetworkSpec, build_network

    spec = NetworkSpec(width=0.25, classes=len(classes), image_size=64, pyramid=16, hidden=16)
    card = ModelCard(name, "2026-01-01T00:00:00Z", classes, spec.as_dict(), NORMALISATION, "opencv-fast")
    write_model(path, build_network(spec).state_dict(), card)
    return path
