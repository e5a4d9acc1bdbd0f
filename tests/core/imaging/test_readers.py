"""All readers: one conformance suite, then what is particular to each."""

from __future__ import annotations

import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless

from core.errors import UnreadableFile
from core.imaging.reader import open_reader
from tests.core.imaging.files import decode_all, dicom, item, only_slice, plane, ramp, write_dicom
from tests.core.imaging.nifti_files import write_nifti

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def _dicom(folder: Path) -> Path:
    return write_dicom(folder / "one.dcm", ramp())


def _frames(folder: Path) -> Path:
    return write_dicom(folder / "many.dcm", np.stack([ramp(), ramp() + 100, ramp() + 200]))


def _png(folder: Path) -> Path:
    Image.fromarray(ramp()).save(folder / "one.png")
    return folder / "one.png"


def _tiff(folder: Path) -> Path:
    pages = [Image.fromarray(ramp() + 100 * i) for i in range(3)]
    pages[0].save(folder / "many.tif", save_all=True, append_images=pages[1:])
    return folder / "many.tif"


def _float_tiff(folder: Path) -> Path:
    tifffile.imwrite(folder / "float.tif", ramp().astype(np.float64), compression="zlib")
    return folder / "float.tif"


def _bmp(folder: Path) -> Path:
    Image.fromarray(ramp(dtype="uint8")).save(folder / "one.bmp")
    return folder / "one.bmp"


def _deflated(folder: Path) -> Path:
    dataset = dicom(ramp(), syntax=DeflatedExplicitVRLittleEndian)
    pydicom.dcmwrite(folder / "deflated.dcm", dataset, enforce_file_format=True)
    return folder / "deflated.dcm"


def _rle(folder: Path) -> Path:
    dataset = dicom(np.stack([ramp(), ramp() + 100]))
    dataset.compress(RLELossless, encoding_plugin="pydicom")
    dataset.save_as(folder / "rle.dcm", enforce_file_format=True)
    return folder / "rle.dcm"


def _volume(dtype: str) -> np.ndarray:
    """Three slices by i, j, k, stored as they hang."""
    return np.stack([(ramp() + 100 * k).T for k in range(3)], axis=2).astype(dtype)


_LPS = np.diag([-1.0, -1.0, 5.0, 1.0])


def _nifti(folder: Path) -> Path:
    return write_nifti(folder / "one.nii", _volume("i4"), _LPS)


def _nifti_gz(folder: Path) -> Path:
    return write_nifti(folder / "two.nii.gz", _volume("f4"), _LPS, version=2, order=">")


_MAKERS = [_dicom, _frames, _deflated, _rle, _png, _bmp, _tiff, _float_tiff, _nifti, _nifti_gz]


@pytest.fixture(params=_MAKERS)
def any_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    make: Callable[[Path], Path] = request.param
    return make(tmp_path)


@pytest.fixture(params=["", "stored", "deflated"])
def anywhere(request: pytest.FixtureRequest, any_file: Path) -> Path:
    """The file itself, and as a member of an archive."""
    if not request.param:
        return any_file
    packed = any_file.parent / "study.zip"
    how = zipfile.ZIP_STORED if request.param == "stored" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(packed, "w", how) as archive:
        archive.write(any_file, f"a folder/{any_file.name}")
    return packed / "a folder" / any_file.name


class TestConformance:
    """What every reader promises."""

    def test_slices_say_what_pixels_give(self, anywhere: Path) -> None:
        reader = open_reader(anywhere)
        refs = reader.slices()
        assert [r.frame for r in refs] == list(range(len(refs)))
        assert len({r.key for r in refs}) == len(refs)
        for i, ref in enumerate(refs):
            pixels = reader.pixels(i)
            assert pixels.dtype == np.float32
            assert pixels.shape == (ref.rows, ref.columns)
            assert np.isfinite(pixels).all()
            assert np.array_equal(pixels, ramp() + 100.0 * i)
            assert ref.path == anywhere

    def test_the_array_is_the_callers_own(self, anywhere: Path) -> None:
        reader = open_reader(anywhere)
        reader.pixels(0)[:] = -1
        assert np.array_equal(reader.pixels(0), ramp())

    def test_keys_depend_on_content_not_on_the_path(self, any_file: Path, tmp_path: Path) -> None:
        moved = tmp_path / "elsewhere"
        moved.write_bytes(any_file.read_bytes())  # no suffix at all: content decides
        keys = [r.key for r in open_reader(any_file).slices()]
        assert [r.key for r in open_reader(moved).slices()] == keys
        packed = tmp_path / "packed"
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(any_file, "member")
        assert [r.key for r in open_reader(packed / "member").slices()] == keys

    def test_no_such_slice(self, anywhere: Path) -> None:
        reader = open_reader(anywhere)
        with pytest.raises(IndexError):
            reader.pixels(len(reader.slices()))

    def test_threads_may_decode_at_once(self, anywhere: Path) -> None:
        reader = open_reader(anywhere)
        last = len(reader.slices()) - 1
        results: list[bool] = []

        def decode() -> None:
            results.append(np.array_equal(reader.pixels(last), ramp() + 100.0 * last))

        threads = [threading.Thread(target=decode) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert results == [True] * 8

    @pytest.mark.parametrize("keep", [0.3, 0.5, 0.7])
    def test_cut_short_is_said_not_crashed(self, any_file: Path, keep: float) -> None:
        data = any_file.read_bytes()
        any_file.write_bytes(data[: int(len(data) * keep)])
        with pytest.raises(UnreadableFile) as caught:
            decode_all(any_file)
        assert str(any_file) in str(caught.value)

    def test_gone_is_said(self, any_file: Path) -> None:
        reader = open_reader(any_file)
        any_file.unlink()
        with pytest.raises(UnreadableFile, match="does not exist"):
            reader.pixels(0)


class TestDicomValues:
    """From stored values to rescaled ones."""

    def test_slope_and_intercept(self, tmp_path: Path) -> None:
        path = write_dicom(tmp_path / "a.dcm", ramp(), RescaleSlope="0.5", RescaleIntercept="-10")
        assert np.array_equal(only_slice(path), ramp() * 0.5 - 10)

    def test_signed_with_unused_high_bits(self, tmp_path: Path) -> None:
        # 12 bits stored: 0x0FFF is -1, whatever the four bits above it hold.
        stored = np.array([[0x0FFF, 0xF001], [0x0800, 0x07FF]], dtype="<u2")
        path = write_dicom(tmp_path / "a.dcm", stored, BitsStored=12, HighBit=11, PixelRepresentation=1)
        assert only_slice(path).tolist() == [[-1, 1], [-2048, 2047]]

    def test_modality_lut(self, tmp_path: Path) -> None:
        lut = item(
            LUTDescriptor=[4, 0, 16],
            ModalityLUTType="US",
            LUTData=np.array([10, 20, 40, 80], dtype="<u2").tobytes(),
        )
        path = write_dicom(
            tmp_path / "a.dcm", np.array([[0, 1], [2, 3]], dtype="uint16"), ModalityLUTSequence=[lut]
        )
        assert only_slice(path).tolist() == [[10, 20], [40, 80]]

    def test_rescale_is_per_frame(self, tmp_path: Path) -> None:
        pairs = ((2.0, 1.0), (0.25, -5.0))
        groups = [
            item(PixelValueTransformationSequence=[item(RescaleSlope=s, RescaleIntercept=i)])
            for s, i in pairs
        ]
        path = write_dicom(
            tmp_path / "a.dcm", np.stack([ramp(), ramp()]), PerFrameFunctionalGroupsSequence=groups
        )
        reader = open_reader(path)
        for i, (slope, intercept) in enumerate(pairs):
            assert np.array_equal(reader.pixels(i), ramp() * slope + intercept)

    def test_shared_rescale_serves_every_frame(self, tmp_path: Path) -> None:
        shared = item(PixelValueTransformationSequence=[item(RescaleSlope=3, RescaleIntercept=7)])
        path = write_dicom(
            tmp_path / "a.dcm", np.stack([ramp(), ramp()]), SharedFunctionalGroupsSequence=[shared]
        )
        assert np.array_equal(open_reader(path).pixels(1), ramp() * 3.0 + 7)

    def test_big_endian(self, tmp_path: Path) -> None:
        dataset = dicom(ramp(dtype=">u2"), syntax=ExplicitVRBigEndian)
        dataset["PixelData"].VR = "OW"
        pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
        assert np.array_equal(only_slice(tmp_path / "a.dcm"), ramp())

    def test_deflated(self, tmp_path: Path) -> None:
        dataset = dicom(ramp(), syntax=DeflatedExplicitVRLittleEndian)
        pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
        assert np.array_equal(only_slice(tmp_path / "a.dcm"), ramp())

    def test_colour_becomes_luma_exactly_where_grey(self, tmp_path: Path) -> None:
        colour = np.zeros((2, 2, 3), dtype=np.uint8)
        colour[0, 0] = 137
        colour[0, 1] = (255, 0, 0)
        dataset = dicom(np.zeros((2, 2), dtype=np.uint8), SamplesPerPixel=3, PhotometricInterpretation="RGB")
        dataset.PlanarConfiguration = 0
        dataset.PixelData = colour.tobytes()
        pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
        pixels = only_slice(tmp_path / "a.dcm")
        assert pixels[0, 0] == 137
        assert pixels[0, 1] == pytest.approx(0.299 * 255, abs=1e-3)

    def test_without_preamble(self, tmp_path: Path) -> None:
        dataset = dicom(ramp())
        bare = tmp_path / "no-preamble"
        bare_set = pydicom.Dataset()
        bare_set.update(dataset)
        bare_set.save_as(bare, implicit_vr=True, little_endian=True, enforce_file_format=False)
        assert bare.read_bytes()[128:132] != b"DICM"
        assert np.array_equal(only_slice(bare), ramp())

    @pytest.mark.parametrize(
        "name",
        ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm",
         "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm"],
    )  # fmt: skip
    def test_every_encoding_of_one_image_gives_the_same_pixels(self, name: str) -> None:
        original, other = get_testdata_file("MR_small.dcm"), get_testdata_file(name)
        assert original
        assert other
        assert np.array_equal(
            open_reader(Path(str(other))).pixels(0), open_reader(Path(str(original))).pixels(0)
        )


class TestDicomHeader:
    """What a slice knows before its pixels are read."""

    def test_geometry_windows_inversion(self, tmp_path: Path) -> None:
        path = write_dicom(
            tmp_path / "a.dcm",
            ramp(),
            **plane(7.5),
            WindowCenter=["20", "30"],
            WindowWidth=["10", "0.5"],
            WindowCenterWidthExplanation=["brain", "lesion"],
            PhotometricInterpretation="MONOCHROME1",
            PatientID="P-77",
            InstanceNumber=4,
        )
        (ref,) = open_reader(path).slices()
        assert ref.geometry is not None
        assert ref.geometry.position == (0.0, 0.0, 7.5)
        assert (ref.geometry.row_spacing, ref.geometry.column_spacing) == (0.5, 0.25)
        assert ref.spacing == (0.5, 0.25)
        assert [(w.center, w.width, w.name, w.function) for w in ref.windows] == [
            (20, 10, "brain", "LINEAR"),
            (30, 0.5, "lesion", "LINEAR_EXACT"),  # LINEAR is not defined below 1
        ]
        assert ref.inverted
        assert ref.instance_number == 4
        assert len(ref.patient) == 12
        assert "P-77" not in ref.patient

    def test_presentation_lut_inverse(self, tmp_path: Path) -> None:
        path = write_dicom(tmp_path / "a.dcm", ramp(), PresentationLUTShape="INVERSE")
        assert open_reader(path).slices()[0].inverted
        assert np.array_equal(only_slice(path), ramp())  # never inverted here

    def test_padding_is_kept_in_pixels_and_known(self, tmp_path: Path) -> None:
        # Written unsigned although the pixels are signed, as real files do: 63536 is -2000.
        stored = np.array([[-2000, 5], [6, 7]], dtype="int16")
        dataset = dicom(stored, RescaleSlope="2", RescaleIntercept="10")
        dataset.add_new("PixelPaddingValue", "US", 63536)
        pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
        (ref,) = open_reader(tmp_path / "a.dcm").slices()
        assert ref.padding is not None
        assert ref.padding == pytest.approx((-3990, -3990), abs=0.01)
        assert only_slice(tmp_path / "a.dcm").tolist() == [[-3990, 20], [22, 24]]

    def test_geometry_and_window_of_each_frame(self, tmp_path: Path) -> None:
        shared = item(
            PixelMeasuresSequence=[item(PixelSpacing=[2, 1])],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        )
        groups = [
            item(
                PlanePositionSequence=[item(ImagePositionPatient=[1, 2, z])],
                FrameVOILUTSequence=[item(WindowCenter=z * 10, WindowWidth=50)],
            )
            for z in (30, 10, 20)
        ]
        path = write_dicom(
            tmp_path / "a.dcm",
            np.stack([ramp()] * 3),
            SharedFunctionalGroupsSequence=[shared],
            PerFrameFunctionalGroupsSequence=groups,
        )
        refs = open_reader(path).slices()
        assert [r.geometry.position[2] for r in refs if r.geometry] == [30, 10, 20]
        assert [r.windows[0].center for r in refs] == [300, 100, 200]
        assert refs[0].spacing == (2, 1)

    @pytest.mark.parametrize(
        "cosines",
        [[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0.7, 0.7, 0]],
        ids=["parallel", "null", "skew"],
    )
    def test_no_place_rather_than_a_wrong_one(self, tmp_path: Path, cosines: list[float]) -> None:
        path = write_dicom(tmp_path / "a.dcm", ramp(), **plane(1, ImageOrientationPatient=cosines))
        (ref,) = open_reader(path).slices()
        assert ref.geometry is None
        assert ref.spacing == (0.5, 0.25)

    def test_patient_data_stay_out_of_references_and_messages(self, tmp_path: Path) -> None:
        path = write_dicom(
            tmp_path / "a.dcm", ramp(), PatientID="SECRET-ID", PatientName="SECRET^NAME", Rows=3000
        )
        with pytest.raises(UnreadableFile) as caught:
            open_reader(path)
        assert "SECRET" not in str(caught.value)
        good = write_dicom(tmp_path / "b.dcm", ramp(), PatientID="SECRET-ID", PatientName="SECRET^NAME")
        reader = open_reader(good)
        assert "SECRET" not in repr(reader.slices()) + repr(reader.heading)


class TestBadInput:
    """Each is refused with a reason that says what is wrong, and nothing else happens."""

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("notes.dcm", b"These are notes, not an image.\n" * 20, "not a DICOM or image file"),
            ("notes.txt", b"These are notes, not an image.\n" * 20, "not an image"),
            ("annotations.json", b"{}", "not an image"),
            ("zero.png", b"", r"empty file \(0 bytes\)"),
            ("cut.png", b"\x89PNG\r\n\x1a\n", "PNG"),
            ("garbage.jpg", b"\xff\xd8\xff" + b"x" * 100, "damaged JPEG"),
            ("tiny.dcm", b"\x08\x00", "not a DICOM or image file"),
            ("almost.dcm", b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" * 4, "not a DICOM or image file"),
            ("head.dcm", b"\0" * 128 + b"DICM", "DICOM"),
        ],
    )
    def test_content(self, tmp_path: Path, name: str, content: bytes, reason: str) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UnreadableFile, match=reason) as caught:
            open_reader(path)
        assert caught.value.path == path

    def test_dicom_without_pixels(self, tmp_path: Path) -> None:
        dataset = dicom(ramp())
        del dataset.PixelData
        pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
        with pytest.raises(UnreadableFile, match="DICOM without pixel data"):
            open_reader(tmp_path / "a.dcm")

    @pytest.mark.parametrize(
        ("sop_class", "reason"),
        [
            ("1.2.840.10008.5.1.4.1.1.88.34", "DICOM structured report, not an image"),
            ("1.2.840.10008.5.1.4.1.1.66.4", "DICOM segmentation, not an image"),
            ("1.2.840.10008.5.1.4.1.1.481.3", "DICOM RT Structure Set, not an image"),
        ],
    )
    def test_other_dicom_objects(self, tmp_path: Path, sop_class: str, reason: str) -> None:
        dataset = dicom(ramp(), SOPClassUID=sop_class)
        del dataset.PixelData
        pydicom.dcmwrite(tmp_path / "a.dcm", dataset)
        with pytest.raises(UnreadableFile, match=reason):
            open_reader(tmp_path / "a.dcm")

    def test_truncated_dicom_says_how_much_is_there(self, tmp_path: Path) -> None:
        path = write_dicom(tmp_path / "a.dcm", ramp())
        path.write_bytes(path.read_bytes()[:-10])
        with pytest.raises(UnreadableFile, match="truncated DICOM: 86 of 96 bytes"):
            open_reader(path)

    @pytest.mark.parametrize(
        ("attributes", "reason"),
        [
            ({"Rows": 60000, "Columns": 60000}, "more than 64 million"),
            ({"NumberOfFrames": 999_999_999}, "NumberOfFrames"),
            ({"NumberOfFrames": 5000}, "truncated"),
            ({"Rows": 0}, "no pixels"),
            ({"BitsAllocated": 14}, "unsupported pixels"),
            ({"BitsStored": 17}, "17 bits stored in 16 allocated"),
            ({"PixelRepresentation": 7}, "PixelRepresentation"),
            ({"PhotometricInterpretation": "HSV"}, "unsupported colours: 1 samples, HSV"),
        ],
    )
    def test_lies(self, tmp_path: Path, attributes: dict[str, int], reason: str) -> None:
        path = write_dicom(tmp_path / "a.dcm", ramp(), **attributes)
        with pytest.raises(UnreadableFile, match=reason):
            open_reader(path)

    def test_deflate_bomb(self, tmp_path: Path) -> None:
        dataset = dicom(ramp(), syntax=DeflatedExplicitVRLittleEndian)
        pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
        data = (tmp_path / "a.dcm").read_bytes()
        length = int.from_bytes(data[140:144], "little")
        packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
        bomb = b"".join(packer.compress(bytes(1 << 24)) for _ in range(20)) + packer.flush()
        (tmp_path / "a.dcm").write_bytes(data[: 144 + length] + bomb)
        with pytest.raises(UnreadableFile, match="deflated data larger than 256 MiB"):
            open_reader(tmp_path / "a.dcm")

    def test_png_bomb(self, tmp_path: Path) -> None:
        Image.new("1", (9000, 9000)).save(tmp_path / "a.png")
        with pytest.raises(UnreadableFile, match="more than 64 million"):
            open_reader(tmp_path / "a.png")

    def test_all_nan(self, tmp_path: Path) -> None:
        Image.fromarray(np.full((4, 4), np.nan, dtype=np.float32)).save(tmp_path / "a.tif")
        with pytest.raises(UnreadableFile, match="no finite pixel value"):
            open_reader(tmp_path / "a.tif")

    def test_one_pixel_and_all_equal_are_fine(self, tmp_path: Path) -> None:
        Image.fromarray(np.array([[7]], dtype=np.uint8)).save(tmp_path / "one.png")
        Image.fromarray(np.full((5, 5), 9, dtype=np.uint8)).save(tmp_path / "equal.png")
        assert only_slice(tmp_path / "one.png").tolist() == [[7]]
        assert only_slice(tmp_path / "equal.png").tolist() == [[9] * 5] * 5

    def test_a_folder_is_not_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFile, match="is a folder"):
            open_reader(tmp_path)
