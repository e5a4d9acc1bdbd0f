from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ExchangeError, UnreadableFile
from core.evaluation.page import FOUND_COLOR, TRUE_COLOR
from core.exchange.evaluating import Figures, Load, Run, measure, run_models
from core.exchange.evaluation_page import write_page
from core.model import SliceRef
from tests.core.exchange.test_evaluating import AWAY, Found, dataset, detections, load


def _page(run: Run, path: Path, other: Run | None = None, load: Load = load) -> str:
    figures: Figures = measure(run, other, resamples=10)
    write_page(run, figures, load, path, other)
    return path.read_text(encoding="utf-8")


def _run(slices: int, found: dict[str, object], boxes: int = 1) -> Run:
    (run,) = run_models(dataset(slices, boxes), [Found("model", found)], load)  # type: ignore[arg-type]
    return run


def _pictures(page: str) -> list[NDArray[np.uint8]]:
    coded = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    arrays = [cv2.imdecode(np.frombuffer(base64.b64decode(c), np.uint8), cv2.IMREAD_COLOR) for c in coded]
    return [np.asarray(a, dtype=np.uint8) for a in arrays]


def _holds(picture: NDArray[np.uint8], color: str) -> bool:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return bool((picture == (blue, green, red)).all(axis=-1).any())


def test_the_page_stands_alone(tmp_path: Path) -> None:
    first, second = run_models(
        dataset(8), [Found("one", detections(6)), Found("two <b>", detections(8, AWAY))], load
    )
    page = _page(first, tmp_path / "deep" / "e.html", second)
    assert not re.search(r"<script|<link|@import|url\(|javascript:", page)
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in page
    assert "Compared with two &lt;b&gt;@0" in page
    assert page.count("<svg") == 4
    assert not (tmp_path / "deep" / "e.html.part").exists()


def test_missed_and_found_boxes_are_drawn(tmp_path: Path) -> None:
    pictures = _pictures(_page(_run(2, {"k1": detections(2, AWAY)["k1"]}), tmp_path / "e.html"))
    assert len(pictures) == 2
    assert all(_holds(p, TRUE_COLOR) for p in pictures)
    assert [_holds(p, FOUND_COLOR) for p in pictures] == [False, True]


def test_no_name_of_a_file_or_patient_is_told(tmp_path: Path) -> None:
    run = _run(6, {})
    page = _page(run, tmp_path / "e.html")
    for labelled in run.slices:
        assert labelled.ref.path.name not in re.sub(r'src="[^"]+"', "", page)
        assert labelled.group not in page
    assert re.search(r"Slice 1 \([0-9a-f]{8}\); 1 box missed", page)


@pytest.mark.parametrize("boxes", [0, 1])
@pytest.mark.parametrize("found", [0, 1])
@pytest.mark.parametrize("slices", [1, 3])
def test_pages_of_next_to_nothing(slices: int, boxes: int, found: int, tmp_path: Path) -> None:
    page = _page(_run(slices, dict(detections(slices)) if found else {}, boxes), tmp_path / "e.html")
    assert "nan" not in re.sub(r'src="[^"]+"', "", page)
    assert len(_pictures(page)) == (0 if boxes == found else slices)


def test_a_slice_that_is_gone_by_then_has_no_picture(tmp_path: Path) -> None:
    def gone(ref: SliceRef) -> NDArray[np.float32]:
        raise UnreadableFile(ref.path, "gone")

    assert not _pictures(_page(_run(2, {}), tmp_path / "e.html", load=gone))


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("a file, not a folder")
    with pytest.raises(ExchangeError, match="file"):
        _page(_run(1, {}), taken / "e.html")
