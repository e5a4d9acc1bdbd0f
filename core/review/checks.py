"""What is worth a second look before a series is signed off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from core.boxes import iou_matrix, to_array
from core.edits import AnnotationSet
from core.model import Annotation

SAME = 0.9
"""IoU above which two boxes of one class on one slice are taken for the same."""


def duplicates(annotations: Sequence[Annotation]) -> tuple[tuple[Annotation, Annotation], ...]:
    """Pairs of boxes of one slice and class that cover each other, the one made first before the other."""
    if len(annotations) < 2:
        return ()
    boxes = to_array(a.box for a in annotations)
    pairs = np.argwhere(np.triu(iou_matrix(boxes, boxes), 1) > SAME)
    found = ((annotations[i], annotations[j]) for i, j in pairs.tolist())
    return tuple((a, b) for a, b in found if a.label_id == b.label_id)


def unchecked(annotations: AnnotationSet, slice_keys: Iterable[str]) -> tuple[Annotation, ...]:
    """The computed boxes of some slices that no reader has looked at."""
    return tuple(a for key in slice_keys for a in annotations.on(key).annotations if not a.checked)
