"""The help at the desk over what the bundled model really says of real slices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.boxes import iou
from core.detection.base import DetectResult, own_schema
from core.detection.detector import RcnnDetector, load_detector
from core.detection.operating_point import OperatingPoint, detections_at
from core.detection.registry import ModelRegistry
from core.detection.requests import make_request
from core.imaging.catalog import scan
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Box, SliceRef
from core.review.differences import Change, differences
from core.review.missed import Spot, Verdict, explain
from core.review.propagate import SliceView, propagate
from core.review.stability import VARIANTS, repeat, stability

POINT = OperatingPoint()


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> RcnnDetector:
    found = ModelRegistry(tmp_path_factory.mktemp("models")).current()
    assert found is not None
    loaded = load_detector(found.path, threads=1)
    loaded.bind(own_schema(loaded))
    return loaded


@pytest.fixture
def volume(data_dir: Path) -> tuple[tuple[SliceRef, ...], dict[int, Box]]:
    """A series with one lesion, and its true box on each slice that it is on."""
    (series,) = scan([data_dir / "progression-dicom" / "03-pre"]).series
    rows = json.loads((data_dir / "progression" / "03-pre" / "boxes.json").read_text())["boxes"]
    return series.slices, {int(r["slice"]): Box(*map(float, r["box_xyxy"])) for r in rows}


def test_found_where_it_is_shown_and_lost_where_the_point_is_raised(
    detector: RcnnDetector, volume: tuple[tuple[SliceRef, ...], dict[int, Box]]
) -> None:
    slices, truth = volume
    cache, schema = PixelCache(1 << 22), own_schema(detector)
    middle = sorted(truth)[len(truth) // 2]
    request = make_request(slices[middle], cache.get)
    result = detector.detect(request, cancel=CancelToken())

    told = explain(result, truth[middle], POINT, schema)
    assert told.verdict is Verdict.FOUND
    assert told.deciding is not None
    raised = OperatingPoint(min(1.0, told.deciding.score + 0.001), POINT.nms_iou)
    assert explain(result, truth[middle], raised, schema).verdict is not Verdict.FOUND
    air = explain(result, Spot(1.0, 1.0), POINT, schema)
    assert air.verdict in {Verdict.NO_PROPOSAL, Verdict.LOW_SCORE}

    repeats = repeat(request, result, lambda r, c: detector.detect(r, cancel=c), cancel=CancelToken())
    assert [name for name, _ in repeats.variants] == list(VARIANTS)
    stood = stability(repeats, POINT, schema).stood
    shown = detections_at(result, POINT, schema)
    assert [s.shown for s in stood] == list(shown)
    assert all(d.change is Change.SAME for d in differences(shown, shown))


def test_a_box_is_carried_to_the_slice_beside_it(
    detector: RcnnDetector, volume: tuple[tuple[SliceRef, ...], dict[int, Box]]
) -> None:
    slices, truth = volume
    cache, asked = PixelCache(1 << 22), dict[int, DetectResult]()
    middle = sorted(truth)[len(truth) // 2]

    def view(index: int) -> SliceView | None:
        if abs(index - middle) > 1:
            return None
        request = make_request(slices[index], cache.get)
        asked[index] = detector.detect(request, cancel=CancelToken())
        return SliceView(asked[index], request.image)

    made = propagate(middle, truth[middle], len(slices), view)
    assert [p.slice for p in made.boxes] == [middle - 1, middle + 1]
    assert all(iou(p.box, truth[p.slice]) >= 0.5 for p in made.boxes)
