"""One series UID, several stacks: what divides them, what they are called, and what is said of distances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.tag import Tag

from core.imaging.catalog import scan
from core.imaging.geometry import pixel_shape
from core.imaging.grouping import reading_order
from core.model import Geometry, Series, SliceRef, Vector
from tests.core.imaging.files import item, plane, ramp, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

SIDEWAYS = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}


def write(folder: Path, *slices: dict[str, Any]) -> tuple[Series, ...]:
    """The series found where each row of attributes is one file."""
    for i, attributes in enumerate(slices):
        write_dicom(folder / f"{i:03}.dcm", ramp(), InstanceNumber=i + 1, **attributes)
    return scan([folder]).series


def names(series: tuple[Series, ...]) -> list[str]:
    return [s.description for s in series]


def heights(series: Series) -> list[float]:
    return [r.geometry.position[2] for r in series.slices if r.geometry]


def test_echoes_are_numbered_by_their_time(tmp_path: Path) -> None:
    rows = [plane(z, SeriesDescription="T2", EchoTime=te) for z in (0, 5, 10) for te in (90, 20)]
    series = write(tmp_path, *rows)
    assert names(series) == ["T2 · echo 1", "T2 · echo 2"]
    assert [heights(s) for s in series] == [[0, 5, 10]] * 2
    assert len({s.uid for s in series}) == 2


def test_b_values_say_themselves(tmp_path: Path) -> None:
    rows = [plane(z, SeriesDescription="DWI", DiffusionBValue=float(b)) for b in (1000, 0) for z in (0, 5)]
    assert names(write(tmp_path, *rows)) == ["DWI · b 0", "DWI · b 1000"]


def test_time_points_are_numbered(tmp_path: Path) -> None:
    rows = [
        plane(z, SeriesDescription="DCE", TemporalPositionIdentifier=t) for t in (3, 1, 2) for z in (0, 5, 10)
    ]
    series = write(tmp_path, *rows)
    assert names(series) == ["DCE · time 1", "DCE · time 2", "DCE · time 3"]
    assert [[r.instance_number for r in s.slices] for s in series] == [[4, 5, 6], [7, 8, 9], [1, 2, 3]]


def test_magnitude_and_phase_of_two_echoes_are_four_stacks(tmp_path: Path) -> None:
    rows = [
        plane(z, SeriesDescription="SWI", EchoTime=te, ImageType=["ORIGINAL", "PRIMARY", kind])
        for z in (0, 5)
        for te in (10, 20)
        for kind in ("M", "P")
    ]
    assert names(write(tmp_path, *rows)) == [
        "SWI · magnitude echo 1",
        "SWI · magnitude echo 2",
        "SWI · phase echo 1",
        "SWI · phase echo 2",
    ]


def test_gradient_directions_are_stacks_only_where_they_share_positions(tmp_path: Path) -> None:
    rows = [
        plane(z, SeriesDescription="DTI", DiffusionBValue=800.0, DiffusionGradientOrientation=d)
        for d in ([1.0, 0, 0], [0, 1.0, 0])
        for z in (0, 5)
    ]
    assert names(write(tmp_path, *rows)) == ["DTI · direction 1", "DTI · direction 2"]


def test_what_differs_from_slice_to_slice_divides_nothing(tmp_path: Path) -> None:
    rows = [plane(z, AcquisitionNumber=i, EchoTime=10 + i / 100) for i, z in enumerate((0, 5, 10, 15))]
    assert len(write(tmp_path, *rows)) == 1


def test_a_number_of_each_slice_does_not_divide_where_positions_are_shared(tmp_path: Path) -> None:
    rows = [plane(z, AcquisitionNumber=i) for i, z in enumerate((0, 5, 10, 15, 0, 5, 10, 15))]
    (series,) = write(tmp_path, *rows)
    assert any("one position" in note for note in series.notes)


def test_the_clock_tells_repeats_apart_where_nothing_else_does(tmp_path: Path) -> None:
    moments = [(z, f"10{minute}{z:02}.5") for minute in ("30", "10", "20") for z in (0, 5, 10)]
    rows = [plane(z, SeriesDescription="BOLD", AcquisitionTime=at) for z, at in moments]
    series = write(tmp_path, *rows)
    assert names(series) == ["BOLD · time 1", "BOLD · time 2", "BOLD · time 3"]
    assert [s.slices[0].instance_number for s in series] == [4, 7, 1]


def test_a_time_point_moved_by_a_hair_is_not_interleaved(tmp_path: Path) -> None:
    rows = [plane(z, TemporalPositionIdentifier=1) for z in (0, 5, 10)]
    rows += [plane(z + 0.04, TemporalPositionIdentifier=2) for z in (0, 5, 10)]
    assert [len(s.slices) for s in write(tmp_path, *rows)] == [3, 3]


def test_localisers_stand_apart_and_last(tmp_path: Path) -> None:
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesDescription": "T1"}
    rows = [plane(50, **scout), plane(0, **scout, **SIDEWAYS)]
    rows += [plane(z, SeriesDescription="T1", ImageType=["ORIGINAL", "PRIMARY", "M"]) for z in (0, 5)]
    series = write(tmp_path, *rows)
    assert names(series) == ["T1 · axial", "T1 · localiser axial", "T1 · localiser sagittal"]
    assert ["localiser" in s.notes for s in series] == [False, True, True]


def test_planes_and_shapes_are_named(tmp_path: Path) -> None:
    coronal = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    rows = [plane(0), plane(5), plane(0, **SIDEWAYS), plane(0, **coronal)]
    for i, attributes in enumerate(rows):
        write_dicom(tmp_path / f"{i}", ramp(), **attributes, SeriesDescription="3 planes")
    write_dicom(tmp_path / "wide", ramp(6, 12), **plane(0), SeriesDescription="3 planes")
    assert sorted(names(scan([tmp_path]).series)) == [
        "3 planes · axial 12 × 6",
        "3 planes · axial 8 × 6",
        "3 planes · coronal",
        "3 planes · sagittal",
    ]


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ((0, 5, 10, 15), ""),
        ((0, 5, 10, 20, 25, 30), "a slice may be missing after slice 3: 10 mm instead of 5 mm"),
        (
            (0, 5, 10, 20, 25, 30, 35, 40, 55, 60),
            "slices may be missing in 2 places, the first after slice 3",
        ),
        ((0, 3, 6, 12, 18), "slice distance varies from 3 mm to 6 mm"),
        ((0, 5, 5, 10), "several slices at one position"),
    ],
)
def test_distances_are_looked_at(tmp_path: Path, places: tuple[float, ...], words: str) -> None:
    (series,) = write(tmp_path, *(plane(z) for z in places))
    assert [n for n in series.notes if words in n] if words else series.notes == ()


def test_mixed_pixel_spacing_and_sideways_shifts_are_said(tmp_path: Path) -> None:
    (tmp_path / "mixed").mkdir()
    (mixed,) = write(tmp_path / "mixed", plane(0), plane(5), plane(10, PixelSpacing=[1, 1]))
    assert mixed.notes == ("pixel spacing differs between slices",)
    (tmp_path / "leaning").mkdir()
    rows = [plane(z, ImagePositionPatient=[z, 0, z]) for z in (0, 5, 10)]
    (leaning,) = write(tmp_path / "leaning", *rows)
    assert leaning.notes == ("slices are shifted sideways against each other",)


def test_copies_are_counted_with_their_series(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a", ramp(), **plane(0))
    write_dicom(tmp_path / "b", ramp(), **plane(5))
    (tmp_path / "c").write_bytes(path.read_bytes())
    assert scan([tmp_path]).series[0].notes == ("1 copy of a slice left out",)


def frames(*rows: tuple[list[int], float | None, dict[str, Any]]) -> dict[str, Any]:
    """Functional groups of frames: dimension indices, height, further attributes of the frame's content."""
    groups = []
    for values, z, content in rows:
        group = item(FrameContentSequence=[item(DimensionIndexValues=values, **content)])
        if z is not None:
            group.PlanePositionSequence = [item(ImagePositionPatient=[0, 0, z])]
            group.PlaneOrientationSequence = [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
            group.PixelMeasuresSequence = [item(PixelSpacing=[1, 1])]
        groups.append(group)
    return {"PerFrameFunctionalGroupsSequence": groups}


def dimensions(*keywords: str) -> dict[str, Any]:
    return {"DimensionIndexSequence": [item(DimensionIndexPointer=Tag(k)) for k in keywords]}


def test_frames_without_a_position_go_by_dimension_index(tmp_path: Path) -> None:
    rows = frames(*(([1, k], None, {}) for k in (3, 1, 4, 2)))
    places = dimensions("StackID", "InStackPositionNumber")
    write_dicom(tmp_path / "a", np.stack([ramp()] * 4), **rows, **places)
    (series,) = scan([tmp_path]).series
    assert [r.frame for r in series.slices] == [1, 3, 0, 2]
    assert [r.frame for r in reading_order(series.slices[::-1], is_stack=True)] == [1, 3, 0, 2]


def test_stacks_and_times_of_one_multi_frame_file(tmp_path: Path) -> None:
    rows = frames(
        *(
            ([t, k], float(5 * k), {"TemporalPositionIndex": t, "StackID": "1", "InStackPositionNumber": k})
            for k in (2, 1)
            for t in (2, 1)
        )
    )
    more = dimensions("TemporalPositionIndex", "InStackPositionNumber")
    write_dicom(tmp_path / "a", np.stack([ramp()] * 4), SeriesDescription="DCE", **rows, **more)
    series = scan([tmp_path]).series
    assert names(series) == ["DCE · time 1", "DCE · time 2"]
    assert [[r.frame for r in s.slices] for s in series] == [[3, 1], [2, 0]]


def test_a_dimension_nobody_knows_divides_too(tmp_path: Path) -> None:
    rows = frames(*(([k, label], float(k), {}) for k in (1, 2) for label in (1, 2)))
    more = dimensions("InStackPositionNumber", "FrameLabel")
    write_dicom(tmp_path / "a", np.stack([ramp()] * 4), SeriesDescription="MAPS", **rows, **more)
    assert names(scan([tmp_path]).series) == ["MAPS · part 1", "MAPS · part 2"]


def turned(a: float, b: float, c: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A rotation by three angles."""
    z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    y = np.array([[np.cos(c), 0, np.sin(c)], [0, 1, 0], [-np.sin(c), 0, np.cos(c)]])
    return np.asarray(z @ x @ y)


def vector(values: np.ndarray[Any, np.dtype[np.float64]]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))


@settings(max_examples=60, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    order=st.permutations(range(12)),
    distance=st.floats(0.3, 8),
    start=st.tuples(*[st.floats(-200, 200)] * 3),
)
def test_any_orientation_any_shuffle_one_order(
    angles: tuple[float, float, float], order: list[int], distance: float, start: Vector
) -> None:
    turn = turned(*angles)
    refs = []
    for number, k in enumerate(order):  # names and numbers say nothing of the place
        position = np.array(start) + k * distance * turn[:, 2]
        # As a file writes them: decimals are cut, differently for each slice.
        noise = np.sin(np.arange(6) + k) * 1e-6
        row, column = turn[:, 0] + noise[:3], turn[:, 1] + noise[3:]
        geometry = Geometry(vector(position.round(4)), vector(row), vector(column), 1.0, 1.0)
        refs.append(
            SliceRef(f"dicom:{k}#0", Path(f"{number}"), 0, 8, 8, "1.2", geometry, instance_number=number)
        )
    assert [r.key for r in reading_order(refs, is_stack=True)] == [f"dicom:{k}#0" for k in range(12)]


def test_pixel_aspect_ratio_counts_only_without_spacing(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a", ramp(), PixelAspectRatio=[5, 4])
    write_dicom(tmp_path / "b", ramp(), **plane(0, PixelAspectRatio=[5, 4], SeriesInstanceUID="1.9"))
    shapes = {r.path.name: pixel_shape(r) for s in scan([tmp_path]).series for r in s.slices}
    assert shapes == {"a": (1.25, 1.0), "b": (0.5, 0.25)}
