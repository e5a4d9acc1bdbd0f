"""The seam of the index: what is known of files from an earlier look into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.imaging.archive import FileStatus
from core.imaging.records import Contents


@dataclass(frozen=True, slots=True)
class Indexed:
    """A file as it was when it was looked into.

    Attributes:
        path: The file.
        status: Its size and time of change at that time.
        contents: What was found.
    """

    path: Path
    status: FileStatus
    contents: Contents


class Index(Protocol):
    """Remembers what files hold. It may forget anything at any time, and never fails: it only saves time."""

    def known(self, files: Sequence[tuple[Path, FileStatus]]) -> Mapping[Path, Contents]:
        """What is known of those files that have the same size and time of change as then."""

    def add(self, rows: Sequence[Indexed]) -> None:
        """Remember."""

    def forget_missing(self, folders: Sequence[Path], there: Sequence[Path]) -> None:
        """Forget the files below the folders that are not there any more.

        Args:
            folders: Folders that were looked through to the end.
            there: Every file found in them.
        """


class NoIndex:
    """Remembers nothing."""

    def known(self, files: Sequence[tuple[Path, FileStatus]]) -> Mapping[Path, Contents]:
        """Nothing."""
        return {}

    def add(self, rows: Sequence[Indexed]) -> None:
        """Do nothing."""

    def forget_missing(self, folders: Sequence[Path], there: Sequence[Path]) -> None:
        """Do nothing."""
