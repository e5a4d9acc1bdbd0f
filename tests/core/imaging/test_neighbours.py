from __future__ import annotations

from pathlib import Path

import pytest

from core.imaging.catalog import scan
from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.neighbours import ALONE, Beside, beside, beside_each
from core.imaging.phantom import PhantomSpec, make_phantom, write_phantom_png
from core.model import Geometry, Series, SliceRef


def _ref(name: str, z: float | None, uid: str = "s", size: int = 8) -> SliceRef:
    place = None if z is None else Geometry((0.0, 0.0, z), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 1.0, 1.0)
    return SliceRef(name, Path(name), 0, size, size, uid, place)


def _names(found: list[Beside]) -> list[str]:
    return ["".join(r.key if r is not None else "-" for r in pair) for pair in found]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """A real series on disk; its files are not in slice order."""
    folder = tmp_path_factory.mktemp("stack")
    write_phantom_dicom(make_phantom(PhantomSpec(size=32, slices=8, lesions=0)), folder)
    (series,) = scan([folder]).series
    return series


def test_neighbours_follow_the_stack_and_end_with_it(stack: Series) -> None:
    places = [r.geometry.position[2] if r.geometry is not None else 0.0 for r in stack.slices]
    assert places == sorted(places), "lowest first"
    assert beside(stack, 3) == (stack.slices[2], stack.slices[4])
    assert beside(stack, 0) == (None, stack.slices[1])
    assert beside(stack, 7) == (stack.slices[6], None)


def test_slices_of_a_data_set_have_the_neighbours_they_have_in_the_series(stack: Series) -> None:
    mixed = [stack.slices[i] for i in (5, 0, 7, 2, 1, 6, 4, 3)]
    for ref, pair in zip(mixed, beside_each(mixed), strict=True):
        assert pair == beside(stack, stack.slices.index(ref))


def test_pictures_of_a_folder_are_no_neighbours(tmp_path: Path) -> None:
    write_phantom_png(make_phantom(PhantomSpec(size=32, slices=3, lesions=0)), tmp_path)
    (series,) = scan([tmp_path / "images"]).series
    assert [beside(series, i) for i in range(3)] == [ALONE] * 3
    assert beside_each(series.slices) == [ALONE] * 3


def test_there_is_no_neighbour_across_a_gap() -> None:
    refs = [_ref("a", 0.0), _ref("b", 5.0), _ref("c", 10.0), _ref("d", 20.0), _ref("e", 25.0)]
    assert _names(beside_each(refs)) == ["-b", "ac", "b-", "-e", "d-"]


def test_far_slices_and_copies_are_no_neighbours() -> None:
    assert _names(beside_each([_ref("a", 0.0), _ref("b", 40.0)])) == ["--", "--"]
    assert _names(beside_each([_ref("a", 0.0), _ref("b", 0.0), _ref("c", 5.0)])) == ["--", "-c", "b-"]


def test_other_series_shapes_and_slices_without_a_place_are_no_neighbours() -> None:
    refs = [_ref("a", 0.0), _ref("b", 5.0, "other"), _ref("c", 5.0, size=9), _ref("d", None), _ref("e", 6.0)]
    assert _names(beside_each(refs)) == ["-e", "--", "--", "--", "a-"]
