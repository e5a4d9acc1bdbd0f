"""The operating point that a reader last used with each model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from core.detection.operating_point import OperatingPoint

POINTS_FILE = "operating_points.json"
"""Name of the file in `home()`."""

_MOST = 200


class PointBook:
    """Operating points by model, in a file; one that cannot be read is as if it were not there.

    Args:
        path: The file; made on the first write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._points = _read(path)
        self._changed = False

    def get(self, model: str) -> OperatingPoint | None:
        """The point last used with a model ("name@hash"), or None."""
        return self._points.get(model)

    def put(self, model: str, point: OperatingPoint) -> None:
        """Remember a point; on disk with the next `write`."""
        if self._points.get(model) != point:
            self._points.pop(model, None)
            self._points[model] = point
            self._changed = True

    def write(self) -> None:
        """Write what has changed, the models used last first to stay.

        Raises:
            OSError: The file cannot be written.
        """
        if not self._changed:
            return
        kept = dict(list(self._points.items())[-_MOST:])
        plain = {m: {"min_score": p.min_score, "nms_iou": p.nms_iou} for m, p in kept.items()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(plain, indent=1), encoding="utf-8")
        os.replace(temporary, self._path)
        self._changed = False


def _read(path: Path) -> dict[str, OperatingPoint]:
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return {str(m): _point(p) for m, p in plain.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _point(plain: Mapping[str, object]) -> OperatingPoint:
    score, overlap = plain["min_score"], plain["nms_iou"]
    if not (isinstance(score, int | float) and isinstance(overlap, int | float)):
        raise TypeError("thresholds are numbers")
    if not (0.0 <= score <= 1.0 and 0.0 <= overlap <= 1.0):
        raise ValueError("thresholds lie between 0 and 1")
    return OperatingPoint(float(score), float(overlap))
