from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model import Box, LabelClass, LabelSchema
from tests.core.strategies import boxes


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param((0, 0, 0, 1), id="no width"),
        pytest.param((0, 0, 1, 0), id="no height"),
        pytest.param((2, 0, 1, 1), id="inside out"),
        pytest.param((math.nan, 0, 1, 1), id="nan"),
        pytest.param((0, 0, math.inf, 1), id="infinite"),
    ],
)
def test_what_has_no_area_is_no_box(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="box"):
        Box(*edges)


def test_width_has_no_plus_one() -> None:
    pixel = Box(3, 5, 4, 6)
    assert (pixel.width, pixel.height, pixel.area) == (1, 1, 1)
    assert pixel.contains(3, 5)
    assert not pixel.contains(4, 5), "the right edge belongs to the next pixel"


@given(boxes(), st.integers(1, 600), st.integers(1, 600))
def test_clipping_gives_the_part_inside(box: Box, width: int, height: int) -> None:
    inside = box.clipped(width, height)
    if inside is None:
        assert box.x1 >= width or box.y1 >= height
    else:
        assert 0 <= inside.x1 < inside.x2 <= width
        assert 0 <= inside.y1 < inside.y2 <= height
        assert inside.clipped(width, height) == inside


def test_adding_a_class_renumbers_nothing() -> None:
    schema = LabelSchema("s", (LabelClass(2, "b"), LabelClass(9, "a")))
    grown = schema.with_class("c")
    assert grown.classes[:2] == schema.classes
    assert grown.by_name("c") == LabelClass(10, "c")
    assert (grown.name_of(9), grown.name_of(3)) == ("a", "class 3")
    assert LabelSchema("s", ()).with_class("first").classes[0].id == 1


@pytest.mark.parametrize(
    "classes",
    [
        pytest.param((LabelClass(1, "a"), LabelClass(1, "b")), id="an id twice"),
        pytest.param((LabelClass(0, "a"),), id="id 0"),
        pytest.param((LabelClass(1, "a"), LabelClass(2, "a")), id="a name twice"),
        pytest.param((LabelClass(1, ""),), id="no name"),
    ],
)
def test_a_schema_that_is_ambiguous_is_refused(classes: tuple[LabelClass, ...]) -> None:
    with pytest.raises(ValueError, match="label schema 's'"):
        LabelSchema("s", classes)
