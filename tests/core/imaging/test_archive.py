"""Zip archives: opened in place, bounded, and nothing is written anywhere."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UnreadableFile
from core.imaging import archive
from core.imaging.catalog import scan
from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import PhantomSpec, make_phantom
from core.imaging.pixels import PixelCache
from core.imaging.reader import open_content, open_reader
from core.model import Catalog
from tests.core.imaging.files import plane, ramp, write_dicom


def pack(path: Path, members: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive."""
    with zipfile.ZipFile(path, "w", how) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def one_dicom(folder: Path, z: float = 0.0) -> bytes:
    """Bytes of a small DICOM file."""
    return write_dicom(folder / "member.tmp", ramp(), **plane(z)).read_bytes()


def reasons(catalog: Catalog) -> dict[str, str]:
    """Reason by name."""
    return {s.path.name: s.reason for s in catalog.skipped}


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_study_in_an_archive_is_a_study(tmp_path: Path, how: int) -> None:
    phantom = make_phantom(PhantomSpec(size=48, slices=6, lesions=0))
    files = write_phantom_dicom(phantom, tmp_path / "plain")
    packed = pack(tmp_path / "study.zip", {f"DICOM/{p.name}": p.read_bytes() for p in files}, how)
    (plain,) = scan([tmp_path / "plain"]).series
    (series,) = scan([packed]).series
    assert [r.key for r in series.slices] == [r.key for r in plain.slices]
    assert [r.path for r in series.slices] == [packed / "DICOM" / p.name for p in files]
    cache = PixelCache(1 << 24)
    for ref, expected in zip(series.slices, phantom.volume, strict=True):
        assert np.array_equal(cache.get(ref), expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plain", "study.zip"]  # nothing was extracted


def test_the_archive_is_known_by_content(tmp_path: Path) -> None:
    packed = pack(tmp_path / "export", {"a": one_dicom(tmp_path)})
    assert len(scan([packed]).series) == 1


def test_only_what_is_read_is_inflated(tmp_path: Path) -> None:
    big = np.zeros((512, 512), dtype=np.uint16)
    data = write_dicom(tmp_path / "big.dcm", big).read_bytes()
    packed = bytearray(pack(tmp_path / "a.zip", {"big.dcm": data}).read_bytes())
    with zipfile.ZipFile(tmp_path / "a.zip") as listed:
        end = listed.infolist()[0].header_offset + 30 + len("big.dcm") + listed.infolist()[0].compress_size
    packed[end - 200 : end - 100] = b"\xff" * 100  # damage near the end of the pixels
    (tmp_path / "a.zip").write_bytes(packed)
    reader = open_reader(tmp_path / "a.zip" / "big.dcm")
    with pytest.raises(UnreadableFile, match="zip archive: a member"):
        reader.pixels(0)


def test_a_large_member_is_kept_inflated_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_KEPT_FROM", 100)
    monkeypatch.setattr(archive, "_KEPT_BYTES", 1000)
    archive._kept.clear()
    packed = pack(tmp_path / "a.zip", {name: name.encode() * 400 for name in "abc"})
    for name in "abca":
        with archive.open_binary(packed / name) as stream:
            assert stream.read() == name.encode() * 400
    assert sum(map(len, archive._kept.values())) <= 1000
    assert archive._kept


def test_seeking_reads_what_plain_seeking_reads(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    data = rng.integers(0, 4, 200_000, dtype=np.uint8).tobytes()
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        packed = pack(tmp_path / f"{how}.zip", {"x": data}, how)
        plain = io.BytesIO(data)
        with archive.open_binary(packed / "x") as stream:
            for _ in range(200):
                at, count = int(rng.integers(0, 210_000)), int(rng.integers(0, 5000))
                assert stream.seek(at) == plain.seek(at)
                assert stream.read(count) == plain.read(count)
            assert stream.seek(-10, io.SEEK_END) == len(data) - 10
            assert stream.read() == data[-10:]


def test_a_changed_archive_is_read_anew(tmp_path: Path) -> None:
    packed = pack(tmp_path / "a.zip", {"one": one_dicom(tmp_path)})
    reader = open_reader(packed / "one")
    pack(packed, {"two": one_dicom(tmp_path), "three": b"x"})
    with pytest.raises(UnreadableFile, match="is not in the archive"):
        reader.pixels(0)
    assert len(scan([packed]).series) == 1


def test_what_is_no_image_in_an_archive_is_named(tmp_path: Path) -> None:
    packed = pack(
        tmp_path / "a.zip", {"one.dcm": one_dicom(tmp_path), "LIESMICH.TXT": b"text", "bad.dcm": b"x" * 300}
    )
    catalog = scan([packed])
    assert len(catalog.series) == 1
    assert reasons(catalog) == {"LIESMICH.TXT": "not an image", "bad.dcm": "not a DICOM or image file"}


@pytest.mark.parametrize("name", ["[Content_Types].xml", "arr_0.npy", "META-INF/MANIFEST.MF"])
def test_other_things_that_are_zip_archives_are_not_looked_into(tmp_path: Path, name: str) -> None:
    catalog = scan([pack(tmp_path / "letter.docx", {name: b"x", "word/document.xml": b"x"})])
    assert reasons(catalog) == {"letter.docx": "not an image"}


class TestHostile:
    """Each is refused by name; the rest of the archive is opened."""

    @pytest.mark.parametrize(
        "name",
        ["../up.dcm", "/abs.dcm", "a/../../b.dcm", "C:/w.dcm", "a\\..\\b.dcm", "a//b.dcm", "nul\x01.dcm"],
    )
    def test_names_that_lead_out(self, tmp_path: Path, name: str) -> None:
        packed = pack(tmp_path / "a.zip", {name: one_dicom(tmp_path), "good.dcm": one_dicom(tmp_path, 1.0)})
        catalog = scan([packed])
        assert [len(s.slices) for s in catalog.series] == [1]
        assert [s.reason for s in catalog.skipped] == ["unsafe name in a zip archive"]
        assert packed in catalog.skipped[0].path.parents

    def test_an_archive_in_an_archive(self, tmp_path: Path) -> None:
        inner = pack(tmp_path / "inner.zip", {"a.dcm": one_dicom(tmp_path)}).read_bytes()
        catalog = scan([pack(tmp_path / "outer.zip", {"inner.zip": inner})])
        assert reasons(catalog) == {
            "inner.zip": "a zip archive inside another one: unpack the outer one first"
        }

    def test_links_passwords_and_other_methods(self, tmp_path: Path) -> None:
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as packed:
            link = zipfile.ZipInfo("link")
            link.external_attr = 0o120777 << 16
            packed.writestr(link, "/etc/passwd")
            packed.writestr("packed.dcm", one_dicom(tmp_path), zipfile.ZIP_LZMA)
            packed.writestr("secret.dcm", one_dicom(tmp_path))
            packed.writestr("__MACOSX/._a", b"x")
        data = bytearray(path.read_bytes())
        at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"secret.dcm"))
        struct.pack_into("<H", data, at + 8, 1)  # general purpose bit 0: encrypted
        path.write_bytes(data)
        found = reasons(scan([path]))
        assert found["link"] == "a link in a zip archive"
        assert "method" in found["packed.dcm"]
        assert "password" in found["secret.dcm"]
        assert found["._a"] == "hidden file"

    def test_a_bomb(self, tmp_path: Path) -> None:
        packed = pack(tmp_path / "a.zip", {"zeros.dcm": bytes(100 << 20), "good.dcm": one_dicom(tmp_path)})
        catalog = scan([packed])
        assert len(catalog.series) == 1
        assert reasons(catalog) == {"zeros.dcm": "inflates to more than 250 times its size"}

    def test_a_size_that_lies_is_never_exceeded(self, tmp_path: Path) -> None:
        path = pack(tmp_path / "a.zip", {"x": bytes(1 << 20)})
        data = bytearray(path.read_bytes())
        at = data.rfind(b"PK\x01\x02")
        struct.pack_into("<I", data, at + 24, 1000)  # announced size
        path.write_bytes(data)
        with archive.open_binary(path / "x") as stream, pytest.raises(UnreadableFile, match="checksum"):
            stream.read()

    def test_overlapping_members(self, tmp_path: Path) -> None:
        path = pack(
            tmp_path / "a.zip", {f"m{i}": bytes(range(256)) * 40 for i in range(8)}, zipfile.ZIP_STORED
        )
        data = bytearray(path.read_bytes())
        at = 0
        while (at := data.find(b"PK\x01\x02", at)) >= 0:
            struct.pack_into("<II", data, at + 20, 60_000, 60_000)
            at += 4
        path.write_bytes(data)
        with pytest.raises(UnreadableFile, match="overlap"):
            open_content(path)

    def test_too_many_entries_are_refused_before_they_are_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive, "MAX_ENTRIES", 5)
        path = pack(tmp_path / "a.zip", {str(i): b"x" for i in range(6)})
        with pytest.raises(UnreadableFile, match="6 entries: more than 5"):
            open_content(path)

    def test_too_much_in_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive, "MAX_TOTAL", 1000)
        path = pack(tmp_path / "a.zip", {str(i): bytes(400) for i in range(3)})
        with pytest.raises(UnreadableFile, match="inflates to"):
            open_content(path)

    @pytest.mark.parametrize("keep", [0.2, 0.6, 0.95])
    def test_cut_short(self, tmp_path: Path, keep: float) -> None:
        path = pack(tmp_path / "a.zip", {"a.dcm": one_dicom(tmp_path)})
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])
        (skipped,) = scan([path]).skipped
        assert "zip archive" in skipped.reason

    @settings(max_examples=200, deadline=None)
    @given(at=st.integers(0, 100_000), value=st.integers(0, 255))
    def test_any_byte_may_be_wrong(
        self, tmp_path_factory: pytest.TempPathFactory, at: int, value: int
    ) -> None:
        folder = tmp_path_factory.mktemp("z")
        path = pack(folder / "a.zip", {"a.dcm": one_dicom(folder), "b/c.dcm": one_dicom(folder, 1.0)})
        data = bytearray(path.read_bytes())
        data[at % len(data)] = value
        path.write_bytes(data)
        catalog = scan([path])
        for ref in (r for s in catalog.series for r in s.slices):
            try:
                assert open_reader(ref.path).pixels(ref.frame).shape == (ref.rows, ref.columns)
            except UnreadableFile:
                continue
