"""What to make of a slice that could not be computed: in calm words, and whether to try again."""

from __future__ import annotations

from core.errors import ModelError, UnreadableFile
from gui.runner import error_text

IN_A_ROW = 5
"""Slices that fail one after the other before detection rests: what ails them all is not the slice."""

WORKER_STOPPED = "the worker stopped in the middle of it"


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, on the processor or on a graphics card: torch says so in a RuntimeError."""
    if isinstance(error, MemoryError):
        return True
    said = str(error).lower() if isinstance(error, RuntimeError) else ""
    return "out of memory" in said or "can't allocate memory" in said or "not enough memory" in said


def fault_text(error: Exception) -> str:
    """What to tell the reader."""
    return error_text(MemoryError()) if is_out_of_memory(error) else error_text(error)


def is_of_the_slice(error: Exception) -> bool:
    """Whether the slice is at fault: then nothing is to be feared for the others."""
    return isinstance(error, UnreadableFile)


def is_of_the_model(error: Exception) -> bool:
    """Whether the model is at fault."""
    return isinstance(error, ModelError)
