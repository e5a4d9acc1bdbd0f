"""DICOM that is not an image: what it is, and which images it speaks of."""

from __future__ import annotations

from pathlib import Path

from pydicom import datadict, uid
from pydicom.dataset import Dataset

from core.imaging.base import OtherObject
from core.model import DicomObject

_STORAGE = "1.2.840.10008.5.1.4.1.1."
DIRECTORY = "1.2.840.10008.1.3.10"
# By the beginning of the SOP class; the first that fits. What is not here goes by its registered name.
_KINDS = (
    (DIRECTORY, "directory file (DICOMDIR)"),
    ("1.2.840.10008.5.1.4.1.1.88.59", "key object selection"),
    ("1.2.840.10008.5.1.4.1.1.88.", "structured report"),
    ("1.2.840.10008.5.1.4.1.1.66.4", "segmentation"),
    ("1.2.840.10008.5.1.4.1.1.66.5", "surface segmentation"),
    ("1.2.840.10008.5.1.4.1.1.66.7", "label map"),
    ("1.2.840.10008.5.1.4.1.1.66.1", "spatial registration"),
    ("1.2.840.10008.5.1.4.1.1.66.3", "deformable registration"),
    ("1.2.840.10008.5.1.4.1.1.67", "real world value map"),
    ("1.2.840.10008.5.1.4.1.1.11.", "presentation state"),
    ("1.2.840.10008.5.1.4.1.1.104.1", "encapsulated PDF"),
    ("1.2.840.10008.5.1.4.1.1.104.2", "encapsulated CDA report"),
    ("1.2.840.10008.5.1.4.1.1.104.", "encapsulated document"),
    ("1.2.840.10008.5.1.4.1.1.9.", "waveform"),
    ("1.2.840.10008.5.1.4.1.1.66", "raw data"),
    ("1.2.840.10008.5.1.4.1.1.4.2", "MR spectroscopy"),
)
_HAVE_PIXELS = ("segmentation", "label map")  # images by their form, but not to be looked at as such
# What a header may break in: values of the wrong type, number, or range.
_ODD = (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError, NotImplementedError)
_MAX_DEPTH, _MAX_ITEMS = 12, 200_000


def refuse_other_object(path: Path, dataset: Dataset, sop_class: str, *, has_pixels: bool) -> None:
    """Raise where a data set is something else than an image.

    Args:
        path: The file.
        dataset: All of it but the pixels.
        sop_class: Its SOP class.
        has_pixels: It has rows, columns and pixel data.

    Raises:
        OtherObject: It is a report, a segmentation, a directory, …
    """
    kind = object_kind(sop_class)
    if kind is None or (has_pixels and kind not in _HAVE_PIXELS):
        return
    found = DicomObject(
        path=path,
        sop_class=sop_class,
        kind=kind,
        sop_uid=_text(dataset, "SOPInstanceUID"),
        series_uid=_text(dataset, "SeriesInstanceUID"),
        study_uid=_text(dataset, "StudyInstanceUID"),
        modality=_text(dataset, "Modality"),
        refers_to=() if sop_class == DIRECTORY else _references(dataset),
    )
    raise OtherObject(found, _reason(found))


def object_kind(sop_class: str) -> str | None:
    """What a SOP class is in words; None for an image or an unknown class."""
    for prefix, name in _KINDS:
        if sop_class == prefix or (sop_class.startswith(prefix) and prefix.endswith(".")):
            return name
    name = uid.UID(sop_class).name if sop_class else ""
    return None if name in ("", sop_class) or "Image" in name else name.removesuffix(" Storage")


def _reason(found: DicomObject) -> str:
    count = len(found.refers_to)
    of = f", refers to {count} instance{'' if count == 1 else 's'}" if count else ""
    return f"DICOM {found.kind}, not an image{of}"


def _references(dataset: Dataset) -> tuple[str, ...]:
    """Every SOP instance the object refers to, at any depth, once, in the order of the file."""
    found: dict[str, None] = {}
    waiting = [(dataset, 0)]
    items = 0
    while waiting and items < _MAX_ITEMS:
        current, depth = waiting.pop()
        items += 1
        referred = _text(current, "ReferencedSOPInstanceUID")
        # Not the study or the patient, to which objects refer in the same words.
        if referred and _text(current, "ReferencedSOPClassUID").startswith(_STORAGE):
            found[referred] = None
        if depth < _MAX_DEPTH:
            nested = [item for name in _sequences(current) for item in _items(current, name)]
            waiting += [(item, depth + 1) for item in reversed(nested)]
    return tuple(found)


def _sequences(dataset: Dataset) -> list[str]:
    """Keywords of the standard sequences of a data set; nothing else is converted to look for them."""
    names = []
    for tag in dataset.keys():  # noqa: SIM118 - iterating a data set converts every element
        raw = dataset.get_item(tag)
        vr = raw.VR or (datadict.dictionary_VR(tag) if datadict.dictionary_has_tag(tag) else "")
        if vr == "SQ":
            names.append(datadict.keyword_for_tag(tag))
    return [name for name in names if name]


def _items(dataset: Dataset, name: str) -> list[Dataset]:
    try:
        return [item for item in dataset.get(name) or () if isinstance(item, Dataset)]
    except _ODD:
        return []


def _text(dataset: Dataset, name: str) -> str:
    try:
        return "".join(c for c in str(dataset.get(name) or "") if c.isprintable()).strip()
    except _ODD:
        return ""
