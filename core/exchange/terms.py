"""Origin and licence of a data set, as its files state them, in one line for a model's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 300
"""Letters of a statement that are kept; the rest of a longer one is in the data set's own files."""


def tidy(text: object) -> str:
    """Any statement as one line of bearable length; "" for what is no text."""
    line = " ".join(text.split()) if isinstance(text, str) else ""
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def coco_terms(tree: Mapping[str, Any]) -> str:
    """What a COCO file states: its own words, else who made it and under which licences; "" for nothing.

    `info.terms` or `info.license` is taken as it stands. Else `info.contributor` and `info.url` say where the
    images come from, and `licenses` lists their terms: those that an image names, or all where none does.
    """
    info = tree.get("info")
    info = info if isinstance(info, dict) else {}
    own = tidy(info.get("terms")) or tidy(info.get("license"))
    if own:
        return own
    origin = ", ".join(filter(None, (tidy(info.get("contributor")), tidy(info.get("url")))))
    licences = ", ".join(dict.fromkeys(_licences(tree)))
    if origin and not licences:
        licences = "licence not stated"
    return tidy(": ".join(filter(None, (origin, licences))))


def joined_terms(terms: Sequence[str]) -> str:
    """The terms of the parts of one data set; parts that state nothing are said to."""
    stated = list(dict.fromkeys(terms))
    return "; ".join(t or "not stated for a part" for t in stated) if any(stated) else ""


def _licences(tree: Mapping[str, Any]) -> list[str]:
    rows, images = tree.get("licenses"), tree.get("images")
    listed = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    pictures = images if isinstance(images, list) else []
    used = {str(i["license"]) for i in pictures if isinstance(i, dict) and i.get("license") is not None}
    named = [row for row in listed if str(row.get("id")) in used] or listed
    return [text for row in named if (text := tidy(row.get("name")) or tidy(row.get("url")))]
