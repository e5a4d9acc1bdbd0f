"""Which slices train and which validate: whole groups on one side, never a group on both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from core.errors import NotEnoughData
from core.model import Dataset, LabelledSlice

LEAST_BOXES = 4
RUNS = 6


def split_groups(
    slices: Sequence[LabelledSlice], share: float, seed: int
) -> tuple[tuple[LabelledSlice, ...], tuple[LabelledSlice, ...]]:
    """Train and validation slices; about `share` of the groups, at least one, validate.

    Groups are ordered by a hash of the seed and their name, so adding a group does not reshuffle the others.
    Groups with boxes and groups without are shared out each for themselves: many explicit negatives must not
    take the boxes away from training, and false alarms on them are to be measured too.

    Raises:
        NotEnoughData: Fewer than two groups hold boxes.
    """
    with_boxes = {s.group for s in slices if s.boxes}
    everyone = sorted({s.group for s in slices}, key=lambda g: _rank(g, seed))
    if len(with_boxes) < 2:
        raise NotEnoughData(
            f"only {len(with_boxes)} group(s) of slices hold boxes; at least 2 are needed: one to train "
            "on, another to check on. Read more patients, or give a validation set."
        )
    found = [g for g in everyone if g in with_boxes]
    empty = [g for g in everyone if g not in with_boxes]
    chosen = {
        *found[: min(max(1, round(len(found) * share)), len(found) - 1)],
        *empty[: round(len(empty) * share)],
    }
    train = tuple(s for s in slices if s.group not in chosen)
    valid = tuple(s for s in slices if s.group in chosen)
    return train, valid


def joined_groups(datasets: Sequence[Dataset]) -> dict[tuple[int, str], str]:
    """One name for what must stay together, by (index of the data set, group).

    Blocks are numbered in every data set anew; patients, studies and files are the same ones everywhere. And
    groups of two data sets that hold the same slice are one, whatever they are called.
    """
    names: dict[tuple[int, str], str] = {}
    above: dict[str, str] = {}
    seen: dict[str, str] = {}

    def top(name: str) -> str:
        while above[name] != name:
            name = above[name]
        return name

    for index, dataset in enumerate(datasets):
        own = f"{index}/" if dataset.grouped_by == "block" else ""
        for s in dataset.slices:
            name = names.setdefault((index, s.group), f"{own}{s.group}")
            above.setdefault(name, name)
            one, other = sorted((top(name), top(seen.setdefault(s.ref.key, name))))
            above[other] = one
    return {key: top(name) for key, name in names.items()}


def blocks_of_one(slices: Sequence[LabelledSlice]) -> tuple[LabelledSlice, ...]:
    """The slices with contiguous runs as groups, for when all boxes come from one group.

    A reader who retrains after a first series has one patient only. Neighbouring slices look alike, so what
    is measured on such a split is too good; whoever uses it must say so.

    Raises:
        NotEnoughData: Fewer than two slices hold boxes.
    """
    count = sum(bool(s.boxes) for s in slices)
    if count < 2:
        raise NotEnoughData(
            f"only {count} slice(s) hold boxes; at least 2 are needed: one to train on, another to check on."
        )
    runs, seen, regrouped = min(count, RUNS), 0, []
    for s in slices:
        regrouped.append(replace(s, group=f"{s.group} run {min(seen * runs // count, runs - 1)}"))
        seen += bool(s.boxes)
    return tuple(regrouped)


def check_enough(slices: Sequence[LabelledSlice]) -> None:
    """Return if there is something to learn from.

    Raises:
        NotEnoughData: With the counts.
    """
    boxes = sum(len(s.boxes) for s in slices)
    if boxes < LEAST_BOXES:
        raise NotEnoughData(
            f"{len(slices)} slices with {boxes} boxes are too few to train (at least {LEAST_BOXES} boxes). "
            "Only slices marked as read count; read more of them."
        )


def merge_classes(datasets: Sequence[Dataset], classes: str, known: Sequence[str] = ()) -> tuple[str, ...]:
    """The class names to train: those with boxes, in the order of the schemas; ("tumour",) for "one".

    Args:
        datasets: The slices.
        classes: "all" or "one".
        known: Classes of the model that goes on; it keeps them, whether or not there are boxes of them.

    Raises:
        NotEnoughData: No box at all.
    """
    if classes == "one":
        return ("tumour",)
    names = list(known)
    found = False
    for dataset in datasets:
        used = {b.label_id for s in dataset.slices for b in s.boxes}
        names += [c.name for c in dataset.schema.classes if c.id in used and c.name not in names]
        found = found or bool(used)
    if not found:
        raise NotEnoughData("the data sets hold no boxes at all; draw or import some first.")
    return tuple(names)


def _rank(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{group}".encode()).hexdigest()
