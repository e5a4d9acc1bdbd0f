"""Whether a detection depends on the window: the slice detected again with its grey levels changed.

MR units are arbitrary. What a scanner, a window or a receive coil could as well have done to a slice must not
decide whether a lesion is seen. The variants: grey levels bent up and down (a power of what lies between the
limits of `core.proposals.normalise`), the brightest part cut off, and a bias field that falls by a third
across the slice, from the left and from the top. All but the fields keep the order of grey levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.boxes import iou
from core.detection.base import DetectRequest, DetectResult
from core.detection.operating_point import AGREES, OperatingPoint, ShownDetection, detections_at
from core.jobs import CancelToken, Progress, no_progress
from core.model import Detection, LabelSchema
from core.proposals.normalise import grey_limits

Pixels = NDArray[np.float32]
Detect = Callable[[DetectRequest, CancelToken], DetectResult]

VARIANTS = (
    "darker",
    "brighter",
    "bright parts cut off",
    "bias field from the left",
    "bias field from the top",
)
"""Names, as the reader is told them, in the order they are run."""

_DARKER, _BRIGHTER = 1.4, 0.7  # exponents
_CUT = 0.7  # of the way from the lower grey limit to the upper
_FALL = 1 / 3  # of a bias field, from one edge of the slice to the other


@dataclass(frozen=True, slots=True)
class Stood:
    """A prediction of the slice as it is, and how it fared.

    Attributes:
        shown: The prediction.
        lost_in: Variants in which no prediction is shown at its place (IoU ≥ AGREES).
        other_class_in: Variants in which one is, of another class.
        variants: How many were run.
    """

    shown: ShownDetection
    lost_in: tuple[str, ...]
    other_class_in: tuple[str, ...]
    variants: int

    @property
    def times(self) -> int:
        """In how many variants it stood."""
        return self.variants - len(self.lost_in)

    @property
    def window_sensitive(self) -> bool:
        """Whether it comes and goes: gets the badge."""
        return bool(self.lost_in)

    @property
    def text(self) -> str:
        """For the badge's tooltip."""
        told = f"Stands in {self.times} of {self.variants} variants of the grey levels"
        if self.lost_in:
            told += f"; lost with: {', '.join(self.lost_in)}"
        if self.other_class_in:
            told += f"; another class with: {', '.join(self.other_class_in)}"
        return f"{told}."


@dataclass(frozen=True, slots=True)
class Appeared:
    """A prediction that variants show and the slice as it is does not.

    Attributes:
        detection: The best scored of them.
        seen_in: The variants.
    """

    detection: Detection
    seen_in: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stability:
    """How the predictions of one slice depend on its grey levels, at one operating point.

    Attributes:
        stood: Each prediction shown, in their order.
        appeared: Those of variants only, best first.
    """

    stood: tuple[Stood, ...]
    appeared: tuple[Appeared, ...]


@dataclass(frozen=True, slots=True)
class Repeats:
    """What the model says of one slice as it is and of its variants; `stability` reads it at any point.

    Attributes:
        result: Of the slice as it is.
        variants: By name.
    """

    result: DetectResult
    variants: tuple[tuple[str, DetectResult], ...]


def variants(image: Pixels) -> Iterator[tuple[str, Pixels]]:
    """The slice with changed grey levels, one variant at a time, in the order of VARIANTS.

    Args:
        image: (rows, columns), as in a DetectRequest.

    Yields:
        Name and pixels, in the range of the slice's own; nothing where the slice has no contrast.
    """
    limits = grey_limits(image)
    if limits is None:
        return
    low, high = limits
    span = high - low
    unit = np.clip((np.nan_to_num(image.astype(np.float64), nan=low) - low) / span, 0.0, 1.0)

    def made(changed: NDArray[np.float64]) -> Pixels:
        return (low + span * changed).astype(np.float32)

    rows, columns = image.shape
    yield VARIANTS[0], made(unit**_DARKER)
    yield VARIANTS[1], made(unit**_BRIGHTER)
    yield VARIANTS[2], made(np.minimum(unit, _CUT))
    yield VARIANTS[3], made(unit * np.linspace(1.0, 1.0 - _FALL, columns)[None, :])
    yield VARIANTS[4], made(unit * np.linspace(1.0, 1.0 - _FALL, rows)[:, None])


def repeat(
    request: DetectRequest,
    result: DetectResult,
    detect: Detect,
    *,
    cancel: CancelToken,
    progress: Progress = no_progress,
) -> Repeats:
    """Detect a slice again under every variant, its neighbours changed alike; each finds its own proposals.

    Args:
        request: Of the slice as it is.
        result: Of that request, by the same model.
        detect: Runs the model on one slice.
        cancel: Asked before every variant, and handed on.
        progress: Told after every variant.

    Raises:
        Cancelled: The token was set.
    """
    found: list[tuple[str, DetectResult]] = []
    beside = [dict(variants(image)) if image is not None else {} for image in request.beside]
    for name, image in variants(request.image):
        cancel.check()
        before, after = (made.get(name, given) for made, given in zip(beside, request.beside, strict=True))
        asked = replace(request, image=image, proposals=None, beside=(before, after))
        found.append((name, detect(asked, cancel)))
        progress(len(found), len(VARIANTS), "Checking the window")
    return Repeats(result, tuple(found))


def stability(repeats: Repeats, point: OperatingPoint, schema: LabelSchema) -> Stability:
    """How often each prediction stood at an operating point. Never runs the model."""
    base = detections_at(repeats.result, point, schema)
    seen = [(name, detections_at(result, point, schema)) for name, result in repeats.variants]
    return Stability(tuple(_stood(one, seen) for one in base), _appeared(base, seen))


def _stood(one: ShownDetection, seen: Sequence[tuple[str, Sequence[ShownDetection]]]) -> Stood:
    lost, other = [], []
    for name, shown in seen:
        here = [s.detection for s in shown if iou(s.detection.box, one.detection.box) >= AGREES]
        if not here:
            lost.append(name)
        elif all(d.label_id != one.detection.label_id for d in here):
            other.append(name)
    return Stood(one, tuple(lost), tuple(other), len(seen))


def _appeared(
    base: Sequence[ShownDetection], seen: Sequence[tuple[str, Sequence[ShownDetection]]]
) -> tuple[Appeared, ...]:
    """New ones put together by place: each goes to the best scored one it agrees with."""
    fresh = [
        (s.detection, name)
        for name, shown in seen
        for s in shown
        if all(iou(s.detection.box, b.detection.box) < AGREES for b in base)
    ]
    groups: list[tuple[Detection, list[str]]] = []
    for detection, name in sorted(fresh, key=lambda f: -f[0].score):
        home = next((names for best, names in groups if iou(best.box, detection.box) >= AGREES), None)
        if home is None:
            groups.append((detection, [name]))
        elif name not in home:
            home.append(name)
    return tuple(Appeared(best, tuple(n for n in VARIANTS if n in names)) for best, names in groups)
