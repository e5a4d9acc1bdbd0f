from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UnreadableFile
from core.exchange.data_yaml import read_data_yaml, write_data_yaml


def parsed(tmp_path: Path, text: str) -> tuple[str, dict[str, tuple[str, ...]], tuple[str, ...]]:
    path = tmp_path / "data.yaml"
    path.write_text(text, encoding="utf-8")
    found = read_data_yaml(path)
    return found.root, found.splits, found.names


@pytest.mark.parametrize(
    "names",
    [
        pytest.param("names: [a, 'b c']", id="list on one line"),
        pytest.param('names: {0: a, 1: "b c"}', id="map on one line"),
        pytest.param("names:\n  - a\n  - b c", id="indented list"),
        pytest.param("names:\n- a\n- b c  # the second", id="list at the margin"),
        pytest.param("names:\n  1: b c\n  0: a", id="indented map in any order"),
    ],
)
def test_names_in_every_usual_form(tmp_path: Path, names: str) -> None:
    assert parsed(tmp_path, f"nc: 2\n{names}\n")[2] == ("a", "b c")


def test_what_does_not_matter_is_passed_over(tmp_path: Path) -> None:
    text = """---
# comment: [not, read]
path: ../set # here
train: images/train
valid: "images/#val"   # a hash in quotes is no comment
test:
  - t1
  - t2
kpt_shape: [17, 3]
names: [it's, 'it''s', "say \\"x, y\\""]
download: |
  import os
  names: [no]
roboflow:
  workspace: x
"""
    root, splits, names = parsed(tmp_path, text)
    assert root == "../set"
    assert splits == {"train": ("images/train",), "val": ("images/#val",), "test": ("t1", "t2")}
    assert names == ("it's", "it's", 'say "x, y"')


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("train: x\n", "names no classes", id="no names"),
        pytest.param("nc: 3\nnames: [a, b]\n", "nc: 3 but names 2", id="count differs"),
        pytest.param("names:\n  0: a\n  2: b\n", "count from 0", id="a gap"),
        pytest.param("names: [a,\n  b]\n", "write it on one line", id="flow over lines"),
        pytest.param("names: &anchor\n", "not understood", id="anchor"),
        pytest.param("names: !!python/object/apply:os.system [x]\n", "not understood", id="tag"),
        pytest.param("names:\n  a: 0\n", "not of the form", id="turned round"),
        pytest.param("names: ['a\n", "closing quote|not understood", id="open quote"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_reason(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UnreadableFile, match=problem):
        parsed(tmp_path, text)


names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Zl", "Zp", "Cc"]), min_size=1, max_size=12
)


@given(st.lists(names, min_size=1, max_size=5))
def test_any_names_survive(tmp_path_factory: pytest.TempPathFactory, found: list[str]) -> None:
    path = tmp_path_factory.mktemp("names") / "data.yaml"
    path.write_text(write_data_yaml(found, "a comment"), encoding="utf-8")
    assert read_data_yaml(path).names == tuple(found)
