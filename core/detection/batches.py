"""What the network is shown in a step: neighbours or none, a transplant, an augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from core.detection.augment import apply_changes, draw_change
from core.detection.gradients import Batch
from core.detection.samples import Sample
from core.detection.sampling import sample_regions
from core.detection.transplant import Transplants

# Of slices with neighbours: the share shown as single pictures, and as ends of a stack on either side.
_ALONE = 0.3
_ENDS = 0.1


def shown_as(sample: Sample, inputs: int, transplants: Transplants, rng: np.random.Generator) -> Sample:
    """A sample as this step shows it.

    To a network that sees neighbours some are shown as single pictures or ends of a stack, which it must
    judge as well. Only single pictures get a transplant: a lesion on one slice and not on those beside it
    would teach that lesions are what neighbours deny, and one put into all three would need the donor's
    neighbours to lie in the recipient's head as the donor does.
    """
    before, after = sample.working.beside
    if inputs == 1 or (before is None and after is None):
        return transplants.apply(sample, rng)
    alone, first, last = rng.random(3) < (_ALONE, _ENDS, _ENDS)
    if alone:
        sample, before, after = transplants.apply(sample, rng), None, None
    beside = (None if first else before, None if last else after)
    return replace(sample, working=replace(sample.working, beside=beside))


def make_batch(samples: Sequence[Sample], count: int, rng: np.random.Generator, inputs: int = 1) -> Batch:
    """An augmented batch: images (B, inputs, S, S), regions per slice, and the truth moved along."""
    seen = np.stack([s.working.channels(inputs) for s in samples])
    images = torch.from_numpy(seen.astype(np.float32))
    size = float(images.shape[-1])
    changes = [draw_change(rng) for _ in samples]
    regions, truths = [], []
    for sample, change in zip(samples, changes, strict=True):
        truth = sample.truth.moved(partial(change.moved, size=size), size, partial(change.carried, size=size))
        proposals = change.moved(sample.working.proposals, size)
        drawn = sample_regions(rng, truth, proposals, count, size)
        regions.append(torch.from_numpy(drawn))
        truths.append(truth)
    moved = apply_changes(images, changes, rng)
    for row, sample in zip(moved, samples, strict=True):
        for side, other in enumerate(sample.working.beside[: inputs - 1]):
            if other is None:
                row[2 * side] = row[inputs // 2]  # with the same noise: it is the slice itself
    return moved.contiguous(memory_format=torch.channels_last), regions, truths
