"""Compilation of the pixel kernels: numba's where it is installed, and word of it where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


def available() -> bool:
    """Whether numba is there and works; an installed one may not fit the installed numpy."""
    try:
        import numba  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function of numbers and arrays on its first call; kept on disk for the next process.

    The interpreter lock is released while it runs. Arithmetic is strict IEEE (no reordering, no fused
    operations), so that every platform finds the same regions. Without numba the function stays Python.
    """
    if not available():
        return function
    import numba  # noqa: PLC0415 - a quarter of a second that a start without proposals need not pay

    compiled: Callable[_P, _R] = numba.njit(cache=True, nogil=True, fastmath=False)(function)
    return compiled
