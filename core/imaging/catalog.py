"""Looks through folders and files: series in reading order, and what was left out and why."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from core.errors import UnreadableFile
from core.imaging.archive import FileStatus, file_status
from core.imaging.grouping import Found, dicom_series, raster_series
from core.imaging.index import Index, Indexed, NoIndex
from core.imaging.looking import look_into_all
from core.imaging.records import Contents
from core.imaging.walk import Visited, path_key, shown_name, walk
from core.jobs import CancelToken, Progress, no_progress
from core.model import Catalog, DicomObject, Skipped

_SNAPSHOT_SECONDS = 0.2
_SNAPSHOT_SHARE = 4  # grouping again and again may take a fifth of the time, no more
_INDEX_ROWS = 500  # remembered at once: so much is looked into again after a crash
_WALK_STEP = 500
_AT_ONCE = 64  # files looked into before the rest is listed


def scan(
    paths: Sequence[Path],
    *,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    found: Callable[[Catalog], None] | None = None,
    index: Index | None = None,
) -> Catalog:
    """Look through files and folders. Files are recognised by content; headers are read, no pixel is decoded.

    DICOM slices are grouped by series (and where one UID holds several stacks, by what tells those apart) and
    ordered by position along the slice normal, ascending. Plain images of one folder are one collection in
    natural order of names. A file reached twice is listed once; a second DICOM file with the same SOP
    instance is skipped.

    Args:
        paths: Files and folders, in any mixture.
        progress: Called with files read, files in all, and the count of slices as text; with no total while
            many files are still being listed.
        cancel: Stops the scan.
        found: Called with what has been found so far: as soon as there is a slice, then at most five times a
            second.
        index: What earlier scans have found; files that have not changed since are not opened.

    Returns:
        Everything found. Unreadable files and folders are rows of `skipped`, in order of paths; nothing is
        raised for them. What a zip archive holds or a DICOMDIR lists is found as if it lay in a folder. A
        disk that is taken out meanwhile is one row.

    Raises:
        Cancelled: The token was set.
    """
    return _Scan(paths, progress, cancel or CancelToken(), found, index or NoIndex()).run()


class _Scan:
    """One run of `scan`."""

    def __init__(
        self,
        paths: Sequence[Path],
        progress: Progress,
        cancel: CancelToken,
        found: Callable[[Catalog], None] | None,
        index: Index,
    ) -> None:
        self._paths, self._progress, self._cancel = paths, progress, cancel
        self._found, self._index = found, index
        self._gathered = _Gathered()
        self._visited = Visited()
        self._next_snapshot = float("-inf")
        self._fresh: list[Indexed] = []
        self._seen: list[Path] = []
        self._done = 0

    def run(self) -> Catalog:
        """Look through everything."""
        waiting: Sequence[Path] = self._paths
        removed = _Removed(self._paths)
        while waiting:
            listing = self._list(waiting)
            waiting = []  # archives and directory files name more
            # The first few at once: the reader need not wait until a hundred thousand are listed.
            while files := list(islice(listing, _AT_ONCE if not self._done else None)):
                waiting += self._look(files, removed)
        self._gathered.skipped += removed.rows()
        if not removed.rows():
            self._index.forget_missing(self._paths, self._seen)
        return self._gathered.catalog()

    def _list(self, given: Sequence[Path]) -> Iterator[Path]:
        for item in walk(given, self._cancel, self._visited):
            if isinstance(item, Skipped):
                self._gathered.skipped.append(item)
                continue
            self._seen.append(item)
            if len(self._seen) % _WALK_STEP == 0:
                self._progress(0, 0, f"{len(self._seen)} files found")
            yield item

    def _look(self, files: Sequence[Path], removed: _Removed) -> list[Path]:
        """Sort in what the files hold; returns the files that they name."""
        inside: list[Path] = []
        try:
            for path, contents in self._contents(files):
                self._done += 1
                if not contents.durable and contents.reason and removed.count(path):
                    continue
                inside += self._gathered.add(path, contents)
                self._report(len(self._seen) + len(inside))
        finally:
            self._remember()
        return inside

    def _contents(self, files: Sequence[Path]) -> Iterator[tuple[Path, Contents]]:
        """What each file holds, in order: from the index, or by looking into it."""
        status = {path: _status(path) for path in files}
        known = self._index.known([(p, s) for p, s in status.items() if s is not None])
        fresh = look_into_all([p for p in files if p not in known], self._cancel)
        for path in files:
            self._cancel.check()
            contents = known.get(path)
            if contents is None:
                contents = next(fresh)
                self._note(path, status[path], contents)
            yield path, contents
        next(fresh, None)  # lets go of its processes

    def _note(self, path: Path, before: FileStatus | None, contents: Contents) -> None:
        # A file that was written to meanwhile may have been read half.
        if before is not None and contents.durable and before == _status(path):
            self._fresh.append(Indexed(path, before, contents))
            if len(self._fresh) >= _INDEX_ROWS:
                self._remember()

    def _remember(self) -> None:
        rows, self._fresh = self._fresh, []
        if rows:
            self._index.add(rows)

    def _report(self, total: int) -> None:
        self._progress(self._done, total, f"{self._gathered.count} slices")
        if self._found is None or not self._gathered.count or time.monotonic() < self._next_snapshot:
            return
        start = time.monotonic()
        self._found(self._gathered.catalog())
        cost = time.monotonic() - start
        self._next_snapshot = start + max(_SNAPSHOT_SECONDS, cost * (1 + _SNAPSHOT_SHARE))


def _status(path: Path) -> FileStatus | None:
    try:
        return file_status(path)
    except (OSError, UnreadableFile):
        return None


class _Removed:
    """Files that cannot be read because the disk they are on was taken out: one row for all of them."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots
        self._counts: Counter[Path] = Counter()

    def count(self, path: Path) -> bool:
        """Whether a file that could not be read is gone with what was opened; counts it."""
        root = next((r for r in self._roots if r in path.parents), None)
        if root is None or (root not in self._counts and root.exists()):
            return False
        self._counts[root] += 1
        return True

    def rows(self) -> list[Skipped]:
        """What to say of it."""
        return [
            Skipped(root, f"was taken away while it was read; {n} files in it were not. Open it again.")
            for root, n in self._counts.items()
        ]


class _Gathered:
    """What a scan has found so far."""

    def __init__(self) -> None:
        self.skipped: list[Skipped] = []
        self._dicom: list[Found] = []
        self._raster: list[Found] = []
        self._objects: list[DicomObject] = []
        self._owner: dict[str, Path] = {}
        self._copies: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Slices so far."""
        return len(self._dicom) + len(self._raster)

    def add(self, path: Path, contents: Contents) -> Sequence[Path]:
        """Sort a file's slices in, or note why it has none.

        Returns:
            The files that it holds or lists, where it is an archive or a DICOMDIR.
        """
        self.skipped += contents.skipped
        if contents.heading is None or not contents.slices:
            if contents.reason:
                self.skipped.append(Skipped(path, contents.reason))
            if contents.object is not None:
                self._objects.append(contents.object)
            return contents.members
        slices = [Found(ref, contents.heading) for ref in contents.slices]
        first = contents.slices[0]
        if first.key.startswith("raster:"):
            self._raster += slices
            return ()
        owner = self._owner.setdefault(first.key, path)
        if owner == path:
            self._dicom += slices
        else:
            self._copies[first.series_uid] += 1
            self.skipped.append(Skipped(path, f"the same SOP instance as {shown_name(owner)}"))
        return ()

    def catalog(self) -> Catalog:
        """A snapshot."""
        series = (*dicom_series(self._dicom, self._copies), *raster_series(self._raster))
        skipped = sorted(self.skipped, key=lambda s: path_key(s.path))
        return Catalog(series, tuple(skipped), tuple(sorted(self._objects, key=lambda o: path_key(o.path))))
