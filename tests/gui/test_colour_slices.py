"""A slice in colour on the screen: its own colours, while the engine and the readout have luma."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.core.imaging.files import dicom, item, ramp, write_dicom
from tests.gui.hands import Hands


def test_colours_on_screen_and_luma_for_the_rest(hands: Hands, tmp_path: Path) -> None:
    samples = np.zeros((64, 64, 3), np.uint8)
    samples[:, :32] = (200, 30, 60)
    samples[:, 32:] = (20, 150, 240)
    dataset = dicom(
        samples[..., 0], SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0
    )
    dataset.PixelData = samples.tobytes()
    pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
    hands.open(tmp_path / "a.dcm")
    image = hands.canvas.grab().toImage()
    ratio = image.devicePixelRatio()
    for share, colour in ((0.35, (200, 30, 60)), (0.65, (20, 150, 240))):
        # The slice fills the height; a quarter from the middle lies well within each half.
        x = (hands.canvas.width() - hands.canvas.height()) / 2 + share * hands.canvas.height()
        pixel = image.pixelColor(int(x * ratio), int(hands.canvas.height() * 0.4 * ratio))
        assert (pixel.red(), pixel.green(), pixel.blue()) == colour
    pixels = hands.app.desk.display.pixels
    assert pixels is not None
    assert pixels.shape == (64, 64)
    assert pixels[0, 0] == pytest.approx(0.299 * 200 + 0.587 * 30 + 0.114 * 60, abs=1e-3)


def test_the_voi_table_is_in_force_and_named(hands: Hands, tmp_path: Path) -> None:
    table = item(
        LUTDescriptor=[48, 0, 8],
        LUTData=np.arange(96, 48, -1, dtype="<u2").tobytes(),
        LUTExplanation="FALLING",
    )
    write_dicom(tmp_path / "a.dcm", ramp(), VOILUTSequence=[table], WindowCenter=5, WindowWidth=5)
    hands.open(tmp_path / "a.dcm")
    window = hands.app.desk.display.window
    assert window is not None
    assert (window.name, window.function) == ("FALLING", "TABLE")
    assert "FALLING" in hands.canvas.scene().corners.bottom_right
