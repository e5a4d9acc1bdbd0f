"""Finds the files under given paths: natural order, each file once, loops and locked folders survived."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.imaging.archive import archive_place
from core.jobs import CancelToken
from core.model import Skipped

_DIGITS = re.compile(r"(\d+)")


def shown_name(path: Path) -> str:
    """The last part of a path as text that any screen and file can hold, whatever bytes the name is of."""
    return os.fsencode(path.name).decode("utf-8", errors="replace")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key by which "slice 10" comes after "slice 9"; equal only for equal names."""
    parts = _DIGITS.split(name.casefold())
    parted = [(0, int(p), "") if i % 2 else (1, 0, p) for i, p in enumerate(parts) if p]
    return (*parted, (-1, 0, name))


def path_key(path: Path) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """Natural order of whole paths, folder by folder."""
    return tuple(natural_key(part) for part in path.parts)


class Visited:
    """What has been walked over already, whatever it was called."""

    def __init__(self) -> None:
        self._seen: set[tuple[object, ...]] = set()

    def first(self, path: Path) -> bool:
        """Whether a file or folder is met for the first time; it counts as met from then on.

        Raises:
            OSError: There is nothing of that name, or it may not be looked at.
        """
        try:
            status = path.stat()
            identity: tuple[object, ...] = (status.st_dev, status.st_ino)
        except (FileNotFoundError, NotADirectoryError):
            place = archive_place(path)
            if place is None:
                raise
            within = place[0].stat()
            identity = (within.st_dev, within.st_ino, place[1])
        if identity in self._seen:
            return False
        self._seen.add(identity)
        return True


def walk(
    paths: Sequence[Path], cancel: CancelToken, visited: Visited | None = None
) -> Iterator[Path | Skipped]:
    """Every file under the paths, and every folder or path that cannot be looked into.

    Symbolic links are followed; a file or folder that is reached again is passed over, so a loop ends.

    Args:
        paths: Files, folders, and members of archives.
        cancel: Stops the walk.
        visited: What earlier walks have met; it is passed over too.

    Raises:
        Cancelled: The token was set.
    """
    seen = visited or Visited()
    for given in paths:
        cancel.check()
        try:
            first = seen.first(given)
        except FileNotFoundError:
            yield Skipped(given, "does not exist")
            continue
        except OSError as error:
            yield Skipped(given, _reason(error, "path"))
            continue
        if first:
            yield from _below(given, seen, cancel) if given.is_dir() else (given,)


def _below(folder: Path, seen: Visited, cancel: CancelToken) -> Iterator[Path | Skipped]:
    waiting = [folder]
    while waiting:
        cancel.check()
        current = waiting.pop()
        try:
            with os.scandir(current) as entries:
                found = sorted(entries, key=lambda e: natural_key(e.name))
        except OSError as error:
            yield Skipped(current, _reason(error, "folder"))
            continue
        folders: list[Path] = []
        for entry in found:
            path = current / entry.name
            try:
                if not seen.first(path):
                    continue
                is_folder = entry.is_dir()
            except OSError as error:
                yield Skipped(path, _reason(error, "file"))
                continue
            if not is_folder:
                yield path
            elif entry.name.startswith("."):
                yield Skipped(path, "hidden folder")
            else:
                folders.append(path)
        waiting.extend(reversed(folders))


def _reason(error: OSError, what: str) -> str:
    if isinstance(error, PermissionError):
        return f"no permission to read this {what}"
    if isinstance(error, FileNotFoundError):
        return "broken link"
    return f"cannot be read ({error.strerror or type(error).__name__})"
