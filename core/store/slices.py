"""Slices a workspace knows, and which of them belong together when a dataset is split."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.model import Series, SliceRef
from core.store.codec import canonical, decode_slice, encode_slice

# "00054_145.jpg": five digits of a patient, an underscore, the slice. Public sets made from numbered
# patients are named so (RSNA-MICCAI 2021 and what was derived from it).
_PATIENT_PREFIX = re.compile(r"^(\d{5})_\d+")


@dataclass(frozen=True, slots=True)
class KnownSlice:
    """A slice that was opened with this workspace.

    Attributes:
        ref: Where its pixels are.
        series_uid: Its series.
        series_description: The series' description or folder name.
        group: Slices of one group never stand on both sides of a split.
        grouped_by: What the group is: "patient", "study" or "file".
    """

    ref: SliceRef
    series_uid: str
    series_description: str
    group: str
    grouped_by: str


def patient_of_name(name: str) -> str:
    """The patient number that a file name of the form NNNNN_SSS begins with, or ""."""
    match = _PATIENT_PREFIX.match(name)
    return match.group(1) if match else ""


def group_of(ref: SliceRef, series: Series | None = None) -> tuple[str, str]:
    """The group of a slice and what it is: its patient, else its study, else its file.

    Plain images that are not a stack have nothing in common but their folder, so each stands alone.
    """
    patient = ref.patient or patient_of_name(ref.path.name)
    if patient:
        return patient, "patient"
    if series is not None and series.is_stack:
        return _pseudonym(series.study_uid or series.uid), "study"
    if ref.geometry is not None:
        return _pseudonym(ref.series_uid), "study"
    return ref.key.rsplit("#", 1)[0], "file"


def _pseudonym(uid: str) -> str:
    return hashlib.blake2b(uid.encode(), digest_size=6).hexdigest()


def known_slice(ref: SliceRef, series: Series | None, before: KnownSlice | None) -> KnownSlice:
    """What there is to remember of a slice; without its series, what was known of that before stays."""
    if series is None and before is not None and before.series_uid == ref.series_uid:
        return KnownSlice(ref, ref.series_uid, before.series_description, before.group, before.grouped_by)
    group, grouped_by = group_of(ref, series)
    return KnownSlice(ref, ref.series_uid, series.description if series else "", group, grouped_by)


def slice_row(known: KnownSlice) -> dict[str, str]:
    """A known slice as columns of the slices table."""
    return {
        "key": known.ref.key,
        "ref": canonical(encode_slice(known.ref)),
        "series_uid": known.series_uid,
        "series_description": known.series_description,
        "group_key": known.group,
        "grouped_by": known.grouped_by,
    }


def read_slice(row: Mapping[str, Any]) -> KnownSlice:
    """The slice that `slice_row` wrote."""
    return KnownSlice(
        decode_slice(json.loads(row["ref"])),
        row["series_uid"],
        row["series_description"],
        row["group_key"],
        row["grouped_by"],
    )
