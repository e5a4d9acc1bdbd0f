"""Results as JSON files, and the tables of generated pages, for all measurements."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

NOT_YET = "Not measured yet.\n"

Result = Mapping[str, Any]
Tables = Mapping[str, Callable[[Result], str]]

_MARK = r"(<!-- table: {name}[^>]*-->\n).*?(<!-- end -->)"
_FLAT_LIST = re.compile(r"\[(?:[^\[\]{}]|\[[^\[\]{}]*\])*\]")


def as_json(result: Result) -> str:
    """Indented, with a list of numbers, or of pairs of numbers, on one line."""
    text = json.dumps(result, indent=1, ensure_ascii=False)
    return (
        _FLAT_LIST.sub(lambda found: json.dumps(json.loads(found.group()), ensure_ascii=False), text) + "\n"
    )


def filled(page: str, tables: Tables, result: Result) -> str:
    """The page with what stands between `<!-- table: NAME … -->` and `<!-- end -->` written anew.

    Raises:
        KeyError: The page lacks the marks of a table.
    """
    for name, made in tables.items():
        pattern = re.compile(_MARK.format(name=name), re.DOTALL)
        text = f"\n{made(result)}\n".replace("\\", r"\\")
        page, count = pattern.subn(rf"\g<1>{text}\g<2>", page)
        if count != 1:
            raise KeyError(f"the page has {count} places for table {name!r}, it needs one")
    return page


def figure(value: float) -> str:
    """A share without its leading zero: .985, 1.000."""
    return f"{value:.3f}".removeprefix("0")


def spread_text(of: Result, digits: int) -> str:
    """Median and quartiles."""
    return f"{of['median']:.{digits}f} ({of['q1']:.{digits}f}–{of['q3']:.{digits}f})"


def when(measured: Result) -> str:
    """The command, the day and the processor of a measurement."""
    return f"`{measured['command']}`, {measured['date'][:10]}, {measured['cpu']}."


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
