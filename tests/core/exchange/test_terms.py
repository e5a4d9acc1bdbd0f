"""What a data set's files state of origin and licence reaches the card of a model trained on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.detection.card import DataUsed, ModelCard
from core.detection.config import TrainConfig
from core.detection.samples import make_plan
from core.exchange.data_yaml import read_data_yaml
from core.exchange.datasets import load_dataset, merged
from core.exchange.terms import LONGEST, coco_terms, joined_terms
from tests.core.exchange.builders import box_row, image, write_coco, write_image
from tests.core.exchange.test_datasets import yolo_tree

BY = {"id": 1, "name": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/"}
NC = {"id": 2, "name": "", "url": "https://creativecommons.org/licenses/by-nc/4.0/"}


@pytest.mark.parametrize(
    ("tree", "terms"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"info": {"description": "a folder", "year": 2024}}, "", id="nothing of terms"),
        pytest.param({"licenses": [BY]}, "CC BY 4.0", id="a licence"),
        pytest.param({"licenses": [NC]}, NC["url"], id="a licence without name"),
        pytest.param({"licenses": [BY, NC]}, f"CC BY 4.0, {NC['url']}", id="several"),
        pytest.param(
            {"licenses": [BY, NC], "images": [{"license": 1}, {"license": 1}]}, "CC BY 4.0", id="the one used"
        ),
        pytest.param({"licenses": [BY], "images": [{"license": 7}]}, "CC BY 4.0", id="an unknown one used"),
        pytest.param(
            {"info": {"contributor": "A. Group", "url": "https://a.example"}, "licenses": [BY]},
            "A. Group, https://a.example: CC BY 4.0",
            id="origin and licence",
        ),
        pytest.param({"info": {"contributor": "A."}}, "A.: licence not stated", id="origin alone"),
        pytest.param(
            {"info": {"license": "MIT", "contributor": "A."}, "licenses": [BY]}, "MIT", id="in info"
        ),
        pytest.param({"info": {"terms": "ask\n us", "license": "MIT"}}, "ask us", id="in its own words"),
        pytest.param({"info": [1], "licenses": {"a": 1}, "images": 3}, "", id="not as it should be"),
        pytest.param({"info": {"terms": 3}, "licenses": [None, {"name": 4}]}, "", id="no text"),
    ],
)
def test_what_a_coco_file_states(tree: dict[str, Any], terms: str) -> None:
    assert coco_terms(tree) == terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("license: CC BY 4.0", "CC BY 4.0", id="licence"),
        pytest.param("licence: 'CC BY 4.0'  # so they say", "CC BY 4.0", id="as the British spell it"),
        pytest.param("license: MIT\nterms: ask us", "ask us", id="terms go first"),
        pytest.param("terms: |\n  ask us\n  before", "ask us before", id="over several lines"),
        pytest.param("license: [CC BY 4.0, MIT]", "CC BY 4.0, MIT", id="a list"),
        pytest.param("license: &anchor x", "&anchor x", id="not understood, taken as it stands"),
        pytest.param(
            "roboflow:\n  workspace: w\n  license: CC BY 4.0", "CC BY 4.0", id="where Roboflow writes"
        ),
        pytest.param("other:\n  license: CC BY 4.0", "", id="of something else"),
    ],
)
def test_what_a_data_yaml_states(tmp_path: Path, text: str, terms: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(f"names: [a]\n{text}\n", encoding="utf-8")
    found = read_data_yaml(path)
    assert found.terms == terms
    assert found.names == ("a",)


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda v: st.lists(v) | st.dictionaries(st.text(), v))
)
def test_any_statement_is_one_line_of_bearable_length(value: object) -> None:
    said = coco_terms({"info": {"terms": value, "contributor": value}, "licenses": [{"name": value}]})
    assert len(said) <= LONGEST
    assert said == " ".join(said.split())


def coco(folder: Path, **more: object) -> Path:
    for n in range(6):
        write_image(folder / "images" / f"{n}.png", seed=n)
    rows = [box_row(n, n) for n in range(6)]
    images = [image(n, f"{n}.png", block=n) for n in range(6)]
    write_coco(folder / "annotations.json", images, rows, **more)
    return folder


def used(path: Path) -> DataUsed:
    return make_plan([load_dataset(path)], None, TrainConfig()).used[0]


def test_terms_reach_the_card(tmp_path: Path) -> None:
    tree = yolo_tree(tmp_path / "yolo")
    (tree / "data.yaml").write_text((tree / "data.yaml").read_text() + "license: AGPL-3.0\n")
    stated = coco(tmp_path / "coco", licenses=[BY])
    assert load_dataset(tree).info["terms"] == "AGPL-3.0"
    assert used(stated).terms == "CC BY 4.0"
    silent = coco(tmp_path / "silent")
    assert "terms" not in load_dataset(silent).info
    data = (used(stated), replace(used(silent), name="a|b"))
    text = ModelCard("m", "", ("a",), {}, "", "", data=data).to_markdown()
    assert "| coco | train | 5 | 5 | 5 by block | CC BY 4.0 |" in text
    assert "| a\\|b | train | 5 | 5 | 5 by block | not stated |" in text


def test_the_parts_of_a_data_set_state_theirs_together(tmp_path: Path) -> None:
    one, other = coco(tmp_path / "a", licenses=[BY]), coco(tmp_path / "b")
    both = merged("both", [load_dataset(one), load_dataset(other)])
    assert both.info == {"source": "coco", "terms": "CC BY 4.0; not stated for a part"}
    assert joined_terms(["", ""]) == ""
    assert joined_terms(["MIT", "MIT"]) == "MIT"
