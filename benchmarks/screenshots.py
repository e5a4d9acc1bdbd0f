"""Pictures of the running window for README and docs: `make screenshots [DATA=folder]`.

Without a folder the phantom is shown, so that no patient's picture is ever committed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import generate_uid
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QColor, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QTabWidget

from benchmarks import screenshots_hand
from benchmarks.screenshots_wait import settle, wait_until
from core.imaging.phantom import PhantomSpec, make_phantom
from core.imaging.phantom_demo import make_demo
from gui import actions
from gui.app import App, build

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"


def all_computed(app: App) -> bool:
    """Whether every slice of the series in view has a result."""
    series = app.desk.session.current_series
    return series is not None and all(app.desk.engine.result(s.key) for s in series.slices)


def read_a_little(app: App) -> None:
    """Accept the best prediction, correct another, draw one: what a series in progress looks like."""
    desk = app.desk
    series = desk.session.current_series
    assert series is not None
    best = max(
        range(len(series.slices)),
        key=lambda i: max(
            (s.detection.score for s in desk.engine.undecided(series.slices[i].key)), default=0
        ),
    )
    for offset in (-2, 1):
        desk.session.go_to(series.uid, best + offset)
        settle()
        if actions.has_prediction(desk):
            actions.accept_selected(desk)
    accepted = desk.session.record.annotations
    if accepted:
        actions.change_box(desk, accepted[0].id, accepted[0].box.moved(1.5, 1.0))
    desk.session.go_to(series.uid, best + 3)
    settle()
    if actions.has_prediction(desk):
        actions.reject_selected(desk, "vessel")
    desk.session.go_to(series.uid, best)
    settle()
    actions.step_prediction(desk, 1)


def grab(app: App, name: str) -> None:
    """Write a picture of the window."""
    settle()
    IMAGES.mkdir(parents=True, exist_ok=True)
    app.window.grab().save(str(IMAGES / f"{name}.png"))


def other_planes(series: Path, folder: Path) -> None:
    """The demo's head at its first date in two more planes, in the same frame of reference."""
    folder.mkdir()
    phantom = make_phantom(PhantomSpec(slices=108))
    x0, y0, z0 = phantom.origin
    (dy, dx), dz = phantom.spacing, phantom.slice_spacing
    volume = phantom.volume[::-1]  # the top of the head first
    top = z0 + (len(volume) - 1) * dz
    template = next(iter(sorted(series.iterdir())))
    for number in range(60, 200, 7):
        for name, pixels, position, across, spacing in (
            ("sagittal", volume[:, :, number], [x0 + number * dx, y0, top], [0, 1, 0], [dz, dy]),
            ("coronal", volume[:, number, :], [x0, y0 + number * dy, top], [1, 0, 0], [dz, dx]),
        ):
            dataset = pydicom.dcmread(template)
            dataset.SeriesInstanceUID = f"{dataset.SeriesInstanceUID[:50]}.{len(name)}"
            dataset.SeriesDescription = f"T1 {name} (simulated)"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
            dataset.ImagePositionPatient = [round(v, 4) for v in position]
            dataset.ImageOrientationPatient = [*across, 0, 0, -1]
            dataset.PixelSpacing = [round(v, 6) for v in spacing]
            dataset.Rows, dataset.Columns = pixels.shape
            dataset.PixelData = np.ascontiguousarray(pixels).astype(np.uint16).tobytes()
            dataset.save_as(folder / f"{name}-{number}.dcm")


def side_by_side(app: App) -> None:
    """Four viewports, linked, the cursor over one of them."""
    app.window.page.viewports.set_layout("2x2")
    panes = app.window.page.viewports.panes
    wait_until(lambda: all(p.spot is None or p.canvas.scene().pixels is not None for p in panes))
    canvas = app.window.page.canvas
    QTest.mouseMove(canvas, canvas.rect().center() + QPoint(30, -40))


def grab_with_dialog(app: App, name: str, picture: str) -> None:
    """Write a picture of the window with a dialog before it, then close the dialog."""
    app.dialogs.show(name)
    settle()
    dialog = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible())
    whole, front = app.window.grab(), dialog.grab()
    at = (whole.deviceIndependentSize() - front.deviceIndependentSize()) / 2
    painter = QPainter(whole)
    painter.fillRect(whole.rect(), QColor(0, 0, 0, 70))
    painter.drawPixmap(QPointF(at.width(), at.height()), front)
    painter.end()
    whole.save(str(IMAGES / f"{picture}.png"))
    dialog.close()
    settle()


def main() -> int:
    """Take the pictures.

    Returns:
        Exit status.
    """
    with tempfile.TemporaryDirectory() as home:
        os.environ["OVERREAD_HOME"] = home
        qt = QApplication(["overread"])
        app = build(qt, Path(home) / "reading.overread")
        app.window.resize(1440, 900)
        app.window.show()
        grab(app, "first-start")
        app.desk.engine.use_current_model()
        paths = [Path(p) for p in sys.argv[1:]]
        if not paths:
            demo = make_demo(Path(home) / "demo")
            other_planes(demo / "first", Path(home) / "planes")
            paths = [demo, Path(home) / "planes"]
        app.desk.session.open_paths(paths)
        wait_until(lambda: app.desk.engine.ready and app.desk.session.current_series is not None)
        wait_until(lambda: not app.desk.session.growing)
        axial = next((s for s in app.desk.session.series if "post contrast" in s.description), None)
        if axial is not None:
            app.desk.session.go_to(axial.uid, 0)
        wait_until(lambda: all_computed(app))
        screenshots_hand.take(app, IMAGES)
        read_a_little(app)
        grab(app, "main")
        app.desk.engine.set_layers(replace(app.desk.engine.layers, proposals=True, proposal_limit=30))
        tabs = app.window.findChild(QTabWidget)
        assert tabs is not None
        tabs.setCurrentIndex(1)
        grab(app, "operating-point")
        tabs.setCurrentIndex(0)
        side_by_side(app)
        grab(app, "viewports")
        app.window.page.viewports.set_layout("1x1")
        for name, picture in (
            ("palette", "palette"),
            ("keys", "keys"),
            ("change-keys", "change-keys"),
            ("schemas", "schema-editor"),
        ):
            grab_with_dialog(app, name, picture)
        app.window.toggle_theme()
        grab(app, "light")
        app.window.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
