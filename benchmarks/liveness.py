"""Does the window answer while the engine works? Start, first slice, stalls of the main thread, cancel.

python -m benchmarks.liveness [FOLDER]     (without a folder: the phantom)
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
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from benchmarks.real_data import machine
from benchmarks.screenshots import all_computed
from benchmarks.screenshots_wait import settle, wait_until
from core.imaging.phantom_demo import make_demo
from gui.app import App, build
from gui.engine import DETECT

RESULT = Path(__file__).parent / "results" / "liveness.json"
TICK_MS = 10
SCROLL_MS = 100
RUNS = 5


class Pulse:
    """A timer on the main thread; how late it fires is how long the window did not answer."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer(interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin to listen."""
        self.late_ms.clear()
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> dict[str, float | int]:
        """Figures since the start."""
        self._timer.stop()
        p50, p99 = np.percentile(self.late_ms, [50, 99])
        return {
            "n": len(self.late_ms),
            "p50_ms": round(float(p50), 1),
            "p99_ms": round(float(p99), 1),
            "max_ms": round(max(self.late_ms), 1),
        }

    def _beat(self) -> None:
        now = time.perf_counter()
        self.late_ms.append(max(0.0, (now - self._last) * 1000 - TICK_MS))
        self._last = now


def first_slice_ms(app: App, folder: Path) -> float:
    """From asking to open a folder to its first slice on the canvas."""
    start = time.perf_counter()
    app.desk.session.open_paths([folder])
    while app.window.page.canvas.scene().pixels is None:
        settle(1)
    return (time.perf_counter() - start) * 1000


def stalls_while_detecting(app: App) -> dict[str, float | int]:
    """Scroll ten slices a second to and fro while the series is detected."""
    session, series = app.desk.session, app.desk.session.current_series
    assert series is not None
    pulse, step = Pulse(), 1
    pulse.start()
    while not all_computed(app):
        place = session.place
        assert place is not None
        if not 0 <= place.index + step < len(series.slices):
            step = -step
        session.step(step)
        settle(SCROLL_MS)
    return pulse.stop()


def cancel_ms(app: App) -> float:
    """From asking to stop until the engine's thread is idle."""
    ended: list[str] = []
    listening = app.runner.finished.connect(lambda outcome: ended.append(outcome.key))
    app.desk.engine.detect_slice()
    settle(15)
    start = time.perf_counter()
    app.desk.engine.stop()
    wait_until(lambda: DETECT in ended)
    taken = (time.perf_counter() - start) * 1000
    app.runner.finished.disconnect(listening)
    return taken


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """n, median, least and greatest."""
    return {
        "n": len(values),
        "median_ms": round(float(np.median(values)), 1),
        "min_ms": round(min(values), 1),
        "max_ms": round(max(values), 1),
    }


def main(folders: Sequence[str] = ()) -> int:
    """Measure and write the result.

    Returns:
        Exit status.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        os.environ["OVERREAD_HOME"] = home
        qt = QApplication(["overread"])
        start = time.perf_counter()
        app = build(qt, Path(home) / "reading.overread")
        app.window.resize(1440, 900)
        app.window.show()
        settle(1)
        up = (time.perf_counter() - start) * 1000
        folder = Path(folders[0]) if folders else make_demo(Path(home) / "demo")
        first = first_slice_ms(app, folder)
        app.desk.engine.use_current_model()
        wait_until(lambda: app.desk.engine.ready)
        result = {
            "command": "python -m benchmarks.liveness",
            "data": folder.name if folders else "phantom",
            **machine(),
            "window_up_ms": round(up, 1),
            "first_slice_ms": round(first, 1),
            "main_thread_late_while_detecting_and_scrolling": stalls_while_detecting(app),
            "cancel": spread([cancel_ms(app) for _ in range(RUNS)]),
        }
        app.window.close()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
