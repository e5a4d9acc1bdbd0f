"""From data sets to samples in memory: classes merged by name, groups split, slices prepared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core import boxes as bx
from core.detection.card import DataUsed
from core.detection.config import TrainConfig
from core.detection.regions import SliceSource, WorkingSlice, prepare_all
from core.detection.sampling import Truth
from core.detection.split import blocks_of_one, check_enough, joined_groups, merge_classes, split_groups
from core.errors import NotEnoughData, UnreadableFile
from core.imaging.neighbours import ALONE, Beside, beside_each
from core.jobs import CancelToken, Progress
from core.model import Box, Dataset, LabelledSlice

# A true box thinner than this at the working size is not learnt from, nor held against the model.
_LEAST_SIDE = 6.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One prepared slice.

    Attributes:
        working: As the network sees it.
        truth: For training, in working pixels.
        boxes: All true boxes with class 1 … K, in the slice's own pixels, for validation.
        source: Index of its data set.
        group: Its group, of that data set.
    """

    working: WorkingSlice
    truth: Truth
    boxes: tuple[tuple[Box, int], ...]
    source: int
    group: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be trained on and checked on, before any pixel is read.

    Attributes:
        classes: Class names in output order.
        train: (data set index, slice) pairs.
        valid: The same.
        split: How they were kept apart, in words.
        used: For the card.
    """

    classes: tuple[str, ...]
    train: tuple[tuple[int, LabelledSlice], ...]
    valid: tuple[tuple[int, LabelledSlice], ...]
    split: str
    used: tuple[DataUsed, ...]


def make_plan(
    datasets: Sequence[Dataset], valid: Dataset | None, config: TrainConfig, known: Sequence[str] = ()
) -> Plan:
    """Decide classes and split.

    Args:
        datasets: To train on.
        valid: To check on; None holds out groups.
        config: Options.
        known: Classes of the model that goes on.

    Raises:
        NotEnoughData: Too few boxes or groups.
    """
    every = [(i, s) for i, d in enumerate(datasets) for s in d.slices]
    check_enough([s for _, s in every])
    classes = merge_classes(datasets, config.classes, known)
    names = ", ".join(sorted({d.grouped_by for d in datasets}))
    all_sets = [*datasets, *([valid] if valid is not None else [])]
    groups = joined_groups(all_sets)
    if valid is not None:
        held = [(len(datasets), s) for s in valid.slices]
        split = f"validation set {valid.name} given, {len(held)} slices"
        # What is checked on is never trained on, whichever sets it was put into.
        checked = {groups[i, s.group] for i, s in held}
        train = [(i, s) for i, s in every if groups[i, s.group] not in checked]
        if len(train) < len(every):
            split += f"; {len(every) - len(train)} slices of its groups were left out of training"
    else:
        marked = [replace(s, group=groups[i, s.group]) for i, s in every]
        if len({m.group for m in marked if m.boxes}) == 1:
            marked = list(blocks_of_one(marked))
            names = "contiguous runs of one group: neighbours look alike, so held-out figures are too good"
        by_key = {id(m): pair for m, pair in zip(marked, every, strict=True)}
        train_part, valid_part = split_groups(marked, config.valid_share, config.seed)
        train, held = [by_key[id(m)] for m in train_part], [by_key[id(m)] for m in valid_part]
        count = len({m.group for m in valid_part})
        split = f"{count} of {len({m.group for m in marked})} groups held out whole (by {names})"
    check_enough([s for _, s in train])
    used = tuple(
        _used(all_sets[index], role, [s for i, s in part if i == index])
        for role, part in (("train", train), ("valid", held))
        for index in sorted({i for i, _ in part})
    )
    return Plan(classes, tuple(train), tuple(held), split, used)


def prepare_samples(
    part: Sequence[tuple[int, LabelledSlice]],
    sources: Sequence[Dataset],
    classes: Sequence[str],
    source: SliceSource,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[list[Sample], list[UnreadableFile]]:
    """Prepare slices; unreadable ones are left out and returned.

    Raises:
        NotEnoughData: No slice at all could be read.
        Cancelled: The token was set.
    """
    samples: list[Sample] = []
    failed: list[UnreadableFile] = []
    around = _neighbours(part) if source.inputs > 1 else [ALONE] * len(part)
    refs = [(s.ref, beside) for (_, s), beside in zip(part, around, strict=True)]
    prepared = prepare_all(refs, source, progress, cancel)
    for (index, labelled), working in zip(part, prepared, strict=True):
        if isinstance(working, UnreadableFile):
            failed.append(working)
        else:
            samples.append(_sample(labelled, working, index, sources[index], classes))
    if part and not samples:
        raise NotEnoughData(f"none of the {len(part)} slices can be read; the first: {failed[0]}")
    return samples, failed


def _neighbours(part: Sequence[tuple[int, LabelledSlice]]) -> list[Beside]:
    """Within the same part and data set: what is checked on is not even seen in training."""
    found: dict[int, Beside] = {}
    for index in {i for i, _ in part}:
        refs = [s.ref for i, s in part if i == index]
        found.update(zip(map(id, refs), beside_each(refs), strict=True))
    return [found[id(s.ref)] for _, s in part]


def _sample(
    labelled: LabelledSlice, working: WorkingSlice, source: int, dataset: Dataset, classes: Sequence[str]
) -> Sample:
    known = [(b.box, _class_of(b.label_id, dataset, classes)) for b in labelled.boxes]
    outlines = [
        tuple(np.array(line).reshape(-1, 2) * working.scale for line in b.outlines) for b in labelled.boxes
    ]
    scaled = bx.to_array(box for box, _ in known) * working.scale
    labels = np.array([label for _, label in known], dtype=np.int64)
    # A class that the model does not learn is no background either.
    learnt = ((scaled[:, 2:] - scaled[:, :2]) >= _LEAST_SIDE).all(axis=1) & (labels > 0)
    truth = Truth(
        scaled[learnt],
        labels[learnt],
        scaled[~learnt],
        bx.to_array(labelled.hard_negatives) * working.scale,
        tuple(outlines[int(i)] for i in np.flatnonzero(learnt)) if any(outlines) else (),
    )
    kept = tuple((box, label) for box, label in known if label > 0)
    return Sample(working, truth, kept, source, labelled.group)


def _class_of(label_id: int, dataset: Dataset, classes: Sequence[str]) -> int:
    """Class 1 … K, or 0 for one that is not learnt."""
    name = dataset.schema.name_of(label_id)
    if name in classes:
        return list(classes).index(name) + 1
    return 1 if tuple(classes) == ("tumour",) else 0


def _used(dataset: Dataset, role: str, slices: Sequence[LabelledSlice]) -> DataUsed:
    text = "\n".join(
        sorted(f"{s.ref.key} {[(b.label_id, b.box.as_tuple()) for b in s.boxes]}" for s in slices)
    )
    return DataUsed(
        name=dataset.name,
        role=role,
        slices=len(slices),
        boxes=sum(len(s.boxes) for s in slices),
        groups=len({s.group for s in slices}),
        grouped_by=dataset.grouped_by,
        digest=hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
        terms=dataset.info.get("terms", ""),
    )
