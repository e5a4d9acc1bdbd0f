"""The few lines of a YOLO `data.yaml` that matter, read and written without a YAML library.

Understood, and nothing else: top-level `path`, `train`, `val` (or `valid`), `test`, `nc`, `names`, and
`license` or `terms` (also below `roboflow`, where that site writes them); a value is plain, quoted, a
one-line list `[a, b]`, a one-line map `{0: a, 1: b}`, an indented list of `- a`, or an indented map of
`0: a`. Other keys and whatever is indented under them are passed over. No anchors, no tags, no multi-line
flow: such a file is refused with the line that was not understood.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import UnreadableFile
from core.exchange.records import read_text
from core.exchange.terms import tidy

_KEYS = ("path", "train", "val", "valid", "test", "nc", "names")
_TOP = re.compile(r"^([A-Za-z_][\w-]*)\s*:(?:\s+(.*))?$")
_PAIR = re.compile(r"""^(['"]?)(\d+)\1\s*:\s+(.*)$""")


@dataclass(frozen=True, slots=True)
class DataYaml:
    """What a `data.yaml` says.

    Attributes:
        root: The dataset's folder as given, or "".
        splits: Folders (or lists of images) by "train", "val", "test".
        names: Class names in order of their index.
        terms: What it states of origin and licence, or "".
    """

    root: str
    splits: dict[str, tuple[str, ...]]
    names: tuple[str, ...]
    terms: str = ""


def read_data_yaml(path: Path) -> DataYaml:
    """Read a `data.yaml`.

    Raises:
        UnreadableFile: It cannot be understood, or names no classes.
    """
    values: dict[str, list[str]] = {}
    blocks = _blocks(read_text(path, 1))
    for key, rest, block in blocks:
        if key in _KEYS:
            try:
                values[key] = _values(rest, block)
            except ValueError as error:
                raise UnreadableFile(path, f"{key}: {error}") from error
    names = values.get("names", [])
    if not names:
        raise UnreadableFile(path, "names no classes (names: [...])")
    said = values.get("nc", [str(len(names))])
    if said != [str(len(names))]:
        raise UnreadableFile(path, f"says nc: {' '.join(said)} but names {len(names)} classes")
    splits = {
        ("val" if key == "valid" else key): tuple(values[key])
        for key in ("train", "valid", "val", "test")
        if values.get(key)
    }
    return DataYaml(next(iter(values.get("path", [])), ""), splits, tuple(names), _terms(blocks))


def write_data_yaml(names: list[str], comment: str) -> str:
    """The text of a `data.yaml` for labels in `labels/` and images in `images/`."""
    rows = "\n".join(f"  {i}: {json.dumps(name, ensure_ascii=False)}" for i, name in enumerate(names))
    return f"# {comment}\ntrain: images\nnc: {len(names)}\nnames:\n{rows}\n"


def _blocks(text: str) -> list[tuple[str, str, list[str]]]:
    """Top-level keys, each with the rest of its line and the lines that belong to it."""
    found: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        bare = _without_comment(line).rstrip()
        if not bare or bare in ("---", "..."):
            continue
        top = _TOP.match(bare)
        if top:
            found.append((top.group(1), top.group(2) or "", []))
        elif found:
            found[-1][2].append(bare.strip())
    return found


def _terms(blocks: list[tuple[str, str, list[str]]]) -> str:
    """What is stated under `terms` or `license`, there or below `roboflow`; never a reason to refuse."""
    rows = list(blocks)
    for key, _, block in blocks:
        if key == "roboflow":
            rows += [(m.group(1), m.group(2) or "", []) for line in block if (m := _TOP.match(line))]
    for wanted in ("terms", "license", "licence"):
        for key, rest, block in rows:
            if key == wanted and (said := tidy(_statement(rest, block))):
                return said
    return ""


def _statement(rest: str, block: list[str]) -> str:
    if rest[:1] in ("|", ">"):  # text over several lines
        return " ".join(block)
    try:
        return ", ".join(_values(rest, block))
    except ValueError:
        return " ".join([rest, *block])


def _quoted(text: str) -> list[bool]:
    """For every character whether it stands in quotes; a quote opens only where a value may begin."""
    inside: list[bool] = []
    quote, escaped, before = "", False, ""
    for c in text:
        if quote:
            inside.append(True)
            if c == quote and not escaped:
                quote = ""
            escaped = c == "\\" and quote == '"' and not escaped
        else:
            opens = c in "'\"" and (not before or before in " \t[{,:")
            quote = c if opens else ""
            inside.append(opens)
        before = c
    return inside


def _without_comment(line: str) -> str:
    inside = _quoted(line)
    for i, c in enumerate(line):
        if c == "#" and not inside[i] and (i == 0 or line[i - 1].isspace()):
            return line[:i]
    return line


def _values(rest: str, block: list[str]) -> list[str]:
    if rest and block:
        raise ValueError(f"cannot be understood from {block[0]!r} on; write it on one line")
    if not rest:
        if all(line.startswith("- ") for line in block):
            return [_scalar(line[2:]) for line in block]
        return _ordered(block)
    if rest.startswith("[") and rest.endswith("]"):
        return [_scalar(item) for item in _items(rest[1:-1])]
    if rest.startswith("{") and rest.endswith("}"):
        return _ordered(_items(rest[1:-1]))
    return [_scalar(rest)]


def _ordered(pairs: list[str]) -> list[str]:
    """The values of `index: value` pairs, which must count from 0 without a gap."""
    found: dict[int, str] = {}
    for pair in pairs:
        match = _PAIR.match(pair)
        if not match:
            raise ValueError(f"{pair!r} is not of the form `0: name`")
        found[int(match.group(2))] = _scalar(match.group(3))
    if sorted(found) != list(range(len(pairs))):
        raise ValueError("its numbers must count from 0 without gap or repetition")
    return [found[i] for i in range(len(found))]


def _items(text: str) -> list[str]:
    """Split at the commas that stand outside quotes."""
    cut = "".join("\n" if c == "," and not q else c for c, q in zip(text, _quoted(text), strict=True))
    return [item.strip() for item in cut.split("\n") if item.strip()]


def _scalar(text: str) -> str:
    text = text.strip()
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, str):
            raise ValueError(f"{text} is not a quoted text that is understood here")
        return value
    if text.startswith("'"):
        if len(text) < 2 or not text.endswith("'"):
            raise ValueError(f"{text} lacks its closing quote")
        return text[1:-1].replace("''", "'")
    if text[:1] in ("&", "*", "!", "|", ">", "[", "{"):
        raise ValueError(f"{text!r} is YAML that is not understood here")
    return text
