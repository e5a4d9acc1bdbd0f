"""Looks through folders and files: series in reading order, and what was left out and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import UnreadableFile
from core.imaging.grouping import Found, dicom_series, raster_series
from core.imaging.reader import Container, OtherObject, open_content
from core.imaging.walk import Visited, path_key, walk
from core.jobs import CancelToken, Progress, no_progress
from core.model import Catalog, DicomObject, Skipped

_SNAPSHOT_SECONDS = 0.2


def scan(
    paths: Sequence[Path],
    *,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    found: Callable[[Catalog], None] | None = None,
) -> Catalog:
    """Look through files and folders. Files are recognised by content; headers are read, no pixel is decoded.

    DICOM slices are grouped by series (and orientation, shape and kind where one UID holds several stacks)
    and ordered by position along the slice normal, ascending. Plain images of one folder are one collection
    in natural order of names. A file reached twice is listed once; a second DICOM file with the same SOP
    instance is skipped.

    Args:
        paths: Files and folders, in any mixture.
        progress: Called with files read, files in all, and the count of slices as text.
        cancel: Stops the scan.
        found: Called with what has been found so far: as soon as there is a slice, then at most five times a
            second.

    Returns:
        Everything found. Unreadable files and folders are rows of `skipped`, in order of paths; nothing is
        raised for them. What a zip archive holds or a DICOMDIR lists is found as if it lay in a folder.

    Raises:
        Cancelled: The token was set.
    """
    token = cancel or CancelToken()
    gathered = _Gathered()
    files: list[Path] = []
    visited = Visited()

    def take(given: Sequence[Path]) -> None:
        for item in walk(given, token, visited):
            if isinstance(item, Skipped):
                gathered.skipped.append(item)
            else:
                files.append(item)

    take(paths)
    last_snapshot = float("-inf")
    for index, path in enumerate(files):  # grows: archives and directory files name more
        token.check()
        take(gathered.add(path))
        progress(index + 1, len(files), f"{gathered.count} slices")
        if found is not None and gathered.count and time.monotonic() - last_snapshot >= _SNAPSHOT_SECONDS:
            found(gathered.catalog())
            last_snapshot = time.monotonic()
    return gathered.catalog()


class _Gathered:
    """What a scan has found so far."""

    def __init__(self) -> None:
        self.skipped: list[Skipped] = []
        self._dicom: list[Found] = []
        self._raster: list[Found] = []
        self._objects: list[DicomObject] = []
        self._owner: dict[str, Path] = {}

    @property
    def count(self) -> int:
        """Slices so far."""
        return len(self._dicom) + len(self._raster)

    def add(self, path: Path) -> Sequence[Path]:
        """Read a file's header and sort its slices in, or note why not.

        Returns:
            The files that it holds or lists, where it is an archive or a DICOMDIR.
        """
        try:
            content = open_content(path)
        except UnreadableFile as error:
            self.skipped.append(Skipped(path, error.reason))
            if isinstance(error, OtherObject):
                self._objects.append(error.object)
            return ()
        if isinstance(content, Container):
            self.skipped += content.skipped
            return content.members
        slices = [Found(ref, content.heading) for ref in content.slices()]
        if slices[0].ref.key.startswith("raster:"):
            self._raster += slices
            return ()
        owner = self._owner.setdefault(slices[0].ref.key, path)
        if owner == path:
            self._dicom += slices
        else:
            self.skipped.append(Skipped(path, f"the same SOP instance as {owner.name}"))
        return ()

    def catalog(self) -> Catalog:
        """A snapshot."""
        series = (*dicom_series(self._dicom), *raster_series(self._raster))
        skipped = sorted(self.skipped, key=lambda s: path_key(s.path))
        return Catalog(series, tuple(skipped), tuple(sorted(self._objects, key=lambda o: path_key(o.path))))
