"""A network at work: on a graphics processor, on the processor once that has failed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from core.detection.device import Device, processor
from core.detection.network import Network
from core.errors import DeviceFailed

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Computing:
    """A network and what it is computed with.

    Args:
        network: In evaluation mode, on the processor.
        device: What to compute with; None for the processor.
        spare: The network once more, for the processor, should the device fail: nothing is asked back from
            one that did. None for a network that stays on the processor.
    """

    def __init__(self, network: Network, device: Device | None = None, spare: Network | None = None) -> None:
        self._spare = spare
        self._lock = Lock()
        self._now = (network, processor())
        if device is None or device.is_processor:
            return
        try:
            with device.guarded():
                self._now = (network.to(device.torch), device)
        except DeviceFailed as failure:
            self._now = (network, device)
            self._fall(device, failure)

    @property
    def network(self) -> Network:
        """The network, wherever it is by now."""
        return self._now[0]

    @property
    def device(self) -> Device:
        """What it is computed with by now."""
        return self._now[1]

    def __call__(self, work: Callable[[Network], T]) -> T:
        """Work with the network, and once more with the processor where a graphics processor fails.

        Any thread may; of several at work when it fails each tries again by itself.
        """
        network, device = self._now
        try:
            with device.guarded():
                return work(network)
        except DeviceFailed as failure:
            self._fall(device, failure)
        return work(self.network)

    def _fall(self, device: Device, failure: DeviceFailed) -> None:
        with self._lock:
            if self._now[1] is not device:
                return  # another thread was here
            if self._spare is None:
                raise failure
            _log.warning("%s", failure)
            self._now = (self._spare, processor())
