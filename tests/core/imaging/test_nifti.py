"""NIfTI: values of every type, where each voxel lies in the patient, hanging, hostile headers."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UnreadableFile
from core.imaging import nifti_voxels
from core.imaging.catalog import scan
from core.imaging.geometry import normal, orientation_letters, pixel_to_mm
from core.imaging.nifti import NiftiReader
from core.imaging.reader import open_reader
from core.model import Geometry
from tests.core.imaging.nifti_files import affine, nifti_bytes, write_nifti

SHAPE = (7, 5, 4)
RAS = affine([[1.5, 0, 0, -10], [0, 2.0, 0, -20], [0, 0, 3.0, -30]])


def volume(shape: tuple[int, ...] = SHAPE, dtype: str = "i2") -> np.ndarray:
    """Every voxel different, as far as the type goes."""
    return np.arange(math.prod(shape)).reshape(shape).astype(dtype)


def place(geometry: Geometry | None, column: int, row: int) -> np.ndarray:
    """LPS mm of a pixel's centre."""
    assert geometry is not None
    return np.array(pixel_to_mm(geometry, column + 0.5, row + 0.5))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_values_of_every_type(
    tmp_path: Path, dtype: str, order: Literal["<", ">"], version: int, suffix: str
) -> None:
    voxels = volume(dtype=dtype) if dtype[0] == "u" else volume(dtype=dtype) - np.array(70, dtype)
    path = write_nifti(tmp_path / f"a{suffix}", voxels, RAS, version=version, order=order)
    reader = open_reader(path)
    assert len(reader.slices()) == SHAPE[2]
    for k in range(SHAPE[2]):
        # RAS grows to the right and the front: rows and columns are both turned round for the screen.
        assert np.array_equal(reader.pixels(k), voxels[::-1, ::-1, k].T.astype(np.float32))


def test_scaling_is_applied_and_zero_slope_means_none(tmp_path: Path) -> None:
    voxels = volume()
    for name, slope, inter, expected in (
        ("a.nii", 0.5, -3.0, voxels * 0.5 - 3), ("b.nii", 0.0, 9.0, voxels), ("c.nii", math.nan, 1.0, voxels),
        ("d.nii", 1.0, 2.0, voxels + 2),
    ):  # fmt: skip
        pixels = open_reader(write_nifti(tmp_path / name, voxels, RAS, slope=slope, inter=inter)).pixels(1)
        assert np.array_equal(pixels, expected[::-1, ::-1, 1].T), name


def test_colour_becomes_luma_and_is_not_scaled(tmp_path: Path) -> None:
    rgb = np.zeros((3, 2, 1), dtype=[("r", "u1"), ("g", "u1"), ("b", "u1")])
    rgb["r"], rgb["g"], rgb["b"] = 200, 200, 200
    rgb[0, 0, 0] = (255, 0, 0)
    path = write_nifti(tmp_path / "a.nii", rgb, RAS, datatype=128, slope=2.0)
    pixels = open_reader(path).pixels(0)
    assert pixels.shape == (2, 3)
    assert pixels[1, 2] == pytest.approx(0.299 * 255, abs=1e-3)
    assert pixels[0, 0] == 200


def test_complex_values_show_their_magnitude_and_say_so(tmp_path: Path) -> None:
    for name, dtype in (("a.nii", "c8"), ("b.nii", "c16")):
        voxels = (volume() * (3 + 4j)).astype(dtype)
        reader = open_reader(write_nifti(tmp_path / name, voxels, RAS))
        assert np.allclose(reader.pixels(2), 5 * volume()[::-1, ::-1, 2].T, rtol=1e-6)
        assert any("magnitude" in note for note in reader.heading.notes)


@pytest.mark.parametrize("order", ["<", ">"])
def test_quadruple_precision(tmp_path: Path, order: Literal["<", ">"]) -> None:
    # IEEE 754 binary128 by hand: sign, 15 bits of exponent with bias 16383, 112 bits of fraction.
    words = [
        0,
        16383 << 112,
        (1 << 127) | (16384 << 112) | (1 << 111),
        16382 << 112,
        0x7FFF << 112,
        16393 << 112,
    ]
    raw = b"".join(word.to_bytes(16, "little" if order == "<" else "big") for word in words)
    voxels = np.frombuffer(raw, dtype="V16").reshape((6, 1, 1))
    path = tmp_path / "a.nii"
    path.write_bytes(
        nifti_bytes(np.zeros((6, 1, 1), "u1"), RAS, order=order, datatype=1536)[:352] + voxels.tobytes()
    )
    assert open_reader(path).pixels(0)[0, ::-1].tolist() == [0.0, 1.0, -3.0, 0.5, 1024.0, 1024.0]


def test_volumes_are_series_of_their_own(tmp_path: Path) -> None:
    voxels = volume((6, 5, 4, 3))
    catalog = scan([write_nifti(tmp_path / "bold.nii.gz", voxels, RAS)])
    assert [len(s.slices) for s in catalog.series] == [4, 4, 4]
    assert len({s.uid for s in catalog.series}) == 3
    for v, series in enumerate(catalog.series):
        reader = open_reader(series.slices[2].path)
        assert np.array_equal(reader.pixels(series.slices[2].frame), voxels[::-1, ::-1, 2, v].T)


def test_volumes_without_orientation_are_not_mixed(tmp_path: Path) -> None:
    catalog = scan([write_nifti(tmp_path / "a.nii", volume((6, 5, 4, 2)))])
    assert [[r.frame for r in s.slices] for s in catalog.series] == [[0, 1, 2, 3], [4, 5, 6, 7]]


_angles = st.floats(-math.pi, math.pi)


@settings(max_examples=60, deadline=None)
@given(
    angles=st.tuples(_angles, _angles, _angles),
    spacing=st.tuples(*[st.floats(0.2, 8.0)] * 3),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    axis=st.sampled_from([None, 0, 1, 2]),
    version=st.sampled_from([1, 2]),
)
def test_every_pixel_lies_where_the_affine_says(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, float, float],
    spacing: tuple[float, float, float],
    signs: tuple[float, float, float],
    axis: int | None,
    version: int,
) -> None:
    rotation = np.eye(3)
    for number, angle in enumerate(angles):
        turn = np.eye(3)
        a, b = (number + 1) % 3, (number + 2) % 3
        turn[a, a] = turn[b, b] = math.cos(angle)
        turn[a, b], turn[b, a] = -math.sin(angle), math.sin(angle)
        rotation = turn @ rotation
    ras = np.eye(4)
    ras[:3, :3] = rotation * np.array(spacing) * np.array(signs)
    ras[:3, 3] = (11.0, -7.0, 30.0)
    voxels = volume()
    path = write_nifti(tmp_path_factory.mktemp("n") / "a.nii", voxels, ras, version=version)
    reader = NiftiReader(path, axis=axis)
    thickest = int(np.argmax(spacing))
    if axis is None and spacing[thickest] > 1.06 * sorted(spacing)[1]:
        assert len(reader.slices()) == SHAPE[thickest]
    seen = 0
    for ref in reader.slices():
        pixels = reader.pixels(ref.frame)
        for row, column in (
            (0, 0),
            (ref.rows - 1, 0),
            (0, ref.columns - 1),
            (ref.rows // 2, ref.columns // 2),
        ):
            index = np.array(np.unravel_index(int(pixels[row, column]), SHAPE))
            right_anterior_superior = ras[:3, :3] @ index + ras[:3, 3]
            expected = right_anterior_superior * (-1, -1, 1)
            assert np.allclose(place(ref.geometry, column, row), expected, atol=2e-3)
        seen += pixels.size
    assert seen == voxels.size


@pytest.mark.parametrize("flips", [(a, b, c) for a in (1, -1) for b in (1, -1) for c in (1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_hangs_as_a_radiologist_does(tmp_path: Path, flips: tuple[int, ...], order: tuple[int, ...]) -> None:
    ras = np.eye(4)
    ras[:3, :3] = 0
    for voxel_axis, (patient_axis, flip) in enumerate(zip(order, flips, strict=True)):
        ras[patient_axis, voxel_axis] = flip * (4.0 if voxel_axis == 1 else 1.0)  # slices along j
    reader = open_reader(write_nifti(tmp_path / "a.nii", volume(), ras))
    assert len(reader.slices()) == SHAPE[1]
    geometry = reader.slices()[0].geometry
    assert geometry is not None
    letters = orientation_letters(geometry)
    plane = int(np.argmax(np.abs(normal(geometry))))
    expected = (("A", "P", "H", "F"), ("R", "L", "H", "F"), ("R", "L", "A", "P"))[plane]
    assert (letters.left, letters.right, letters.top, letters.bottom) == expected


def test_qform_by_hand(tmp_path: Path) -> None:
    # (0, 0, 1): half a turn about z, so that i runs to the left and j to the back: already LPS.
    path = write_nifti(
        tmp_path / "a.nii", volume(), pixdim=(1, 2, 3, 9), qform=((0.0, 0.0, 1.0), (50.0, 60.0, -5.0))
    )
    reader = open_reader(path)
    geometry = reader.slices()[1].geometry
    assert geometry is not None
    assert np.allclose(geometry.position, (-50, -60, 4))
    assert np.allclose(geometry.row_cosine, (1, 0, 0))
    assert np.allclose(geometry.column_cosine, (0, 1, 0))
    assert (geometry.row_spacing, geometry.column_spacing) == (3, 2)
    assert np.array_equal(reader.pixels(1), volume()[:, :, 1].T)


def test_negative_qfac_turns_the_third_axis(tmp_path: Path) -> None:
    path = write_nifti(
        tmp_path / "a.nii", volume(), pixdim=(-1, 2, 2, 4), qform=((0.0, 0.0, 1.0), (0.0, 0.0, 0.0))
    )
    heights = [r.geometry.position[2] for r in open_reader(path).slices() if r.geometry]
    assert heights == [0, -4, -8, -12]


def test_sform_comes_before_qform_and_a_disagreement_is_said(tmp_path: Path) -> None:
    path = write_nifti(
        tmp_path / "a.nii", volume(), RAS, pixdim=(1, 1.5, 2, 3), qform=((0.0, 0.0, 1.0), (0.0, 0.0, 0.0))
    )
    reader = open_reader(path)
    assert place(reader.slices()[0].geometry, SHAPE[0] - 1, SHAPE[1] - 1).tolist() == [10, 20, -30]
    assert any("sform is used" in note for note in reader.heading.notes)


def test_an_sform_that_spans_nothing_gives_way_to_the_qform(tmp_path: Path) -> None:
    path = write_nifti(
        tmp_path / "a.nii",
        volume(),
        np.zeros((4, 4)),
        pixdim=(1, 2, 3, 9),
        qform=((0.0, 0.0, 1.0), (0.0, 0.0, 0.0)),
    )
    assert open_reader(path).slices()[0].spacing == (3, 2)


def test_without_orientation_nothing_is_claimed(tmp_path: Path) -> None:
    reader = open_reader(write_nifti(tmp_path / "a.nii", volume(), pixdim=(1, 0.5, 0.75, 4)))
    assert all(ref.geometry is None for ref in reader.slices())
    assert reader.slices()[0].spacing == (0.75, 0.5)
    assert any("left and right are not known" in note for note in reader.heading.notes)


def test_a_sheared_volume_has_no_place(tmp_path: Path) -> None:
    sheared = affine([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 4, 0]])
    assert all(
        r.geometry is None for r in open_reader(write_nifti(tmp_path / "a.nii", volume(), sheared)).slices()
    )


@pytest.mark.parametrize(("units", "mm"), [(1, 1000.0), (2, 1.0), (3, 0.001), (0, 1.0), (2 | 8, 1.0)])
def test_units_become_millimetres(tmp_path: Path, units: int, mm: float) -> None:
    path = write_nifti(tmp_path / "a.nii", volume(), RAS, units=units)
    assert open_reader(path).slices()[0].spacing == pytest.approx((2.0 * mm, 1.5 * mm))


@pytest.mark.parametrize(
    ("shape", "spacing", "info", "axis"),
    [
        ((9, 8, 7), (1, 1, 5), 0, 2),
        ((9, 8, 7), (5, 1, 1), 3 << 4, 0),  # the thickest, whatever the file says
        ((9, 8, 7), (1, 1, 1), 2 << 4, 1),  # isotropic: as the file says
        ((3, 80, 70), (1, 1, 1), 0, 0),  # nothing said: the shortest by far
        ((9, 8, 7), (1, 1, 1.01), 0, 2),
        ((9, 8), (1, 1, 1), 0, 2),
    ],
)
def test_the_plane_of_acquisition(
    tmp_path: Path, shape: tuple[int, ...], spacing: tuple[float, ...], info: int, axis: int
) -> None:
    path = write_nifti(tmp_path / "a.nii", volume(shape), np.diag([*spacing, 1.0]), dim_info=info)
    full = (*shape, 1)[:3]
    ref = open_reader(path).slices()[0]
    assert sorted((ref.rows, ref.columns)) == sorted(n for a, n in enumerate(full) if a != axis)
    assert len(open_reader(path).slices()) == full[axis]


def test_the_files_own_range_is_a_window(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", volume(), RAS, cal_min=10.0, cal_max=110.0)
    (window,) = open_reader(path).slices()[0].windows
    assert (window.center, window.width) == (60, 100)


def test_a_pair_is_opened_by_its_header(tmp_path: Path) -> None:
    data = nifti_bytes(volume(), RAS, magic=b"ni1\0", vox_offset=0.0)
    (tmp_path / "a.hdr").write_bytes(data[:348])
    with pytest.raises(UnreadableFile, match=r"\(a\.img\) is not beside it"):
        open_reader(tmp_path / "a.hdr")
    (tmp_path / "a.img").write_bytes(data[348:])
    catalog = scan([tmp_path])
    assert [len(s.slices) for s in catalog.series] == [4]
    assert [s.reason for s in catalog.skipped] == ["the voxels of a.hdr, which is opened instead"]
    assert np.array_equal(open_reader(tmp_path / "a.hdr").pixels(3), volume()[::-1, ::-1, 3].T)


def test_a_large_file_is_inflated_outside_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nifti_voxels, "_IN_MEMORY", 100)
    monkeypatch.setattr(nifti_voxels, "CHUNK", 64)
    reader = open_reader(write_nifti(tmp_path / "a.nii.gz", volume(), RAS))
    for k in (3, 0, 2):
        assert np.array_equal(reader.pixels(k), volume()[::-1, ::-1, k].T)


class TestHostile:
    """A header that lies is refused before anything is made for it."""

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"dim": (3, 7, 5, 400, 1, 1, 1, 1)}, "truncated NIfTI: 632 of 28352 bytes"),
            ({"dim": (3, 30000, 30000, 1, 1, 1, 1, 1)}, "truncated"),
            ({"dim": (3, 7, 0, 4, 1, 1, 1, 1)}, "not possible"),
            ({"dim": (3, 7, -5, 4, 1, 1, 1, 1)}, "not possible"),
            ({"dim": (9, 7, 5, 4, 1, 1, 1, 1)}, "not possible"),
            ({"dim": (7, 7, 5, 32767, 32767, 32767, 1, 1)}, "too many"),
            ({"datatype": 1}, "data type 1 is not supported"),
            ({"datatype": 7777}, "not supported"),
            ({"version": 2, "intent": 3001}, "CIFTI data"),
            ({"vox_offset": math.nan}, "damaged|not possible"),
        ],
    )
    def test_lies(self, tmp_path: Path, more: dict[str, Any], reason: str) -> None:
        data = bytearray(nifti_bytes(volume(), RAS, **{k: v for k, v in more.items() if k != "vox_offset"}))
        if "vox_offset" in more:
            struct.pack_into("<f", data, 108, more["vox_offset"])
        (tmp_path / "a.nii").write_bytes(data)
        with pytest.raises(UnreadableFile, match=reason):
            open_reader(tmp_path / "a.nii")

    def test_a_gzipped_lie(self, tmp_path: Path) -> None:
        header = nifti_bytes(volume(), RAS, dim=(3, 1000, 1000, 900, 1, 1, 1, 1))
        (tmp_path / "a.nii.gz").write_bytes(gzip.compress(header))
        with pytest.raises(UnreadableFile, match="more than the file can hold"):
            open_reader(tmp_path / "a.nii.gz")

    def test_a_bomb_is_inflated_no_further_than_its_header_says(self, tmp_path: Path) -> None:
        path = tmp_path / "a.nii.gz"
        path.write_bytes(gzip.compress(nifti_bytes(volume(), RAS) + bytes(200 << 20), 1))
        reader = open_reader(path)
        assert np.array_equal(reader.pixels(0), volume()[::-1, ::-1, 0].T)
        assert max(len(d) for d in nifti_voxels._inflated.values() if isinstance(d, bytes)) < 200 << 20

    def test_a_wrong_checksum_is_said(self, tmp_path: Path) -> None:
        data = bytearray(gzip.compress(nifti_bytes(volume(), RAS)))
        data[-8] ^= 1
        (tmp_path / "a.nii.gz").write_bytes(data)
        reader = open_reader(tmp_path / "a.nii.gz")
        with pytest.raises(UnreadableFile, match="damaged NIfTI"):
            reader.pixels(0)

    def test_analyze_is_refused_in_words(self, tmp_path: Path) -> None:
        head = bytearray(nifti_bytes(volume(), magic=b"\0\0\0\0"))
        head[38] = ord("r")
        (tmp_path / "a.hdr").write_bytes(head)
        with pytest.raises(UnreadableFile, match="which side is left"):
            open_reader(tmp_path / "a.hdr")

    def test_changed_since_it_was_opened(self, tmp_path: Path) -> None:
        path = write_nifti(tmp_path / "a.nii", volume(), RAS)
        reader = open_reader(path)
        write_nifti(path, volume((7, 5, 6)), RAS)
        with pytest.raises(UnreadableFile, match="changed since it was opened"):
            reader.pixels(0)

    @settings(max_examples=300, deadline=None)
    @given(at=st.integers(0, 347), value=st.integers(0, 255), version=st.sampled_from([1, 2]))
    def test_any_byte_of_the_header_may_be_wrong(
        self, tmp_path_factory: pytest.TempPathFactory, at: int, value: int, version: int
    ) -> None:
        data = bytearray(nifti_bytes(volume(), RAS, version=version))
        data[at] = value
        path = tmp_path_factory.mktemp("n") / "a.nii"
        path.write_bytes(data)
        try:
            reader = open_reader(path)
            first = reader.pixels(0)
        except UnreadableFile:
            return
        assert first.shape == (reader.slices()[0].rows, reader.slices()[0].columns)
        assert np.isfinite(first).all()
