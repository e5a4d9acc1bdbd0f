"""Damages DICOM files at random and opens them as the application does; `make fuzz` runs many.

A run is repeatable: mutation i of a run depends on its seed and on i only, so that `--first i --count 1`
brings back a single one. The files are opened in a child process, since what is looked for is its death.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
)

from core.errors import UnreadableFile
from core.imaging.dicom_decode import pool
from core.imaging.dicom_worker import MEMORY_LIMIT
from core.imaging.pixels import PixelCache
from core.imaging.reader import open_reader
from core.imaging.window import apply_window, default_window
from tests.core.imaging.files import dicom, item, plane, ramp, write_dicom

WAIT_S = 5.0
STUCK_S = 20.0  # of processor time
_MODULE = "tests.core.imaging.dicom_fuzz"
_ROOT = Path(__file__).resolve().parents[3]
_MOST_DEATHS = 20  # then something is wrong with all of them
_MOST_SEED_BYTES = 60_000
_SECRETS = ("CompressedSamples", "Lestrade", "SECRET", "FUZZ")  # of patients in the files that are damaged
_NUMBERS = (
    0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF,
)  # fmt: skip
_TAGS = (
    (0x0028, 0x0002), (0x0028, 0x0004), (0x0028, 0x0006), (0x0028, 0x0008), (0x0028, 0x0010),
    (0x0028, 0x0011), (0x0028, 0x0100), (0x0028, 0x0101), (0x0028, 0x0102), (0x0028, 0x0103),
    (0x0028, 0x0120), (0x0028, 0x1050), (0x0028, 0x1051), (0x0028, 0x1052), (0x0028, 0x1053),
    (0x0028, 0x1101), (0x0028, 0x3000), (0x0028, 0x3010), (0x0028, 0x3002), (0x0020, 0x0032),
    (0x0020, 0x0037), (0x0028, 0x0030), (0x7FE0, 0x0010), (0x5200, 0x9229), (0x5200, 0x9230),
    (0x0002, 0x0010), (0x0008, 0x0016), (0x0040, 0x9096), (0xFFFE, 0xE000), (0xFFFE, 0xE0DD),
)  # fmt: skip


@dataclass
class Report:
    """What became of a run."""

    count: int = 0
    opened: int = 0
    refused: int = 0
    deaths: list[int] = field(default_factory=list)
    waits: list[tuple[int, float]] = field(default_factory=list)
    wrong: list[tuple[int, str]] = field(default_factory=list)
    slowest: float = 0.0
    decoder_ends: int = 0
    worker_bytes: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Nobody died, nobody waited, every refusal had its reason, and no worker grew too large."""
        return not (self.deaths or self.waits or self.wrong) and self.worker_bytes <= MEMORY_LIMIT

    def add(self, other: Report) -> None:
        """Count another part of the run."""
        for name in ("count", "opened", "refused", "decoder_ends"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("deaths", "waits", "wrong"):
            getattr(self, name).extend(getattr(other, name))
        self.slowest = max(self.slowest, other.slowest)
        self.worker_bytes = max(self.worker_bytes, other.worker_bytes)
        self.reasons = dict(Counter(self.reasons) + Counter(other.reasons))


def seeds(more: Sequence[Path] = ()) -> list[bytes]:
    """Small sound files of every kind: pydicom's, our own, and those below the folders given."""
    shipped = Path(pydicom.__file__).parent / "data" / "test_files"
    paths = [p for folder in (shipped, *more) for p in sorted(folder.rglob("*")) if p.is_file()]
    found = {p.read_bytes(): None for p in sorted(paths) if 300 < p.stat().st_size <= _MOST_SEED_BYTES}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.dcm"
        dicoms = [data for data in found if path.write_bytes(data) and _is_sound(path)]
    return [*dicoms, *_own()]


def _is_sound(path: Path) -> bool:
    try:
        return path.read_bytes()[128:132] == b"DICM" and bool(open_reader(path).slices())
    except UnreadableFile:
        return False


def _own() -> list[bytes]:
    table = item(LUTDescriptor=[48, 0, 12], LUTData=np.arange(48, dtype="<u2").tobytes(), LUTExplanation="t")
    groups = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
            FrameVOILUTSequence=[item(WindowCenter=20, WindowWidth=30)],
            PixelValueTransformationSequence=[item(RescaleSlope=z + 1, RescaleIntercept=-z)],
        )
        for z in range(3)
    ]
    enhanced = {"PerFrameFunctionalGroupsSequence": groups, "PatientName": "SECRET^NAME"}
    packed = {"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}
    lossless, wrapped = (dicom(ramp(), syntax=syntax) for syntax in (JPEGLosslessSV1, JPEG2000Lossless))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.dcm"

        def written(dataset: pydicom.FileDataset) -> bytes:
            pydicom.dcmwrite(path, dataset, enforce_file_format=True)
            return path.read_bytes()

        return [
            write_dicom(path, ramp(), **plane(1), VOILUTSequence=[table], PixelPaddingValue=3).read_bytes(),
            write_dicom(path, np.stack([ramp()] * 3), **enhanced).read_bytes(),
            write_dicom(path, ramp(), **packed).read_bytes(),
            written(dicom(ramp(), syntax=DeflatedExplicitVRLittleEndian, PatientName="SECRET^NAME")),
            written(dicom(ramp(), syntax=ImplicitVRLittleEndian, ModalityLUTSequence=[table])),
            written(_encapsulated(lossless, imagecodecs.ljpeg_encode(ramp()))),
            written(_encapsulated(wrapped, imagecodecs.jpeg2k_encode(ramp(), level=0, codecformat="jp2"))),
        ]


def _encapsulated(dataset: pydicom.FileDataset, stream: bytes | bytearray) -> pydicom.FileDataset:
    dataset.PixelData = encapsulate([bytes(stream)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def mutated(sources: Sequence[bytes], seed: int, index: int) -> bytes:
    """Mutation `index` of a run."""
    rng = random.Random(f"{seed}:{index}")
    data = bytearray(rng.choice(sources))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(_MUTATIONS)(data, rng, sources)
        if not data:
            break
    return bytes(data)


def _flip(data: bytearray, rng: random.Random, sources: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 2, 8, 32))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _number(data: bytearray, rng: random.Random, sources: Sequence[bytes]) -> None:
    _put(data, rng, rng.randrange(len(data)))


def _put(data: bytearray, rng: random.Random, at: int) -> None:
    width = rng.choice((1, 2, 4))
    value = rng.choice(_NUMBERS) & (256**width - 1)
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))


def _element(data: bytearray, rng: random.Random, sources: Sequence[bytes]) -> None:
    """Change length, kind or value of an element that matters."""
    for _ in range(8):
        tag = struct.pack(rng.choice(("<HH", "<HH", ">HH")), *rng.choice(_TAGS))
        at = data.find(tag)
        if at >= 0:
            _put(data, rng, min(at + rng.choice((4, 6, 8, 8, 10, 12, 16)), len(data) - 1))
            return


def _code_stream(data: bytearray, rng: random.Random, sources: Sequence[bytes]) -> None:
    """Change bytes behind the pixel element's tag: the header stays readable, and decoders are reached."""
    begin = data.rfind(b"\xe0\x7f\x10\0") + 12
    if 12 <= begin < len(data) - 4:
        for _ in range(rng.choice((1, 2, 8, 64))):
            data[rng.randrange(begin, len(data))] = rng.choice((0, 0xFF, rng.randrange(256)))
        if rng.random() < 0.3:
            _put(data, rng, rng.randrange(begin, min(begin + 200, len(data) - 4)))


def _cut(data: bytearray, rng: random.Random, sources: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data)) :]


def _lose(data: bytearray, rng: random.Random, sources: Sequence[bytes]) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 8, 100, 2000))]


def _repeat(data: bytearray, rng: random.Random, sources: Sequence[bytes]) -> None:
    at = rng.randrange(len(data))
    block = data[at : at + rng.choice((2, 8, 64, 1000))]
    data[at:at] = block * rng.choice((1, 2, 50))


def _noise(data: bytearray, rng: random.Random, sources: Sequence[bytes]) -> None:
    at = rng.randrange(len(data))
    data[at : at + rng.choice((0, 4, 64))] = rng.randbytes(rng.choice((1, 4, 64, 500)))


def _splice(data: bytearray, rng: random.Random, sources: Sequence[bytes]) -> None:
    other = rng.choice(sources)
    data[rng.randrange(len(data)) :] = other[rng.randrange(len(other)) :]


_MUTATIONS: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    _flip, _number, _number, _element, _element, _element, _code_stream, _code_stream, _code_stream,
    _code_stream, _code_stream, _cut, _lose, _repeat, _noise, _splice,
)  # fmt: skip


def open_as_the_application(path: Path) -> str:
    """Open, decode and window the last slice of a file.

    Returns:
        Why it was refused, or "" where it was opened.
    """
    try:
        reader = open_reader(path)
        ref = reader.slices()[-1]
        cache = PixelCache(1 << 26)
        pixels = cache.get(ref)
        picture = cache.colour(ref) if ref.colour else None
        apply_window(pixels if picture is None else picture, default_window(ref, pixels), ref.inverted)
    except UnreadableFile as error:
        if error.path != path or not error.reason or any(word in error.reason for word in _SECRETS):
            raise AssertionError(f"a bad reason: {error}") from error
        return error.reason
    assert np.isfinite(pixels).all()
    return ""


def run_here(first: int, count: int, seed: int, folders: Sequence[Path], at: Path) -> Report:
    """Run mutations in this process, writing the number of each before it is opened.

    Args:
        first: Number of the first.
        count: How many.
        seed: Of the run.
        folders: Where more files to damage are.
        at: File that tells which one is being opened.
    """
    report, reasons, sources = Report(), Counter[str](), seeds(folders)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder) / "a.dcm"
        with at.open("r+b", buffering=0) as mark:
            for index in range(first, first + count):
                path.write_bytes(mutated(sources, seed, index))
                _die_when_stuck()
                mark.seek(0)
                mark.write(b"%010d" % index)
                _open_one(path, index, report, reasons)
    report.worker_bytes = max([report.worker_bytes, *map(_peak, pool.pids())])
    report.reasons = dict(reasons.most_common(40))
    return report


def _die_when_stuck() -> None:
    """End this process if the next file takes so much processor time: then it will never be done."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, STUCK_S)


def _open_one(path: Path, index: int, report: Report, reasons: Counter[str]) -> None:
    start = time.perf_counter()
    try:
        reason = open_as_the_application(path)
    except Exception as error:  # noqa: BLE001 - anything else than a refusal is what is looked for
        report.wrong.append((index, f"{type(error).__name__}: {error}"[:300]))
        reason = "wrong"
    took = time.perf_counter() - start
    report.count += 1
    report.opened += not reason
    report.refused += bool(reason)
    report.slowest = max(report.slowest, took)
    ended = "crashed on" in reason or "was stopped" in reason
    report.decoder_ends += ended
    if took > WAIT_S * busyness():
        report.waits.append((index, took))
    if reason:
        reasons["".join("#" if c.isdigit() else c for c in reason)[:80]] += 1
    if index % 500 == 0:
        report.worker_bytes = max([report.worker_bytes, *map(_peak, pool.pids())])


def busyness() -> float:
    """How many times longer things take here because others use the processors too."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    return max(1.0, load / (os.cpu_count() or 1))


def _peak(pid: int) -> int:
    """Largest resident size of a process so far, in bytes; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def run(count: int, seed: int, folders: Sequence[Path] = (), first: int = 0) -> Report:
    """Run mutations in child processes; a death costs one mutation and is counted."""
    total = Report()
    index, end = first, first + count
    with tempfile.TemporaryDirectory() as folder:
        at, out = Path(folder) / "at", Path(folder) / "report.json"
        while index < end:
            at.write_bytes(b"%010d" % index)
            out.unlink(missing_ok=True)
            command = [sys.executable, "-m", _MODULE, "--here", str(at), str(out), "--seed", str(seed)]
            command += ["--first", str(index), "--count", str(end - index), *map(str, folders)]
            environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
            done = subprocess.run(command, check=False, cwd=_ROOT, env=environment)
            if out.exists():
                total.add(_read(out))
                break
            if done.returncode >= 0:
                raise RuntimeError("the child that opens the files failed by itself; its message is above")
            died = int(at.read_bytes())
            if done.returncode == -getattr(signal, "SIGPROF", 0):
                total.waits.append((died, STUCK_S))
            else:
                total.deaths.append(died)
            total.count += died - index + 1
            index = died + 1
            if len(total.deaths) + len(total.waits) >= _MOST_DEATHS:
                break
    return total


def _read(path: Path) -> Report:
    tree: dict[str, Any] = json.loads(path.read_text())
    return Report(**tree)


def main() -> int:
    """Command line: 0 where nothing bad was found."""
    parser = argparse.ArgumentParser(description="Open damaged DICOM files as the application does.")
    parser.add_argument("folders", nargs="*", type=Path, help="more files to damage")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--here", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        report = run_here(given.first, given.count, given.seed, given.folders, given.here[0])
        given.here[1].write_text(json.dumps(asdict(report)))
        return 0
    report = run(given.count, given.seed, given.folders, given.first)
    sys.stdout.write(json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
