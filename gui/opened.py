"""Everything that is open: what the scans have found, put together. No Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from core.imaging.grouping import reading_order
from core.model import Catalog, DicomObject, Series, Skipped, SliceRef


class Opened:
    """The catalogues of all scans. Opening again takes nothing away until the new scan is whole."""

    def __init__(self) -> None:
        self._whole: dict[str, tuple[Catalog, ...]] = {}
        self._growing: dict[str, Catalog] = {}

    @property
    def growing(self) -> bool:
        """Whether a scan still runs that has found something."""
        return bool(self._growing)

    def grow(self, key: str, catalog: Catalog) -> None:
        """Take what a scan that still runs has found so far."""
        self._whole.setdefault(key, ())
        self._growing[key] = catalog

    def finish(self, key: str, catalog: Catalog) -> None:
        """Take what a scan has found in the end; it replaces what earlier scans of the same paths found."""
        self._whole[key] = (catalog,)
        self._growing.pop(key, None)

    def cut_short(self, key: str) -> Catalog:
        """A scan ended before its time: what it had found stays open.

        Returns:
            What it had found.
        """
        found = self._growing.pop(key, Catalog())
        self._whole[key] = (*self._whole.get(key, ()), found)
        return found

    def series(self) -> dict[str, Series]:
        """Every series by uid, in the order of opening and, within one opening, of the catalogue."""
        joined: dict[str, Series] = {}
        for catalog in self._catalogs():
            if joined:
                _drop_moved(joined, catalog)
            for series in catalog.series:
                known = joined.get(series.uid)
                joined[series.uid] = series if known is None else merged(known, series)
        return joined

    def skipped(self) -> tuple[Skipped, ...]:
        """Every file left out, once, with the reason found last."""
        return tuple({s.path: s for catalog in self._catalogs() for s in catalog.skipped}.values())

    def objects(self) -> tuple[DicomObject, ...]:
        """DICOM that is not an image, each file once."""
        return tuple({o.path: o for catalog in self._catalogs() for o in catalog.objects}.values())

    def _catalogs(self) -> list[Catalog]:
        found: list[Catalog] = []
        for key, whole in self._whole.items():
            found += whole
            if key in self._growing:
                found.append(self._growing[key])
        return found


def merged(old: Series, new: Series) -> Series:
    """The series with the slices of both, in reading order; where both have one, the newer."""
    keys = {s.key for s in new.slices}
    missing = [s for s in old.slices if s.key not in keys]
    if not missing:
        return new
    return replace(new, slices=reading_order((*missing, *new.slices), is_stack=new.is_stack))


def _drop_moved(joined: dict[str, Series], catalog: Catalog) -> None:
    """Take slices out of a stack that a later scan, which saw more files, counts to another stack."""
    owner = {s.key: series.uid for series in catalog.series if series.is_stack for s in series.slices}
    for uid, series in list(joined.items()):
        if not series.is_stack:
            continue
        kept = tuple(s for s in series.slices if owner.get(s.key, uid) == uid)
        if not kept:
            del joined[uid]
        elif len(kept) < len(series.slices):
            joined[uid] = replace(series, slices=kept)


def all_slices(series: Iterable[Series]) -> tuple[SliceRef, ...]:
    """The slices of all series, in order."""
    return tuple(ref for one in series for ref in one.slices)


def opened_text(paths: Sequence[Path], catalog: Catalog) -> tuple[str, str]:
    """Level and text of what there is to say about an opening."""
    n_series, n_skipped = len(catalog.series), len(catalog.skipped)
    n_slices = sum(len(s.slices) for s in catalog.series)
    left_out = f" {_count(n_skipped, 'file')} left out: File ▸ Files left out says why." if n_skipped else ""
    if n_series == 0:
        where = str(paths[0]) if len(paths) == 1 else f"the {len(paths)} paths"
        return "warning", f"{where}: no slice that can be shown was found there.{left_out}"
    return "info", f"Opened {_count(n_slices, 'slice')} in {n_series} series.{left_out}"


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"
