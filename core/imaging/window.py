"""Grey-level windows (PS3.3 C.11.2.1): finding one, and applying it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.model import SliceRef, VoiTable, Window

_MOST = 9  # presets have the keys 1 to 9
# Pixels windowed at once: few enough to stay in the processor's cache. A slice may have 64 million.
_BLOCK = 1 << 14


def auto_window(pixels: NDArray[np.generic], padding: tuple[float, float] | None = None) -> Window:
    """A robust window for MR, which has no absolute units: repeatable, and blind to a few extreme pixels.

    The window starts at the 0.5th percentile and ends at the 99.2nd of the foreground (what stands out from
    the background by more than a twentieth of the range), so that much or little air around the head makes
    no difference.

    Args:
        pixels: Any shape; values that are not finite are ignored. All equal or empty is fine.
        padding: Range of values that are no image (PixelPaddingValue), both ends included.
    """
    values = _values(pixels, padding)
    if values.size == 0:
        return Window(0.5, 1.0, "auto")
    low, top = (float(v) for v in np.percentile(values, (0.5, 99.8)))
    foreground = values[values > low + 0.05 * (top - low)]
    high = float(np.percentile(foreground, 99.2)) if foreground.size else top
    if high <= low:  # nearly all pixels equal: take what range there is
        low, high = float(values.min()), float(values.max())
    return _between(low, high, "auto")


def full_window(pixels: NDArray[np.generic], padding: tuple[float, float] | None = None) -> Window:
    """From the lowest to the highest finite value."""
    values = _values(pixels, padding)
    return (
        _between(float(values.min()), float(values.max()), "full")
        if values.size
        else Window(0.5, 1.0, "full")
    )


def without_padding(pixels: NDArray[np.float32], padding: tuple[float, float] | None) -> NDArray[np.float32]:
    """The pixels with padding as dark as the darkest of the image: for what takes grey levels for anatomy.

    Returns:
        The same array where it holds no padding, or nothing else.
    """
    if padding is None:
        return pixels
    outside = (pixels >= padding[0]) & (pixels <= padding[1])
    if not outside.any() or outside.all():
        return pixels
    return np.where(outside, pixels[~outside].min(), pixels)


def default_window(ref: SliceRef, pixels: NDArray[np.generic]) -> Window:
    """The file's first window, unless it shows nothing of the slice; else the automatic one."""
    if ref.windows and _shows(ref.windows[0], pixels):
        return ref.windows[0]
    return auto_window(pixels, ref.padding)


def presets(ref: SliceRef, pixels: NDArray[np.generic]) -> tuple[Window, ...]:
    """Windows for the keys 1 to 9: the file's own, then auto, full, soft and hard."""
    auto = auto_window(pixels, ref.padding)
    own = (
        auto,
        full_window(pixels, ref.padding),
        Window(auto.center, auto.width * 1.6, "soft"),
        Window(auto.center, auto.width * 0.6, "hard"),
    )
    return (*ref.windows[: _MOST - len(own)], *own)


def apply_window(pixels: NDArray[np.generic], window: Window, inverted: bool = False) -> NDArray[np.uint8]:
    """Grey levels 0 to 255.

    A VOI table, LINEAR, LINEAR_EXACT and SIGMOID as PS3.3 C.11.2.1 has them, computed in double precision and
    rounded to the nearest level. Never falls where the value rises, except where a table does. NaN becomes
    the darkest level (before inversion).

    Args:
        pixels: Rescaled values, any shape; of a colour image its channels.
        window: The window; a width below the function's least is taken as that.
        inverted: Invert after the window (MONOCHROME1).
    """
    flat = np.asarray(pixels).reshape(-1)
    grey = np.empty(flat.size, dtype=np.uint8)
    for start in range(0, flat.size, _BLOCK):
        grey[start : start + _BLOCK] = _levels(flat[start : start + _BLOCK].astype(np.float64), window)
    if inverted:
        np.subtract(255, grey, out=grey)
    return grey.reshape(np.shape(pixels))


def _levels(values: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """Whole levels 0 to 255 of values, which are overwritten."""
    center, width = window.center, max(window.width, 1e-6)
    with np.errstate(over="ignore", invalid="ignore"):
        if window.table is not None:
            level = _looked_up(values, center, width, window.table)
        elif window.function == "SIGMOID":
            level = 255.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -700.0, 700.0)))
        else:
            if window.function == "LINEAR" and width >= 1.0:
                center, width = center - 0.5, width - 1.0
            # A width of 0 is a threshold: its own value is still dark.
            level = _ramp(values, center, width) if width else np.where(values > center, 255.0, 0.0)
        np.fmax(level, 0.0, out=level)  # the number beside a NaN: that is dark
        np.fmin(level, 255.0, out=level)
        return np.rint(level, out=level)


def _ramp(values: NDArray[np.float64], center: float, width: float) -> NDArray[np.float64]:
    values -= center
    values /= width
    values += 0.5
    values *= 255.0
    return values


def _looked_up(
    values: NDArray[np.float64], center: float, width: float, table: VoiTable
) -> NDArray[np.float64]:
    """The table laid over the window: at the width and centre it came with, one entry a value.

    A reader who drags the window stretches and shifts the table.
    """
    entries = np.frombuffer(table.levels, dtype="<u2")
    levels = entries * (255.0 / table.top)
    index = np.rint((values - (center - width / 2)) * (len(entries) / width))
    index = np.nan_to_num(np.clip(index, 0, len(entries) - 1), copy=False, nan=0.0)
    return np.asarray(np.where(np.isnan(values), 0.0, levels[index.astype(np.intp)]))


def _values(pixels: NDArray[np.generic], padding: tuple[float, float] | None) -> NDArray[np.float64]:
    flat = np.asarray(pixels, dtype=np.float64).ravel()
    keep = np.isfinite(flat)
    if padding is not None:
        image = keep & ~((flat >= padding[0]) & (flat <= padding[1]))
        keep = image if image.any() else keep
    return np.asarray(flat[keep])


def _between(low: float, high: float, name: str) -> Window:
    if high <= low:
        return Window(low, 1.0, name)
    return Window(low + (high - low) / 2, high - low, name)


def _shows(window: Window, pixels: NDArray[np.generic]) -> bool:
    values = _values(pixels, None)
    if values.size == 0:
        return True
    low, high = float(values.min()), float(values.max())
    return window.center - window.width / 2 <= high and window.center + window.width / 2 >= low
