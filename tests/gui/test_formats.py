"""Archives, DICOMDIRs and NIfTI are opened by drop and by the dialog; other DICOM is named as what it is."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from core.imaging.phantom import Phantom
from core.imaging.pixels import PixelCache
from gui.dialogs.lists import TableDialog
from tests.core.imaging.nifti_files import write_nifti
from tests.core.imaging.test_dicom_objects import write_object
from tests.core.imaging.test_dicomdir import write_dicomdir
from tests.gui.hands import Hands


def _zip(phantom: Phantom, series: Path, folder: Path) -> Path:
    with zipfile.ZipFile(folder / "study.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(series.iterdir()):
            packed.write(path, f"DICOM/{path.name}")
    return folder / "study.zip"


def _dicomdir(phantom: Phantom, series: Path, folder: Path) -> Path:
    (folder / "disc" / "S1").mkdir(parents=True)
    for path in series.iterdir():
        (folder / "disc" / "S1" / path.stem).write_bytes(path.read_bytes())
    ids = [["S1", path.stem] for path in sorted(series.iterdir())]
    return write_dicomdir(folder / "disc" / "DICOMDIR", ids)


def _nifti(phantom: Phantom, series: Path, folder: Path) -> Path:
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    affine = np.diag([phantom.spacing[1], phantom.spacing[0], phantom.slice_spacing, 1.0])
    affine[:3, 3] = phantom.origin
    return write_nifti(folder / "head.nii.gz", phantom.volume.transpose(2, 1, 0), lps_to_ras @ affine)


@pytest.fixture(params=[_zip, _dicomdir, _nifti])
def packed(request: pytest.FixtureRequest, phantom: Phantom, phantom_folder: Path, tmp_path: Path) -> Path:
    make: Callable[[Phantom, Path, Path], Path] = request.param
    return make(phantom, phantom_folder, tmp_path)


def shows_the_phantom(hands: Hands, phantom: Phantom) -> None:
    """Whether every slice of the phantom is there, in order, with its pixels."""
    (series,) = hands.session.series
    assert len(series.slices) == len(phantom.volume)
    cache = PixelCache(1 << 24)
    for ref, pixels in zip(series.slices, phantom.volume, strict=True):
        assert np.array_equal(cache.get(ref), pixels)
    heights = [s.geometry.position[2] for s in series.slices if s.geometry]
    assert heights == sorted(heights)


def test_by_drop(hands: Hands, packed: Path, phantom: Phantom) -> None:
    hands.open(packed)
    shows_the_phantom(hands, phantom)
    first = hands.canvas.scene().pixels
    hands.press(Qt.Key.Key_Down)
    hands.until(lambda: hands.canvas.scene().pixels is not first)


def test_by_the_dialog(hands: Hands, packed: Path, phantom: Phantom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(packed)], ""))
    with hands.qtbot.waitSignal(hands.session.said):
        hands.press(Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    hands.until(lambda: hands.canvas.scene().pixels is not None)
    shows_the_phantom(hands, phantom)


def test_other_dicom_is_listed_in_words_and_kept(hands: Hands, phantom_folder: Path, tmp_path: Path) -> None:
    report = write_object(tmp_path / "report.dcm", "1.2.840.10008.5.1.4.1.1.88.34")
    hands.open(phantom_folder, report)
    assert [(o.path, o.kind) for o in hands.session.objects] == [(report, "structured report")]
    hands.window.show_dialog("skipped")
    hands.until(lambda: hands.window.findChild(TableDialog) is not None)
    dialog = hands.window.findChild(TableDialog)
    assert dialog is not None
    assert ("report.dcm", "DICOM structured report, not an image", str(tmp_path)) in dialog.rows
    assert "1 × structured report" in dialog.intro
    dialog.reject()
