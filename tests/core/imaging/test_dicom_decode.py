"""Decoding in a child process: what the child suffers, the application only hears of."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from core.errors import UnreadableFile
from core.imaging import dicom_decode, dicom_worker
from core.imaging.dicom_decode import JPEG, JPEG_2000, JPEG_LS, DecodeFailed, DecodePool, Worker, deadline
from core.imaging.reader import open_reader
from tests.core.imaging.files import dicom, ramp

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
posix = pytest.mark.skipif(os.name != "posix", reason="limits of processes are POSIX's")
SLICE = (np.add.outer(np.arange(64), np.arange(48)) * 30).astype(np.uint16)
J2K = bytes(imagecodecs.jpeg2k_encode(SLICE, level=0, reversible=True, codecformat="j2k"))
"""A real code stream."""


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.stop()


class TestWorker:
    """One child."""

    def test_frames_one_after_the_other_from_one_process(self, worker: Worker) -> None:
        streams = {
            JPEG_2000: J2K,
            JPEG_LS: bytes(imagecodecs.jpegls_encode(SLICE)),
            JPEG: bytes(imagecodecs.ljpeg_encode(SLICE)),
        }
        pid = worker.pid
        for kind, stream in [*streams.items()] * 2:
            found = worker.decode(kind, stream, 1, 30)
            assert np.array_equal(found, SLICE)
            assert found.flags.writeable
        assert (worker.pid, worker.alive) == (pid, True)

    def test_a_damaged_stream_does_not_cost_the_process(self, worker: Worker) -> None:
        for broken in (b"", b"\xff\xd8\xff", J2K[:200], bytes(1000)):
            for kind in (JPEG, JPEG_LS, JPEG_2000):
                with pytest.raises(DecodeFailed, match="damaged"):
                    worker.decode(kind, broken, 1, 30)
        assert np.array_equal(worker.decode(JPEG_2000, J2K, 1, 30), SLICE)

    @posix
    def test_death_is_told(self, worker: Worker) -> None:
        os.kill(worker.pid, signal.SIGSTOP)
        killer = threading.Timer(0.3, os.kill, (worker.pid, signal.SIGSEGV))
        waker = threading.Timer(0.4, os.kill, (worker.pid, signal.SIGCONT))
        killer.start()
        waker.start()
        with pytest.raises(DecodeFailed, match="crashed"):
            worker.decode(JPEG_2000, J2K, 1, 30)
        killer.join()
        waker.join()
        assert not worker.alive

    @posix
    def test_a_hang_ends(self, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dicom_decode, "_PATIENCE", 1)
        os.kill(worker.pid, signal.SIGSTOP)  # it uses no processor time at all: the clock decides
        start = time.perf_counter()
        with pytest.raises(DecodeFailed, match="longer than 1 s"):
            worker.decode(JPEG_2000, J2K, 1, 1)
        assert time.perf_counter() - start < 3
        assert not worker.alive

    @posix
    def test_a_busy_loop_ends_by_processor_time(self) -> None:
        code = (
            "import runpy, sys\nmodule = runpy.run_path(sys.argv[1])\nmodule['_allow'](1)\nwhile True: pass"
        )
        done = subprocess.run([sys.executable, "-c", code, dicom_worker.__file__], check=False)
        assert done.returncode == -signal.SIGPROF

    @posix
    def test_memory_is_bounded(self, worker: Worker) -> None:
        side = 32_000  # one component of int32: 4 GiB
        lie = J2K[:8] + struct.pack(">IIIIIIII", side, side, 0, 0, side, side, 0, 0) + J2K[40:]
        with pytest.raises(DecodeFailed):
            worker.decode(JPEG_2000, lie, 1, 30)
        if worker.alive:
            assert np.array_equal(worker.decode(JPEG_2000, J2K, 1, 30), SLICE)

    @posix
    def test_limits_are_in_force(self, worker: Worker) -> None:
        worker.decode(JPEG_2000, J2K, 1, 30)
        limits = Path(f"/proc/{worker.pid}/limits")
        if not limits.exists():
            pytest.skip("no /proc here")
        rows = {line[:25].strip(): line[25:].split() for line in limits.read_text().splitlines()}
        assert rows["Max address space"][0] == str(2 << 30)


class TestPool:
    """Children for as many threads as decode at once."""

    def test_a_process_is_used_again(self) -> None:
        pool = DecodePool(2)
        for _ in range(3):
            assert np.array_equal(pool.decode(JPEG_2000, J2K, 1, SLICE.size), SLICE)
        assert len(pool.pids()) == 1
        pool.close()
        assert pool.pids() == []

    @posix
    def test_a_dead_one_is_replaced(self) -> None:
        pool = DecodePool(1)
        pool.decode(JPEG_2000, J2K, 1, SLICE.size)
        (pid,) = pool.pids()
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        assert np.array_equal(pool.decode(JPEG_2000, J2K, 1, SLICE.size), SLICE)
        assert pool.pids() != [pid]
        pool.close()

    def test_threads_do_not_mix_their_frames(self) -> None:
        pool = DecodePool(2)
        wrong: list[int] = []

        def decode(i: int) -> None:
            mine = SLICE + np.uint16(i)
            stream = bytes(imagecodecs.jpegls_encode(mine))
            found = [pool.decode(JPEG_LS, stream, 1, mine.size) for _ in range(5)]
            wrong.extend(i for each in found if not np.array_equal(each, mine))

        threads = [threading.Thread(target=decode, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert wrong == []
        assert 1 <= len(pool.pids()) <= 2
        pool.close()

    @pytest.mark.parametrize(("samples", "seconds"), [(1, 4), (2_000_000, 4), (64_000_000, 66)])
    def test_large_frames_have_longer(self, samples: int, seconds: int) -> None:
        assert deadline(samples) == seconds


def compressed(path: Path, stream: bytes, syntax: pydicom.uid.UID, shape: tuple[int, int]) -> Path:
    dataset = dicom(np.zeros(shape, np.uint16), syntax=syntax)
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


class TestReader:
    """What a person reads of it."""

    @pytest.mark.parametrize(
        ("stream", "syntax", "shape", "reason"),
        [
            (J2K[:300], JPEG2000Lossless, SLICE.shape, "frame 1 .*JPEG 2000.*the code stream is damaged"),
            (
                J2K, JPEG2000Lossless, (64, 49),
                "holds 48 × 64 pixels, the header says 49 × 64",
            ),
            (b"nothing", JPEGLSLossless, SLICE.shape, "frame 1 .*JPEG-LS.*the code stream is damaged"),
            (b"\1\0\0\0" + bytes(60), RLELossless, SLICE.shape, "frame 1 .*RLE.*damaged or too short"),
        ],
        ids=["cut", "size", "garbage", "rle"],
    )  # fmt: skip
    def test_reasons_are_exact(
        self, tmp_path: Path, stream: bytes, syntax: pydicom.uid.UID, shape: tuple[int, int], reason: str
    ) -> None:
        path = compressed(tmp_path / "a.dcm", stream, syntax, shape)
        with pytest.raises(UnreadableFile, match=reason):
            open_reader(path).pixels(0)

    def test_a_comment_behind_the_last_tile_does_no_harm(self, tmp_path: Path) -> None:
        comment = b"\xff\x64\x00\x0b\x00\x01PADDING"
        path = compressed(tmp_path / "a.dcm", J2K[:-2] + comment + J2K[-2:], JPEG2000Lossless, SLICE.shape)
        assert np.array_equal(open_reader(path).pixels(0), SLICE)

    def test_a_jp2_file_around_the_code_stream(self, tmp_path: Path) -> None:
        jp2 = bytes(imagecodecs.jpeg2k_encode(SLICE, level=0, reversible=True, codecformat="jp2"))
        path = compressed(tmp_path / "a.dcm", jp2, JPEG2000Lossless, SLICE.shape)
        assert np.array_equal(open_reader(path).pixels(0), SLICE)
        for length in (0, 7):  # pydicom steps from box to box by their lengths, and would stay at the second
            broken = jp2[:12] + length.to_bytes(4, "big") + jp2[16:]
            path = compressed(tmp_path / "a.dcm", broken, JPEG2000Lossless, SLICE.shape)
            with pytest.raises(UnreadableFile, match="the code stream is damaged"):
                open_reader(path).pixels(0)
        path = compressed(tmp_path / "a.dcm", jp2, JPEG2000Lossless, (64, 49))
        with pytest.raises(UnreadableFile, match="holds 48 × 64 pixels"):
            open_reader(path).pixels(0)

    def test_nothing_compressed_is_decoded_in_this_process(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("decoded in the application's own process")

        for name in ("jpeg2k_decode", "jpegls_decode", "ljpeg_decode", "jpeg8_decode"):
            monkeypatch.setattr(imagecodecs, name, refuse)
        path = compressed(tmp_path / "a.dcm", J2K, JPEG2000Lossless, SLICE.shape)
        assert np.array_equal(open_reader(path).pixels(0), SLICE)

    def test_video_is_named(self, tmp_path: Path) -> None:
        path = compressed(tmp_path / "a.dcm", b"\0" * 64, pydicom.uid.MPEG2MPML, SLICE.shape)
        with pytest.raises(UnreadableFile, match=r"no decoder for its transfer syntax \(MPEG2"):
            open_reader(path)

    @pytest.mark.parametrize("signed", [False, True])
    def test_twelve_bits_packed(self, tmp_path: Path, signed: bool) -> None:
        values = np.array([[1, 2048, 4095], [0, 77, 1234], [9, 4000, 3]])  # nine: ends within a byte
        flat = [*values.ravel().tolist()]
        bits = "".join(format(v, "012b")[::-1] for v in [*flat, *flat])  # two frames, lowest bit first
        packed = bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8))
        dataset = dicom(
            np.zeros((2, 3, 3), np.uint16), BitsAllocated=12, BitsStored=12, HighBit=11,
            PixelRepresentation=int(signed),
        )  # fmt: skip
        dataset.PixelData = packed + bytes(len(packed) % 2)
        pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
        expected = np.where(values >= 2048, values - 4096, values) if signed else values
        reader = open_reader(tmp_path / "a.dcm")
        for i in range(2):
            assert np.array_equal(reader.pixels(i), expected)

    def test_a_preamble_that_was_cut_off(self, tmp_path: Path) -> None:
        pydicom.dcmwrite(tmp_path / "a.dcm", dicom(ramp()), enforce_file_format=True)
        (tmp_path / "b.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[128:])
        assert np.array_equal(open_reader(tmp_path / "b.dcm").pixels(0), ramp())

    def test_a_header_without_end_is_left_early(self, tmp_path: Path) -> None:
        pydicom.dcmwrite(tmp_path / "a.dcm", dicom(ramp()), enforce_file_format=True)
        data = (tmp_path / "a.dcm").read_bytes()
        many = b"".join(struct.pack("<HH2sH", 0x0029, i, b"LO", 0) for i in range(0x1000, 0xFFFF))
        at = data.index(b"\xe0\x7f\x10\0")
        (tmp_path / "a.dcm").write_bytes(data[:at] + many * 4 + data[at:])
        with pytest.raises(UnreadableFile, match="more than 50,000 elements"):
            open_reader(tmp_path / "a.dcm")
