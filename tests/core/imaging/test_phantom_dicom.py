"""What the phantom is written as opens with the same pixels in the same place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.uid import UID, JPEGBaseline8Bit

from core.errors import InputError
from core.imaging.catalog import scan
from core.imaging.dicom_encode import LOSSLESS, LOSSY
from core.imaging.dicom_enhanced import write_phantom_enhanced
from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.geometry import mm_to_pixel, orientation_letters, pixel_to_mm
from core.imaging.phantom import Phantom, PhantomSpec, make_phantom
from core.imaging.phantom_cuts import PLANES, at_echo, cut, slice_position, thinned, turned
from core.imaging.reader import open_reader
from core.model import Series

SPEC = PhantomSpec(size=48, slices=7, lesions=2, seed=11)
MADE = make_phantom(SPEC)
Angle = st.floats(-180.0, 180.0)


def pixels(series: Series) -> NDArray[np.float32]:
    """The volume of a series, in reading order."""
    return np.stack([open_reader(ref.path).pixels(ref.frame) for ref in series.slices])


def same_place(series: Series, phantom: Phantom, indices: list[int] | None = None) -> None:
    """Whether each slice lies where the phantom's does, to a hundredth of a millimetre."""
    for ref, index in zip(series.slices, indices or range(len(phantom.volume)), strict=True):
        assert ref.geometry is not None
        assert np.allclose(ref.geometry.position, slice_position(phantom, index), atol=5e-3)
        assert np.allclose(ref.geometry.row_cosine, phantom.row_cosine, atol=1e-6)
        assert np.allclose(ref.geometry.column_cosine, phantom.column_cosine, atol=1e-6)
        assert ref.spacing == pytest.approx(phantom.spacing)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda s: UID(s).keyword)
@pytest.mark.parametrize("enhanced", [False, True], ids=["classic", "enhanced"])
def test_every_lossless_transfer_syntax_gives_the_same_pixels(
    tmp_path: Path, syntax: UID, enhanced: bool
) -> None:
    if enhanced:
        write_phantom_enhanced(MADE, tmp_path / "a.dcm", syntax=syntax)
    else:
        write_phantom_dicom(MADE, tmp_path, syntax=syntax)
    (series,) = scan([tmp_path]).series
    assert np.array_equal(pixels(series), MADE.volume)
    same_place(series, MADE)
    assert not any("lossy" in note for note in series.notes)


@pytest.mark.parametrize("syntax", LOSSY, ids=lambda s: UID(s).keyword)
def test_every_lossy_transfer_syntax_comes_close_and_is_said(tmp_path: Path, syntax: UID) -> None:
    write_phantom_dicom(MADE, tmp_path, syntax=syntax)
    (series,) = scan([tmp_path]).series
    found = pixels(series) * (16 if syntax == JPEGBaseline8Bit else 1)
    assert np.abs(found - MADE.volume).mean() < 0.02 * np.ptp(MADE.volume)
    assert not np.array_equal(found, MADE.volume)
    assert any("lossy" in note for note in series.notes)


def test_another_transfer_syntax_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"1\.2\.840\.10008\.1\.2\.4\.100 cannot be written"):
        write_phantom_dicom(MADE, tmp_path, syntax="1.2.840.10008.1.2.4.100")


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    angles=st.tuples(Angle, Angle, Angle),
    plane=st.sampled_from(PLANES),
    steps=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2)),
    enhanced=st.booleans(),
)
def test_any_orientation_and_spacing(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, float, float],
    plane: str,
    steps: tuple[int, int, int],
    enhanced: bool,
) -> None:
    folder = tmp_path_factory.mktemp("p")
    phantom = thinned(cut(MADE, plane), rows=steps[0], columns=steps[1], slices=steps[2])
    phantom = turned(phantom, angles, (12.0, -30.0, 5.0))
    if enhanced:
        write_phantom_enhanced(phantom, folder / "a.dcm")
    else:
        write_phantom_dicom(phantom, folder)
    (series,) = scan([folder]).series
    assert np.array_equal(pixels(series), phantom.volume)
    same_place(series, phantom)
    assert not [note for note in series.notes if "derived" not in note]  # it is simulated, and says so


@pytest.mark.parametrize("plane", PLANES)
def test_a_lesion_lies_where_it_lay_whatever_the_plane(plane: str) -> None:
    phantom = cut(MADE, plane)
    for lesion in (1, 2):
        centres = []
        for one in (MADE, phantom):
            index, row, column = (float(v.mean()) for v in np.nonzero(one.lesions == lesion))
            start = np.array(slice_position(one, 0))
            step = np.array(slice_position(one, 1)) - start
            across = np.array(one.row_cosine) * one.spacing[1]
            down = np.array(one.column_cosine) * one.spacing[0]
            centres.append(start + index * step + column * across + row * down)
        assert np.allclose(centres[0], centres[1], atol=1e-6)
    assert phantom.boxes
    for b in phantom.boxes:
        x1, y1, x2, y2 = (int(v) for v in b.box.as_tuple())
        inside = phantom.lesions[b.slice] == b.lesion + 1
        assert inside.sum() == inside[y1:y2, x1:x2].sum() > 0
        assert inside[y1].any() or inside[y2 - 1].any()


@pytest.mark.parametrize(("plane", "letters"), [("axial", "RLAP"), ("coronal", "RLHF"), ("sagittal", "APHF")])
def test_planes_hang_as_a_radiologist_expects(tmp_path: Path, plane: str, letters: str) -> None:
    write_phantom_dicom(cut(MADE, plane), tmp_path)
    geometry = scan([tmp_path]).series[0].slices[0].geometry
    assert geometry is not None
    found = orientation_letters(geometry)
    assert found.left + found.right + found.top + found.bottom == letters


def test_pixels_and_millimetres_agree_both_ways(tmp_path: Path) -> None:
    phantom = turned(thinned(MADE, columns=2), (20.0, -35.0, 10.0))
    write_phantom_dicom(phantom, tmp_path)
    for ref in scan([tmp_path]).series[0].slices:
        assert ref.geometry is not None
        for x, y in ((0.0, 0.0), (3.25, 40.5), (24.0, 48.0)):
            back = mm_to_pixel(ref.geometry, pixel_to_mm(ref.geometry, x, y))
            assert back == pytest.approx((x, y), abs=1e-6)


@pytest.mark.parametrize("enhanced", [False, True])
def test_a_gap_is_seen(tmp_path: Path, enhanced: bool) -> None:
    if enhanced:
        write_phantom_enhanced(MADE, tmp_path / "a.dcm", left_out=(3,))
    else:
        write_phantom_dicom(MADE, tmp_path, left_out=(3,))
    (series,) = scan([tmp_path]).series
    kept = [0, 1, 2, 4, 5, 6]
    assert np.array_equal(pixels(series), MADE.volume[kept])
    same_place(series, MADE, kept)
    assert any("missing" in note for note in series.notes)


@pytest.mark.parametrize("enhanced", [False, True])
def test_echoes_are_stacks(tmp_path: Path, enhanced: bool) -> None:
    times = (10.0, 30.0, 90.0)
    if enhanced:
        frames = write_phantom_enhanced(MADE, tmp_path / "a.dcm", echoes=times)
        assert {f.slope for f in frames} == {1.0, 0.5}
        assert [f.slice for f in frames] != sorted(f.slice for f in frames)
    else:
        write_phantom_dicom(MADE, tmp_path, echoes=times)
    found = scan([tmp_path]).series
    assert len(found) == 3
    for series, time in zip(found, times, strict=True):
        assert np.array_equal(pixels(series), at_echo(MADE, time).volume)


def test_two_time_points_of_one_patient(tmp_path: Path) -> None:
    later = make_phantom(PhantomSpec(size=48, slices=7, lesions=2, seed=11, growth=1.5))
    write_phantom_dicom(MADE, tmp_path / "one")
    write_phantom_dicom(later, tmp_path / "two")
    first, second = scan([tmp_path]).series
    assert first.study_uid != second.study_uid
    assert first.slices[0].patient == second.slices[0].patient
    assert not {r.key for r in first.slices} & {r.key for r in second.slices}
    assert np.array_equal(pixels(first), MADE.volume)  # the earlier study comes first
    for lesion in (1, 2):
        assert (later.lesions == lesion).sum() > 1.3 * (MADE.lesions == lesion).sum()
    healthy = (later.lesions == 0) & (MADE.lesions == 0)
    assert not np.array_equal(later.volume[healthy], MADE.volume[healthy])  # noise of its own


@pytest.mark.parametrize(("plane", "steps"), [("oblique", 1), ("coronal", 0)])
def test_what_cannot_be_made_is_refused(plane: str, steps: int) -> None:
    with pytest.raises(ValueError, match=r"plane|steps"):
        thinned(cut(MADE, plane), rows=steps)
    with pytest.raises(ValueError, match="cannot cut"):
        cut(cut(MADE, "coronal"), "sagittal")
    with pytest.raises(InputError):
        make_phantom(PhantomSpec(size=32, slices=1, lesions=32))
