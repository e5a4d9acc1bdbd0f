"""What each cell of the shared map lies in, and the loss that teaches it.

Boxes are all that a reader draws, so a lesion is taken for the ellipse that fills its box; data sets that
bring outlines teach with those.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.detection.sampling import Points, Truth

# Most cells are background at a glance; the mean over cells is small beside the overlap's loss.
_CELL_WEIGHT = 4.0
_SMOOTH = 1.0
# OpenCV fills every pixel that a polygon touches: drawn finer, and odd, so that a cell's middle is a pixel's.
_FINE = 5


def lesion_loss(logits: Tensor, truths: Sequence[Truth], stride: int) -> Tensor:
    """Cross-entropy of the cells plus 1 - Dice per class over the batch (Milletari et al. 2016).

    Args:
        logits: (N, K + 1, h, w), background first.
        truths: Per slice.
        stride: Working pixels per cell.
    """
    count, classes, rows, columns = logits.shape
    drawn = [cell_labels(t, (rows, columns), stride) for t in truths]
    labels = torch.from_numpy(np.stack(drawn)).to(logits.device)
    known = (labels >= 0).unsqueeze(1).to(logits.dtype)
    wanted = torch.nn.functional.one_hot(labels.clamp(min=0), classes).permute(0, 3, 1, 2) * known
    log = logits.log_softmax(dim=1)
    cells = -(wanted * log).sum() / (count * rows * columns)
    said, true = log.exp()[:, 1:] * known, wanted[:, 1:]
    both, each = (said * true).sum(dim=(0, 2, 3)), (said + true).sum(dim=(0, 2, 3))
    overlap = (2.0 * both + _SMOOTH) / (each + _SMOOTH)
    return _CELL_WEIGHT * cells + 1.0 - overlap.mean()


def cell_labels(truth: Truth, shape: tuple[int, int], stride: int) -> NDArray[np.int64]:
    """Per cell the class of the lesion that its middle lies in, 0 for none, -1 in boxes that do not count.

    A lesion is what its outlines enclose, or the ellipse in its box. One so small that no cell's middle lies
    in it gets the cells whose middle is less than half a stride away from that ellipse's.
    """
    y, x = ((np.arange(n) + 0.5) * stride for n in shape)
    labels = np.zeros(shape, dtype=np.int64)
    for x1, y1, x2, y2 in truth.ignored:
        labels[np.ix_((y > y1) & (y < y2), (x > x1) & (x < x2))] = -1
    outlines = truth.outlines or ((),) * len(truth.boxes)
    for (x1, y1, x2, y2), label, lines in zip(truth.boxes, truth.labels, outlines, strict=True):
        enclosed = _enclosed(lines, shape, stride)
        if enclosed.any():
            labels[enclosed] = label
            continue
        across = (x - (x1 + x2) / 2) / max((x2 - x1) / 2, stride / 2)
        down = (y - (y1 + y2) / 2) / max((y2 - y1) / 2, stride / 2)
        labels[down[:, None] ** 2 + across[None] ** 2 <= 1.0] = label
    return labels


def _enclosed(lines: Sequence[Points], shape: tuple[int, int], stride: int) -> NDArray[np.bool_]:
    """Cells whose middle lies in a polygon."""
    drawn = np.zeros((shape[0] * _FINE, shape[1] * _FINE), dtype=np.uint8)
    for line in lines:
        # OpenCV counts from the middle of a pixel, here in sixteenths of one.
        corners = np.round((line * _FINE / stride - 0.5) * 16.0).astype(np.int32)
        cv2.fillPoly(drawn, [corners], 1, shift=4)
    return drawn[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE] > 0
