from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from core.detection.lesion_map import cell_labels, lesion_loss
from core.detection.sampling import Truth

_NONE = np.zeros((0, 4))


def _truth(boxes: list[list[float]], labels: list[int], ignored: list[list[float]] | None = None) -> Truth:
    return Truth(
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(labels, dtype=np.int64),
        np.array(ignored or [], dtype=np.float64).reshape(-1, 4),
        _NONE,
    )


def test_cells_whose_middle_lies_in_the_ellipse_have_its_class() -> None:
    """A box of 4 × 4 cells holds an ellipse of 12: its corners are left out."""
    labels = cell_labels(_truth([[8.0, 8, 40, 40]], [2]), (8, 8), 8)
    assert labels[1:5, 1:5].tolist() == [[0, 2, 2, 0], [2, 2, 2, 2], [2, 2, 2, 2], [0, 2, 2, 0]]
    assert (labels == 2).sum() == 12


def test_a_tiny_lesion_still_has_a_cell() -> None:
    assert (cell_labels(_truth([[18.0, 18, 21, 21]], [1]), (8, 8), 8) == 1).sum() == 1


def test_cells_whose_middle_lies_in_the_outline_have_its_class() -> None:
    """A triangle over a box of 4 × 4 cells: the middles below its diagonal."""
    triangle = np.array([[8.0, 8], [8.0, 40], [40.0, 40]])
    known = replace(_truth([[8.0, 8, 40, 40], [48, 48, 64, 64]], [2, 1]), outlines=((triangle,), ()))
    labels = cell_labels(known, (8, 8), 8)
    rows = [[2, 0, 0, 0], [2, 2, 0, 0], [2, 2, 2, 0], [2, 2, 2, 2]]
    assert labels[1:5, 1:5].tolist() == rows
    assert (labels == 2).sum() == 10
    assert (labels == 1).sum() == 4, "the other box, of which no outline is known, has its ellipse"


def test_an_outline_without_a_cell_falls_back_on_its_box() -> None:
    sliver = np.array([[18.0, 18], [21.0, 18], [21.0, 19]])
    known = replace(_truth([[18.0, 18, 21, 21]], [1]), outlines=((sliver,),))
    assert (cell_labels(known, (8, 8), 8) == 1).sum() == 1


def test_boxes_that_do_not_count_are_marked() -> None:
    labels = cell_labels(_truth([], [], [[0.0, 0, 16, 8]]), (4, 4), 8)
    assert labels[0].tolist() == [-1, -1, 0, 0]
    assert not labels[1:].any()


def test_the_loss_falls_as_the_map_comes_to_say_the_truth() -> None:
    truths = [_truth([[8.0, 8, 40, 40]], [1]), _truth([], [])]
    labels = torch.from_numpy(np.stack([cell_labels(t, (8, 8), 8) for t in truths]))
    right = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    losses = [float(lesion_loss(right * strength, truths, 8)) for strength in (-4.0, 0.0, 4.0, 20.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.05


def test_cells_that_do_not_count_have_no_gradient() -> None:
    logits = torch.zeros(1, 2, 4, 4, requires_grad=True)
    lesion_loss(logits, [_truth([], [], [[0.0, 0, 16, 8]])], 8).backward()
    assert logits.grad is not None
    assert not logits.grad[0, :, 0, :2].any()
    assert logits.grad[0, :, 1:].abs().min() > 0
