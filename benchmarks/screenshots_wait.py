"""Letting the window run while pictures of it are taken."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEventLoop, QTimer

PATIENCE_MS = 120_000
POLL_MS = 30


def wait_until(what: Callable[[], bool]) -> None:
    """Let the application run until something is so.

    Raises:
        TimeoutError: It did not become so.
    """
    waited = 0
    while not what():
        settle(POLL_MS)
        waited += POLL_MS
        if waited > PATIENCE_MS:
            raise TimeoutError("the window did not get there")


def settle(milliseconds: int = 400) -> None:
    """Let everything be painted."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
