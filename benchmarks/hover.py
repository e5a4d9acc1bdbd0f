"""How soon snapping answers: from the mouse event until the canvas is painted with the candidate.

python -m benchmarks.hover [PATH...]     (without a path: the phantom; no model is loaded)

Beside the time on the clock that of the processor, which other work on the machine disturbs less.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from benchmarks.real_data import machine
from benchmarks.screenshots_wait import settle, wait_until
from core.imaging.phantom_demo import make_demo
from core.jobs import CancelToken
from core.proposals.registry import warm_up
from gui.app import App, build

RESULT = Path(__file__).parent / "results" / "hover.json"
SLICES = 40
POINTS = 12
MIDDLE = (0.3, 0.7)
"""Share of the slice within which points lie: the head."""


def move(app: App, at: QPointF) -> None:
    """Move the mouse, and paint what that changes."""
    canvas = app.window.page.canvas
    none, plain = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(QEvent.Type.MouseMove, at, canvas.mapToGlobal(at), none, none, plain)
    QApplication.sendEvent(canvas, event)
    canvas.repaint()


def first_answer_ms(app: App, at: QPointF) -> float:
    """From pressing S over a slice without proposals until the answer is painted."""
    canvas, ref = app.window.page.canvas, app.desk.session.current_slice
    assert ref is not None
    move(app, at)
    arrived = QEventLoop()
    app.desk.regions.arrived.connect(arrived.quit)
    start = time.perf_counter()
    QTest.keyPress(canvas, Qt.Key.Key_S)
    if app.desk.regions.of(ref) is None:
        arrived.exec()  # the worker must not wait for a main thread that only looks whether it is done
    canvas.repaint()
    return (time.perf_counter() - start) * 1000


def measure(app: App) -> dict[str, object]:
    """Both figures, over the slices of the series in view."""
    canvas, session, rng = app.window.page.canvas, app.desk.session, np.random.default_rng(0)
    series = session.current_series
    assert series is not None
    first: list[float] = []
    again: list[float] = []
    processor: list[float] = []
    candidates = 0
    step = max(len(series.slices) // SLICES, 1)
    for index, ref in list(enumerate(series.slices))[::step][:SLICES]:
        session.go_to(series.uid, index)
        wait_until(lambda: app.desk.display.pixels is not None)
        settle(50)  # slices ahead are read
        spots = rng.uniform(*MIDDLE, (POINTS + 1, 2)) * (ref.columns, ref.rows)
        points = [canvas.widget_point(*spot) for spot in spots.tolist()]
        ready, answered = app.desk.regions.has(ref), first_answer_ms(app, points[0])
        if not ready:  # a slice that rests is made ready by itself
            first.append(answered)
        for at in points[1:]:
            start, busy = time.perf_counter(), time.thread_time()
            move(app, at)
            again.append((time.perf_counter() - start) * 1000)
            processor.append((time.thread_time() - busy) * 1000)
            shown = canvas.snap()
            candidates += shown is not None and shown.box is not None
        QTest.keyRelease(canvas, Qt.Key.Key_S)
    return {
        "slice": [series.slices[0].rows, series.slices[0].columns],
        "first_ms": _spread(first),
        "cached_ms": _spread(again),
        "cached_processor_ms": _spread(processor),
        "points_with_a_candidate": candidates,
    }


def _spread(values: Sequence[float]) -> dict[str, float | int]:
    p50, p95 = np.percentile(values, [50, 95])
    named = {"median": p50, "p95": p95, "max": max(values)}
    return {"n": len(values)} | {name: round(float(v), 1) for name, v in named.items()}


def main() -> int:
    """Measure and write the result.

    Returns:
        Exit status.
    """
    with tempfile.TemporaryDirectory() as home:
        os.environ["OVERREAD_HOME"] = home
        qt = QApplication.instance() or QApplication(["overread"])
        assert isinstance(qt, QApplication)
        warm_up(CancelToken())
        app = build(qt, Path(home) / "reading.overread")
        app.window.resize(1440, 900)
        app.window.show()
        app.window.activateWindow()
        wait_until(app.window.isActiveWindow)
        paths = [Path(p) for p in sys.argv[1:]]
        app.desk.session.open_paths(paths or [make_demo(Path(home) / "demo") / "first"])
        wait_until(lambda: app.desk.session.current_series is not None and not app.desk.session.growing)
        found = {"data": "given" if paths else "phantom", **measure(app), "machine": machine()}
        app.window.close()
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
