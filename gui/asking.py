"""Jobs of the engine: loading a model, and asking it about one slice, from disk where it was asked before."""

from __future__ import annotations

from dataclasses import dataclass

from core.detection.base import Detector, DetectResult
from core.detection.registry import ModelEntry
from core.detection.requests import make_request
from core.imaging.neighbours import ALONE, Beside
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken, Job, Progress
from core.model import LabelSchema, SliceRef
from core.review.result_cache import ResultCache, content_key


def loading(entry: ModelEntry) -> Job[Detector]:
    """A job that loads a model."""

    def job(progress: Progress, cancel: CancelToken) -> Detector:
        from core.detection.detector import load_detector  # noqa: PLC0415 - torch only when needed

        return load_detector(entry.path, name=entry.name)

    return job


@dataclass(frozen=True, slots=True)
class Answered:
    """A result and where it lies on disk ("" where it does not)."""

    result: DetectResult
    content: str


@dataclass(frozen=True, slots=True)
class Asking:
    """One slice to ask a model about.

    Attributes:
        ref: The slice.
        detector: The model.
        schema: What its classes are bound to.
        anew: Compute it even if the answer is known.
        beside: Its neighbours in the stack, for a model that sees them.
    """

    ref: SliceRef
    detector: Detector
    schema: LabelSchema
    anew: bool = False
    beside: Beside = ALONE

    def job(self, cache: PixelCache, disk: ResultCache) -> Job[Answered]:
        """What to run in the engine's thread; the result is on disk before it is shown."""
        ref, detector = self.ref, self.detector
        named = [(name, self.schema.by_name(name)) for name in detector.class_names]
        classes = [(name, found.id) for name, found in named if found is not None]

        def job(progress: Progress, cancel: CancelToken) -> Answered:
            request = make_request(ref, cache.get, self.beside)
            cancel.check()
            content = content_key(request, detector.identity, classes)
            known = None if self.anew else disk.read(content, ref.key, detector.identity)
            if known is not None:
                return Answered(known, content)
            result = detector.detect(request, cancel=cancel)
            return Answered(result, content if disk.write(content, result) else "")

        return job
