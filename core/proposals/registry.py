"""Proposers by the name used on the command line and in settings."""

from __future__ import annotations

from core.errors import InputError
from core.proposals.base import Proposer
from core.proposals.opencv import OpenCvProposer

PROPOSERS: tuple[str, ...] = ("opencv-fast", "opencv-quality")


def make_proposer(name: str) -> Proposer:
    """The proposer of that name.

    Raises:
        InputError: No such method; the message lists them.
    """
    if name == "opencv-fast":
        return OpenCvProposer("fast")
    if name == "opencv-quality":
        return OpenCvProposer("quality")
    raise InputError(f"unknown proposal method {name!r}: choose one of {', '.join(PROPOSERS)}")
