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

    The interpreter lock is released while it runs. Arithmetic is IEEE's in the order written (`fastmath` is
    off), so that platforms find the same regions. Without numba the function stays Python.
    """
    if not available():
        return function
    import numba  # noqa: PLC0415 - a quarter of a second that a start without proposals need not pay

    def compiled(*, cache: bool) -> Callable[_P, _R]:
        # Division by zero gives what numpy gives: a check for it keeps loops from taking several at a time.
        made: Callable[_P, _R] = numba.njit(cache=cache, nogil=True, fastmath=False, error_model="numpy")(
            function
        )
        return made

    try:
        return compiled(cache=True)
    except RuntimeError:
        # Neither the code's folder nor the user's cache can be written: compiled anew in each process.
        return compiled(cache=False)
