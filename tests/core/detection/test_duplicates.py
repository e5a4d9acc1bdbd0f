"""Copies of held-out slices do not stay in training, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.detection.config import Load
from core.detection.duplicates import near_duplicates, set_apart, thumbnails
from core.detection.regions import WorkingSlice, to_working
from core.detection.samples import Sample
from core.detection.sampling import Truth
from core.detection.train import train
from core.exchange.datasets import load_dataset
from core.imaging.pixels import PixelCache
from core.imaging.reader import open_reader
from core.model import LabelledSlice
from core.proposals.normalise import normalise
from tests.core.detection.samples import blobs, reader, tiny

Pixels = NDArray[np.float32]
NONE = np.zeros((0, 4))


def picture(seed: int, rows: int = 120, columns: int = 160) -> Pixels:
    """Smooth and unlike any other seed's."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((9, 12)).astype(np.float32)
    return np.asarray(
        cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC) * 200 + 20, np.float32
    )


def working(pixels: Pixels, size: int = 128) -> WorkingSlice:
    image, scale = to_working(normalise(pixels), size)
    rows, columns = pixels.shape
    return WorkingSlice(image.astype(np.float16), scale, columns * scale, rows * scale, NONE)


def sample(pixels: Pixels, *labels: int) -> Sample:
    boxes = np.tile(np.array([[10.0, 10.0, 40.0, 40.0]]), (len(labels), 1))
    truth = Truth(boxes, np.array(labels, dtype=np.int64), NONE, NONE)
    return Sample(working(pixels), truth, (), 0)


def as_jpeg(pixels: Pixels) -> Pixels:
    _, data = cv2.imencode(".jpg", pixels.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 20])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)


def resized(pixels: Pixels, factor: float) -> Pixels:
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor), np.float32)


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "the same": lambda p: p,
    "saved as JPEG": as_jpeg,
    "half the size": lambda p: resized(p, 0.5),
    "twice the size": lambda p: resized(p, 2.0),
    "of other units": lambda p: p * 7 - 1000,
    "noisy": lambda p: p + np.random.default_rng(0).normal(0, 8, p.shape).astype(np.float32),
    "moved by a pixel": lambda p: np.roll(p, 1, axis=1),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_copies_are_found(copy: Callable[[Pixels], Pixels]) -> None:
    slices = [working(picture(i)) for i in range(6)]
    found = near_duplicates(slices, [working(copy(picture(4)))])
    assert found.tolist() == [False, False, False, False, True, False]


def test_slices_that_differ_are_no_copies() -> None:
    slices = [working(picture(i)) for i in range(30)]
    assert not near_duplicates(slices[:20], slices[20:]).any()


def test_thumbnails_correlate() -> None:
    a, b = picture(1), picture(1) + 0.5 * picture(2)
    one, other = thumbnails([working(a), working(b)])
    small = [cv2.resize(p, (64, 64), interpolation=cv2.INTER_AREA).ravel() for p in (a, b)]
    assert float(one @ other) == pytest.approx(np.corrcoef(np.stack(small)).min(), abs=0.02)
    assert np.linalg.norm(one) == pytest.approx(1.0, abs=1e-5)


def test_a_slice_of_one_grey_level_is_like_no_other() -> None:
    flat = working(np.full((50, 50), 3.0, np.float32))
    assert not near_duplicates([flat, working(picture(1))], [flat]).any()


def test_nothing_is_compared_with_nothing() -> None:
    one = [working(picture(1))]
    assert near_duplicates(one, []).tolist() == [False]
    assert near_duplicates([], one).tolist() == []


def test_many_slices_are_judged_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.detection.duplicates._AT_ONCE", 3)
    slices = [working(picture(i)) for i in range(8)]
    assert np.flatnonzero(near_duplicates(slices, [slices[7], slices[2]])).tolist() == [2, 7]


def test_copies_are_left_out_of_training_and_counted() -> None:
    held = [sample(picture(i), 1) for i in range(3)]
    others = [sample(picture(i), 1, 2) for i in range(10, 15)]
    kept, words = set_apart([*others, sample(as_jpeg(picture(1)), 1)], held)
    assert [id(s) for s in kept] == [id(s) for s in others]
    assert words == "1 near-duplicate of held-out slices left out of training"
    assert set_apart(others, held) == (others, "")


@pytest.mark.parametrize("labels", [(1, 1), (1, 2)], ids=["too few boxes", "a class would be gone"])
def test_where_too_little_would_be_left_all_stay_and_the_card_says_so(labels: tuple[int, int]) -> None:
    held = [sample(picture(i), 1) for i in range(3)]
    rest = [sample(picture(10 + i), labels[0]) for i in range(2 if labels == (1, 1) else 6)]
    copies = [sample(picture(i), labels[1]) for i in range(3)]
    kept, words = set_apart([*rest, *copies], held)
    assert len(kept) == len(rest) + 3
    assert words == (
        "3 near-duplicates of held-out slices kept in training, or too little were left: figures are too good"
    )


def renamed(pixels: dict[str, Pixels], wanted: LabelledSlice, group: str) -> LabelledSlice:
    """A slice under another name, brighter, of another group; its pixels are noted."""
    key = f"raster:copy of {wanted.ref.key}"
    pixels[key] = pixels[wanted.ref.key] * 2
    return replace(wanted, ref=replace(wanted.ref, key=key), group=group)


def test_a_training_run_leaves_copies_out_and_says_so(tmp_path: Path) -> None:
    dataset, read = blobs(12)
    pixels = dict(read)
    held = [s for s in dataset.slices if s.group == "group 0"]
    copies = [renamed(pixels, s, "another") for s in held]
    valid = replace(dataset, name="held", slices=tuple(held))
    rest = replace(dataset, slices=(*[s for s in dataset.slices if s not in held], *copies))
    load: Load = reader(pixels)
    result = train([rest], tiny(tmp_path, epochs=1), tmp_path / "out", valid=valid, load=load)
    assert result.card.split == (
        f"validation set held given, {len(held)} slices; "
        f"{len(copies)} near-duplicates of held-out slices left out of training"
    )


@pytest.mark.data
def test_patients_that_look_alike_are_no_copies(data_dir: Path) -> None:
    """Of btod's numbered patients one slice each: registered brains, none a copy of another."""
    dataset = load_dataset(data_dir / "btod", split="train")
    numbered = [s for s in dataset.slices if s.ref.path.name[:5].isdigit()]
    first = {s.group: s.ref for s in reversed(numbered)}
    assert len(first) == 118
    read = PixelCache(1 << 20).get
    slices = [working(read(ref), 256) for ref in first.values()]
    assert not near_duplicates(slices[:60], slices[60:]).any()


@pytest.mark.data
def test_a_real_slice_saved_again_is_found(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "cheng" / "train"
    refs = [s.ref for s in load_dataset(folder).slices[:40]]
    read = PixelCache(1 << 20).get
    again = tmp_path / "again.jpg"
    small = resized(read(refs[7]), 0.4)
    cv2.imwrite(str(again), (255 * normalise(small)).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])
    copy = working(read(open_reader(again).slices()[0]), 256)
    found = near_duplicates([working(read(r), 256) for r in refs], [copy])
    assert found[7]
    assert found.sum() <= 3, "the slices beside it at most"
