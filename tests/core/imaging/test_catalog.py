"""The scan: grouping, order, what is left out, progress, cancelling."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import Cancelled
from core.imaging.catalog import scan
from core.imaging.dicom_write import write_phantom_dicom
from core.imaging.phantom import PhantomSpec, make_phantom
from core.imaging.walk import natural_key
from core.jobs import CancelToken
from core.model import Catalog
from tests.core.imaging.files import item, plane, ramp, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def heights(catalog: Catalog, index: int = 0) -> list[float]:
    """z of each slice of a series, in reading order."""
    return [r.geometry.position[2] for r in catalog.series[index].slices if r.geometry]


def reasons(catalog: Catalog) -> dict[str, str]:
    """Reason by name of file."""
    return {s.path.name: s.reason for s in catalog.skipped}


def test_the_phantom_comes_back_in_order(tmp_path: Path) -> None:
    phantom = make_phantom(PhantomSpec(size=32, slices=9, lesions=0))
    paths = write_phantom_dicom(phantom, tmp_path)
    (series,) = scan([tmp_path]).series
    assert [r.path for r in series.slices] == paths
    assert series.is_stack
    assert series.modality == "MR"
    assert series.notes == ("derived: not the scanner's own pixels",), "and nothing of distances"


@settings(max_examples=15, deadline=None)
@given(order=st.permutations([-20.0, -15.0, -10.0, -5.0, 0.0, 5.0]))
def test_order_is_by_position_whatever_names_and_numbers_say(
    tmp_path_factory: pytest.TempPathFactory, order: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("series")
    for i, z in enumerate(order):
        write_dicom(folder / f"{i}.dcm", ramp(), **plane(z, InstanceNumber=i))
    catalog = scan([folder])
    assert heights(catalog) == sorted(order)
    assert catalog.series[0].notes == ()


def test_order_is_ascending_along_the_normal(tmp_path: Path) -> None:
    # Columns run backwards, so that row × column points down: ascending along it is from top to bottom.
    for z in (5, 15, 10):
        write_dicom(tmp_path / f"{z}", ramp(), **plane(z, ImageOrientationPatient=[1, 0, 0, 0, -1, 0]))
    assert heights(scan([tmp_path])) == [15, 10, 5]


def test_without_position_the_instance_number_decides_and_is_said(tmp_path: Path) -> None:
    for name, number in (("a", 3), ("b", 1), ("c", 2)):
        write_dicom(tmp_path / name, ramp(), InstanceNumber=number)
    (series,) = scan([tmp_path]).series
    assert [r.path.name for r in series.slices] == ["b", "c", "a"]
    assert any("no position" in note for note in series.notes)


def test_a_missing_slice_is_noted(tmp_path: Path) -> None:
    for z in (0, 5, 10, 20, 25):
        write_dicom(tmp_path / f"{z}", ramp(), **plane(z))
    assert any("missing" in note for note in scan([tmp_path]).series[0].notes)


def test_one_uid_with_two_orientations_is_two_series(tmp_path: Path) -> None:
    for z in (0, 5):
        write_dicom(tmp_path / f"axial{z}", ramp(), **plane(z))
        sagittal = plane(z, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
        write_dicom(tmp_path / f"sagittal{z}", ramp(), **sagittal)
    catalog = scan([tmp_path])
    assert [len(s.slices) for s in catalog.series] == [2, 2]
    assert len({s.uid for s in catalog.series}) == 2
    for series in catalog.series:
        assert series.uid.startswith("1.2.3.4#")
        assert {r.series_uid for r in series.slices} == {series.uid}


def test_directions_that_differ_in_the_last_digits_are_one_series(tmp_path: Path) -> None:
    for z in range(6):
        tilt = 0.005 + (1e-6 if z % 2 else -1e-6)  # on both sides of where two decimals round
        write_dicom(tmp_path / f"{z}", ramp(), **plane(z, ImageOrientationPatient=[1, tilt, 0, -tilt, 1, 0]))
    assert [len(s.slices) for s in scan([tmp_path]).series] == [6]


def test_two_echoes_at_the_same_positions_are_two_series(tmp_path: Path) -> None:
    for z in (0, 5, 10):
        for echo in (10, 80):
            write_dicom(tmp_path / f"{z}-{echo}", ramp(), **plane(z, EchoTime=echo))
    catalog = scan([tmp_path])
    assert [heights(catalog, i) for i in range(2)] == [[0, 5, 10], [0, 5, 10]]


def test_frames_are_ordered_by_their_own_position(tmp_path: Path) -> None:
    groups = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[item(PixelSpacing=[1, 1])],
        )
        for z in (30, 10, 20)
    ]
    write_dicom(tmp_path / "a", np.stack([ramp()] * 3), PerFrameFunctionalGroupsSequence=groups)
    catalog = scan([tmp_path])
    assert heights(catalog) == [10, 20, 30]
    assert [r.frame for r in catalog.series[0].slices] == [1, 2, 0]


def test_series_are_sorted_by_study_then_number(tmp_path: Path) -> None:
    rows = (("2", "20250101", 7), ("1", "20240101", 9), ("3", "20250101", 2))
    for name, date, number in rows:
        write_dicom(
            tmp_path / name,
            ramp(),
            SeriesInstanceUID=f"1.{name}",
            StudyInstanceUID=f"9.{date}",
            StudyDate=date,
            SeriesNumber=number,
        )
    assert [s.uid for s in scan([tmp_path]).series] == ["1.1", "1.3", "1.2"]


def test_plain_images_of_a_folder_are_a_collection_in_natural_order(tmp_path: Path) -> None:
    for name in ("s10.png", "s9.png", "S1.png"):
        Image.fromarray(ramp()).save(tmp_path / name)
    (tmp_path / "sub").mkdir()
    Image.fromarray(ramp() + 1).save(tmp_path / "sub" / "x.png")
    catalog = scan([tmp_path])
    names = [[r.path.name for r in s.slices] for s in catalog.series]
    assert names == [["S1.png", "s9.png", "s10.png"], ["x.png"]]
    first = catalog.series[0]
    assert not first.is_stack
    assert first.modality == ""
    assert first.description == tmp_path.name
    assert {r.series_uid for r in first.slices} == {first.uid}


def test_mixed_tree_names_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_dicom(tmp_path / "deep" / "IM1", ramp(), **plane(0))
    Image.fromarray(ramp()).save(tmp_path / "deep" / "er" / "a.png")
    (tmp_path / "README").write_text("hello")
    (tmp_path / "broken.dcm").write_text("hello")
    (tmp_path / "zero.png").touch()
    (tmp_path / ".git").mkdir()
    catalog = scan([tmp_path])
    assert [len(s.slices) for s in catalog.series] == [1, 1]
    assert reasons(catalog) == {
        "README": "not an image",
        "broken.dcm": "not a DICOM or image file",
        "zero.png": "empty file (0 bytes)",
        ".git": "hidden folder",
    }


def test_an_empty_folder_is_an_empty_catalog(tmp_path: Path) -> None:
    assert scan([tmp_path]) == Catalog()


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert reasons(scan([tmp_path / "nowhere"])) == {"nowhere": "does not exist"}


def test_a_file_reached_twice_is_listed_once(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a", ramp(), **plane(0))
    (tmp_path / "link").symlink_to(path)
    catalog = scan([path, tmp_path, path])
    assert [len(s.slices) for s in catalog.series] == [1]
    assert catalog.skipped == ()


def test_a_copy_of_a_dicom_slice_is_skipped_and_named(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a", ramp(), **plane(0))
    (tmp_path / "b").write_bytes(path.read_bytes())
    catalog = scan([tmp_path])
    assert [len(s.slices) for s in catalog.series] == [1]
    assert reasons(catalog) == {"b": "the same SOP instance as a"}


def test_loops_broken_links_and_pipes_are_survived(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    Image.fromarray(ramp()).save(tmp_path / "a" / "x.png")
    catalog = scan([tmp_path])
    assert [len(s.slices) for s in catalog.series] == [1]
    assert reasons(catalog) == {"gone": "broken link", "pipe": "not a regular file"}


def test_a_folder_without_permission_is_named_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    Image.fromarray(ramp()).save(locked / "hidden.png")
    Image.fromarray(ramp() + 1).save(tmp_path / "open.png")
    locked.chmod(0)
    try:
        if os.access(locked, os.R_OK):  # root may read anything: let the system call say no instead
            real = os.scandir

            def scandir(path: Path) -> object:
                if Path(path) == locked:
                    raise PermissionError(13, "Permission denied", str(path))
                return real(path)

            monkeypatch.setattr("core.imaging.walk.os.scandir", scandir)
        catalog = scan([tmp_path])
    finally:
        locked.chmod(0o755)
    assert [r.path.name for s in catalog.series for r in s.slices] == ["open.png"]
    assert reasons(catalog) == {"locked": "no permission to read this folder"}


def test_snapshots_start_with_the_first_slice_and_end_complete(tmp_path: Path) -> None:
    for z in range(12):
        write_dicom(tmp_path / f"{z:02}", ramp(), **plane(z))
    snapshots: list[Catalog] = []
    steps: list[tuple[float, float]] = []
    final = scan(
        [tmp_path],
        progress=lambda done, total, text="", **metrics: steps.append((done, total)),
        found=snapshots.append,
    )
    assert len(snapshots[0].series[0].slices) == 1
    assert steps == [(i + 1, 12) for i in range(12)]
    assert len(final.series[0].slices) == 12
    assert all(s.series[0].uid == final.series[0].uid for s in snapshots)


def test_cancelled_before_the_end(tmp_path: Path) -> None:
    for z in range(5):
        write_dicom(tmp_path / f"{z}", ramp(), **plane(z))
    token = CancelToken()
    seen: list[float] = []

    def stop_after_two(done: float, total: float, text: str = "", **metrics: float) -> None:
        seen.append(done)
        if done == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        scan([tmp_path], progress=stop_after_two, cancel=token)
    assert seen == [1, 2]


@given(st.lists(st.text(max_size=12), unique=True, max_size=8))
def test_natural_order_is_total(names: list[str]) -> None:
    ordered = sorted(names, key=natural_key)
    backwards = ordered[::-1]
    assert sorted(backwards, key=natural_key) == ordered


def test_natural_order_of_names() -> None:
    names = ["IM10", "im9", "IM010b", "a", "IM1", "2", "10", "IM010"]
    assert sorted(names, key=natural_key) == ["2", "10", "a", "IM1", "im9", "IM010", "IM10", "IM010b"]
