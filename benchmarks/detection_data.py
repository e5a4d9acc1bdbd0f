"""What detectors are trained and measured on, and how it is parted: no patient, no block on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.build_model import HELD_BLOCKS
from benchmarks.real_data import by_groups, cheng, progression
from core.detection.split import split_groups
from core.errors import InputError
from core.exchange.datasets import load_dataset
from core.model import Dataset, LabelClass, LabelledBox, LabelSchema
from core.store.slices import patient_of_name

BTOD_TERMS = "images' own terms unclear: benchmark only, no model trained on it is shipped"
SETS = ("cheng", "btod", "progression")
FOLDS = 5
_PATIENT_FOLDS = 3  # of six patients


@dataclass(frozen=True, slots=True)
class Parted:
    """A data set in two parts that share no group.

    Attributes:
        train: To train on, and to choose the best weights on.
        check: For the figures.
        one_class: Every box is a tumour.
    """

    train: Dataset
    check: Dataset
    one_class: bool


def btod(data: Path, part: str) -> Dataset:
    """`btod/train` or `btod/valid`; grouped by patient where the name carries a number, else by file."""
    found = load_dataset(data / "btod" / part)
    return replace(found, name=f"btod/{part}", info={"terms": BTOD_TERMS})


def numbered(dataset: Dataset) -> Dataset:
    """The slices whose names carry a patient number."""
    kept = tuple(s for s in dataset.slices if patient_of_name(s.ref.path.name))
    return replace(dataset, name=f"{dataset.name}, numbered", slices=kept, grouped_by="patient", notes=())


def parted_set(data: Path, name: str) -> Parted:
    """One of SETS for comparing variants; nothing of it is a test set.

    cheng/train with four blocks kept for the figures, three classes; or the numbered images of btod/train
    with a fifth of the patients kept, one class; or progression, whole series, with a third of the patients
    kept, one class.
    """
    if name == "cheng":
        every = cheng(data, "train")
        return Parted(
            by_groups(every, HELD_BLOCKS, name="cheng/train", inside=False),
            by_groups(every, HELD_BLOCKS, name="cheng/train, held blocks", inside=True),
            one_class=False,
        )
    series = name == "progression"
    every = progression(data) if series else numbered(btod(data, "train"))
    held = set(deal((s.group for s in every.slices), _PATIENT_FOLDS if series else FOLDS)[0])
    share = "a third" if series else "a fifth"
    return Parted(
        by_groups(every, held, name=every.name, inside=False),
        by_groups(every, held, name=f"{every.name}, {share} of the patients", inside=True),
        one_class=True,
    )


def choosing(dataset: Dataset, share: float, seed: int = 0) -> tuple[Dataset, Dataset]:
    """What is trained on, and whole groups on which the best weights are chosen."""
    train, held = split_groups(dataset.slices, share, seed)
    return (
        replace(dataset, slices=train),
        replace(dataset, name=f"{dataset.name}, held-out groups", slices=held),
    )


def deal(groups: Iterable[str], folds: int, seed: int = 0) -> tuple[frozenset[str], ...]:
    """Groups dealt out to folds in turn, in an order by hash: folds differ by one group at most.

    Raises:
        InputError: There are fewer groups than folds, or fewer than two folds.
    """
    order = by_hash(groups, seed)
    if not 2 <= folds <= len(order):
        raise InputError(f"--folds {folds}: must be from 2 to {len(order)}, the number of groups")
    return tuple(frozenset(order[k::folds]) for k in range(folds))


def by_hash(groups: Iterable[str], seed: int) -> list[str]:
    """Each group once, in an order that the seed decides and other groups do not."""
    return sorted(set(groups), key=lambda g: hashlib.sha256(f"{seed}/{g}".encode()).hexdigest())


def draw_boxes(dataset: Dataset, count: int, seed: int) -> tuple[Dataset, Dataset]:
    """Slices with `count` boxes of a few patients to learn from, and all slices of the other patients.

    Slices of a drawn patient that are not needed any more are in neither.

    Raises:
        InputError: The data set has no more boxes than that.
    """
    drawn: set[str] = set()
    taken: list[int] = []
    boxes = 0
    for patient in by_hash((s.group for s in dataset.slices), seed):
        if boxes >= count:
            break
        drawn.add(patient)
        for index, labelled in enumerate(dataset.slices):
            if labelled.group == patient and boxes < count:
                taken.append(index)
                boxes += len(labelled.boxes)
    rest = tuple(s for s in dataset.slices if s.group not in drawn)
    if boxes < count or not rest:
        raise InputError(f"--boxes {count}: {dataset.name} holds too few; give fewer")
    few = tuple(dataset.slices[i] for i in sorted(taken))
    return (
        replace(dataset, name=f"{dataset.name}, {boxes} boxes", slices=few),
        replace(dataset, name=f"{dataset.name}, other patients", slices=rest),
    )


def as_class(dataset: Dataset, name: str) -> Dataset:
    """The data set with every box in one class of that name."""
    slices = tuple(replace(s, boxes=tuple(LabelledBox(b.box, 1) for b in s.boxes)) for s in dataset.slices)
    return replace(dataset, schema=LabelSchema(dataset.name, (LabelClass(1, name),)), slices=slices)
