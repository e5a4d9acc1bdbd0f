"""What tells apart slices of one series that share a position, and how the stacks they make are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traits:
    """What a header says of one slice besides its place.

    Attributes:
        kind: Words of the image type, parts separated by "/" ("ORIGINAL/PRIMARY/M").
        localiser: Made to plan other series on.
        stack: StackID of an enhanced file.
        echo: Effective echo time in ms.
        b_value: Diffusion weighting in s/mm².
        direction: Of the diffusion gradient, two decimals; () where there is none.
        time: Temporal position (an index), or the trigger time in ms.
        acquisition: AcquisitionNumber.
        moment: When it was acquired, as text that sorts.
        other: Dimension indices that say neither place nor any of the above.
    """

    kind: str = ""
    localiser: bool = False
    stack: str = ""
    echo: float | None = None
    b_value: float | None = None
    direction: tuple[float, ...] = ()
    time: float | None = None
    acquisition: int | None = None
    moment: str = ""
    other: tuple[int, ...] = ()


Value = str | float | tuple[float, ...] | None
Names = Mapping[Value, str]


@dataclass(frozen=True, slots=True)
class Divider:
    """One way of dividing slices into stacks.

    Attributes:
        trait: Which of the traits.
        name: Names the stacks, given the values of the trait in order.
    """

    trait: str
    name: Callable[[Sequence[Value]], Names]

    def value(self, traits: Traits) -> Value:
        """The trait of a slice."""
        found: Value = getattr(traits, self.trait)
        return found


def sorted_values(values: Sequence[Value]) -> list[Value]:
    """Values of one trait in order; what is missing comes first."""
    return sorted(values, key=lambda v: (v is not None, v if v is not None else 0))


def _ranked(word: str, missing: str = "") -> Callable[[Sequence[Value]], Names]:
    def names(values: Sequence[Value]) -> Names:
        there = [v for v in values if v not in (None, ())]
        found: dict[Value, str] = {v: f"{word} {i}" for i, v in enumerate(there, 1)}
        return {v: found.get(v, missing or f"no {word}") for v in values}

    return names


def _said(word: str) -> Callable[[Sequence[Value]], Names]:
    return lambda values: {v: f"no {word}" if v in (None, "") else f"{word} {_text(v)}" for v in values}


def _text(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float | int) else str(value)


_KINDS = {"M": "magnitude", "P": "phase", "R": "real", "I": "imaginary"}
_KINDS |= {f"{letter}_{more}": word for letter, word in _KINDS.items() for more in ("FFE", "SE", "IR")}


def _kinds(values: Sequence[Value]) -> Names:
    """The words by which the kinds differ; the whole kind where none is its own."""
    words = {v: list(dict.fromkeys(str(v or "").split("/"))) for v in values}
    common = set.intersection(*(set(w) for w in words.values()))
    names = {}
    for value, own in words.items():
        differing = [_KINDS.get(w, w.lower().replace("_", " ")) for w in own if w not in common and w]
        names[value] = " ".join(dict.fromkeys(differing)) or "plain"
    return names


DIVIDERS: tuple[Divider, ...] = (
    Divider("stack", _said("stack")),
    Divider("kind", _kinds),
    Divider("echo", _ranked("echo")),
    Divider("b_value", _said("b")),
    Divider("time", _ranked("time")),
    Divider("direction", _ranked("direction", "all directions")),
    Divider("other", _ranked("part")),
    Divider("acquisition", _ranked("acquisition")),
)
"""In the order in which they are tried: the first that helps divides, the parts are looked at again."""
