"""How well a typed query fits a text: letters in order, better at word starts and in runs."""

from __future__ import annotations

_WORD_START = 8.0
_RUN = 5.0
_LETTER = 1.0
_SKIPPED = 0.1
_WHOLE_WORD = 12.0


def score(query: str, text: str) -> float | None:
    """How well the query fits, more is better; None where a letter of it is missing.

    Every word of the query must be found, each by its letters in order: "auwi" finds "Auto window".

    Args:
        query: As typed; case does not matter. Empty fits everything with 0.
        text: What is searched.
    """
    total = 0.0
    folded = text.casefold()
    for word in query.casefold().split():
        found = _word(word, folded)
        if found is None:
            return None
        total += found
    return total


def _word(word: str, text: str) -> float | None:
    """The best fit of one word: begun at each place where its first letter is, the best is taken."""
    best: float | None = None
    start = text.find(word[0])
    while start >= 0:
        found = _from(word, text, start)
        if found is None:
            break  # further right there is even less text
        best = found if best is None else max(best, found)
        start = text.find(word[0], start + 1)
    return best


def _from(word: str, text: str, start: int) -> float | None:
    points, at, last = 0.0, start, start - 1
    for letter in word:
        at = text.find(letter, at)
        if at < 0:
            return None
        points += _LETTER
        if at == 0 or not text[at - 1].isalnum():
            points += _WORD_START
        elif at == last + 1:
            points += _RUN
        points -= _SKIPPED * (at - last - 1)
        last, at = at, at + 1
    if last - start + 1 == len(word) and (last + 1 == len(text) or not text[last + 1].isalnum()):
        points += _WHOLE_WORD if start == 0 or not text[start - 1].isalnum() else 0.0
    return points
