"""From a file's bytes to grey levels, against references worked out by hand: no level may differ."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from core.cli import main
from core.imaging.pixels import PixelCache
from core.imaging.reader import open_reader
from core.imaging.real_world import real_value, real_values_text
from core.imaging.window import apply_window, auto_window, default_window, full_window, presets
from core.model import SliceRef, ValueMap, Window
from tests.core.imaging.files import dicom, item, ramp, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def shown(path: Path, index: int = 0) -> tuple[SliceRef, NDArray[np.uint8]]:
    """A slice as the screen shows it: its default window, inverted where the file says so."""
    reader = open_reader(path)
    ref, pixels = reader.slices()[index], reader.pixels(index)
    return ref, apply_window(pixels, default_window(ref, pixels), ref.inverted)


def level(x: float, c: float, w: float, function: str) -> int:
    """PS3.3 C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2 with y from 0 to 255, one value at a time."""
    if function == "SIGMOID":
        exponent = -4 * (x - c) / w
        y = 0.0 if exponent > 700 else 255 / (1 + math.exp(exponent))
    elif function == "LINEAR_EXACT":
        y = 0.0 if x <= c - w / 2 else 255.0 if x > c + w / 2 else ((x - c) / w + 0.5) * 255
    elif x <= c - 0.5 - (w - 1) / 2:
        y = 0.0
    elif x > c - 0.5 + (w - 1) / 2:
        y = 255.0
    else:
        y = ((x - (c - 0.5)) / (w - 1) + 0.5) * 255
    return round(y)


FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
WIDTHS = ((2048, 4096), (600, 1), (40.5, 80.25), (-10, 300), (1000, 2000), (511.5, 511))


class TestVoiFunctions:
    """Windows."""

    @pytest.mark.parametrize("function", FUNCTIONS)
    @pytest.mark.parametrize(("center", "width"), WIDTHS)
    def test_every_level_of_twelve_bits(
        self, tmp_path: Path, function: str, center: float, width: float
    ) -> None:
        stored = np.arange(4096, dtype=np.uint16).reshape(64, 64)
        path = write_dicom(
            tmp_path / "a.dcm", stored, WindowCenter=center, WindowWidth=width, VOILUTFunction=function
        )
        _, grey = shown(path)
        expected = [level(x, center, width, function) for x in range(4096)]
        assert np.array_equal(grey.ravel(), expected)

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_fractions_from_a_rescale(self, tmp_path: Path, function: str) -> None:
        path = write_dicom(
            tmp_path / "a.dcm",
            np.arange(1024, dtype=np.uint16).reshape(32, 32),
            RescaleSlope="0.244",
            RescaleIntercept="-100",
            WindowCenter="20",
            WindowWidth="130",
            VOILUTFunction=function,
        )
        _, grey = shown(path)
        values = [float(np.float32(x * 0.244 - 100)) for x in range(1024)]
        assert np.array_equal(grey.ravel(), [level(x, 20, 130, function) for x in values])

    def test_several_windows_by_their_names(self, tmp_path: Path) -> None:
        path = write_dicom(
            tmp_path / "a.dcm",
            ramp(),
            WindowCenter=["20", "30", "5", "30"],
            WindowWidth=["10", "40", "0", "40"],
            WindowCenterWidthExplanation=["BRAIN", "", "none"],  # the last is the second again
            VOILUTFunction="SIGMOID",
        )
        ref, grey = shown(path)
        assert [(w.name, w.center, w.width, w.function) for w in ref.windows] == [
            ("BRAIN", 20, 10, "SIGMOID"),
            ("file 2", 30, 40, "SIGMOID"),
        ]
        assert np.array_equal(grey.ravel(), [level(x, 20, 10, "SIGMOID") for x in range(48)])
        rows = presets(ref, open_reader(path).pixels(0))
        assert [w.name for w in rows] == ["BRAIN", "file 2", "auto", "full", "soft", "hard"]

    def test_each_frame_has_its_own(self, tmp_path: Path) -> None:
        groups = [
            item(FrameVOILUTSequence=[item(WindowCenter=c, WindowWidth=w, VOILUTFunction=f)])
            for c, w, f in ((20, 10, "LINEAR"), (30, 40, "SIGMOID"), (10, 20, "LINEAR_EXACT"))
        ]
        path = write_dicom(
            tmp_path / "a.dcm", np.stack([ramp()] * 3), PerFrameFunctionalGroupsSequence=groups
        )
        for i, (c, w, f) in enumerate(((20, 10, "LINEAR"), (30, 40, "SIGMOID"), (10, 20, "LINEAR_EXACT"))):
            _, grey = shown(path, i)
            assert np.array_equal(grey.ravel(), [level(x, c, w, f) for x in range(48)])


def table(values: list[int], bits: int, first: int = 0, **more: Any) -> pydicom.Dataset:
    return item(
        LUTDescriptor=[len(values) % 65536, first, bits],
        LUTData=np.array(values, dtype="<u2").tobytes(),
        **more,
    )


class TestVoiTables:
    """VOI LUT Sequence: the table itself, before any window."""

    @pytest.mark.parametrize("bits", [8, 10, 12, 16])
    def test_the_table_is_what_is_shown(self, tmp_path: Path, bits: int) -> None:
        top = 2**bits - 1
        values = [round(top * (i / 39) ** 2) for i in range(40)]
        path = write_dicom(
            tmp_path / "a.dcm", ramp(), VOILUTSequence=[table(values, bits, 4)], WindowCenter=3, WindowWidth=4
        )
        ref, grey = shown(path)
        expected = [round(values[min(max(x - 4, 0), 39)] * 255 / top) for x in range(48)]
        assert np.array_equal(grey.ravel(), expected)
        assert [w.function for w in ref.windows] == ["TABLE", "LINEAR"]  # the table first
        assert (ref.windows[0].center, ref.windows[0].width) == (24, 40)  # from its first to its last entry

    def test_it_is_named_and_may_fall(self, tmp_path: Path) -> None:
        falling = table(list(range(255, 207, -1)), 8, LUTExplanation="NEGATIVE")
        path = write_dicom(tmp_path / "a.dcm", ramp(), VOILUTSequence=[falling])
        ref, grey = shown(path)
        assert ref.windows[0].name == "NEGATIVE"
        assert np.array_equal(grey.ravel(), range(255, 207, -1))

    def test_it_is_applied_after_rescaling_and_below_zero(self, tmp_path: Path) -> None:
        values = [0, 1000, 2000, 3000, 4095]
        voi = item(LUTData=np.array(values, dtype="<u2").tobytes())
        voi.add_new("LUTDescriptor", "US", [5, 65536 - 20, 12])  # -20, written unsigned
        path = write_dicom(
            tmp_path / "a.dcm", ramp(), RescaleSlope=1, RescaleIntercept=-20, VOILUTSequence=[voi]
        )
        _, grey = shown(path)
        expected = [round(values[min(max(x - 20 - -20, 0), 4)] * 255 / 4095) for x in range(48)]
        assert np.array_equal(grey.ravel(), expected)

    def test_eight_bit_entries_may_share_words(self, tmp_path: Path) -> None:
        values = [(7 * i) % 256 for i in range(48)]
        packed = item(LUTDescriptor=[48, 0, 8], LUTData=bytes(values))
        path = write_dicom(tmp_path / "a.dcm", ramp(), VOILUTSequence=[packed])
        assert np.array_equal(shown(path)[1].ravel(), values)

    @pytest.mark.parametrize("bits", [8, 12])
    def test_big_endian_and_implicit(self, tmp_path: Path, bits: int) -> None:
        values = [(2**bits - 1) * i // 47 for i in range(48)]
        for syntax, order in ((ExplicitVRBigEndian, ">u2"), (ImplicitVRLittleEndian, "<u2")):
            voi = item(LUTDescriptor=[48, 0, bits])
            voi.add_new("LUTData", "OW", np.array(values, dtype=order).tobytes())
            dataset = dicom(ramp(dtype=order), syntax=syntax, VOILUTSequence=[voi])
            dataset["PixelData"].VR = "OW"
            pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
            expected = [round(v * 255 / (2**bits - 1)) for v in values]
            assert np.array_equal(shown(tmp_path / "a.dcm")[1].ravel(), expected), syntax.name

    def test_entries_beyond_the_bits_that_are_stated_are_not_cut(self, tmp_path: Path) -> None:
        values = [i * 80 for i in range(48)]  # 12 bits, said to be 8
        path = write_dicom(tmp_path / "a.dcm", ramp(), VOILUTSequence=[table(values, 8)])
        assert np.array_equal(shown(path)[1].ravel(), [round(v * 255 / 4095) for v in values])

    @pytest.mark.parametrize(
        "broken",
        [
            item(LUTDescriptor=[48, 0, 12], LUTData=b"\0\1"),
            item(LUTDescriptor=[48, 0], LUTData=bytes(96)),
            item(LUTExplanation="nothing else"),
        ],
        ids=["short", "descriptor", "empty"],
    )
    def test_a_broken_table_leaves_the_window(self, tmp_path: Path, broken: pydicom.Dataset) -> None:
        path = write_dicom(
            tmp_path / "a.dcm", ramp(), VOILUTSequence=[broken], WindowCenter=20, WindowWidth=30
        )
        assert [w.function for w in open_reader(path).slices()[0].windows] == ["LINEAR"]

    def test_dragging_stretches_it(self, tmp_path: Path) -> None:
        path = write_dicom(tmp_path / "a.dcm", ramp(), VOILUTSequence=[table([0, 10, 20, 30], 8, 10)])
        window = open_reader(path).slices()[0].windows[0]
        wide = replace(window, width=window.width * 4)  # from 4 to 20 instead of 10 to 14
        grey = apply_window(np.array([0, 4, 8, 12, 16, 99], np.float32), wide)
        assert grey.tolist() == [0, 0, 10, 20, 30, 30]

    def test_slices_of_a_series_share_one(self, tmp_path: Path) -> None:
        voi = table(list(range(256)), 8)
        tables = [
            open_reader(write_dicom(tmp_path / f"{i}.dcm", ramp(), VOILUTSequence=[voi])).slices()[0].windows
            for i in range(2)
        ]
        assert tables[0][0].table is tables[1][0].table


class TestInversion:
    """MONOCHROME1 and PresentationLUTShape act after VOI."""

    @pytest.mark.parametrize(
        ("attributes", "inverted"),
        [
            ({"PhotometricInterpretation": "MONOCHROME1"}, True),
            ({"PresentationLUTShape": "INVERSE"}, True),
            ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, True),
            ({"PresentationLUTShape": "IDENTITY"}, False),
        ],
    )
    @pytest.mark.parametrize("function", [*FUNCTIONS, "TABLE"])
    def test_after_the_window_or_table(
        self, tmp_path: Path, attributes: dict[str, str], inverted: bool, function: str
    ) -> None:
        values = [i * i for i in range(40)]
        voi: dict[str, Any] = (
            {"VOILUTSequence": [table(values, 11)]}
            if function == "TABLE"
            else {"WindowCenter": 20, "WindowWidth": 30, "VOILUTFunction": function}
        )
        path = write_dicom(tmp_path / "a.dcm", ramp(), **attributes, **voi)
        before = [
            round(values[min(x, 39)] * 255 / 2047) if function == "TABLE" else level(x, 20, 30, function)
            for x in range(48)
        ]
        _, grey = shown(path)
        assert np.array_equal(grey.ravel(), [255 - y if inverted else y for y in before])


class TestPadding:
    """Padding is no part of the image: not of its statistics, not of the window found for it."""

    @pytest.mark.parametrize("limit", [None, -1990])
    def test_windows_are_those_of_the_image_alone(self, tmp_path: Path, limit: int | None) -> None:
        rng = np.random.default_rng(5)
        head = rng.integers(0, 900, (32, 64)).astype(np.int16)
        pad = np.full((32, 64), -2000, np.int16)
        if limit is not None:
            pad[::2] = limit
        more = {} if limit is None else {"PixelPaddingRangeLimit": limit}
        path = write_dicom(
            tmp_path / "a.dcm",
            np.vstack([head, pad]),
            PixelPaddingValue=-2000,
            RescaleSlope="1.5",
            RescaleIntercept="7",
            **more,
        )
        reader = open_reader(path)
        (ref,), pixels = reader.slices(), reader.pixels(0)
        alone = (head * 1.5 + 7).astype(np.float32)
        assert default_window(ref, pixels) == auto_window(alone)
        assert full_window(pixels, ref.padding) == full_window(alone)
        assert full_window(pixels) != full_window(alone)

    def test_behind_a_modality_table(self, tmp_path: Path) -> None:
        lut = item(
            LUTDescriptor=[4, 0, 16],
            ModalityLUTType="US",
            LUTData=np.array([9000, 20, 40, 80], "<u2").tobytes(),
        )
        stored = np.array([[0, 1], [2, 3]], np.uint16)
        path = write_dicom(tmp_path / "a.dcm", stored, ModalityLUTSequence=[lut], PixelPaddingValue=0)
        reader = open_reader(path)
        (ref,) = reader.slices()
        assert ref.padding == pytest.approx((9000, 9000))
        assert full_window(reader.pixels(0), ref.padding) == Window(50, 60, "full")


class TestPerFrameRescale:
    """Real enhanced MR: two rescale pairs within one file."""

    @pytest.mark.data
    def test_philips(self, data_dir: Path) -> None:
        path = data_dir / "dicom/dcm_qa_enh/In/Philips/IM_0027_fMAP.dcm"
        raw = pydicom.dcmread(path)
        assert (raw.BitsAllocated, raw.BitsStored, raw.PixelRepresentation) == (16, 12, 0)
        stored = np.frombuffer(raw.PixelData, "<u2").reshape(64, 64, 64)
        reader = open_reader(path)
        pairs = set()
        for i, group in enumerate(raw.PerFrameFunctionalGroupsSequence):
            transform = group.PixelValueTransformationSequence[0]
            slope, intercept = float(transform.RescaleSlope), float(transform.RescaleIntercept)
            voi = group.FrameVOILUTSequence[0]
            c, w = float(voi.WindowCenter), float(voi.WindowWidth)
            pairs.add((slope, intercept))
            pixels = reader.pixels(i)
            expected = (stored[i].astype(np.float64) * slope + intercept).astype(np.float32)
            assert np.array_equal(pixels, expected)
            window = reader.slices()[i].windows[0]
            assert (window.center, window.width) == (c, w)
            grey = apply_window(pixels[::9, ::9], window)
            assert grey.ravel().tolist() == [
                level(float(x), c, w, window.function) for x in expected[::9, ::9].ravel()
            ]
        assert len(pairs) == 2


def mapping(first: int, last: int, **more: Any) -> pydicom.Dataset:
    unit = item(CodeValue="mm2/s", CodingSchemeDesignator="UCUM", CodeMeaning="square mm per second")
    whole = item(MeasurementUnitsCodeSequence=[unit], LUTLabel="ADC", **more)
    whole.add_new("RealWorldValueFirstValueMapped", "US", first)
    whole.add_new("RealWorldValueLastValueMapped", "US", last)
    return whole


class TestRealWorldValues:
    """What the numbers stand for, kept apart from the rescale that windows are meant for."""

    def test_slope_on_top_of_a_rescale(self, tmp_path: Path) -> None:
        maps = [mapping(10, 40, RealWorldValueSlope=0.001, RealWorldValueIntercept=-0.002)]
        path = write_dicom(
            tmp_path / "a.dcm", ramp(), RescaleSlope=2, RescaleIntercept=5, RealWorldValueMappingSequence=maps
        )
        reader = open_reader(path)
        (ref,), pixels = reader.slices(), reader.pixels(0)
        for stored in range(48):
            found = real_value(ref.value_maps[0], float(pixels.ravel()[stored]))
            if 10 <= stored <= 40:
                assert found == pytest.approx(stored * 0.001 - 0.002, abs=1e-12)
            else:
                assert found is None
        assert real_values_text(ref, 20 * 2 + 5) == "0.018 mm2/s"
        assert real_values_text(ref, 1) == ""

    def test_each_frame_has_its_own(self, tmp_path: Path) -> None:
        groups = [
            item(
                RealWorldValueMappingSequence=[
                    mapping(0, 99, RealWorldValueSlope=s, RealWorldValueIntercept=0)
                ]
            )
            for s in (2.0, 3.0)
        ]
        path = write_dicom(
            tmp_path / "a.dcm", np.stack([ramp()] * 2), PerFrameFunctionalGroupsSequence=groups
        )
        assert [r.value_maps[0].slope for r in open_reader(path).slices()] == [2, 3]

    @pytest.mark.parametrize("slope", [1, -2])
    def test_a_table(self, tmp_path: Path, slope: int) -> None:
        maps = [mapping(1, 4, RealWorldValueLUTData=[0.5, 0.25, 8.0, 7.0])]
        path = write_dicom(
            tmp_path / "a.dcm",
            ramp(),
            RescaleSlope=slope,
            RescaleIntercept=3,
            RealWorldValueMappingSequence=maps,
        )
        (ref,) = open_reader(path).slices()
        found = [real_value(ref.value_maps[0], x * slope + 3) for x in range(6)]
        assert found == [None, 0.5, 0.25, 8.0, 7.0, None]

    def test_a_map_that_says_nothing_is_left_out(self, tmp_path: Path) -> None:
        nothing = mapping(0, 99, RealWorldValueSlope=1, RealWorldValueIntercept=0)
        nothing.MeasurementUnitsCodeSequence[0].CodeValue = "1"
        path = write_dicom(tmp_path / "a.dcm", ramp(), RealWorldValueMappingSequence=[nothing])
        assert open_reader(path).slices()[0].value_maps == ()

    def test_two_quantities_are_told_apart(self) -> None:
        maps = (ValueMap(0, 9, 2, 0, "Cel", "T"), ValueMap(0, 9, 1, 1, "1", "ratio"))
        ref = SliceRef("k", Path("f"), 0, 4, 4, "s", value_maps=maps)
        assert real_values_text(ref, 4) == "T 8 Cel, ratio 5"


class TestColour:
    """Shown in colour, analysed in grey."""

    def colour_file(self, path: Path, samples: NDArray[Any], **more: Any) -> Path:
        dataset = dicom(
            samples[..., 0], SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, **more
        )
        dataset.PixelData = samples.tobytes()
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        return path

    @pytest.mark.parametrize("dtype", ["uint8", "uint16"])
    def test_colours_reach_the_screen_as_they_are(self, tmp_path: Path, dtype: str) -> None:
        top = np.iinfo(dtype).max
        samples = np.random.default_rng(3).integers(0, top, (8, 8, 3), endpoint=True).astype(dtype)
        path = self.colour_file(tmp_path / "a.dcm", samples)
        (ref,) = open_reader(path).slices()
        assert ref.colour
        cache = PixelCache(1 << 20)
        found = cache.colour(ref)
        assert found is not None
        assert np.array_equal(found, samples)
        assert cache.colour(ref) is found
        assert cache.peek_colour(ref) is found
        grey = cache.get(ref)
        assert np.array_equal(grey, open_reader(path).pixels(0))
        window = default_window(ref, grey)
        assert grey.shape == (8, 8)
        assert np.array_equal(apply_window(found, window), np.rint(samples * (255 / top)))

    def test_a_palette(self, tmp_path: Path) -> None:
        names = ("Red", "Green", "Blue")
        tables = {f"{n}PaletteColorLookupTableDescriptor": [4, 0, 16] for n in names}
        entries = {n: np.array([i * 1000, 0, 65535, 257 * i], "<u2") for i, n in enumerate(names)}
        path = write_dicom(
            tmp_path / "a.dcm",
            np.array([[0, 1], [2, 3]], np.uint8),
            PhotometricInterpretation="PALETTE COLOR",
            **tables,
            **{f"{n}PaletteColorLookupTableData": v.tobytes() for n, v in entries.items()},
        )
        (ref,) = open_reader(path).slices()
        found = PixelCache(1 << 20).colour(ref)
        assert found is not None
        for i, n in enumerate(names):
            assert np.array_equal(found[..., i].ravel(), entries[n])

    def test_grey_has_no_colours(self, tmp_path: Path) -> None:
        (ref,) = open_reader(write_dicom(tmp_path / "a.dcm", ramp())).slices()
        assert not ref.colour
        assert PixelCache(1 << 20).colour(ref) is None


def test_padding_is_not_seen_by_the_engine(tmp_path: Path) -> None:
    """What lies outside the field of view, far darker than air, would take the contrast of what is inside."""
    rng = np.random.default_rng(4)
    head = rng.integers(100, 200, (96, 96)).astype(np.int16)
    head[30:60, 40:70] += 300
    outside = np.hypot(*(np.indices(head.shape) - 48)) > 46
    found = []
    for name, dark in (("padded", -2000), ("plain", int(head[~outside].min()))):
        pixels = np.where(outside, dark, head).astype(np.int16)
        write_dicom(tmp_path / f"{name}.dcm", pixels, PixelPaddingValue=-2000)
        out = tmp_path / f"{name}.json"
        assert main(["propose", str(tmp_path / f"{name}.dcm"), "--out", str(out)]) == 0
        found.append(json.loads(out.read_text())["images"][0]["proposals"])
    assert found[0] == found[1]
    assert len(found[0]) > 3
