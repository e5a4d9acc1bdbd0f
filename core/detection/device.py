"""What the network is computed with: the graphics processor where there is one, else the processor.

A graphics processor is taken at its word only: whatever error it gives (out of memory, a driver that went
away, an operation that it does not know), work goes on with the processor, and a message says so. An error
of our own shows itself there again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch

from core.errors import DeviceFailed

_NAMES = {"cuda": "the graphics processor (CUDA)", "mps": "the graphics processor (Metal)"}
# Metal computes in bfloat16 from this macOS on.
_BFLOAT_MACOS = (14, 0)


@dataclass(frozen=True, slots=True)
class Device:
    """Where and how the network is computed.

    Attributes:
        kind: "cuda", "mps" or "cpu".
        torch: torch's own name of it.
        half: Whether to compute in bfloat16 where that is exact enough (mixed precision in training).
    """

    kind: str
    torch: torch.device
    half: bool = False

    @property
    def is_processor(self) -> bool:
        """Whether it is the processor, which everything falls back to."""
        return self.kind == "cpu"

    @property
    def name(self) -> str:
        """For people."""
        return _NAMES.get(self.kind, "the processor")

    def mixed(self) -> AbstractContextManager[object]:
        """A context in which a forward pass is computed in mixed precision, if `half`."""
        return torch.autocast(self.torch.type, torch.bfloat16, enabled=self.half)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """A context that tells failures of a graphics processor from all others.

        Raises:
            DeviceFailed: It failed; never of the processor, whose errors pass as they are.
        """
        try:
            yield
        except (RuntimeError, AssertionError) as error:
            if self.is_processor:
                raise
            raise DeviceFailed(self.fallen(_reason(error))) from error

    def fallen(self, reason: str) -> str:
        """The message of its failure."""
        return f"{self.name[:1].upper()}{self.name[1:]} failed ({reason}); going on with the processor."


def choose_device(precision: str = "auto", wanted: str = "auto") -> Device:
    """The device to compute with.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 where the device computes in it.
        wanted: "cpu" for the processor, "auto" for CUDA or Metal where there is one.
    """
    kind = "cpu"
    if wanted == "auto":
        kind = next((k for k in ("cuda", "mps") if _is_there(k)), "cpu")
    return Device(kind, torch.device(kind), _half(precision, kind))


def processor(precision: str = "auto") -> Device:
    """The processor."""
    return choose_device(precision, "cpu")


def _is_there(kind: str) -> bool:
    return torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()


def _half(precision: str, kind: str) -> bool:
    if precision != "auto":
        return precision == "bfloat16"
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind == "mps":
        return bool(torch.backends.mps.is_macos_or_newer(*_BFLOAT_MACOS))
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())


def _reason(error: BaseException) -> str:
    """Why, in a line: torch's messages go on for many, about environment variables."""
    if is_out_of_memory(error):
        return "out of memory"
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is for want of memory, of any device."""
    # torch has a class of its own for CUDA only; Metal and the processor's allocator raise a RuntimeError.
    said = str(error)
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in said or "out of memory" in said)
    )
