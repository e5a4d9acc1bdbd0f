"""A slice detected again with changed grey levels: what stood, what came and went."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.detection.base import DetectRequest, DetectResult, TraceRow
from core.detection.operating_point import OperatingPoint
from core.errors import Cancelled
from core.jobs import CancelToken
from core.model import Box, LabelClass, LabelSchema, Proposals
from core.proposals.normalise import grey_limits
from core.review.stability import VARIANTS, Repeats, repeat, stability, variants
from tests.core.proposals.samples import brain

SCHEMA = LabelSchema("two", (LabelClass(1, "glioma"), LabelClass(2, "meningioma")))
POINT = OperatingPoint(0.5, 0.4)
LESION, NEAR, OTHER = Box(20, 20, 60, 60), Box(22, 20, 62, 60), Box(100, 100, 140, 140)
Pixels = NDArray[np.float32]


def result(*rows: tuple[Box, float, int]) -> DetectResult:
    trace = tuple(TraceRow(i, label, score, box) for i, (box, score, label) in enumerate(rows))
    return DetectResult("k", "m@1", (), Proposals(tuple(b for b, _, _ in rows), (0.5,) * len(rows)), trace)


def slice_image() -> Pixels:
    image, _, noise = brain(128)
    return (image + noise).astype(np.float32)


def request(image: Pixels) -> DetectRequest:
    return DetectRequest("k", image, Proposals((LESION,), (0.5,)))


def test_there_is_a_variant_for_each_name_and_none_goes_beyond_the_slice() -> None:
    image = slice_image()
    made = dict(variants(image))
    assert tuple(made) == VARIANTS
    for changed in made.values():
        assert changed.shape == image.shape
        assert changed.dtype == np.float32
        assert image.min() <= changed.min()
        assert changed.max() <= image.max()
        assert not np.array_equal(changed, image)


@pytest.mark.parametrize("name", VARIANTS[:3])
def test_windows_keep_the_order_of_grey_levels(name: str) -> None:
    image = slice_image()
    changed = dict(variants(image))[name]
    assert (np.diff(changed.ravel()[np.argsort(image.ravel())]) >= 0).all()


def test_a_bias_field_falls_by_a_third() -> None:
    image = np.zeros((60, 60), dtype=np.float32)
    image[10:50, 5:55] = 60.0
    image[30:50, 5:55] = 100.0
    low, high = grey_limits(image) or (0.0, 0.0)
    left, top = ((dict(variants(image))[n] - low) / (high - low) for n in VARIANTS[3:])
    across = np.linspace(1.0, 2 / 3, 60)
    np.testing.assert_allclose(left[40, 5:55], across[5:55], rtol=1e-4)
    np.testing.assert_allclose(left[45], left[35], rtol=1e-4)
    np.testing.assert_allclose(top[30:50, 30], across[30:50], rtol=1e-4)


def test_a_slice_without_contrast_has_no_variants() -> None:
    image = np.full((40, 40), 7.0, dtype=np.float32)
    repeats = repeat(request(image), result((LESION, 0.9, 1)), lambda r, c: result(), cancel=CancelToken())
    assert repeats.variants == ()
    (one,) = stability(repeats, POINT, SCHEMA).stood
    assert (one.variants, one.window_sensitive) == (0, False)


def test_not_a_number_is_black() -> None:
    image = slice_image()
    image[:5] = np.nan
    assert all(np.isfinite(changed).all() for _, changed in variants(image))


def test_how_often_a_detection_stood() -> None:
    said = [
        result((NEAR, 0.9, 1)),
        result((NEAR, 0.4, 1)),
        result((NEAR, 0.9, 2), (OTHER, 0.6, 1)),
        result((LESION, 0.6, 1), (OTHER, 0.8, 2)),
        result((LESION, 0.6, 1)),
    ]
    found = stability(
        Repeats(result((LESION, 0.8, 1)), tuple(zip(VARIANTS, said, strict=True))), POINT, SCHEMA
    )
    (one,) = found.stood
    assert (one.times, one.variants, one.window_sensitive) == (4, 5, True)
    assert one.lost_in == ("brighter",)
    assert one.other_class_in == ("bright parts cut off",)
    assert one.text == (
        "Stands in 4 of 5 variants of the grey levels; lost with: brighter; another class with: "
        "bright parts cut off."
    )
    (new,) = found.appeared
    assert (new.detection.score, new.detection.label) == (0.8, "meningioma")
    assert new.seen_in == ("bright parts cut off", "bias field from the left")


def test_another_operating_point_needs_no_new_run() -> None:
    said = tuple((name, result((NEAR, 0.4, 1))) for name in VARIANTS)
    repeats = Repeats(result((LESION, 0.8, 1)), said)
    assert stability(repeats, POINT, SCHEMA).stood[0].times == 0
    assert stability(repeats, OperatingPoint(0.3, 0.4), SCHEMA).stood[0].times == 5
    assert stability(repeats, OperatingPoint(0.9, 0.4), SCHEMA).stood == ()


def test_every_variant_is_detected_with_proposals_of_its_own_and_progress() -> None:
    asked: list[DetectRequest] = []
    told: list[tuple[float, float]] = []

    def detect(one: DetectRequest, cancel: CancelToken) -> DetectResult:
        asked.append(one)
        return result()

    def progress(done: float, total: float, text: str = "", **metrics: float) -> None:
        told.append((done, total))

    repeat(request(slice_image()), result(), detect, cancel=CancelToken(), progress=progress)
    assert [(r.slice_key, r.proposals) for r in asked] == [("k", None)] * 5
    assert told == [(k, 5) for k in range(1, 6)]


def test_neighbours_are_changed_alike() -> None:
    image = slice_image()
    asked: list[DetectRequest] = []

    def detect(one: DetectRequest, cancel: CancelToken) -> DetectResult:
        asked.append(one)
        return result()

    around = DetectRequest("k", image, beside=(None, image))
    repeat(around, result(), detect, cancel=CancelToken())
    for one in asked:
        before, after = one.beside
        assert before is None
        np.testing.assert_array_equal(after, one.image)


def test_it_stops_when_asked_to() -> None:
    cancel = CancelToken()
    ran = []

    def detect(one: DetectRequest, token: CancelToken) -> DetectResult:
        ran.append(one)
        token.cancel()
        return result()

    with pytest.raises(Cancelled):
        repeat(request(slice_image()), result(), detect, cancel=cancel)
    assert len(ran) == 1
