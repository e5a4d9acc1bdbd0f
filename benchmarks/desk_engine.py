"""How quick the engine is at the desk: sliders on cached results, and a jump while a series is computed.

Run on a quiet machine: python -m benchmarks.desk_engine SERIES [--picture F.png]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication, QTabWidget

from gui.app import App, build
from gui.panels.operating_point import OperatingPointPanel

FRAMES = 60
JUMPS = 10


def wait_until(what: Callable[[], bool], seconds: float = 300.0) -> float:
    """Run the event loop until something is so; seconds waited."""
    start = time.perf_counter()
    while not what():
        QApplication.processEvents()
        time.sleep(0.001)
        if time.perf_counter() - start > seconds:
            raise TimeoutError("the window did not get there")
    return time.perf_counter() - start


def jumps(app: App) -> list[float]:
    """Seconds from a jump to a far slice that is not computed to its result, while the series is computed."""
    session, engine = app.desk.session, app.desk.engine
    series = session.current_series
    assert series is not None
    waits, count = [], len(series.slices)
    for k in range(JUMPS):
        at = session.place.index if session.place else 0
        far = [i for i, s in enumerate(series.slices) if abs(i - at) > 5 and not engine.computed(s.key)]
        if not far:
            break
        target = far[(k * 7919) % len(far)] % count
        session.go_to(series.uid, target)
        key = series.slices[target].key
        waits.append(wait_until(lambda key=key: engine.computed(key)))  # type: ignore[misc]
    return waits


def frames(app: App) -> list[float]:
    """Seconds from each movement of the score slider to the painted window."""
    panel = app.window.findChild(OperatingPointPanel)
    assert panel is not None
    times = []
    for k in range(FRAMES):
        start = time.perf_counter()
        panel.score.setValue(5 + k % 60)
        QApplication.processEvents()
        app.window.page.canvas.repaint()
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OVERREAD_HOME"] = folder
        qt = QApplication(["overread"])
        app = build(qt, Path(folder) / "w.overread")
        app.window.resize(1440, 900)
        app.window.show()
        app.warm_up()
        wait_until(lambda: not app.runner.busy("warm"))
        app.desk.session.open_paths([options.series])
        wait_until(lambda: app.desk.session.current_slice is not None and not app.desk.session.growing)
        app.desk.engine.use_current_model()
        wait_until(lambda: app.desk.engine.ready)
        waits = sorted(jumps(app))
        series = app.desk.session.current_series
        assert series is not None
        wait_until(lambda: all(not app.desk.engine._is_open(s) for s in series.slices))
        times = sorted(frames(app))
        for name, rows in (("jump to predictions", waits), ("slider to paint", times)):
            if rows:
                p95, middle = rows[min(len(rows) - 1, int(0.95 * len(rows)))], statistics.median(rows)
                print(f"{name}: median {middle * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, n {len(rows)}")
        if options.picture:
            panel = app.window.findChild(OperatingPointPanel)
            assert panel is not None
            tabs = next(t for t in app.window.findChildren(QTabWidget) if t.isAncestorOf(panel))
            tabs.setCurrentWidget(panel)
            app.desk.engine.set_point(min_score=0.3)
            app.window.actions_by_id["next-prediction"].trigger()
            wait_until(lambda: app.window.page.canvas.scene().pixels is not None)
            for _ in range(50):
                QApplication.processEvents()
                time.sleep(0.01)
            app.window.grab().save(str(options.picture))
        app.window.close()


if __name__ == "__main__":
    main()
