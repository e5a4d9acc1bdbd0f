"""Model cards, and the file that weights and card share. Imports no torch.

A model is one safetensors file. Its header's metadata holds the card under "overread_card"; the card holds a
digest over itself and every weight, so a file that was cut short or altered is known as such.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from core.errors import ModelDamaged, ModelNotFound
from core.evaluation.expected import expected_at

METADATA_KEY = "overread_card"
_FORMAT = 2
_LONGEST_HEADER = 64 << 20
_CHUNK = 1 << 20
_FIRST_OVERLAP = 0.4


@dataclass(frozen=True, slots=True)
class DataUsed:
    """One data set a model saw.

    Attributes:
        name: The data set's.
        role: "train" or "valid".
        slices: How many.
        boxes: How many true boxes on them.
        groups: How many groups (patients, blocks, …).
        grouped_by: What a group is.
        digest: Hash of the slices' keys and their boxes.
        terms: Origin and licence, or "" where the data set does not state them.
    """

    name: str
    role: str
    slices: int
    boxes: int
    groups: int
    grouped_by: str
    digest: str
    terms: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is, what it saw, what was measured, and what was not.

    Attributes:
        name: The model's name.
        created: UTC time, ISO.
        classes: Class names in the order of the network's outputs, without background.
        network: What builds the network (NetworkSpec).
        normalisation: How grey levels are scaled before everything else; before window and inversion.
        proposer: The proposal method trained with.
        training: Options of the run.
        data: The data sets.
        split: How train and validation were kept apart.
        figures: What was measured, on what, with intervals.
        limits: What it was never tested on, in words.
        parameters: How many numbers the network has.
        minutes: Training time.
        calibration: "scale" and "shift" of the scores' log-odds (evaluation.calibration.ScoreScale), fitted
            on the held-out slices, and what came of it there: "bins" of score and hit rate, and "points",
            what to expect by overlap and score (evaluation.expected).
        digest: SHA-256 over the card without this field and all weights.
        format: Version of this layout.
    """

    name: str
    created: str
    classes: tuple[str, ...]
    network: Mapping[str, Any]
    normalisation: str
    proposer: str
    training: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[DataUsed, ...] = ()
    split: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    parameters: int = 0
    minutes: float = 0.0
    calibration: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    format: int = _FORMAT

    def to_json(self) -> str:
        """Canonical JSON: equal cards give equal text."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card.

        Raises:
            ValueError: Not a card, or of a later format.
        """
        try:
            plain = json.loads(text)
            if plain["format"] > _FORMAT:
                raise ValueError(f"its format {plain['format']} is newer than this Overread knows")
            if plain["format"] < _FORMAT:
                raise ValueError(
                    f"it was made by an earlier Overread (format {plain['format']}), whose network differs; "
                    "train it again on the same data"
                )
            known = {f.name for f in fields(cls)}
            plain = {k: v for k, v in plain.items() if k in known}
            plain["classes"] = tuple(str(c) for c in plain["classes"])
            plain["limits"] = tuple(plain["limits"])
            plain["data"] = tuple(DataUsed(**d) for d in plain["data"])
            return cls(**plain)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError("its card cannot be read") from error

    def to_markdown(self) -> str:
        """The card for people."""
        return _markdown(self)


def read_card(path: Path) -> ModelCard:
    """The card of a model file, without reading the weights.

    Raises:
        ModelNotFound: There is no such file.
        ModelDamaged: Not a model of ours, or the file is cut short.
    """
    header, _, _ = _read_header(path)
    return _card_of(path, header)


def verify_model(path: Path) -> ModelCard:
    """The card of a model file whose every byte is what was written.

    Raises:
        ModelNotFound: There is no such file.
        ModelDamaged: Cut short, altered, or not a model of ours.
    """
    header, start, size = _read_header(path)
    card = _card_of(path, header)
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            digest = digest_of(card, header, iter(lambda: stream.read(_CHUNK), b""))
    except OSError as error:
        raise ModelDamaged(f"{path}: cannot be read ({error.strerror}).") from error
    if card.digest != digest:
        raise ModelDamaged(
            f"{path}: the weights or the card were altered after training (digest differs; {size} bytes). "
            "Copy the file again, or choose another model with `overread models list`."
        )
    return card


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def seal(card: ModelCard, blob: bytes) -> ModelCard:
    """The card with the digest over itself and the weights of a safetensors blob."""
    length = struct.unpack("<Q", blob[:8])[0]
    header = json.loads(blob[8 : 8 + length])
    return replace(card, digest=digest_of(card, header, [blob[8 + length :]]))


def digest_of(card: ModelCard, header: Mapping[str, Any], data: Iterable[bytes]) -> str:
    """Digest over the card (its own digest left out), the table of tensors and their bytes."""
    table = {name: entry for name, entry in header.items() if name != "__metadata__"}
    result = hashlib.sha256(replace(card, digest="").to_json().encode())
    result.update(json.dumps(table, sort_keys=True).encode())
    for part in data:
        result.update(part)
    return result.hexdigest()


def _read_header(path: Path) -> tuple[dict[str, Any], int, int]:
    """Header, where the weights start, and the file's size; the layout of safetensors, checked."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            prefix = stream.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else -1
            if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
                raise ModelDamaged(f"{path}: not a model file, or cut short ({size} bytes).")
            header = json.loads(stream.read(length))
            ends = [e["data_offsets"][1] for name, e in header.items() if name != "__metadata__"]
    except FileNotFoundError:
        raise ModelNotFound(f"{path}: no such model file.") from None
    except OSError as error:
        raise ModelDamaged(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelDamaged(f"{path}: not a model file (its header cannot be read).") from error
    wanted = 8 + length + max(ends, default=0)
    if size != wanted:
        raise ModelDamaged(f"{path}: cut short or altered: {size} bytes where {wanted} belong.")
    return header, 8 + length, size


def _card_of(path: Path, header: Mapping[str, Any]) -> ModelCard:
    metadata = header.get("__metadata__")
    text = metadata.get(METADATA_KEY) if isinstance(metadata, Mapping) else None
    if not isinstance(text, str):
        raise ModelDamaged(f"{path}: weights without an Overread card; only models trained by Overread fit.")
    try:
        return ModelCard.from_json(text)
    except ValueError as error:
        raise ModelDamaged(f"{path}: {error}.") from error


def _markdown(card: ModelCard) -> str:
    rows = [
        f"# {card.name}",
        "",
        "For research and dataset work; not a cleared medical device.",
        "",
        f"- classes: {', '.join(card.classes)}",
        f"- made: {card.created}, in {card.minutes:.0f} minutes, {card.parameters:,} parameters",
        "- network: " + ", ".join(f"{k} {v}" for k, v in card.network.items()),
        f"- sees: {_seen(card.network)}",
        f"- grey levels: {card.normalisation} (before window and inversion)",
        f"- proposals: {card.proposer}",
        f"- digest: {card.digest}",
        "",
        "## Data",
        "",
        "| set | role | slices | boxes | groups | origin and terms |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {_cell(d.name)} | {d.role} | {d.slices} | {d.boxes} | {d.groups} by {_cell(d.grouped_by)} | "
        f"{_cell(d.terms) or 'not stated'} |"
        for d in card.data
    ]
    rows += ["", f"Split: {card.split or 'not stated'}.", "", "## Measured", ""]
    rows += [f"- {name}: {_figure(value)}" for name, value in card.figures.items()] or ["Nothing yet."]
    rows += _reliability(card.calibration)
    rows += _points(card.calibration.get("points", {}))
    rows += ["", "## Not tested", ""]
    rows += [f"- {text}" for text in card.limits] or ["Not stated."]
    rows += [
        "",
        "## Training options",
        "",
        "```json",
        json.dumps(card.training, indent=1, sort_keys=True),
        "```",
    ]
    return "\n".join(rows) + "\n"


def _seen(network: Mapping[str, Any]) -> str:
    if network.get("inputs", 1) == 1:
        return "one slice at a time"
    return "each slice between its two neighbours in the stack; it stands in for one that is not there"


def _cell(text: str) -> str:
    """A text from elsewhere as it can stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _reliability(calibration: Mapping[str, Any]) -> list[str]:
    """Scores against hits on the held-out slices, as a table with bars."""
    bins = [b for b in calibration.get("bins", ()) if b["count"]]
    if not bins:
        return []
    rows = [
        "",
        "## Scores",
        "",
        "Of the held-out detections scored so, how many are right (IoU 0.5, right class):",
        "",
        "| score | detections | mean score | right | |",
        "|---|---|---|---|---|",
    ]
    for b in bins:
        bar = "█" * round(20 * b["hit_rate"])
        mean, right = f"{b['score']:.2f}", f"{b['hit_rate']:.2f}"
        rows.append(f"| {b['low']:.1f} to {b['high']:.1f} | {b['count']} | {mean} | {right} | {bar} |")
    return rows


def _points(table: Mapping[str, Any]) -> list[str]:
    """What to expect at some scores, at the overlap that is set at first."""
    known = [(s, expected_at(table, s, _FIRST_OVERLAP)) for s in (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)]
    if not table or any(e is None for _, e in known):
        return []
    rows = [
        "",
        "## Operating point",
        "",
        f"On the {table['slices']} held-out slices ({table['boxes']} boxes; {table['groups']} groups, "
        f"resampled for the 95 % intervals), overlap up to {_FIRST_OVERLAP}, whatever the class:",
        "",
        "| score from | sensitivity | false positives per slice |",
        "|---|---|---|",
    ]
    for score, one in known:
        assert one is not None
        part, alarms = one.sensitivity_ci95, one.false_positives_ci95
        rows.append(
            f"| {score:.1f} | {one.sensitivity:.2f} ({part.low:.2f} to {part.high:.2f}) | "
            f"{one.false_positives:.2f} ({alarms.low:.2f} to {alarms.high:.2f}) |"
        )
    return rows


def _figure(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
