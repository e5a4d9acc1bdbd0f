"""What is known of a file without decoding it, as a line of text and back, exactly.

The text is for the index and for pipes between our own processes; it is not a format to keep. Its layout is
that of the dataclasses, in the order of their fields, and `stamp` changes with every change of them and of
what reads headers: text of another stamp is thrown away, not read.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import core
from core.imaging.base import Heading
from core.model import DicomObject, Skipped, SliceRef

Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """What looking into one file gave: slices, or why there are none.

    Attributes:
        slices: Its slices, in file order; () where there are none.
        heading: What the file says of its series, where there are slices.
        reason: Why there are no slices; "" where there are, and for containers.
        object: What it is, where it is DICOM but not an image.
        members: The files in it, where it is an archive or a DICOMDIR.
        skipped: What such a container names and cannot give.
        durable: The answer depends on nothing but the file's bytes, so that it can be kept.
    """

    slices: tuple[SliceRef, ...] = ()
    heading: Heading | None = None
    reason: str = ""
    object: DicomObject | None = None
    members: tuple[Path, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    durable: bool = True

    def at(self, path: Path) -> Contents:
        """The same contents of a file that is reached by another name."""
        if all(ref.path == path for ref in self.slices) and (self.object is None or self.object.path == path):
            return self
        return dataclasses.replace(
            self,
            slices=tuple(dataclasses.replace(ref, path=path) for ref in self.slices),
            object=None if self.object is None else dataclasses.replace(self.object, path=path),
        )


def encode(contents: Contents) -> str:
    """The contents as ASCII on one line."""
    return json.dumps(_codec(Contents)[0](contents), separators=(",", ":"))


def decode(text: str) -> Contents:
    """The contents that `encode` wrote.

    Raises:
        ValueError: The text is not one of ours.
    """
    try:
        found: Contents = _codec(Contents)[1](json.loads(text))
    except (TypeError, KeyError, IndexError, RecursionError) as error:
        raise ValueError(f"not a record of the index ({type(error).__name__})") from error
    return found


@functools.cache
def stamp() -> str:
    """Changes with every version of what reads headers: the source of this room and of the model.

    A number to be raised by hand would be forgotten, and an index that outlives a corrected reader shows the
    old error for ever.
    """
    digest = hashlib.blake2b(core.__version__.encode(), digest_size=12)
    here = Path(__file__).parent
    for path in (*sorted(here.glob("*.py")), here.parent / "model.py"):
        try:
            digest.update(path.read_bytes())
        except OSError:  # installed without its source: then the version stands for it
            continue
    return digest.hexdigest()


@functools.cache
def _codec(kind: object) -> Codec:
    """Encoder and decoder of a type, made once from its annotations."""
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple
    if dataclasses.is_dataclass(kind):
        return _record_codec(typing.cast("type[object]", kind))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _optional_codec(arguments)
    if origin is tuple:
        return _tuple_codec(arguments)
    raise TypeError(f"no record can hold {kind}")


def _same(value: object) -> object:
    return value


_SIMPLE: dict[object, Codec] = {
    str: (_same, _same),
    int: (_same, _same),
    bool: (_same, _same),
    float: (_same, float),
    bytes: (lambda v: base64.b64encode(v).decode("ascii"), base64.b64decode),
    Path: (str, Path),
}


def _optional_codec(arguments: tuple[object, ...]) -> Codec:
    (inner,) = [a for a in arguments if a is not types.NoneType]
    put, take = _codec(inner)
    return (lambda v: None if v is None else put(v)), (lambda v: None if v is None else take(v))


def _tuple_codec(arguments: tuple[object, ...]) -> Codec:
    if arguments[1:] == (Ellipsis,):
        put, take = _codec(arguments[0])
        if put is _same and take is _same:
            return list, tuple
        return (lambda v: [put(i) for i in v]), (lambda v: tuple(take(i) for i in v))
    parts = [_codec(a) for a in arguments]
    return (
        lambda v: [part[0](i) for part, i in zip(parts, v, strict=True)],
        lambda v: tuple(part[1](i) for part, i in zip(parts, v, strict=True)),
    )


def _record_codec(kind: type[object]) -> Codec:
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(typing.cast("Any", kind))]
    parts = [_codec(hints[name]) for name in names]
    puts = [(name, part[0]) for name, part in zip(names, parts, strict=True)]
    takes = [None if part[1] is _same else part[1] for part in parts]
    return (
        lambda value: [put(getattr(value, name)) for name, put in puts],
        lambda values: kind(*[v if take is None else take(v) for take, v in zip(takes, values, strict=True)]),
    )
