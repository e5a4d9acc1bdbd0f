"""Selective search for MR slices: segments grouped in several ways, and components of grey levels, ranked.

After Uijlings et al. 2013: segmentations at several scales, each grouped by several measures of likeness,
every region on the way a proposal. Component trees add what a threshold would cut out, also with thin bridges
opened, since a lesion often hangs on a vessel or on the dura. docs/proposals.md has what each part brings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from core import boxes as bx
from core.jobs import CancelToken
from core.model import Proposals
from core.proposals.base import Mode, check_slice
from core.proposals.features import COLUMNS, features
from core.proposals.forest import AREA, X1, X2, Y1, Y2, Forest, intervals, next_above
from core.proposals.graph import segment, sorted_edges
from core.proposals.grouping import Likeness, describe, group
from core.proposals.levels import component_tree
from core.proposals.ranking import chosen, load_network, scored
from core.proposals.working import WorkingImage, working_image
from core.regions import Regions, Tree

# Sources, as the ranking knows them.
_GROUPED, _GROUPED_BY_MEAN, _BRIGHT, _DARK, _OPENED = range(5)
_ALIKE = (Likeness(grey=1, texture=1, size=1, fill=1), _GROUPED)
_MEAN = (Likeness(mean=4, size=0.3, fill=0.3), _GROUPED_BY_MEAN)
_FITTING = (Likeness(size=1, fill=1), _GROUPED_BY_MEAN)

# Regions outside these are not proposals: sides in parts of the slice's longer side and in working pixels,
# the box's side in parts of the head's, narrow side against wide.
_SHORTEST, _FEWEST_PIXELS, _WIDEST, _NARROWEST = 6 / 512, 2, 0.85, 0.2
_MOST_SEGMENTS = 1500
# So many of the best regions enter the choice for each proposal of the mode, or asked for beyond that.
_CANDIDATES = 2
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Threshold:
    """A component tree: of what is brighter than each level, or darker, thin bridges opened."""

    levels: int
    dark: bool = False
    opened: int = 0


@dataclass(frozen=True, slots=True)
class Search:
    """One working size and the sources run on it.

    Attributes:
        size: Longest side of the working image.
        scales: The k of each segmentation, for grey levels 0 to 255.
        groupings: Ways to group each segmentation, with the kind of source the ranking sees.
        thresholds: Component trees.
        smallest: Least pixels of a segment or component.
    """

    size: int
    scales: tuple[int, ...]
    groupings: tuple[tuple[Likeness, int], ...]
    thresholds: tuple[Threshold, ...]
    smallest: int


@dataclass(frozen=True, slots=True)
class Preset:
    """What a mode runs, and how many proposals it gives."""

    searches: tuple[Search, ...]
    most: int


_FEW = (Threshold(32), Threshold(16, dark=True), Threshold(32, opened=2))
_MANY = (
    Threshold(48),
    Threshold(24, dark=True),
    Threshold(48, opened=1),
    Threshold(48, opened=2),
    Threshold(48, opened=4),
)

PRESETS: dict[Mode, Preset] = {
    "fast": Preset((Search(224, (10, 30, 100), (_ALIKE, _MEAN), _FEW, 8),), 400),
    "quality": Preset(
        (
            Search(192, (8, 30, 100), (_ALIKE, _MEAN, _FITTING), _MANY, 6),
            Search(320, (10, 40, 130), (_ALIKE, _MEAN, _FITTING), _MANY, 10),
        ),
        1000,
    ),
}


COARSE = Preset((Search(128, (10, 30, 100), (_ALIKE, _MEAN), _FEW, 6),), 400)
"""Under half the time of "fast", and looser boxes: for a detector, which moves their edges anyway."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Regions of all sources before ranking.

    Attributes:
        boxes: (N, 4) in slice pixels.
        features: (N, COLUMNS), see `core.proposals.features`.
        forest: (N,) which forest each comes from.
        region: (N,) its number there.
        forests: The sources' trees, each with its working image.
    """

    boxes: bx.Boxes
    features: NDArray[np.float32]
    forest: NDArray[np.int32]
    region: NDArray[np.int32]
    forests: tuple[tuple[Forest, WorkingImage], ...]


class SelectiveSearch:
    """Our selective search.

    Args:
        mode: "fast" (up to 400 proposals, about 10 ms a slice) or "quality" (up to 1000, tighter, slower).
        limit: Most proposals returned; None for the mode's own, of which a smaller limit gives the first.
        preset: What to run; None for the mode's own. The mode's ranking is used.
        name: What it is called; None for the mode.
    """

    def __init__(
        self,
        mode: Mode = "fast",
        limit: int | None = None,
        preset: Preset | None = None,
        name: str | None = None,
    ) -> None:
        self._name = name or mode
        self._preset = preset or PRESETS[mode]
        self._most = self._preset.most if limit is None else limit
        self._network = load_network(mode)

    @property
    def name(self) -> str:
        """The method's name, as on the command line."""
        return self._name

    def propose(self, image: NDArray[np.generic], *, cancel: CancelToken) -> Proposals:
        """Propose regions, best first, in the image's own pixels.

        Raises:
            Cancelled: The token was set.
            InputError: `image` is not two-dimensional or is empty.
        """
        found = candidates(image, self._preset, cancel)
        score = scored(self._network, found.features)
        # Equal scores: the order of the sources, which is fixed.
        best = np.argsort(-score, kind="stable")[: _CANDIDATES * max(self._preset.most, self._most)]
        order, rank = chosen(found.boxes[best], score[best], self._most)
        picked = best[order]
        cancel.check()
        return Proposals(
            bx.from_array(found.boxes[picked]), tuple(rank.tolist()), self.name, _regions(found, picked)
        )


def candidates(image: NDArray[np.generic], preset: Preset, cancel: CancelToken) -> Candidates:
    """All regions of a preset's sources that could be a proposal.

    Raises:
        Cancelled: The token was set.
        InputError: `image` is not two-dimensional or is empty.
    """
    check_slice(image)
    cancel.check()
    forests: list[tuple[Forest, WorkingImage]] = []
    for search in preset.searches:
        working = working_image(image, search.size) if min(image.shape) >= _LEAST else None
        if working is not None:
            for forest in _forests(working, search):
                cancel.check()
                forests.append((forest, working))
    parts = [_proposable(forest, working, max(image.shape)) for forest, working in forests]
    if not parts:
        none = np.zeros(0, dtype=np.int32)
        return Candidates(np.zeros((0, 4)), np.zeros((0, COLUMNS), dtype=np.float32), none, none, ())
    return Candidates(
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.repeat(np.arange(len(parts), dtype=np.int32), [len(p[2]) for p in parts]),
        np.concatenate([p[2] for p in parts]),
        tuple(forests),
    )


def _forests(image: WorkingImage, search: Search) -> Iterator[Forest]:
    codes, start = sorted_edges(image.grey, image.inside)
    for scale in search.scales:
        labels, n = segment(codes, start, image.inside, scale * 16, search.smallest, _MOST_SEGMENTS)
        segments = describe(image, labels, n)
        for k, (likeness, source) in enumerate(search.groupings):
            # All groupings of a segmentation start from its segments.
            yield replace(group(segments, likeness, source), known=n if k else 0)
    for threshold in search.thresholds:
        yield _components(image, threshold, search.smallest)


def _components(image: WorkingImage, threshold: Threshold, smallest: int) -> Forest:
    grey, source = image.grey, _DARK if threshold.dark else _BRIGHT
    if threshold.opened:
        grey = np.asarray(cv2.morphologyEx(grey, cv2.MORPH_OPEN, _disc(threshold.opened)), dtype=np.uint16)
        source = _OPENED
    sums, parent, alike, labels = component_tree(
        grey, image.grey, image.inside, threshold.levels, threshold.dark, smallest
    )
    return Forest(source, sums, parent, alike, labels)


def _disc(radius: int) -> NDArray[np.uint8]:
    line = np.arange(-radius, radius + 1) ** 2
    return (line[:, None] + line[None, :] <= radius * (radius + 1)).astype(np.uint8)


def _proposable(
    forest: Forest, image: WorkingImage, longest: int
) -> tuple[bx.Boxes, NDArray[np.float32], NDArray[np.int32]]:
    """Boxes, features and numbers of the regions that could be a proposal."""
    values = features(image, forest)
    scale = np.array([image.scale_x, image.scale_y] * 2)
    # Scaling back may round to just past the edge.
    rows, columns = image.grey.shape
    boxes = bx.clip(
        forest.sums[:, [X1, Y1, X2, Y2]] * scale, round(columns * image.scale_x), round(rows * image.scale_y)
    )
    short = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
    least = max(_SHORTEST * longest, _FEWEST_PIXELS * max(image.scale_x, image.scale_y))
    fits = (short >= least) & (values[:, 1] < _WIDEST) & (values[:, 2] > _NARROWEST * values[:, 3])
    kept = np.flatnonzero(fits[forest.known :]) + forest.known
    return boxes[kept], values[kept], kept.astype(np.int32)


def _regions(found: Candidates, picked: NDArray[np.int64]) -> Regions:
    """The regions of the picked candidates; only trees that one of them belongs to are kept."""
    used, tree = np.unique(found.forest[picked], return_inverse=True)
    trees: list[Tree] = []
    spans = np.zeros((len(picked), 2), dtype=np.int32)
    parents = np.full(len(picked), -1, dtype=np.int32)
    areas = np.zeros(len(picked))
    for k, which in enumerate(used):
        forest, image = found.forests[which]
        runs = intervals(forest.parent)
        numbers = np.append(runs[:, 0], np.int32(-1))
        trees.append(Tree(forest.labels, numbers, image.scale_x, image.scale_y))
        mine = np.flatnonzero(tree == k)
        regions = found.region[picked[mine]]
        spans[mine] = runs[regions]
        areas[mine] = forest.sums[regions, AREA] * (image.scale_x * image.scale_y)
        proposal = np.full(len(forest.parent), -1, dtype=np.int32)
        proposal[regions] = mine
        parents[mine] = next_above(forest.parent, proposal)[regions]
    return Regions(tuple(trees), tree.astype(np.int32), spans, parents, areas)
