from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InputError
from core.store.schemas import PALETTE, default_schema, next_color, schema_from_json, schema_from_names

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
VISION = {
    "full": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def cielab(color: str, vision: str) -> NDArray[np.float64]:
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(VISION[vision] @ linear, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_default_classes() -> None:
    found = [(c.id, c.name) for c in default_schema().classes]
    assert found == [(1, "tumour"), (2, "glioma"), (3, "meningioma"), (4, "pituitary")]


@pytest.mark.parametrize("vision", VISION)
def test_default_colours_are_told_apart_on_grey_by_colour_blind_readers(vision: str) -> None:
    seen = {c.name: cielab(c.color, vision) for c in default_schema().classes}
    for name, value in seen.items():
        assert np.hypot(value[1], value[2]) > 15, f"{name} looks grey"
        assert value[0] > 45, f"{name} is too dark to stand out"
    for (a, x), (b, y) in combinations(seen.items(), 2):
        assert np.linalg.norm(x - y) > 15, f"{a} looks like {b}"


def test_new_classes_get_unused_colours_first() -> None:
    schema = schema_from_names("s", [f"class {i}" for i in range(9)])
    assert [c.id for c in schema.classes] == list(range(1, 10))
    assert tuple(c.color for c in schema.classes[:7]) == PALETTE
    assert next_color(default_schema()) not in {c.color for c in default_schema().classes}


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"name": "x"}', '{"name": "x", "classes": [{"id": 0, "name": "a", "color": "#000000"}]}'],
)
def test_a_bad_schema_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"mine\.json: not a label schema"):
        schema_from_json(text, "mine.json")
