"""Model files, cards, and the registry: what is sound is found, what is not is named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from core.detection.card import METADATA_KEY, DataUsed, ModelCard, read_card, verify_model
from core.detection.detector import load_detector
from core.detection.export import write_model
from core.detection.registry import ModelRegistry
from core.errors import InputError, ModelDamaged, ModelError, ModelNotFound
from core.evaluation.expected import expected_at
from tests.core.detection.conftest import Trained

_CARD = ModelCard(
    name="m",
    created="2026-01-01T00:00:00+00:00",
    classes=("Gliom ä", "b"),
    network={"depth": 18, "width": 0.5},
    normalisation="n",
    proposer="p",
    data=(DataUsed("d", "train", 3, 2, 1, "patient", "00", "CC BY"),),
    figures={"ap50": 0.5, "n": "3 of 4"},
    limits=("never on T2",),
)


def test_a_card_survives_json() -> None:
    assert ModelCard.from_json(_CARD.to_json()) == _CARD


def test_a_card_is_readable() -> None:
    text = _CARD.to_markdown()
    for expected in ("Gliom ä", "CC BY", "0.500", "3 of 4", "never on T2", "not a cleared medical device"):
        assert expected in text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', "nonsense"])
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="card"):
        ModelCard.from_json(text)


def test_a_later_format_is_refused() -> None:
    with pytest.raises(ValueError, match="newer"):
        ModelCard.from_json(replace(_CARD, format=99).to_json())


def test_an_earlier_format_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"earlier Overread \(format 1\).*train it again"):
        ModelCard.from_json(replace(_CARD, format=1).to_json())


def test_the_card_shows_what_scores_are_worth() -> None:
    bins = [{"low": 0.2, "high": 0.3, "count": 4, "score": 0.25, "hit_rate": 0.5}]
    text = replace(_CARD, calibration={"scale": 1.0, "shift": 0.0, "bins": bins}).to_markdown()
    assert "| 0.2 to 0.3 | 4 | 0.25 | 0.50 | ██████████ |" in text
    assert "## Scores" not in _CARD.to_markdown()


def test_the_card_says_what_to_expect_at_an_operating_point(trained: Trained) -> None:
    points = trained.result.card.calibration["points"]
    at = expected_at(points, 0.01, 0.4)
    assert at is not None
    assert at.slices == sum(u.slices for u in trained.result.card.data if u.role == "valid")
    assert "| 0.3 | " in trained.result.card.to_markdown().partition("## Operating point")[2]


def test_the_written_card_is_complete_and_verified(trained: Trained) -> None:
    card = verify_model(trained.result.model_file)
    assert card == trained.result.card == read_card(trained.result.model_file)
    assert card.classes == ("round", "long")
    assert card.name == "tiny"
    assert {u.role for u in card.data} == {"train", "valid"}
    assert sum(u.slices for u in card.data) == 12
    assert "groups held out" in card.split
    assert card.parameters > 1000
    assert (trained.folder / "card.md").read_text().startswith("# tiny")


@pytest.mark.parametrize("keep", [0, 4, 100, 5000, -1])
def test_a_file_cut_short_is_named(trained: Trained, tmp_path: Path, keep: int) -> None:
    broken = tmp_path / "cut.safetensors"
    broken.write_bytes(trained.result.model_file.read_bytes()[:keep])
    with pytest.raises(ModelDamaged, match=r"cut\.safetensors"):
        load_detector(broken)


@pytest.mark.parametrize("where", [0.02, 0.5, 0.999])
def test_an_altered_file_is_named(trained: Trained, tmp_path: Path, where: float) -> None:
    data = bytearray(trained.result.model_file.read_bytes())
    data[int(len(data) * where)] ^= 1
    broken = tmp_path / "altered.safetensors"
    broken.write_bytes(data)
    with pytest.raises(ModelDamaged, match=r"altered\.safetensors"):
        load_detector(broken)


def test_an_altered_card_is_named(trained: Trained, tmp_path: Path) -> None:
    card = replace(trained.result.card, classes=("long", "round"))
    target = tmp_path / "card.safetensors"
    save_file(load_file(trained.result.model_file), target, metadata={METADATA_KEY: card.to_json()})
    with pytest.raises(ModelDamaged, match="altered"):
        load_detector(target)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\xff" * 64,
        b"\x02\0\0\0\0\0\0\0{}",
        b"\x02\0\0\0\0\0\0\0[]",
        b"PK\x03\x04" + b"\0" * 99,
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelDamaged, match=r"no\.safetensors"):
        load_detector(path)


def test_foreign_weights_are_refused(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file(load_file(trained.result.model_file), path)
    with pytest.raises(ModelDamaged, match="card"):
        load_detector(path)


@pytest.mark.parametrize(
    "network", [{"depth": 19, "image_size": 64}, {"nonsense": 1}, {}, {"architecture": "yolo"}]
)
def test_a_card_of_no_known_network_is_refused(
    trained: Trained, tmp_path: Path, network: dict[str, object]
) -> None:
    path = tmp_path / "odd.safetensors"
    write_model(path, load_file(trained.result.model_file), replace(trained.result.card, network=network))
    with pytest.raises(ModelError, match=r"odd\.safetensors"):
        load_detector(path)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="gone"):
        load_detector(tmp_path / "gone.safetensors")


@pytest.fixture
def registry(tmp_path: Path, trained: Trained) -> ModelRegistry:
    """A registry with a bundled model named "first"."""
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    shutil.copy(trained.result.model_file, bundled / "first.safetensors")
    return ModelRegistry(tmp_path / "models", bundled)


@pytest.fixture
def other(tmp_path: Path, trained: Trained) -> Path:
    """Another sound model."""
    path = tmp_path / "other.safetensors"
    write_model(path, load_file(trained.result.model_file), replace(trained.result.card, name="other one"))
    return path


def test_the_bundled_model_is_current_at_first(registry: ModelRegistry) -> None:
    current = registry.current()
    assert current is not None
    assert (current.name, current.bundled, current.current) == ("first", True, True)
    assert [e.name for e in registry.list()] == ["first"]


def test_add_promote_and_roll_back(registry: ModelRegistry, other: Path) -> None:
    added = registry.add(other)
    assert (added.name, added.bundled, added.current) == ("other-one", False, False)
    assert registry.promote("other-one").current
    assert not registry.get("first").current
    assert registry.rollback().name == "first"
    with pytest.raises(ModelNotFound, match="nothing to go back"):
        registry.rollback()


def test_adding_the_same_file_twice_is_one_model(registry: ModelRegistry, other: Path) -> None:
    assert registry.add(other) == registry.add(other)
    assert registry.names() == ("first", "other-one")


def test_a_taken_name_is_refused_and_a_default_one_numbered(registry: ModelRegistry, other: Path) -> None:
    with pytest.raises(InputError, match="'first'"):
        registry.add(other, "first")
    registry.add(other, "x")
    changed = other.with_name("again.safetensors")
    write_model(changed, load_file(other), replace(read_card(other), name="x"))
    assert registry.add(changed).name == "x-2"


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 99])
def test_a_name_that_is_no_file_name_is_refused(registry: ModelRegistry, other: Path, name: str) -> None:
    with pytest.raises(InputError, match="model name"):
        registry.add(other, name)


def test_a_damaged_file_is_not_added(registry: ModelRegistry, other: Path) -> None:
    other.write_bytes(other.read_bytes()[:-10])
    with pytest.raises(ModelDamaged):
        registry.add(other)
    assert registry.names() == ("first",)


def test_a_model_damaged_later_is_left_out_and_not_promoted(registry: ModelRegistry, other: Path) -> None:
    entry = registry.add(other)
    entry.path.write_bytes(entry.path.read_bytes()[:-10])
    assert [e.name for e in registry.list()] == ["first"]
    with pytest.raises(ModelDamaged):
        registry.promote("other-one")
    current = registry.current()
    assert current is not None
    assert current.name == "first"


def test_a_promoted_model_that_vanished_is_passed_over(registry: ModelRegistry, other: Path) -> None:
    registry.add(other)
    registry.promote("other-one").path.unlink()
    current = registry.current()
    assert current is not None
    assert current.name == "first"


def test_an_unknown_name_lists_the_known_ones(registry: ModelRegistry) -> None:
    with pytest.raises(ModelNotFound, match=r"'nope'.*first"):
        registry.get("nope")


def test_an_empty_registry(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "a", tmp_path / "b")
    assert registry.current() is None
    assert registry.list() == ()


def test_a_damaged_history_is_named(registry: ModelRegistry, other: Path, tmp_path: Path) -> None:
    registry.add(other)
    registry.promote("other-one")
    (tmp_path / "models" / "registry.json").write_text("{")
    with pytest.raises(InputError, match=r"registry\.json"):
        registry.current()


def test_registry_and_seam_do_not_load_torch() -> None:
    code = (
        "import sys, core.detection.registry, core.detection.base, core.detection.child;"
        "print([m for m in sys.modules if m.split('.')[0] in ('torch', 'torchvision')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []
