"""A deadline that minds the memory as well: whoever looks at the time is told where there is too little of either."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from verifier.deadline import Deadline

MEGABYTE = 1e6
INTERVAL = 0.1
"""Seconds between two looks at the memory, at least."""


class Budget(Deadline):
    """Counts down from its making, and watches what the process has grown by since.

    Args:
        seconds: time allowed.
        memory: megabytes allowed; infinity does not look.
    """

    def __init__(self, seconds: float, memory: float = math.inf) -> None:
        super().__init__(seconds)
        self._memory = memory
        self._before = _held() if memory < math.inf else 0.0
        self._next = self.started + INTERVAL

    @property
    def expired(self) -> bool:
        """Whether the time is up.

        Raises:
            GivenUp: the memory is.
        """
        if self._memory < math.inf and time.monotonic() > self._next:
            self._next = time.monotonic() + INTERVAL
            if _held() - self._before > self._memory * MEGABYTE:
                from verifier.proofs.draft import GivenUp

                raise GivenUp(f"it takes more than {self._memory:g} MB of memory")
        return super().expired


def _held() -> float:
    """Bytes that this process holds."""
    try:
        return float(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):  # another system: psutil takes 20 ms to load
        import psutil

        return float(psutil.Process().memory_info().rss)
