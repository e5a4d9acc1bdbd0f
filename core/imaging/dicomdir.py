"""DICOMDIR: the files that a disc's directory lists, and which of them are missing (PS3.3 F, PS3.10 8)."""

from __future__ import annotations

from pathlib import Path

from core.errors import UnreadableFile
from core.imaging.archive import archive_place, file_status, read_archive
from core.imaging.base import Container
from core.imaging.dicom_directory import listed_files
from core.model import Skipped

_MISSING = "listed in the DICOMDIR, but not there"


def read_dicomdir(path: Path) -> Container:
    """The files a DICOMDIR lists, in its order, each once.

    Names are taken below the DICOMDIR's own folder only. Discs are often copied with other letter case than
    the directory has, or with version numbers (`IM1;1`): those are found too.

    Raises:
        UnreadableFile: Damaged, or without a directory.
    """
    folder = _Folder(path.parent)
    members: dict[Path, None] = {}
    skipped: dict[Path, Skipped] = {}
    for parts in listed_files(path):
        if not _safe(parts):
            skipped[path] = Skipped(path, "lists a file outside its own folder: not opened")
            continue
        found = folder.find(parts)
        if found is None:
            missing = path.parent.joinpath(*parts)
            skipped[missing] = Skipped(missing, _MISSING)
        elif found != path:
            members[found] = None
    if not members and not skipped:
        raise UnreadableFile(path, "DICOM directory file (DICOMDIR) that lists no files")
    return Container(path, tuple(members), tuple(skipped.values()))


def _safe(parts: tuple[str, ...]) -> bool:
    return bool(parts) and all(
        part not in ("", ".", "..") and not set(part) & set('/\\:"<>|?*') and part.isprintable()
        for part in parts
    )


class _Folder:
    """Looks names up below a folder, or within an archive, by letter case at first and without it then."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[Path, dict[str, str]] = {}
        place = None if root.is_dir() else archive_place(root / "DICOMDIR")
        self._archive = None if place is None else read_archive(place[0])

    def find(self, parts: tuple[str, ...]) -> Path | None:
        """The file of these names, or None."""
        exact = self._root.joinpath(*parts)
        if self._is_file(exact):
            return exact
        current = self._root
        for part in parts:
            name = self._names(current).get(part.casefold())
            if name is None:
                return None
            current = current / name
        return current if self._is_file(current) else None

    def _is_file(self, path: Path) -> bool:
        if self._archive is None:
            return path.is_file()
        try:
            return file_status(path).size > 0
        except (UnreadableFile, OSError):
            return False

    def _names(self, folder: Path) -> dict[str, str]:
        known = self._listed.get(folder)
        if known is None:
            known = {_plain(name): name for name in sorted(self._names_in(folder), reverse=True)}
            self._listed[folder] = known
        return known

    def _names_in(self, folder: Path) -> set[str]:
        if self._archive is None:
            try:
                return {entry.name for entry in folder.iterdir()}
            except OSError:
                return set()
        below = folder.relative_to(self._archive.path).parts
        parted = (name.split("/") for name in self._archive.members)
        return {p[len(below)] for p in parted if len(p) > len(below) and tuple(p[: len(below)]) == below}


def _plain(name: str) -> str:
    """A name as a DICOMDIR would write it: without ISO 9660's version number and trailing dot."""
    return name.partition(";")[0].rstrip(".").casefold()
