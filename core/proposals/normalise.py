"""The one definition of how grey levels become comparable between scanners.

MR units are arbitrary, so each slice is scaled by itself: the 1st and 99.5th percentile of what is not
background become 0 and 1. Proposals and the detector both see this, and every model card names it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NORMALISATION = "percentile-foreground-1-99.5"

_SAMPLES = 1 << 15
_BACKGROUND = 0.05
_FEWEST = 16
# Of the largest grey level: a range above it loses nothing in single precision.
_NARROW = 1e-3


def normalise(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Scale a slice to [0, 1] by robust percentiles of its foreground.

    Foreground is what lies more than 5 % above the 1st percentile, on the way to the 99.9th. Large slices are
    sampled on a regular grid for the percentiles, so the result does not depend on chance.

    Args:
        image: (rows, columns), any real dtype and range. NaN and -inf become 0, +inf becomes 1.

    Returns:
        float32 of the same shape in [0, 1]; all zeros where the slice has no contrast.
    """
    return scaled(image, grey_limits(image))


def scaled(image: NDArray[np.generic], limits: tuple[float, float] | None) -> NDArray[np.float32]:
    """Scale a slice to [0, 1] by grey levels found on it, or on a slice that it is to be compared with.

    Args:
        image: As for `normalise`.
        limits: From `grey_limits`.

    Returns:
        As `normalise`; all zeros where there are no limits.
    """
    if limits is None:
        return np.zeros(image.shape, dtype=np.float32)
    low, high = limits
    # Sixty times as fast where the range allows it; the results differ by a rounding.
    if (
        image.dtype == np.float32
        and high - low > _NARROW * max(abs(low), abs(high))
        and np.isfinite(image).all()
    ):
        with np.errstate(over="ignore"):  # far beyond the limits, and clipped to them
            unit32 = np.subtract(image, np.float32(low))
            unit32 *= np.float32(1.0 / (high - low))
        return np.asarray(np.clip(unit32, 0.0, 1.0, out=unit32), dtype=np.float32)
    wide = np.asarray(image, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        unit = (wide - low) / (high - low)
    unit = np.nan_to_num(unit, nan=0.0, posinf=1.0, neginf=0.0)
    return np.clip(unit, 0.0, 1.0).astype(np.float32)


def grey_limits(image: NDArray[np.generic]) -> tuple[float, float] | None:
    """The grey levels that become 0 and 1, or None where the slice has no contrast.

    Args:
        image: (rows, columns), any real dtype and range; values that are not finite are left out.
    """
    sample = _sample(image)
    # Sorted in its own type, which is quicker.
    values = np.sort(sample[np.isfinite(sample)]).astype(np.float64)
    if values.size == 0:
        return None
    # Spans that overflow or are subnormal cannot be divided by; such a slice has no usable contrast.
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = _percentile(values, 1.0), _percentile(values, 99.9)
        foreground = values[np.searchsorted(values, low + _BACKGROUND * (high - low), side="right") :]
        if foreground.size >= _FEWEST and foreground[-1] > foreground[0]:
            low, high = _percentile(foreground, 1.0), _percentile(foreground, 99.5)
        span = high - low
    if not np.isfinite(span) or span <= max(1e-12 * max(abs(low), abs(high)), np.finfo(np.float64).tiny):
        return None
    return low, high


def _percentile(ordered: NDArray[np.float64], percent: float) -> float:
    """Of values in rising order, linear between neighbours."""
    at = percent / 100.0 * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (at - below) * (ordered[above] - ordered[below]))


def _sample(image: NDArray[np.generic]) -> NDArray[np.generic]:
    """About 2¹⁵ pixels on four grids, one from each corner: a flipped slice gives the same sample."""
    step = int(np.sqrt(image.size / _SAMPLES))
    if step <= 1:
        return image.ravel()
    both = (slice(None, None, 2 * step), slice(None, None, -2 * step))
    return np.concatenate([image[rows, columns].ravel() for rows in both for columns in both])
