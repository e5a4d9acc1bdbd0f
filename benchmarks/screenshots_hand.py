"""Pictures of the tools in the hand: snap, why missed, propagate, on the lesion that the model is surest of.

Part of `make screenshots`; alone: `python -m benchmarks.screenshots_hand OUT [PATH...]`, on data of your own
or the phantom.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from benchmarks.screenshots_wait import settle, wait_until
from core.imaging.phantom_demo import make_demo
from core.model import Box
from core.review.missed import Verdict, explain
from gui import actions
from gui.app import App, build

Key = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier


def take(app: App, folder: Path) -> None:
    """Take them all of the series in view, whose slices are computed; the journal is as before."""
    app.window.activateWindow()
    wait_until(app.window.isActiveWindow)
    app.window.page.canvas.setFocus()
    standing = app.workspace.standing
    lesion = _surest(app)
    if lesion is None:
        return
    _snap(app, lesion, folder)
    _missed(app, lesion, folder)
    series = app.desk.session.current_series
    if series is not None and series.is_stack:
        _propagate(app, folder)
    app.desk.session.jump_to(max(standing, default=0))
    settle()


def _surest(app: App) -> Box | None:
    """Go to the slice with the best undecided prediction; its box."""
    desk = app.desk
    series = desk.session.current_series
    assert series is not None
    best = [
        (s.detection.score, i, s.detection.box)
        for i, ref in enumerate(series.slices)
        for s in desk.engine.undecided(ref.key)[:1]
    ]
    if not best:
        return None
    _, index, box = max(best, key=lambda row: row[0])
    desk.session.go_to(series.uid, index)
    wait_until(lambda: desk.display.pixels is not None)
    settle()
    return box


def _shoot(app: App, folder: Path, name: str) -> None:
    settle()
    folder.mkdir(parents=True, exist_ok=True)
    app.window.grab().save(str(folder / f"{name}.png"))


def _snap(app: App, lesion: Box, folder: Path) -> None:
    canvas, ref = app.window.page.canvas, app.desk.session.current_slice
    assert ref is not None
    at = canvas.widget_point((lesion.x1 + lesion.x2) / 2, (lesion.y1 + lesion.y2) / 2).toPoint()
    QTest.keyPress(canvas, Key.Key_S)
    QTest.mouseMove(canvas, at + QPoint(9, 9))
    QTest.mouseMove(canvas, at)
    wait_until(lambda: app.desk.regions.of(ref) is not None)
    _shoot(app, folder, "snap")
    QTest.mouseMove(canvas, QPoint(at.x() // 2 + 40, at.y() // 2 + 40))
    _shoot(app, folder, "snap-poor")
    QTest.keyRelease(canvas, Key.Key_S)
    settle()


def _missed(app: App, lesion: Box, folder: Path) -> None:
    """Draw what was suppressed, or regressed badly, and ask; with neither, ask above the best score."""
    desk, canvas = app.desk, app.window.page.canvas
    result, schema = desk.engine.result(desk.session.current_slice_key), desk.session.workspace.schema
    assert result is not None
    point, wanted = desk.engine.point, lesion
    for verdict in (Verdict.SUPPRESSED, Verdict.REGRESSED):
        rows = [t for t in result.trace if t.score >= point.min_score]
        boxes = [t.box if verdict is Verdict.SUPPRESSED else result.proposals.boxes[t.proposal] for t in rows]
        told = [b for b in boxes if explain(result, b, point, schema).verdict is verdict]
        if told:
            wanted = told[0]
            break
    else:
        desk.engine.set_point(min_score=0.99)
    actions.draw(desk, wanted)
    settle()
    QTest.keyClick(canvas, Key.Key_W)
    _shoot(app, folder, "why-missed")
    desk.session.undo()
    desk.engine.set_point(min_score=point.min_score)
    app.window.page.missed.close()
    settle()


def _propagate(app: App, folder: Path) -> None:
    desk, canvas, place = app.desk, app.window.page.canvas, app.desk.session.place
    assert place is not None
    desk.session.select("")
    QTest.keyClick(canvas, Key.Key_Return)
    settle()
    desk.session.go_to(place.series_uid, place.index)
    settle()
    desk.session.select(desk.session.record.annotations[-1].id)
    QTest.keyClick(canvas, Key.Key_P, CTRL)
    wait_until(lambda: not app.runner.busy("propagate"))
    settle()
    _shoot(app, folder, "propagate")


def main() -> int:
    """Take the pictures alone.

    Returns:
        Exit status.
    """
    out, paths = Path(sys.argv[1]), [Path(p) for p in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as home:
        os.environ["OVERREAD_HOME"] = home
        qt = QApplication(["overread"])
        app = build(qt, Path(home) / "reading.overread")
        app.window.resize(1440, 900)
        app.window.show()
        app.desk.engine.use_current_model()
        app.desk.session.open_paths(paths or [make_demo(Path(home) / "demo") / "first"])
        wait_until(lambda: app.desk.engine.ready and app.desk.session.current_series is not None)
        wait_until(lambda: not app.desk.session.growing)
        series = app.desk.session.current_series
        assert series is not None
        wait_until(lambda: all(app.desk.engine.result(s.key) for s in series.slices))
        take(app, out)
        app.window.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
