"""Layouts and hanging rules: how many viewports, and which series hangs in which, by its description."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.imaging.space import same_space
from core.model import Series

HANGINGS_FILE = "hangings.json"
"""Name of the reader's file in `core.settings.home()`."""

LAYOUTS: dict[str, tuple[int, int]] = {"1x1": (1, 1), "1x2": (1, 2), "2x2": (2, 2)}
"""(rows, columns) by name."""


@dataclass(frozen=True, slots=True)
class Hung:
    """What hangs beside the series in view.

    Attributes:
        description: Of the series, case aside.
        prior: In another study of the same patient.
    """

    description: str
    prior: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A layout, and what hangs in its other viewports in order."""

    layout: str
    beside: tuple[Hung, ...] = ()


class Hangings:
    """The reader's rules by description of the series in view.

    Args:
        path: The reader's file; read if it exists, written on every change. None: nothing is kept. A file
            that cannot be read costs the rules in it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._rules: dict[str, Rule] = {}
        if path is not None and path.exists():
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                rows = json.loads(path.read_text(encoding="utf-8"))["rules"]
                self._rules = {str(k): _parsed(row) for k, row in rows.items()}

    def find(self, series: Series) -> Rule | None:
        """The rule for a series, or None."""
        return self._rules.get(_key(series))

    def remember(self, series: Series, rule: Rule) -> None:
        """Hang series of this description so from now on; one viewport is no rule.

        Raises:
            OSError: It cannot be written; it holds for this session.
        """
        if rule == self._rules.get(_key(series), Rule("1x1")):
            return
        self._rules.pop(_key(series), None)
        if rule.layout != "1x1":
            self._rules[_key(series)] = rule
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_suffix(".tmp")
            rows = {k: _written(rule) for k, rule in self._rules.items()}
            text = json.dumps({"version": 1, "rules": rows}, indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
            os.replace(temporary, self._path)


def hung(series: Series, main: Series) -> Hung:
    """How a rule names a series that hangs beside another."""
    return Hung(_key(series), series.study_uid != main.study_uid)


def beside(main: Series, every: Sequence[Series], wanted: Sequence[Hung], room: int) -> list[Series]:
    """What to hang beside a series: what the rule names, then what belongs to it most.

    Args:
        main: The series in view.
        every: All that is open.
        wanted: By a rule; may be empty.
        room: How many at most.

    Returns:
        No series twice, and never the one in view; fewer where there are no more.
    """
    found: list[Series] = []
    others = sorted((s for s in every if s.uid != main.uid), key=lambda s: _distance(s, main))
    for name in wanted:
        fits = [
            s for s in others if hung(s, main) == name and s not in found and _patient(s) == _patient(main)
        ]
        found += fits[:1]
    found += [s for s in others if s not in found]
    return found[:room]


def _distance(series: Series, main: Series) -> tuple[bool, bool, bool, bool]:
    """Small for what belongs together: same study, same space, same patient, same description."""
    return (
        _patient(series) != _patient(main),
        series.study_uid != main.study_uid,
        not (series.slices and main.slices and same_space(series.slices[0], main.slices[0])),
        _key(series) != _key(main),
    )


def _patient(series: Series) -> str:
    # Without a pseudonym nobody knows whose it is: it is then as good as its study.
    patient = series.slices[0].patient if series.slices else ""
    return patient or series.study_uid


def _key(series: Series) -> str:
    return " ".join(series.description.casefold().split())


def _written(rule: Rule) -> dict[str, object]:
    rows = [{"description": h.description, "prior": h.prior} for h in rule.beside]
    return {"layout": rule.layout, "beside": rows}


def _parsed(row: dict[str, object]) -> Rule:
    layout, rows = str(row["layout"]), row["beside"]
    if layout not in LAYOUTS or not isinstance(rows, list):
        raise ValueError(layout)
    return Rule(layout, tuple(Hung(str(r["description"]), bool(r["prior"])) for r in rows))
