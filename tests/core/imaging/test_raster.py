"""Plain images: values of every depth, turned upright once, colours beside the luma."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import UnreadableFile
from core.imaging import tiff
from core.imaging.base import ColourReader
from core.imaging.reader import open_reader
from tests.core.imaging.files import decode_all, deep_colour_tiff, only_slice, ramp


class TestRaster:
    """Plain images."""

    @pytest.mark.parametrize(
        ("suffix", "dtype"),
        [("png", "uint8"), ("png", "uint16"), ("tif", "uint8"), ("tif", "uint16"), ("tif", "float32"),
         ("bmp", "uint8"), ("tif", "int32")],
    )  # fmt: skip
    def test_depths_are_kept(self, tmp_path: Path, suffix: str, dtype: str) -> None:
        values = ramp(dtype=dtype) * (1000 if dtype in ("uint16", "int32") else 1)
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(values).save(path)
        assert np.array_equal(only_slice(path), values.astype(np.float32))

    @pytest.mark.parametrize("suffix", ["png", "tif"])
    def test_sixteen_bit_colour_is_not_cut_to_eight(self, tmp_path: Path, suffix: str) -> None:
        grey = ramp() * 1000
        path = tmp_path / f"a.{suffix}"
        assert cv2.imwrite(str(path), np.repeat(grey[..., None], 3, axis=2))
        assert np.array_equal(only_slice(path), grey)

    def test_red_is_red(self, tmp_path: Path) -> None:
        for name, colour in (("r", (60000, 0, 0)), ("b", (0, 0, 60000))):
            samples = np.full((4, 4, 3), colour, dtype=np.uint16)
            png = tmp_path / f"{name}.png"
            png.write_bytes(imagecodecs.png_encode(samples))
            tif = tmp_path / f"{name}.tif"
            assert cv2.imwrite(str(tif), samples[..., ::-1])
            expected = 60000 * (0.299 if name == "r" else 0.114)
            assert only_slice(png)[0, 0] == pytest.approx(expected, rel=1e-4)
            assert only_slice(tif)[0, 0] == pytest.approx(expected, rel=1e-4)

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1"])
    def test_grey_in_other_modes_is_exact(self, tmp_path: Path, mode: str) -> None:
        grey = np.array([[0, 255, 0], [255, 0, 255]], dtype=np.uint8)
        Image.fromarray(grey).convert(mode).save(tmp_path / "a.png")
        assert np.array_equal(only_slice(tmp_path / "a.png"), grey)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
    def test_exif_orientation_is_applied_once(self, tmp_path: Path, orientation: int, suffix: str) -> None:
        upright = np.zeros((24, 40), dtype=np.uint8)
        upright[:8, :8] = 250  # a mark in the top left corner
        stored = {  # how a camera would have stored it
            1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
            6: upright.T[::-1], 7: upright.T[::-1, ::-1], 8: upright.T[:, ::-1],
        }[orientation]  # fmt: skip
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
        reader = open_reader(path)
        assert (reader.slices()[0].rows, reader.slices()[0].columns) == (24, 40)
        assert np.abs(reader.pixels(0) - upright).max() < 12  # JPEG is lossy

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation_of_a_deep_colour_tiff_is_applied_once(
        self, tmp_path: Path, orientation: int
    ) -> None:
        upright = np.arange(24, dtype=np.uint16).reshape(4, 6) * 1000
        stored = {
            1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
            6: upright.T[::-1], 7: upright.T[::-1, ::-1], 8: upright.T[:, ::-1],
        }[orientation]  # fmt: skip
        path = tmp_path / "a.tif"
        path.write_bytes(deep_colour_tiff(stored, orientation))
        reader = open_reader(path)
        assert (reader.slices()[0].rows, reader.slices()[0].columns) == (4, 6)
        assert np.array_equal(reader.pixels(0), upright)

    def test_partly_nan_is_shown_as_the_lowest_value_and_noted(self, tmp_path: Path) -> None:
        values = np.array([[np.nan, 2.0], [np.inf, 5.0]], dtype=np.float32)
        Image.fromarray(values).save(tmp_path / "a.tif")
        reader = open_reader(tmp_path / "a.tif")
        assert reader.pixels(0).tolist() == [[2, 2], [5, 5]]
        assert any("not numbers" in note for note in reader.heading.notes)

    def test_changed_since_it_was_opened(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        Image.fromarray(ramp()).save(path)
        reader = open_reader(path)
        Image.fromarray(ramp() + 1).save(path)
        with pytest.raises(UnreadableFile, match="changed since it was opened"):
            reader.pixels(0)


class TestTiff:
    """What Pillow does not read, or reads wrong."""

    @pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"])
    @pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"bigtiff": True}, {"compression": "lzw"}])
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_every_type_of_value(
        self, tmp_path: Path, dtype: str, layout: dict[str, Any], order: Literal["<", ">"]
    ) -> None:
        values = ramp(20, 24, dtype="int32") % 256 - (0 if dtype[0] == "u" else 128)
        tifffile.imwrite(tmp_path / "a.tif", values.astype(dtype), byteorder=order, **layout)
        assert np.array_equal(only_slice(tmp_path / "a.tif"), values.astype(np.float32))

    @pytest.mark.parametrize("planar", ["contig", "separate"])
    def test_colour_as_pixels_or_as_planes(self, tmp_path: Path, planar: str) -> None:
        colour = np.random.default_rng(1).integers(0, 60000, (5, 6, 3), dtype=np.uint16)
        stored = colour if planar == "contig" else np.moveaxis(colour, -1, 0)
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
        reader = open_reader(tmp_path / "a.tif")
        assert isinstance(reader, ColourReader)
        assert reader.slices()[0].colour
        found = reader.colour(0)
        assert found is not None
        assert np.array_equal(found, colour)

    def test_pages_of_different_kind(self, tmp_path: Path) -> None:
        pages = [ramp(), ramp(4, 4, "uint8"), (ramp() * 0.5).astype(np.float32)]
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for page in pages:
                writer.write(page, photometric="minisblack")
        reader = open_reader(tmp_path / "a.tif")
        assert [(r.rows, r.columns) for r in reader.slices()] == [(6, 8), (4, 4), (6, 8)]
        for i, page in enumerate(pages):
            assert np.array_equal(reader.pixels(i), page)

    def test_a_thumbnail_is_no_slice(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            writer.write(ramp(3, 4), subfiletype=1)
            writer.write(ramp())
        reader = open_reader(tmp_path / "a.tif")
        assert len(reader.slices()) == 1
        assert reader.slices()[0].key.endswith("#1")
        assert np.array_equal(reader.pixels(0), ramp())

    def test_counted_from_white(self, tmp_path: Path) -> None:
        for dtype, stays in (("u1", False), ("u2", True)):
            values = ramp(dtype=dtype)
            tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite")
            reader = open_reader(tmp_path / "a.tif")
            assert reader.slices()[0].inverted is stays
            assert np.array_equal(reader.pixels(0), values if stays else 255 - values)

    def test_more_pages_than_are_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tiff, "MAX_PAGES", 2)
        tifffile.imwrite(tmp_path / "a.tif", np.stack([ramp()] * 3), photometric="minisblack")
        with pytest.raises(UnreadableFile, match="more than 2 pages"):
            open_reader(tmp_path / "a.tif")

    @settings(max_examples=150, deadline=None)
    @given(at=st.integers(0, 1000), value=st.integers(0, 255))
    def test_any_byte_may_be_wrong(
        self, tmp_path_factory: pytest.TempPathFactory, at: int, value: int
    ) -> None:
        path = tmp_path_factory.mktemp("t") / "a.tif"
        tifffile.imwrite(path, ramp(16, 16), compression="zlib", tile=(16, 16))
        data = bytearray(path.read_bytes())
        data[at % len(data)] = value
        path.write_bytes(data)
        try:
            decode_all(path)
        except UnreadableFile:
            return


class TestColour:
    """Shown in colour, analysed in grey."""

    @pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
    def test_the_colours_are_there_beside_the_luma(self, tmp_path: Path, suffix: str) -> None:
        colour = np.random.default_rng(2).integers(0, 255, (7, 5, 3), dtype=np.uint8)
        Image.fromarray(colour).save(tmp_path / f"a.{suffix}")
        reader = open_reader(tmp_path / f"a.{suffix}")
        assert isinstance(reader, ColourReader)
        assert reader.slices()[0].colour
        found = reader.colour(0)
        assert found is not None
        assert np.array_equal(found, colour)
        assert np.allclose(reader.pixels(0), colour @ np.array([0.299, 0.587, 0.114]), atol=1e-3)

    def test_grey_stored_as_colour_is_grey(self, tmp_path: Path) -> None:
        Image.fromarray(ramp(dtype="uint8")).convert("RGB").save(tmp_path / "a.png")
        reader = open_reader(tmp_path / "a.png")
        assert isinstance(reader, ColourReader)
        assert reader.colour(0) is None
        assert np.array_equal(reader.pixels(0), ramp())

    def test_grey_has_no_colour(self, tmp_path: Path) -> None:
        Image.fromarray(ramp()).save(tmp_path / "a.png")
        reader = open_reader(tmp_path / "a.png")
        assert isinstance(reader, ColourReader)
        assert not reader.slices()[0].colour
        assert reader.colour(0) is None
