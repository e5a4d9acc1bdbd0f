"""Writes the phantom as one Enhanced MR file: many frames, told apart by functional groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.tag import BaseTag
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian

from core.imaging.dicom_encode import encode_pixels
from core.imaging.dicom_write import classic_dataset, decimal, phantom_uid, phantom_window, study_date
from core.imaging.phantom import Phantom
from core.imaging.phantom_cuts import at_echo, slice_position

_STACK_ID, _IN_STACK, _ECHO = BaseTag(0x00209056), BaseTag(0x00209057), BaseTag(0x00189082)
_FRAME_CONTENT, _MR_ECHO = BaseTag(0x00209111), BaseTag(0x00189114)
_FRAME_TYPE = ["DERIVED", "PRIMARY", "M", "NONE"]


@dataclass(frozen=True, slots=True)
class EnhancedFrame:
    """One frame of the file.

    Attributes:
        slice: Its slice of the phantom.
        echo: Which of the echoes, from 0.
        slope: Its own rescale slope; pixels are stored divided by it.
    """

    slice: int
    echo: int
    slope: float


def write_phantom_enhanced(
    phantom: Phantom,
    path: Path,
    *,
    shuffled: bool = True,
    syntax: str = ExplicitVRLittleEndian,
    left_out: Sequence[int] = (),
    echoes: Sequence[float] = (),
) -> list[EnhancedFrame]:
    """Write all slices into one file (Enhanced MR Image Storage).

    Frames have rescale slopes of their own, 1 and 0.5 in turn, as real files do; values after rescaling are
    the phantom's.

    Args:
        phantom: What to write.
        path: The file; its folder is made where it does not exist.
        shuffled: Store the frames out of slice order; position and dimension index tell the order then.
        syntax: Transfer syntax, one of `dicom_encode.LOSSLESS`.
        left_out: Slices that are not written: gaps.
        echoes: Echo times in ms; the phantom's own echo where there are none.

    Returns:
        The frames, in the order of the file.

    Raises:
        OSError: The file cannot be written.
        ValueError: The transfer syntax cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    slices = [i for i in range(len(phantom.volume)) if i not in left_out]
    places = [(i, echo) for i in slices for echo in range(max(len(echoes), 1))]
    if shuffled:
        order = np.random.default_rng([phantom.spec.seed, len(places)]).permutation(len(places))
        places = [places[int(i)] for i in order]
    frames = [EnhancedFrame(i, echo, (1.0, 0.5)[n % 2]) for n, (i, echo) in enumerate(places)]
    volumes = [at_echo(phantom, ms).volume for ms in echoes] or [phantom.volume]
    dataset = classic_dataset(phantom, "enhanced", 1, syntax)
    _become_enhanced(dataset, phantom)
    dataset.NumberOfFrames = len(frames)
    dataset.SharedFunctionalGroupsSequence = [_shared(phantom, volumes[0])]
    ranks = {i: rank for rank, i in enumerate(slices, 1)}
    dataset.PerFrameFunctionalGroupsSequence = [
        _own(phantom, frame, ranks[frame.slice], tuple(echoes)) for frame in frames
    ]
    stored = [np.rint(volumes[f.echo][f.slice] / f.slope).astype(np.uint16) for f in frames]
    encode_pixels(dataset, stored)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return frames


def _item(**attributes: Any) -> Dataset:  # noqa: ANN401 - whatever the attribute takes
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def _become_enhanced(dataset: FileDataset, phantom: Phantom) -> None:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    for name in (
        "ScanningSequence",
        "SequenceVariant",
        "ScanOptions",
        "EchoTime",
        "RepetitionTime",
        "FlipAngle",
    ):
        delattr(dataset, name)
    for name, value in {
        "ImageType": _FRAME_TYPE,
        "ContentDate": study_date(phantom),
        "ContentTime": "120000",
        "AcquisitionDateTime": f"{study_date(phantom)}120000",
        "AcquisitionDuration": 300.0,
        "ContentQualification": "RESEARCH",
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "ComplexImageComponent": "MAGNITUDE",
        "AcquisitionContrast": "T1",
        "ResonantNucleus": "1H",
        "KSpaceFiltering": "NONE",
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
        "PresentationLUTShape": "IDENTITY",
        "AcquisitionContextSequence": [],
    }.items():
        setattr(dataset, name, value)
    organisation = phantom_uid(phantom, "dimension organization")
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organisation)]
    dataset.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organisation,
            DimensionIndexPointer=pointer,
            FunctionalGroupPointer=group,
            DimensionDescriptionLabel=label,
        )
        for pointer, group, label in (
            (_STACK_ID, _FRAME_CONTENT, "Stack"),
            (_IN_STACK, _FRAME_CONTENT, "Slice"),
            (_ECHO, _MR_ECHO, "Echo"),
        )
    ]


def _shared(phantom: Phantom, volume: np.ndarray) -> Dataset:
    centre, width = phantom_window(volume)
    cosines = [decimal(v) for v in (*phantom.row_cosine, *phantom.column_cosine)]
    measures = _item(
        PixelSpacing=[decimal(v) for v in phantom.spacing],
        SliceThickness=decimal(phantom.slice_spacing),
        SpacingBetweenSlices=decimal(phantom.slice_spacing),
    )
    kind = _item(
        FrameType=_FRAME_TYPE,
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast="T1",
    )
    return _item(
        PixelMeasuresSequence=[measures],
        PlaneOrientationSequence=[_item(ImageOrientationPatient=cosines)],
        FrameVOILUTSequence=[_item(WindowCenter=decimal(centre), WindowWidth=decimal(width))],
        MRImageFrameTypeSequence=[kind],
    )


def _own(phantom: Phantom, frame: EnhancedFrame, rank: int, echoes: tuple[float, ...]) -> Dataset:
    content = _item(
        StackID="1",
        InStackPositionNumber=rank,
        DimensionIndexValues=[1, rank, frame.echo + 1],
        FrameReferenceDateTime=f"{study_date(phantom)}120000",
        FrameAcquisitionDateTime=f"{study_date(phantom)}120000",
        FrameAcquisitionDuration=300.0,
    )
    position = [decimal(v) for v in slice_position(phantom, frame.slice)]
    scaling = _item(RescaleSlope=decimal(frame.slope), RescaleIntercept="0", RescaleType="US")
    return _item(
        FrameContentSequence=[content],
        PlanePositionSequence=[_item(ImagePositionPatient=position)],
        MREchoSequence=[_item(EffectiveEchoTime=echoes[frame.echo] if echoes else 3.2)],
        PixelValueTransformationSequence=[scaling],
    )
