"""The `overread` command: the command line of core, and the window where one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.cli import main as command_line


def open_window(paths: Sequence[Path], demo: bool, workspace: Path | None) -> int:
    """Open the application; imports Qt only now."""
    from gui.app import run  # noqa: PLC0415 - commands without a window start without Qt

    return run(paths, demo=demo, workspace=workspace)


def main() -> int:
    """Entry point of the `overread` command."""
    return command_line(open_window=open_window)


if __name__ == "__main__":
    raise SystemExit(main())
