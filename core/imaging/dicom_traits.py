"""What a DICOM frame says of itself besides its place: kind, echo, diffusion weighting, time, dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from core.imaging.dicom_frame import Frame, integer, numbers, sequence_items, text
from core.imaging.traits import Traits

# Dimensions that say where a frame lies, or what the traits say already (PS3.3 C.7.6.17).
_PLACES = {
    "InStackPositionNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "ImagePositionVolume",
    "ImageOrientationVolume",
    "SliceLocation",
}
_KNOWN = _PLACES | {
    "StackID",
    "EffectiveEchoTime",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "TemporalPositionIndex",
    "TemporalPositionTimeOffset",
    "FrameType",
}


def dimension_names(top: Dataset) -> tuple[str, ...]:
    """Keyword of what each dimension of a multi-frame object counts; "" for private ones."""
    names = []
    for item in sequence_items(top, "DimensionIndexSequence"):
        tag = item.get("DimensionIndexPointer")
        names.append(keyword_for_tag(tag) if isinstance(tag, int) else "")
    return tuple(names)


def dimension_values(frame: Frame) -> tuple[int, ...]:
    """DimensionIndexValues of a frame; () where there are none."""
    return tuple(int(v) for v in numbers(frame.within("FrameContentSequence"), "DimensionIndexValues"))


def place_by_dimension(frame: Frame, names: Sequence[str]) -> tuple[int, ...]:
    """Where a frame comes among those of its file: its dimension indices, those of place last.

    So frames without a position still go stack by stack and, within one, from place to place.
    """
    values = dimension_values(frame)
    if not values:
        return ()
    if len(names) != len(values):
        return values
    pairs = list(zip(names, values, strict=True))
    return tuple(v for n, v in pairs if n not in _PLACES) + tuple(v for n, v in pairs if n in _PLACES)


def traits_of(frame: Frame, names: Sequence[str]) -> Traits:
    """The traits of a frame.

    Args:
        frame: The header from its point of view.
        names: From `dimension_names`.
    """
    content = frame.within("FrameContentSequence")
    kinds = [text(frame.within("MRImageFrameTypeSequence"), name) for name in ("FrameType", "ImageType")]
    kind = (kinds[0] or kinds[1]).replace("\\", "/")
    return Traits(
        kind=kind,
        localiser="LOCALIZER" in kind.split("/"),
        stack=text(content, "StackID"),
        echo=_first(numbers(frame.within("MREchoSequence"), "EffectiveEchoTime"), frame.top, "EchoTime"),
        b_value=_b_value(frame),
        direction=_direction(frame),
        time=_time(frame, content),
        acquisition=integer(content, "FrameAcquisitionNumber") or integer(frame.top, "AcquisitionNumber"),
        moment=_moment(frame.top, content),
        other=_other(frame, names),
    )


def _first(found: tuple[float, ...], top: Dataset, name: str) -> float | None:
    values = found or numbers(top, name)
    return values[0] if values else None


def _b_value(frame: Frame) -> float | None:
    diffusion = frame.within("MRDiffusionSequence")
    return _first(numbers(diffusion, "DiffusionBValue"), frame.top, "DiffusionBValue")


def _direction(frame: Frame) -> tuple[float, ...]:
    diffusion = frame.within("MRDiffusionSequence")
    for item in (*sequence_items(diffusion, "DiffusionGradientDirectionSequence"), diffusion):
        found = numbers(item, "DiffusionGradientOrientation")
        if len(found) == 3:
            return tuple(round(v, 2) + 0.0 for v in found)
    return ()


def _time(frame: Frame, content: Dataset) -> float | None:
    trigger = numbers(frame.within("CardiacSynchronizationSequence"), "NominalCardiacTriggerDelayTime")
    for found in (
        numbers(content, "TemporalPositionIndex"),
        numbers(frame.top, "TemporalPositionIdentifier"),
        trigger,
        numbers(frame.top, "TriggerTime"),
    ):
        if found:
            return found[0]
    return None


def _moment(top: Dataset, content: Dataset) -> str:
    for source, names in (
        (content, ("FrameAcquisitionDateTime", "FrameReferenceDateTime")),
        (top, ("AcquisitionDateTime",)),
    ):
        for name in names:
            if found := text(source, name):
                return found
    clock = text(top, "AcquisitionTime")
    return (text(top, "AcquisitionDate") or text(top, "SeriesDate")) + clock if clock else ""


def _other(frame: Frame, names: Sequence[str]) -> tuple[int, ...]:
    values = dimension_values(frame)
    if len(values) != len(names):
        return ()
    return tuple(v for n, v in zip(names, values, strict=True) if n not in _KNOWN)
